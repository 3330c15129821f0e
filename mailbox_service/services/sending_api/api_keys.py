"""API keys: made, proved, changed (sending-api §1.2, §9.1). A key is shown once and kept as a
hash; its first sixteen characters are its public name."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import string
from dataclasses import dataclass

from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.errors import BadCredential
from mailbox_service.core.sending_api import (
    API_KEY,
    BLOCKED,
    MASTER,
    BadField,
    Caller,
    Credential,
    CredentialSettings,
    Refusal,
    is_within,
)
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.remembered import Remembered
from mailbox_service.services.sending_api.documents import KEYS, Document, Documents
from mailbox_service.services.sending_api.policies import Policies
from mailbox_service.services.sending_api.settings import SettingsForm, settings_from
from mailbox_service.storage.database import Database

# `api-` and 32 letters or digits: 20 of them, 119 bits, are never shown again.
FORM = re.compile(r"api-[a-zA-Z0-9]{32}")
LETTERS = string.ascii_letters + string.digits
USERNAME = 16
# A key that was proved is taken for as long as this without another look at its row.
PROVED_SECONDS = 5.0
PROVED_AT_MOST = 10_000
MOST_KEYS = 1_000
MOST_ENDPOINTS = 200

NO_SUCH_KEY = "No API user could be found that matches the passed 'api_key'."


class MalformedKey(BadCredential):
    """There is no key, or what stands in its place is none."""


class StoredKey(Struct, frozen=True, kw_only=True):
    """A key as it is kept; its hash stands where it is looked up by."""

    settings: CredentialSettings
    endpoints: list[str]


class KeyForm(SettingsForm, kw_only=True):
    """A new key."""

    endpoints: list[str] | UnsetType = UNSET


class KeyEdit(KeyForm, kw_only=True):
    """A changed key; `id` is the key or its public name."""

    id: str


class KeyId(Struct):
    """Which key."""

    id: str


class KeySearch(Struct, kw_only=True):
    """Which keys: one, or those whose name or description has a text."""

    id: str = ""
    search: str = ""


class Nothing(Struct):
    """A request that says nothing."""


@dataclass(frozen=True, slots=True)
class ShownKey:
    """A key for its owner's eyes; `api_key` is whole once, when it is made."""

    api_key: str
    username: str
    settings: CredentialSettings
    endpoints: tuple[str, ...]


def new_key() -> str:
    """A key, all of it from the system's randomness."""
    return "api-" + "".join(secrets.choice(LETTERS) for _ in range(32))


def lookup_of(key: str) -> str:
    """Where a key is kept: nobody gets back from there to the key."""
    return "key:" + hashlib.sha256(key.encode()).hexdigest()


