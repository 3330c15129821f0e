"""A simulator of an SMSC that speaks SMPP 3.4 on loopback, written against the specification and
not with the library that the service uses. It carries nothing anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

BIND, SUBMIT, DELIVER, UNBIND, ENQUIRE = 0x09, 0x04, 0x05, 0x06, 0x15
ANSWER = 0x80000000
BAD_PASSWORD = 0x0E


@dataclass(frozen=True)
class Submitted:
    """One `submit_sm` as it came."""

    message_id: str
    source: str
    destination: str
    coding: int
    content: bytes
    with_header: bool


@dataclass
class Smsc:
    """The server. `status` is what it answers to messages; it gives out ids from 1."""

    login: tuple[str, str] = ("esme", "secret")
    status: int = 0
    port: int = 0
    taken: list[Submitted] = field(default_factory=list)
    binds: int = 0
    acknowledged: list[int] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _writer: asyncio.StreamWriter | None = None
    _number: int = 0

    async def until(self, what: str, count: int) -> None:
        """Wait until there are so many of something."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: size_of(getattr(self, what)) >= count)

    async def deliver(
        self, source: str, destination: str, text: str, *, receipt: bool = False
    ) -> None:
        """Tell the session of something: a message of a phone, or a receipt."""
        assert self._writer is not None
        octets = text.encode("ascii")
        body = (
            b"\0"
            + b"\1\1" + source.encode() + b"\0"
            + b"\1\1" + destination.encode() + b"\0"
            + bytes((4 if receipt else 0, 0, 0)) + b"\0\0"
            + bytes((0, 0, 0, 0, len(octets))) + octets
        )  # fmt: skip
        self._number += 1
        await self._send(DELIVER, 0, self._number, body)

    async def receipt(self, message_id: str, state: str) -> None:
        """Tell what became of a message (SMPP 3.4, appendix B)."""
        one = next(one for one in self.taken if one.message_id == message_id)
        text = (
            f"id:{message_id} sub:001 dlvrd:001 submit date:2611211200 done date:2611211201 "
            f"stat:{state} err:000 text:x"
        )
        await self.deliver(one.destination, one.source, text, receipt=True)

    def drop(self) -> None:
        """Cut the session."""
        assert self._writer is not None
        self._writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                length, command, status, number = struct.unpack(
                    ">IIII", await reader.readexactly(16)
                )
                body = await reader.readexactly(length - 16)
                await self.answer(command, status, number, body)
        writer.close()

    async def answer(self, command: int, status: int, number: int, body: bytes) -> None:
        async with self.changed:
            if command == BIND:
                user, password = (one.decode() for one in body.split(b"\0")[:2])
                good = (user, password) == self.login
                await self._send(BIND | ANSWER, 0 if good else BAD_PASSWORD, number, b"simulator\0")
                self.binds += good
            elif command == SUBMIT:
                if not self.status:
                    self.taken.append(read_submit(body, str(len(self.taken) + 1)))
                told = self.taken[-1].message_id.encode() + b"\0" if not self.status else b""
                await self._send(SUBMIT | ANSWER, self.status, number, told)
            elif command == ENQUIRE:
                await self._send(ENQUIRE | ANSWER, 0, number, b"")
            elif command == UNBIND:
                await self._send(UNBIND | ANSWER, 0, number, b"")
            elif command == DELIVER | ANSWER:
                self.acknowledged.append(status)
            self.changed.notify_all()

    async def _send(self, command: int, status: int, number: int, body: bytes) -> None:
        assert self._writer is not None
        self._writer.write(struct.pack(">IIII", 16 + len(body), command, status, number) + body)
        await self._writer.drain()


def size_of(value: object) -> int:
    return value if isinstance(value, int) else len(value)  # type: ignore[arg-type]


def read_submit(body: bytes, message_id: str) -> Submitted:
    """A `submit_sm` (SMPP 3.4 §4.4.1)."""

    def text(at: int) -> tuple[str, int]:
        end = body.index(b"\0", at)
        return body[at:end].decode("ascii"), end + 1

    _, at = text(0)
    source, at = text(at + 2)
    destination, at = text(at + 2)
    esm_class = body[at]
    _, at = text(at + 3)
    _, at = text(at)
    coding, length = body[at + 2], body[at + 4]
    content = body[at + 5 : at + 5 + length]
    return Submitted(message_id, source, destination, coding, content, bool(esm_class & 0x40))


@asynccontextmanager
async def running(smsc: Smsc) -> AsyncIterator[Smsc]:
    """The server on a port of its own."""
    server = await asyncio.start_server(smsc.serve, "127.0.0.1", smsc.port)
    smsc.port = server.sockets[0].getsockname()[1]
    try:
        yield smsc
    finally:
        server.close()
        if smsc._writer is not None:
            smsc._writer.transport.abort()
        await server.wait_closed()
