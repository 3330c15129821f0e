"""Addresses that send without a login (sending-api §9.4): printers, old programs, hosts of one's
own network. At the submission door, an address on this list is a login; the list is empty until
an administrator adds to it, by `mailbox apikey trust` or a key of the operator's own account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import (
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from msgspec import Struct

from mailbox_service.core.sending_api import (
    BLOCKED,
    MASTER,
    BadField,
    Caller,
    Credential,
    CredentialSettings,
    Refusal,
    SendingPrincipal,
)
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.api_keys import Nothing
from mailbox_service.services.sending_api.documents import ADDRESSES, Document, Documents
from mailbox_service.services.sending_api.ip_lists import allows, place_of
from mailbox_service.services.sending_api.policies import Policies
from mailbox_service.services.sending_api.settings import SettingsForm, settings_from
from mailbox_service.storage.database import Database

# From which addresses this host speaks (`outbound.own_addresses`).
OwnAddresses = Callable[[], list[str]]
Network = IPv4Network | IPv6Network

MOST_ADDRESSES = 1_000
# The narrowest prefix by version. Whoever has an address of it sends without a password, so a
# house or an office is enough, and a slip of the pen lets no half of the internet in.
WIDEST = {4: 24, 6: 64}
# Another process may have changed the list.
KEPT_MICROS = 5_000_000


class AddressEdit(SettingsForm, kw_only=True):
    """Changes to one."""

    ip_address: str


class AddressName(Struct):
    """Which one."""

    ip_address: str


class AddressView(Struct, kw_only=True):
    """One, or all."""

    ip_address: str = ""


class AddressAdd(SettingsForm, kw_only=True):
    """A new one: an address, or a network."""

    ip_address: str


@dataclass(frozen=True, slots=True)
class ShownAddress:
    """An address and its settings."""

    ip_address: str
    settings: CredentialSettings


class AuthenticatedIps:
    """The addresses of all accounts."""

    def __init__(
        self,
        database: Database,
        policies: Policies,
        own_addresses: OwnAddresses,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._policies = policies
        self._own_addresses = own_addresses
        self._clock = clock
        self._known: list[tuple[Network, Document[CredentialSettings]]] = []
        self._known_until = 0
        self._addresses = Documents(database, ADDRESSES, CredentialSettings, clock)

    async def add(self, caller: Caller, form: AddressAdd) -> list[ShownAddress]:
        """Let an address or a small network send without a login, for the caller's account.
        Raises Refusal, BadField."""
        if caller.credential.account != MASTER:
            raise Refusal("Only the operator's own account adds authenticated addresses")
        return [await self.trust(form.ip_address, form, account=caller.account)]

    async def trust(self, text: str, form: SettingsForm, account: str = MASTER) -> ShownAddress:
        """Add one. Raises Refusal, BadField."""
        place = place_of(text)
        network = ip_network(place)
        widest = WIDEST[network.version]
        if network.prefixlen < widest:
            raise BadField("ip_address", f"A network of /{widest} at most")
        settings = settings_from(form, CredentialSettings())
        if await self._addresses.count(account) >= MOST_ADDRESSES:
            raise Refusal(f"There are {MOST_ADDRESSES} authenticated addresses already")
        if await self._addresses.add(account, place, settings, lookup=f"ip:{place}") is None:
            raise Refusal(f"{place} is an authenticated address already")
        self._known_until = 0
        return ShownAddress(place, settings)

    async def admitted(self, ip: str) -> SendingPrincipal | None:
        """Whose address this is, if it may send now; the smallest network counts."""
        try:
            address = ip_address(ip)
        except ValueError:
            return None
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        now = self._clock()
        if now >= self._known_until:
            found = await self._addresses.anywhere()
            known = [(ip_network(one.name), one) for one in found]
            self._known = sorted(known, key=lambda pair: -pair[0].prefixlen)
            self._known_until = now + KEPT_MICROS
        for network, one in self._known:
            if address in network:
                return await self._admitted(one, ip)
        return None

    async def _admitted(
        self, found: Document[CredentialSettings], ip: str
    ) -> SendingPrincipal | None:
        policy = await self._policies.of(found.account)
        listed = policy.ip_lists["smtp"]
        if not policy.active or found.value.status == BLOCKED:
            return None
        if listed.enabled and not allows([one.ip_address for one in listed.entries], ip):
            return None
        credential = Credential(ADDRESSES, found.account, found.name, found.value)
        return SendingPrincipal("credential", "", unlimited=True, credential=credential)

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
        self._known_until = 0
        return [ShownAddress(found.name, settings)]

    async def remove(self, caller: Caller, form: AddressName) -> list[ShownAddress]:
        """Forget one; what it was."""
        found = await self._one(caller, form.ip_address)
        await self._addresses.remove(caller.account, found.name)
        self._known_until = 0
        return [ShownAddress(found.name, found.value)]

    async def pools(self, caller: Caller, _: Nothing) -> list[dict[str, object]]:
        """The pools of outgoing addresses: one, of those that the system chooses from."""
        return [{"id": 1, "name": "default", "ip_addresses": self._own_addresses()}]

    async def _one(self, caller: Caller, text: str) -> Document[CredentialSettings]:
        found = await self._addresses.get(caller.account, place_of(text))
        if found is None:
            raise Refusal("There is no authenticated address like that")
        return found