class ApiKeys:
    """The keys of all accounts. `endpoints` are the paths that there are."""

    def __init__(
        self, database: Database, policies: Policies, *, clock: Clock = now_micros
    ) -> None:
        self._keys = Documents(database, KEYS, StoredKey, clock)
        self._policies = policies
        self._proved = Remembered[str, Credential](PROVED_SECONDS, PROVED_AT_MOST)
        self.endpoints: tuple[str, ...] = ()

    def proved(self, key: str, now: float) -> Credential | None:
        """Whose key this is, as it was some seconds ago at most; None when it has to be looked
        up. `now` is the loop's time."""
        return self._proved.get(key, now)

    async def prove(self, key: str) -> Credential:
        """Whose key this is. Raises MalformedKey, BadCredential."""
        now = asyncio.get_running_loop().time()
        proved = self.proved(key, now)
        if proved is not None:
            return proved
        if not FORM.fullmatch(key):
            raise MalformedKey("The API key is missing or malformed.")
        turn = self._proved.turn
        found = await self._keys.find(lookup_of(key))
        if found is None or found.value.settings.status == BLOCKED:
            raise BadCredential(NO_SUCH_KEY)
        if not (await self._policies.of(found.account)).active:
            raise BadCredential(NO_SUCH_KEY)
        credential = Credential(
            API_KEY,
            found.account,
            found.name,
            found.value.settings,
            tuple(found.value.endpoints),
        )
        self._proved.keep(key, credential, now, turn=turn)
        return credential

    async def named(self, account: str, username: str) -> Credential | None:
        """The key with this public name, as it is now."""
        found = await self._keys.get(account, username)
        if found is None:
            return None
        value = found.value
        return Credential(API_KEY, account, username, value.settings, tuple(value.endpoints))

    def forget(self) -> None:
        """A key or an account was changed: look again."""
        self._proved.forget()

    async def make(self, *, description: str = "", account: str = MASTER) -> ShownKey:
        """The operator's way to a key: one with all permissions."""
        settings = CredentialSettings(description=description)
        return await self._keep(account, settings, ["*"])

    async def add(self, caller: Caller, form: KeyForm) -> list[ShownKey]:
        """A new key, whole. It can do nothing that the caller's key cannot."""
        settings = settings_from(form, CredentialSettings())
        endpoints = ["/email/send"] if form.endpoints is UNSET else form.endpoints
        self._check(caller, endpoints)
        if await self._keys.count(caller.account) >= MOST_KEYS:
            raise Refusal(f"There are {MOST_KEYS} API keys already")
        return [await self._keep(caller.account, settings, endpoints)]

    async def edit(self, caller: Caller, form: KeyEdit) -> list[ShownKey]:
        """A key anew: what the request does not say is default."""
        return await self._change(caller, form, partial=False)

    async def patch(self, caller: Caller, form: KeyEdit) -> list[ShownKey]:
        """A key with what the request says, and otherwise as it was."""
        return await self._change(caller, form, partial=True)

    async def remove(self, caller: Caller, form: KeyId) -> str:
        """Forget a key: it proves nobody from now on."""
        found = await self._one(caller, form.id)
        self._check_reach(caller, found)
        await self._keys.remove(caller.account, found.name)
        self.forget()
        return "ok"

    async def view(self, caller: Caller, form: KeySearch) -> list[ShownKey]:
        """Keys, masked."""
        if form.id:
            return [shown(await self._one(caller, form.id))]
        words = form.search.lower()
        return [
            shown(one)
            for one in await self._keys.all(caller.account)
            if words in one.name.lower() or words in one.value.settings.description.lower()
        ]

    async def permissions(self, caller: Caller, _: Nothing) -> list[str]:
        """What the caller's key may do, path by path."""
        return [path for path in self.endpoints if caller.credential.may(path)]

    async def _keep(
        self, account: str, settings: CredentialSettings, endpoints: list[str]
    ) -> ShownKey:
        value = StoredKey(settings=settings, endpoints=endpoints)
        while True:
            key = new_key()
            name = key[:USERNAME]
            if await self._keys.add(account, name, value, lookup=lookup_of(key)) is not None:
                return ShownKey(key, name, settings, tuple(endpoints))

    async def _change(self, caller: Caller, form: KeyEdit, *, partial: bool) -> list[ShownKey]:
        found = await self._one(caller, form.id)
        self._check_reach(caller, found)
        before = found.value.settings if partial else CredentialSettings()
        settings = settings_from(form, before)
        if form.endpoints is UNSET:
            endpoints = found.value.endpoints if partial else ["/email/send"]
        else:
            endpoints = form.endpoints
        self._check(caller, endpoints)
        value = StoredKey(settings=settings, endpoints=endpoints)
        await self._keys.change(caller.account, found.name, value)
        self.forget()
        return [shown(found, value)]

    async def _one(self, caller: Caller, key: str) -> Document[StoredKey]:
        name = key.strip()
        found = await self._keys.get(caller.account, name[:USERNAME])
        whole = len(name) == USERNAME or name == masked(name[:USERNAME])
        if found is not None and not whole:
            proved = await self._keys.find(lookup_of(name))
            found = found if proved is not None and proved.id == found.id else None
        if found is None:
            raise Refusal("There is no API key with that id")
        return found

    def _check_reach(self, caller: Caller, found: Document[StoredKey]) -> None:
        """A key touches no key that can do more than itself."""
        wider = caller.credential.endpoints
        if not all(is_within(wider, one) for one in found.value.endpoints):
            raise Refusal("That API key has permissions that the one used has not")

    def _check(self, caller: Caller, endpoints: list[str]) -> None:
        if len(endpoints) > MOST_ENDPOINTS:
            raise BadField("endpoints", f"More than {MOST_ENDPOINTS} entries")
        for one in endpoints:
            known = one in self.endpoints or one == "*"
            known = known or (one.endswith("/*") and self._has_prefix(one[:-1]))
            if not known:
                raise BadField("endpoints", f"There is no endpoint {one[:100]!a}")
            if not is_within(caller.credential.endpoints, one):
                raise BadField("endpoints", f"The API key used has no permission for {one}")

    def _has_prefix(self, prefix: str) -> bool:
        return any(path.startswith(prefix) for path in self.endpoints)


def masked(username: str) -> str:
    """A key as it is shown after the first time."""
    return username + "*" * 20


def shown(found: Document[StoredKey], value: StoredKey | None = None) -> ShownKey:
    value = value or found.value
    return ShownKey(masked(found.name), found.name, value.settings, tuple(value.endpoints))
