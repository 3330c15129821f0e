"""Which addresses this service may call because a user or a mail said so: public ones.

The name is looked up once, every address that comes back is judged, and the connection goes to
an address that was judged: a name server that answers differently the second time (DNS
rebinding) is never asked a second time. Numbers that only look odd (`2130706433`, `0x7f.1`,
`0177.0.0.1`) become an address by the same look-up and are judged like any other.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2

from mailbox_service.core.public_address import is_public
from mailbox_service.outbound.dns import NoSuchName, NotKnownNow, Resolver

# Services that speak something else: an HTTP request there is a command to a stranger's cache,
# database or mail server. Below 1024 only the two ports of the web are left.
_WEB_PORTS = frozenset((80, 443))
_OTHER_SERVICES = frozenset(
    (
        *(1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 3306, 3389, 3659, 4045, 4190),
        *(5060, 5061, 5432, 5672, 5900, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679),
        *(6697, 9042, 9100, 10080, 11211, 27017),
    )
)
# A name with more addresses is a mistake; all are judged, these are tried.
MOST_TRIED = 4


class Refused(Exception):
    """The guard let nobody through; the text says why, and names no address."""


def is_web_port(port: int) -> bool:
    """Whether an HTTP server may be expected at a port."""
    return port in _WEB_PORTS or (port >= 1024 and port not in _OTHER_SERVICES)


class AddressGuard(httpcore2.AsyncNetworkBackend):
    """Opens connections to public addresses, and to others where that is allowed."""

    def __init__(self, resolver: Resolver, *, private_addresses: bool) -> None:
        self._resolver = resolver
        self._private = private_addresses
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to a host that was looked up and judged here. Raises Refused."""
        if not self._private and not is_web_port(port):
            raise Refused(f"port {port} is not one of the web")
        addresses = await addresses_of(host.lower().rstrip("."), self._resolver)
        if not self._private and not all(is_public(address) for address in addresses):
            raise Refused("the host has no public address")
        trouble: Exception = httpcore2.ConnectError("the host has no address")
        for address in addresses[:MOST_TRIED]:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                trouble = error
        raise trouble

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        """There is none that a URL may name."""
        raise Refused("not a host")

    async def sleep(self, seconds: float) -> None:
        """Wait, for the library."""
        await asyncio.sleep(seconds)


def literal_address(host: str) -> str | None:
    """The address that a host is, when it is no name: also in the forms that the C library
    takes for one (a whole number, hexadecimal, octal, fewer than four parts)."""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return None


async def addresses_of(host: str, resolver: Resolver) -> list[str]:
    """What a host's name stands for, without asking where it is clear; empty when there is no
    such name, or nobody can tell now."""
    literal = literal_address(host)
    if literal is not None:
        return [literal]
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761 §6.3
        return ["127.0.0.1"]
    try:
        return await resolver.addresses(host)
    except (NoSuchName, NotKnownNow):
        return []


class GuardedPool:
    """Connections that all go through a guard."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        private_addresses: bool,
        connections: int,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.private_addresses = private_addresses
        self._guard = AddressGuard(resolver, private_addresses=private_addresses)
        self._connections = connections
        self._tls = tls
        self._pool: httpcore2.AsyncConnectionPool | None = None

    def open(self) -> httpcore2.AsyncConnectionPool:
        """The library's pool, made at the first call: reading the certificate store takes a
        while."""
        if self._pool is None:
            self._pool = httpcore2.AsyncConnectionPool(
                ssl_context=self._tls or ssl.create_default_context(),
                max_connections=self._connections,
                max_keepalive_connections=self._connections // 4,
                keepalive_expiry=15.0,
                network_backend=self._guard,
            )
        return self._pool

    async def close(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None
