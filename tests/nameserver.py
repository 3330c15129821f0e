"""A name server for tests: real DNS over UDP on loopback, with the zone it is given."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


@dataclass
class NameServer:
    """Answers from `records`: {(name, "MX"): ["10 mx.example."]}.

    A name without any record does not exist. Names in `failing` get SERVFAIL, names in `silent`
    no answer at all.
    """

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    # Names whose answers bear the AD flag: signed, by the word of this server.
    signed: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name = question.name.to_text(True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        if name in self.signed:
            response.flags |= dns.flags.AD
        if name in self.failing:
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        owner = question.name
        for _ in range(8):
            alias = self.records.get((owner.to_text(True).lower(), "CNAME"))
            if alias is None:
                break
            response.answer.append(dns.rrset.from_text(owner, 60, "IN", "CNAME", alias[0]))
            owner = dns.name.from_text(alias[0])
        final = owner.to_text(True).lower()
        found = self.records.get((final, kind))
        if found:
            response.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, *found))
        elif not any(key[0] == final for key in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        response = self.server.answer(dns.message.from_wire(data))
        if response is not None:
            self.transport.sendto(response.to_wire(), addr)


@contextlib.asynccontextmanager
async def serving(server: NameServer) -> AsyncIterator[NameServer]:
    """The server, listening on a port of its own."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Protocol(server), local_addr=("127.0.0.1", 0)
    )
    server.port = transport.get_extra_info("sockname")[1]
    try:
        yield server
    finally:
        transport.close()
