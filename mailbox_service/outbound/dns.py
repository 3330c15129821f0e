"""The name system: hosts of a domain, addresses of a host, texts, from name servers of our choice.

Answers are kept for as long as they say. "There is no such name" and "nobody could tell" are
different answers: the first fails a mail, the second defers it (RFC 5321 §5.1).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver
import dns.reversename

from mailbox_service.core.names import NoSuchName, NotKnownNow

__all__ = ["MailExchanger", "NoSuchName", "NotKnownNow", "Resolver", "TlsaRecord", "parse_server"]

# Answers kept; a record takes about a kilobyte.
CACHED_ANSWERS = 10_000
# Seconds for one name server to answer, and for a question in all.
SERVER_SECONDS = 3.0
QUESTION_SECONDS = 12.0
# Addresses of one host that are worth trying; more are a mistake or an attack.
MOST_ADDRESSES = 8
# Records of one name that are read where all of them count.
MOST_RECORDS = 100


@dataclass(frozen=True, slots=True)
class MailExchanger:
    """One MX record; `host` is lower-case and without its final dot, empty for a null MX."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class TlsaRecord:
    """One key of a server (RFC 6698 §2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes


class Resolver:
    """Asks `servers` (`host` or `host:port`), or those of the system when there are none."""

    def __init__(
        self,
        servers: Sequence[str] = (),
        *,
        server_seconds: float = SERVER_SECONDS,
        question_seconds: float = QUESTION_SECONDS,
        dnssec: bool = False,
        remembers: bool = True,
    ) -> None:
        """`dnssec`: have the servers say which answers are signed (`is_signed`, `tlsa`).
        `remembers`: keep answers for as long as they say."""
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        except dns.resolver.NoResolverConfiguration:
            # A machine without network starts all the same; every question is then "not now".
            self._resolver = dns.asyncresolver.Resolver(configure=False)
        if servers:
            endpoints = [parse_server(server) for server in servers]
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(host, port) for host, port in endpoints
            ]
        if dnssec:
            self._resolver.use_edns(0, dns.flags.DO, 1_232)
        self._resolver.timeout = server_seconds
        self._resolver.lifetime = question_seconds
        if remembers:
            self._resolver.cache = dns.resolver.LRUCache(CACHED_ANSWERS)

    async def mail_exchangers(self, domain: str) -> list[MailExchanger]:
        """The MX records of a domain, unordered; none when it has none.

        Raises NoSuchName, NotKnownNow.
        """
        answer = await self._ask(domain, dns.rdatatype.MX)
        return [
            MailExchanger(record.preference, record.exchange.to_text(True).lower().strip("."))
            for record in answer
        ]

    async def addresses(self, host: str) -> list[str]:
        """The IPv6 and IPv4 addresses of a host, IPv4 first; none when it has none.

        Raises NoSuchName when it has no name either, NotKnownNow.
        """
        found: list[str] = []
        trouble: NotKnownNow | None = None
        missing: NoSuchName | None = None
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            try:
                found += [record.address for record in await self._ask(host, kind)]
            except NoSuchName as error:
                missing = error
                break
            except NotKnownNow as error:
                trouble = error
        if found:
            return found[:MOST_ADDRESSES]
        if trouble is not None:
            raise trouble
        if missing is not None:
            raise missing
        return []

    async def texts(self, name: str) -> list[bytes]:
        """The TXT records of a name, the strings of each put together.

        Raises NoSuchName, NotKnownNow.
        """
        answer = await self._ask(name, dns.rdatatype.TXT)
        return [b"".join(record.strings) for record in answer[:MOST_RECORDS]]

    async def host_addresses(self, name: str, version: Literal[4, 6]) -> list[str]:
        """The addresses of one kind that a name has. Raises NoSuchName, NotKnownNow."""
        kind = dns.rdatatype.A if version == 4 else dns.rdatatype.AAAA
        return [record.address for record in (await self._ask(name, kind))[:MOST_RECORDS]]

    async def mail_hosts(self, name: str) -> list[str]:
        """The hosts of a domain's MX records, best first. Raises NoSuchName, NotKnownNow."""
        found = sorted(await self.mail_exchangers(name), key=lambda one: one.preference)
        return [one.host for one in found[:MOST_RECORDS] if one.host]

    async def names_of(self, address: str) -> list[str]:
        """The names that an address has (PTR). Raises NoSuchName, NotKnownNow."""
        name = dns.reversename.from_address(address).to_text()
        answer = await self._ask(name, dns.rdatatype.PTR)
        return [record.target.to_text(True).lower() for record in answer[:MOST_RECORDS]]

    async def alias(self, name: str) -> str:
        """The CNAME of a name, lower-case and without its final dot; empty when it has none.

        Raises NoSuchName, NotKnownNow.
        """
        for record in await self._ask(name, dns.rdatatype.CNAME):
            return str(record.target.to_text(True)).lower().strip(".")
        return ""

    async def is_signed(self, domain: str, host: str) -> bool:
        """Whether DNSSEC vouches for the way from a domain to its mail server's addresses, by the
        word of the name server (AD). Raises NoSuchName, NotKnownNow."""
        if not self._is_signed(await self._answer(domain, dns.rdatatype.MX)):
            return False
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            answer = await self._answer(host, kind)
            if answer.rrset:
                return self._is_signed(answer)
        return False

    async def tlsa(self, name: str) -> tuple[list[TlsaRecord], bool]:
        """The keys of a server, and whether DNSSEC vouches for them. Raises NoSuchName,
        NotKnownNow."""
        answer = await self._answer(name, dns.rdatatype.TLSA)
        records = [
            TlsaRecord(one.usage, one.selector, one.mtype, one.cert)
            for one in list(answer.rrset or ())[:MOST_RECORDS]
        ]
        return records, self._is_signed(answer)

    @staticmethod
    def _is_signed(answer: Any) -> bool:
        return bool(answer.response.flags & dns.flags.AD)

    async def _ask(self, name: str, kind: dns.rdatatype.RdataType) -> Sequence[Any]:
        return list((await self._answer(name, kind)).rrset or ())

    async def _answer(self, name: str, kind: dns.rdatatype.RdataType) -> Any:
        try:
            question = dns.name.from_text(name)
            return await self._resolver.resolve(question, kind, raise_on_no_answer=False)
        except (dns.resolver.NXDOMAIN, dns.exception.SyntaxError, dns.name.LabelTooLong) as error:
            raise NoSuchName(name) from error
        except dns.resolver.YXDOMAIN as error:
            raise NoSuchName(name) from error
        except (dns.exception.DNSException, OSError) as error:
            raise NotKnownNow(name) from error


def parse_server(text: str) -> tuple[str, int]:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`, port 53 by default.

    Raises ValueError.
    """
    host, port = text, 53
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = int(rest.removeprefix(":") or 53)
    elif text.count(":") == 1:
        host, _, rest = text.partition(":")
        port = int(rest)
    return str(ipaddress.ip_address(host)), port
