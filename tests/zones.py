"""A zone in memory that answers as `core.names.Names` does, for rules that ask the name system."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mailbox_service.core.names import NoSuchName, NotKnownNow


@dataclass
class Zone:
    """`records`: {(name, "TXT"): ["…"]}; a name without any record does not exist. What stands in
    `failing` gets no answer now."""

    records: Mapping[tuple[str, str], Sequence[str]]
    failing: frozenset[str] = frozenset()
    asked: list[tuple[str, str]] = field(default_factory=list)

    def find(self, name: str, kind: str) -> Sequence[str]:
        name = name.lower().rstrip(".")
        self.asked.append((name, kind))
        if name in self.failing:
            raise NotKnownNow(name)
        if not any(known == name for known, _ in self.records):
            raise NoSuchName(name)
        return self.records.get((name, kind), ())

    async def texts(self, name: str) -> list[bytes]:
        return [text.encode() for text in self.find(name, "TXT")]

    async def host_addresses(self, name: str, version: Literal[4, 6]) -> list[str]:
        return list(self.find(name, "A" if version == 4 else "AAAA"))

    async def mail_hosts(self, name: str) -> list[str]:
        pairs = [text.split() for text in self.find(name, "MX")]
        return [host.rstrip(".") for _, host in sorted(pairs, key=lambda pair: int(pair[0]))]

    async def names_of(self, address: str) -> list[str]:
        reverse = ipaddress.ip_address(address).reverse_pointer
        return [name.rstrip(".") for name in self.find(reverse, "PTR")]
