"""From where keys and mail doors may be used: a list a door, off by default (§9.3)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from mailbox_service.core.sending_api import BadField, Caller, Refusal
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.documents import LISTS, Documents
from mailbox_service.services.sending_api.policies import IpEntry, IpList, Policies
from mailbox_service.storage.database import Database

DOORS = ("smtp", "api")
MOST_LISTED = 1_000
LONGEST_DESCRIPTION = 255


class IpSwitch(Struct, kw_only=True):
    """Whether a list counts."""

    enabled: bool
    type: str = "smtp"


class IpAdd(Struct, kw_only=True):
    """An address or a network."""

    ip_address: str
    description: str = ""
    type: str = "smtp"


class IpEdit(Struct, kw_only=True):
    """Changes to an entry."""

    ip_address: str
    new_ip_address: str = ""
    description: str | None = None
    type: str = "smtp"


class IpRemove(Struct, kw_only=True):
    """Which entry."""

    ip_address: str
    type: str = "smtp"


class IpView(Struct, kw_only=True):
    """Which list."""

    type: str = "smtp"


@dataclass(frozen=True, slots=True)
class ShownIp:
    """One entry."""

    ip_address: str
    description: str


class IpLists:
    """The lists of all accounts."""

    def __init__(
        self, database: Database, policies: Policies, *, clock: Clock = now_micros
    ) -> None:
        self._lists = Documents(database, LISTS, IpList, clock)
        self._policies = policies

    async def switch(self, caller: Caller, form: IpSwitch) -> bool:
        """Let a list count, or not. The caller is never locked out."""
        listed = await self._read(caller, form.type)
        listed = msgspec.structs.replace(listed, enabled=form.enabled)
        await self._keep(caller, form.type, listed)
        return form.enabled

    async def add(self, caller: Caller, form: IpAdd) -> ShownIp:
        """A new entry; one that is there gets the new description."""
        place, listed = place_of(form.ip_address), await self._read(caller, form.type)
        if len(form.description) > LONGEST_DESCRIPTION:
            raise BadField("description", f"Longer than {LONGEST_DESCRIPTION} characters")
        entries = [one for one in listed.entries if one.ip_address != place]
        if len(entries) >= MOST_LISTED:
            raise Refusal(f"There are {MOST_LISTED} entries already")
        entries.append(IpEntry(place, form.description))
        await self._keep(caller, form.type, msgspec.structs.replace(listed, entries=entries))
        return ShownIp(place, form.description)

    async def edit(self, caller: Caller, form: IpEdit) -> ShownIp:
        """Another place or description for an entry."""
        listed = await self._read(caller, form.type)
        found = self._one(listed, form.ip_address)
        place = place_of(form.new_ip_address) if form.new_ip_address else found.ip_address
        words = found.description if form.description is None else form.description
        if len(words) > LONGEST_DESCRIPTION:
            raise BadField("description", f"Longer than {LONGEST_DESCRIPTION} characters")
        changed = IpEntry(place, words)
        entries = [changed if one == found else one for one in listed.entries]
        await self._keep(caller, form.type, msgspec.structs.replace(listed, entries=entries))
        return ShownIp(place, words)

    async def remove(self, caller: Caller, form: IpRemove) -> ShownIp:
        """Forget an entry; what it was."""
        listed = await self._read(caller, form.type)
        found = self._one(listed, form.ip_address)
        entries = [one for one in listed.entries if one != found]
        await self._keep(caller, form.type, msgspec.structs.replace(listed, entries=entries))
        return ShownIp(found.ip_address, found.description)

    async def view(self, caller: Caller, form: IpView) -> IpList:
        """One list."""
        return await self._read(caller, form.type)

    async def _read(self, caller: Caller, door: str) -> IpList:
        if door not in DOORS:
            raise BadField("type", "smtp or api")
        found = await self._lists.get(caller.account, f"ip_{door}")
        return IpList() if found is None else found.value

    async def _keep(self, caller: Caller, door: str, listed: IpList) -> None:
        places = [one.ip_address for one in listed.entries]
        same = caller.account == caller.credential.account
        if door == "api" and listed.enabled and same and not allows(places, caller.ip):
            raise Refusal("Your own address would be locked out: add it to the list first")
        await self._lists.put(caller.account, f"ip_{door}", listed)
        self._policies.forget()

    @staticmethod
    def _one(listed: IpList, text: str) -> IpEntry:
        place = place_of(text)
        for one in listed.entries:
            if one.ip_address == place:
                return one
        raise Refusal(f"{place} is not on the list")


def place_of(text: str) -> str:
    """An address or a network as it is kept. Raises BadField."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise BadField("ip_address", f"{text[:50]!r} is no address and no network") from None
    alone = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if alone else str(network)


def allows(places: Sequence[str], ip: str) -> bool:
    """Whether an address is in one of some networks."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(one, strict=False) for one in places)
