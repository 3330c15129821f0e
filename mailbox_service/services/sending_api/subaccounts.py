"""Subaccounts: accounts of others below the operator's own, each with a plan (§9.5)."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.fuzzy import any_resembles
from mailbox_service.core.sending_api import MASTER, BadField, Caller, EndpointDenied, Refusal
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.api_keys import ApiKeys
from mailbox_service.services.sending_api.documents import SUBACCOUNTS, Document, Documents
from mailbox_service.services.sending_api.paging import Page, Paging
from mailbox_service.services.sending_api.policies import Policies, Subaccount
from mailbox_service.services.sending_api.statistics import Cycle, Statistics
from mailbox_service.storage.database import Database

MOST_SUBACCOUNTS = 10_000
LONGEST_NAME = 200
LARGEST_LIMIT = 10**9
DEFAULT_PAGE, LARGEST_PAGE = 100, 1_000
LETTERS = string.ascii_lowercase + string.digits

ACTIVE, CLOSED = "Active", "Closed"


class SubaccountFields(Struct, kw_only=True):
    """What a subaccount consists of."""

    subaccount_email: str | UnsetType = UNSET
    limit: int | UnsetType = UNSET
    dedicated_ip: bool | UnsetType = UNSET
    archiving: bool | UnsetType = UNSET
    enforce_2fa: bool | UnsetType = UNSET
    enable_sms: bool | UnsetType = UNSET
    sms_limit: int | UnsetType = UNSET


class SubaccountAdd(SubaccountFields, kw_only=True):
    """A new subaccount."""

    fullname: str


class SubaccountEdit(SubaccountFields, kw_only=True):
    """Changes to a subaccount."""

    id: str
    fullname: str | UnsetType = UNSET


class SubaccountId(Struct, kw_only=True):
    """Which subaccount."""

    id: str
    email: str = ""


class SubaccountSearch(Struct, kw_only=True):
    """Which subaccounts."""

    fuzzy_search: bool = True
    search_terms: list[str] = []
    states: str = "all"
    sort_direction: str = "asc"
    page_size: int | None = None
    limit: int | None = None
    offset: int | None = None
    continue_token: str = ""
    name: str = ""
    email: str = ""
    active: bool | None = None


class SubaccountUsage(Struct, kw_only=True):
    """One subaccount, or all."""

    subaccount: str = ""


@dataclass(frozen=True, slots=True)
class ShownSubaccount:
    """A subaccount and its month."""

    id: str
    value: Subaccount
    cycle: Cycle


class Subaccounts:
    """All subaccounts."""

    def __init__(
        self,
        database: Database,
        policies: Policies,
        keys: ApiKeys,
        statistics: Statistics,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._subaccounts = Documents(database, SUBACCOUNTS, Subaccount, clock)
        self._policies = policies
        self._keys = keys
        self._statistics = statistics

    async def exists(self, name: str) -> bool:
        """Whether there is an open subaccount of this id."""
        found = await self._subaccounts.get(MASTER, name)
        return found is not None and found.value.state == ACTIVE

    async def add(self, caller: Caller, form: SubaccountAdd) -> ShownSubaccount:
        """A new subaccount."""
        only_master(caller)
        value = changed(Subaccount(fullname=form.fullname), form)
        if await self._subaccounts.count(MASTER) >= MOST_SUBACCOUNTS:
            raise Refusal(f"There are {MOST_SUBACCOUNTS} subaccounts already")
        while True:
            name = "".join(secrets.choice(LETTERS) for _ in range(6))
            if await self._subaccounts.add(MASTER, name, value) is not None:
                return await self._shown(name, value)

    async def edit(self, caller: Caller, form: SubaccountEdit) -> ShownSubaccount:
        """Change what the request says."""
        found = await self._one(caller, form.id)
        value = changed(found.value, form)
        if form.fullname is not UNSET:
            value = msgspec.structs.replace(value, fullname=checked_name(form.fullname))
        await self._keep(found.name, value)
        return await self._shown(found.name, value)

    async def close(self, caller: Caller, form: SubaccountId) -> str:
        """Let nobody send for it any more; everything of it is kept."""
        found = await self._one(caller, form.id)
        await self._keep(found.name, msgspec.structs.replace(found.value, state=CLOSED))
        return f"Successfully closed subaccount '{found.name}'"

    async def reopen(self, caller: Caller, form: SubaccountId) -> str:
        """Let it send again."""
        found = await self._one(caller, form.id)
        await self._keep(found.name, msgspec.structs.replace(found.value, state=ACTIVE))
        return f"Successfully reopened subaccount '{found.name}'"

    async def search(self, caller: Caller, form: SubaccountSearch) -> Page[ShownSubaccount]:
        """A page of subaccounts, by name."""
        only_master(caller)
        state = form.states.lower()
        if state not in ("all", "active", "closed", "suspended"):
            raise BadField("states", "all, active, closed or suspended")
        if form.active is not None:
            state = "active" if form.active else "closed"
        found = [
            one
            for one in await self._subaccounts.all(MASTER)
            if state in ("all", one.value.state.lower()) and fits(one, form)
        ]
        found.sort(key=lambda one: one.value.fullname.lower())
        if form.sort_direction.lower() == "desc":
            found.reverse()
        paging = Paging.read(form, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        page = paging.of(found)
        rows = [await self._shown(one.name, one.value) for one in page.rows]
        return Page(rows, page.total, page.continue_token)

    async def usage(self, caller: Caller, form: SubaccountUsage) -> list[ShownSubaccount]:
        """The month of one subaccount or of all."""
        wanted = caller.account or form.subaccount
        found = await self._subaccounts.all(MASTER)
        shown = [
            await self._shown(one.name, one.value) for one in found if wanted in ("", one.name)
        ]
        if wanted and not shown:
            raise no_subaccount(wanted)
        return shown

    async def _keep(self, name: str, value: Subaccount) -> None:
        await self._subaccounts.change(MASTER, name, value)
        self._policies.forget()
        self._keys.forget()

    async def _one(self, caller: Caller, name: str) -> Document[Subaccount]:
        only_master(caller)
        found = await self._subaccounts.get(MASTER, name)
        if found is None:
            raise no_subaccount(name)
        return found

    async def _shown(self, name: str, value: Subaccount) -> ShownSubaccount:
        return ShownSubaccount(name, value, await self._statistics.cycle_of(name))


def only_master(caller: Caller) -> None:
    """Raises EndpointDenied for a subaccount: it has none below it."""
    if caller.credential.account != MASTER:
        raise EndpointDenied("Only the master account manages subaccounts")


def no_subaccount(name: str) -> Refusal:
    return Refusal(f"There is no subaccount with the id {name[:50]!r}")


def checked_name(name: str) -> str:
    if not 1 <= len(name.strip()) <= LONGEST_NAME:
        raise BadField("fullname", f"1 to {LONGEST_NAME} characters")
    return name.strip()


def changed(before: Subaccount, form: SubaccountFields) -> Subaccount:
    """A subaccount with what a form says, judged. Raises BadField."""
    told = {
        to: getattr(form, name)
        for name, to in (
            ("subaccount_email", "email"),
            ("limit", "limit"),
            ("dedicated_ip", "dedicated_ip"),
            ("archiving", "archiving"),
            ("enforce_2fa", "enforce_2fa"),
            ("enable_sms", "sms_enabled"),
            ("sms_limit", "sms_limit"),
        )
        if getattr(form, name) is not UNSET
    }
    value = msgspec.structs.replace(before, **told)
    checked_name(value.fullname)
    for name in ("limit", "sms_limit"):
        if not 1 <= getattr(value, name) <= LARGEST_LIMIT:
            raise BadField(name, "Must be a positive number")
    if len(value.email) > LONGEST_NAME:
        raise BadField("subaccount_email", f"Longer than {LONGEST_NAME} characters")
    return value


def fits(one: Document[Subaccount], form: SubaccountSearch) -> bool:
    """Whether a search finds a subaccount."""
    name, email = one.value.fullname.lower(), one.value.email.lower()
    if form.name and form.name.lower() != name:
        return False
    if form.email and form.email.lower() != email:
        return False
    if not form.search_terms:
        return True
    texts = (name, email, one.name)
    if form.fuzzy_search:
        return any_resembles(form.search_terms, texts)
    return any(term.lower() in texts for term in form.search_terms)
