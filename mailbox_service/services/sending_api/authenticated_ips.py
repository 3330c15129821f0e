"""Addresses that send without a login (sending-api §9.4). This server lets nobody send without
a login, and no path of the API makes one, so the list is what a migration brought."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec import Struct

from mailbox_service.core.sending_api import Caller, CredentialSettings, Refusal
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.api_keys import Nothing
from mailbox_service.services.sending_api.documents import ADDRESSES, Document, Documents
from mailbox_service.services.sending_api.ip_lists import place_of
from mailbox_service.services.sending_api.settings import SettingsForm, settings_from
from mailbox_service.storage.database import Database

# From which addresses this host speaks (`outbound.own_addresses`).
OwnAddresses = Callable[[], list[str]]


class AddressEdit(SettingsForm, kw_only=True):
    """Changes to one."""

    ip_address: str


class AddressName(Struct):
    """Which one."""

    ip_address: str


class AddressView(Struct, kw_only=True):
    """One, or all."""

    ip_address: str = ""


@dataclass(frozen=True, slots=True)
class ShownAddress:
    """An address and its settings."""

    ip_address: str
    settings: CredentialSettings


class AuthenticatedIps:
    """The addresses of all accounts."""

    def __init__(
        self, database: Database, own_addresses: OwnAddresses, *, clock: Clock = now_micros
    ) -> None:
        self._own_addresses = own_addresses
        self._addresses = Documents(database, ADDRESSES, CredentialSettings, clock)

    async def view(self, caller: Caller, form: AddressView) -> list[ShownAddress]:
        """All, or one; none is no error."""
        wanted = place_of(form.ip_address) if form.ip_address else ""
        found = await self._addresses.all(caller.account)
        return [ShownAddress(one.name, one.value) for one in found if wanted in ("", one.name)]

    async def patch(self, caller: Caller, form: AddressEdit) -> list[ShownAddress]:
        """Change what the request says."""
        found = await self._one(caller, form.ip_address)
        settings = settings_from(form, found.value)
        await self._addresses.change(caller.account, found.name, settings)
        return [ShownAddress(found.name, settings)]

    async def remove(self, caller: Caller, form: AddressName) -> list[ShownAddress]:
        """Forget one; what it was."""
        found = await self._one(caller, form.ip_address)
        await self._addresses.remove(caller.account, found.name)
        return [ShownAddress(found.name, found.value)]

    async def pools(self, caller: Caller, _: Nothing) -> list[dict[str, object]]:
        """The pools of outgoing addresses: one, of those that the system chooses from."""
        return [{"id": 1, "name": "default", "ip_addresses": self._own_addresses()}]

    async def _one(self, caller: Caller, text: str) -> Document[CredentialSettings]:
        found = await self._addresses.get(caller.account, place_of(text))
        if found is None:
            raise Refusal("There is no authenticated address like that")
        return found
