"""What the rules of mail ask of the domain name system, and the two ways of not getting it.

The core asks through `Names` and never knows who answers. "There is no such name" and "nobody
could tell" are different answers: the first decides something, the second postpones it.
"""

from __future__ import annotations

from typing import Literal, Protocol


class NoSuchName(Exception):
    """The name does not exist (NXDOMAIN), or cannot exist."""


class NotKnownNow(Exception):
    """No name server could tell: SERVFAIL, a timeout, or no name server at all."""


class Names(Protocol):
    """A resolver. Every question raises NoSuchName and NotKnownNow; a name that exists without
    such a record has an empty answer."""

    async def texts(self, name: str) -> list[bytes]:
        """The TXT records of a name, the strings of each put together (RFC 7208 §3.3)."""
        ...

    async def host_addresses(self, name: str, version: Literal[4, 6]) -> list[str]:
        """The A records of a name, or its AAAA records."""
        ...

    async def mail_hosts(self, name: str) -> list[str]:
        """The hosts of a name's MX records, best first."""
        ...

    async def names_of(self, address: str) -> list[str]:
        """The names that an address has by its PTR records."""
        ...
