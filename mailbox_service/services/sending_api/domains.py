"""Sender domains: a DKIM key of ours for each, and what DNS must say about it (§8.3)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.address import canonical_domain
from mailbox_service.core.dkim import dns_record, generate_key
from mailbox_service.core.domain_records import public_part
from mailbox_service.core.errors import BadAddress, MailError
from mailbox_service.core.sending_api import MASTER, BadField, Caller, Refusal
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.documents import DOMAINS, Document, Documents
from mailbox_service.services.sending_api.policies import Policies, SenderDomain
from mailbox_service.storage import dkim_keys
from mailbox_service.storage.database import Database

log = logging.getLogger("mailbox.domains")

MOST_DOMAINS = 1_000
# Names are looked up again after this time (D: every seven minutes).
CHECK_SECONDS = 7 * 60.0
# Domains that one round of checks looks at, one after another.
MOST_A_ROUND = 200
# A key signs at once when its record was seen: its age says that it is published.
PUBLISHED_BEFORE = 30 * 86_400 * 1_000_000


class Records(Protocol):
    """What DNS says (`outbound`)."""

    async def texts(self, name: str) -> list[str]:
        """The TXT records of a name; LookupError when nobody can tell."""
        ...

    async def alias(self, name: str) -> str:
        """The CNAME of a name, empty without one; LookupError when nobody can tell."""
        ...


class DomainAdd(Struct, kw_only=True):
    """A new domain."""

    domain: str
    tracking_subdomain: str = "link"
    returnpath_subdomain: str = ""
    auto_verify: bool = True
    requisition_ssl: bool = True
    subaccount_access: dict[str, Any] = {}


class DomainVerify(Struct, kw_only=True):
    """Look at DNS now."""

    domain: str
    requisition_ssl: bool = True


class DomainName(Struct):
    """Which domain."""

    domain: str


class DomainView(Struct, kw_only=True):
    """One domain, or all."""

    domain: str = ""


class DomainRename(Struct, kw_only=True):
    """Another name below a domain."""

    domain: str
    old_subdomain: str
    new_subdomain: str


class DomainAccess(Struct, kw_only=True):
    """Which subaccounts may send from a domain."""

    domain: str
    subaccounts: list[str]
    future_subaccounts: bool


@dataclass(frozen=True, slots=True)
class ShownDomain:
    """A domain, what DNS should say, and whose it is."""

    name: str
    value: SenderDomain
    dkim_record: str
    from_master: bool
    dkim_target: str
    return_target: str
    tracking_target: str


class Domains:
    """The sender domains of all accounts."""

    def __init__(
        self,
        database: Database,
        config: Config,
        policies: Policies,
        records: Records,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._domains = Documents(database, DOMAINS, SenderDomain, clock)
        self._policies = policies
        self._records = records
        self._clock = clock
        self._served = frozenset(config.served_domains)
        host = config.own_name
        self.dkim_target = f"dkim.{host}"
        self.return_target = f"return.{host}"
        self.tracking_target = f"track.{host}"

    async def add(self, caller: Caller, form: DomainAdd) -> list[ShownDomain]:
        """A new domain with a key of its own. Its owner elsewhere, if it has one, keeps it."""
        name = domain_of(form.domain)
        if await self._domains.find(lookup_of(name)) is not None:
            raise Refusal(f"The domain {name} is in use already")
        if await self._domains.count(caller.account) >= MOST_DOMAINS:
            raise Refusal(f"There are {MOST_DOMAINS} domains already")
        # Long enough that nobody meets the selector of somebody else's domain by trying.
        number = f"{secrets.randbelow(9 * 10**9) + 10**9}"
        access = form.subaccount_access
        value = SenderDomain(
            dkim_selector=f"s{number}",
            rpath_selector=label_of("returnpath_subdomain", form.returnpath_subdomain)
            or f"em{number}",
            tracking_subdomain=label_of("tracking_subdomain", form.tracking_subdomain) or "link",
            private_key=await asyncio.to_thread(generate_key, "rsa"),
            requisition_ssl=form.requisition_ssl,
            subaccounts=[str(one) for one in access.get("subaccounts") or []],
            future_subaccounts=bool(access.get("future_subaccounts")),
            dkim_status="Not looked up yet",
            rpath_status="Not looked up yet",
            cname_status="Not looked up yet",
        )
        if await self._domains.add(caller.account, name, value) is None:
            raise Refusal(f"The domain {name} is there already")
        if form.auto_verify:
            found = await self._domains.get(caller.account, name)
            if found is not None:
                await self._look(found)
        self._policies.forget()
        return await self._all(caller)

    async def verify(self, caller: Caller, form: DomainVerify) -> list[ShownDomain]:
        """Look at DNS now."""
        found = await self._one(caller, form.domain)
        await self._look(found)
        return await self._all(caller)

    async def remove(self, caller: Caller, form: DomainName) -> list[ShownDomain]:
        """Forget a domain and its key."""
        found = await self._one(caller, form.domain)
        await self._domains.remove(caller.account, found.name)
        if found.value.dkim_verified and found.name not in self._served:
            await self._database.write(
                dkim_keys.remove, domain=found.name, selector=found.value.dkim_selector
            )
        self._policies.forget()
        return await self._all(caller)

    async def view(self, caller: Caller, form: DomainView) -> list[ShownDomain]:
        """The domains of the account, and those that the master shares."""
        shown = await self._all(caller)
        if not form.domain:
            return shown
        name = domain_of(form.domain)
        return [one for one in shown if one.name == name]

    async def returnpath(self, caller: Caller, form: DomainRename) -> list[ShownDomain]:
        """Another name for bounces to come back to."""
        return await self._renamed(caller, form, "rpath_selector", "rpath")

    async def tracking(self, caller: Caller, form: DomainRename) -> list[ShownDomain]:
        """Another name for links."""
        return await self._renamed(caller, form, "tracking_subdomain", "cname")

    async def access(self, caller: Caller, form: DomainAccess) -> ShownDomain:
        """Which subaccounts may send from a domain."""
        found = await self._one(caller, form.domain)
        value = msgspec.structs.replace(
            found.value,
            subaccounts=form.subaccounts,
            future_subaccounts=form.future_subaccounts,
        )
        await self._domains.change(caller.account, found.name, value)
        self._policies.forget()
        return self._shown(caller, found, value)

    async def run(self) -> None:
        """Look at every unverified domain now and then, until cancelled."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                for found in (await self._domains.anywhere())[:MOST_A_ROUND]:
                    value = found.value
                    if not (value.dkim_verified and value.rpath_verified and value.cname_verified):
                        await self._look(found)
            except MailError as error:
                log.warning("domains-not-checked reason=%s", error.detail)

    async def _renamed(
        self, caller: Caller, form: DomainRename, field: str, state: str
    ) -> list[ShownDomain]:
        found = await self._one(caller, form.domain)
        old = form.old_subdomain.removesuffix(f".{found.name}")
        if getattr(found.value, field) != old:
            raise Refusal(f"{form.old_subdomain[:100]!r} is not the subdomain in use")
        changes: dict[str, Any] = {
            field: label_of("new_subdomain", form.new_subdomain.removesuffix(f".{found.name}")),
            f"{state}_verified": False,
            f"{state}_status": "Not looked up yet",
        }
        if not changes[field]:
            raise BadField("new_subdomain", "Required")
        value = msgspec.structs.replace(found.value, **changes)
        await self._domains.change(caller.account, found.name, value)
        await self._look(Document(found.id, found.account, found.name, value, 0, 0))
        return await self._all(caller)

    async def _look(self, found: Document[SenderDomain]) -> None:
        """Look the three names up, and keep what was seen."""
        value, name = found.value, found.name
        if name in self._served and found.account == MASTER:
            value = msgspec.structs.replace(value, dkim_verified=True, dkim_status="")
        else:
            dkim = await self._dkim_status(name, value)
            value = msgspec.structs.replace(value, dkim_verified=not dkim, dkim_status=dkim)
        rpath = await self._alias_status(f"{value.rpath_selector}.{name}", self.return_target)
        cname = await self._alias_status(f"{value.tracking_subdomain}.{name}", self.tracking_target)
        value = msgspec.structs.replace(
            value,
            rpath_verified=not rpath,
            rpath_status=rpath,
            cname_verified=not cname,
            cname_status=cname,
            checked_at=self._clock(),
        )
        lookup = lookup_of(name) if value.dkim_verified else None
        if not await self._domains.change(found.account, name, value, lookup=lookup):
            value = msgspec.structs.replace(
                value, dkim_verified=False, dkim_status="Another account proved the domain"
            )
            await self._domains.change(found.account, name, value)
        elif value.dkim_verified and name not in self._served:
            await self._database.write(
                dkim_keys.add,
                domain=name,
                selector=value.dkim_selector,
                algorithm="rsa",
                private_key=value.private_key,
                now=self._clock() - PUBLISHED_BEFORE,
            )
        self._policies.forget()

    async def _dkim_status(self, name: str, value: SenderDomain) -> str:
        """Why the key is not proved; empty when DNS has its record, or a CNAME to our host.
        Either proves the domain: selector and key belong to this account alone."""
        place = f"{value.dkim_selector}._domainkey.{name}"
        try:
            texts = await self._records.texts(place)
        except LookupError as error:
            return f"{place}: {error}"
        wanted = public_part(dns_record(value.private_key))
        if any(public_part(text) == wanted for text in texts):
            return ""
        if not await self._alias_status(place, self.dkim_target):
            return ""
        return f"{place}: no TXT record with our key, and no CNAME to {self.dkim_target}"

    async def _alias_status(self, place: str, target: str) -> str:
        try:
            alias = await self._records.alias(place)
        except LookupError as error:
            return f"{place}: {error}"
        if alias == target:
            return ""
        return f"{place}: a CNAME to {target} is missing"

    async def _one(self, caller: Caller, text: str) -> Document[SenderDomain]:
        found = await self._domains.get(caller.account, domain_of(text))
        if found is None:
            raise Refusal(f"There is no sender domain {text[:100]!r}")
        return found

    async def _all(self, caller: Caller) -> list[ShownDomain]:
        shown = [
            self._shown(caller, one, one.value) for one in await self._domains.all(caller.account)
        ]
        if caller.account != MASTER:
            for one in await self._domains.all(MASTER):
                if one.value.future_subaccounts or caller.account in one.value.subaccounts:
                    shown.append(self._shown(caller, one, one.value))
        return shown

    def _shown(
        self, caller: Caller, found: Document[SenderDomain], value: SenderDomain
    ) -> ShownDomain:
        return ShownDomain(
            found.name,
            value,
            dns_record(value.private_key) if value.private_key else "",
            from_master=found.account == MASTER and caller.account != MASTER,
            dkim_target=self.dkim_target,
            return_target=self.return_target,
            tracking_target=self.tracking_target,
        )


def lookup_of(name: str) -> str:
    """Where the one owner of a proved domain is found."""
    return f"domain:{name}"


def domain_of(text: str) -> str:
    """A domain of a form. Raises BadField."""
    try:
        return canonical_domain(text.strip())
    except BadAddress as error:
        raise BadField("domain", error.detail) from None


def label_of(field: str, text: str) -> str:
    """One or more labels below a domain. Raises BadField."""
    text = text.strip().lower()
    if not text:
        return ""
    try:
        return canonical_domain(f"{text}.example.com").removesuffix(".example.com")
    except BadAddress as error:
        raise BadField(field, error.detail) from None
