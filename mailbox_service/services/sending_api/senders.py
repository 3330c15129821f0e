"""Who may be written from and to: lists with a mode, and proven single senders (§8)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.address import canonical, canonical_domain
from mailbox_service.core.compose import Draft, NamedAddress
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadAddress
from mailbox_service.core.sending_api import BadField, Caller, PaymentRequired, Refusal
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.documents import LISTS, SINGLE_SENDERS, Documents
from mailbox_service.services.sending_api.paging import Page, Paging
from mailbox_service.services.sending_api.policies import (
    BLACKLIST,
    DISABLED,
    RECIPIENTS_LIST,
    WHITELIST,
    AddressList,
    Entry,
    Policies,
    SingleSender,
)
from mailbox_service.storage.database import Database

MODES = (WHITELIST, BLACKLIST, DISABLED)
MOST_LISTED = 10_000
MOST_SINGLE_SENDERS = 1_000
LONGEST_MESSAGE = 2_000
DEFAULT_PAGE, LARGEST_PAGE = 1_000, 1_000
# A link that confirms a sender is good for a week.
LINK_LIFE = 7 * 86_400 * 1_000_000
# The same address is asked again after this time at the earliest.
ASK_AGAIN = 5 * 60 * 1_000_000


class ListChange(Struct, kw_only=True):
    """Addresses and domains to add or to take out."""

    entries: list[str]


class ListUpdate(Struct, kw_only=True):
    """A whole list and its mode; or one record, by its id."""

    entries: list[str] | None = None
    mode: str = ""
    enabled: bool | None = None
    allowed_sender_id: str | int | None = None
    name: str | None = None
    reply_prompt: str | None = None


class ListView(Struct, kw_only=True):
    """The whole list; the filters are for its records."""

    limit: int | None = None
    offset: int | None = None
    verified: str = ""
    sender_email: str = ""


class SenderAdd(Struct, kw_only=True):
    """An address to prove, and words for the mail that asks."""

    email_address: str
    message: str = ""


class SenderId(Struct):
    """Which sender."""

    email_address: str


class SenderView(Struct, kw_only=True):
    """One sender, or all."""

    email_address: str = ""


@dataclass(frozen=True, slots=True)
class ShownList:
    """A list, and a page of its records with whether each is verified."""

    listed: AddressList
    records: Page[tuple[Entry, bool]]


def entry_of(field: str, text: str) -> str:
    """An address or a domain as it is kept. Raises BadField."""
    text = text.strip().removeprefix("@")
    try:
        return canonical(text) if "@" in text else canonical_domain(text)
    except BadAddress as error:
        raise BadField(field, f"{text[:100]!r}: {error.detail}") from None


class AddressLists:
    """One kind of list of all accounts."""

    def __init__(
        self, database: Database, policies: Policies, name: str, *, clock: Clock = now_micros
    ) -> None:
        self._lists = Documents(database, LISTS, AddressList, clock)
        self._policies = policies
        self._name = name

    async def add(self, caller: Caller, form: ListChange) -> ShownList:
        """Put entries in; what is there already stays."""
        before = await self._read(caller.account)
        listed = self._joined(before, form.entries)
        return await self._keep(caller, listed)

    async def remove(self, caller: Caller, form: ListChange) -> ShownList:
        """Take entries out; what is not there is no error."""
        before = await self._read(caller.account)
        gone = {entry_of(self._name, one) for one in form.entries}
        kept = [one for one in before.entries if one.value not in gone]
        return await self._keep(caller, msgspec.structs.replace(before, entries=kept))

    async def update(self, caller: Caller, form: ListUpdate) -> ShownList:
        """Replace the list and its mode, or change one record."""
        before = await self._read(caller.account)
        if form.allowed_sender_id is not None:
            return await self._keep(caller, self._edited(before, form))
        mode = form.mode
        if self._name == RECIPIENTS_LIST:
            if form.enabled is None:
                raise BadField("enabled", "Required")
            mode = WHITELIST if form.enabled else DISABLED
        if form.entries is None:
            raise BadField(self._name, "Required")
        if mode not in MODES:
            raise BadField("mode", f"Must be one of {', '.join(MODES)}")
        kept = {entry_of(self._name, one) for one in form.entries}
        same = [one for one in before.entries if one.value in kept]
        listed = AddressList(mode=mode, entries=same)
        listed = self._joined(listed, form.entries, first_id=next_id(before.entries))
        return await self._keep(caller, listed)

    async def view(self, caller: Caller, form: ListView) -> ShownList:
        """The list as it is."""
        return await self._shown(caller, await self._read(caller.account), form)

    async def _read(self, account: str) -> AddressList:
        found = await self._lists.get(account, self._name)
        return AddressList() if found is None else found.value

    async def _keep(self, caller: Caller, listed: AddressList) -> ShownList:
        if len(listed.entries) > MOST_LISTED:
            raise BadField(self._name, f"More than {MOST_LISTED} entries")
        await self._lists.put(caller.account, self._name, listed)
        self._policies.forget()
        return await self._shown(caller, listed, ListView())

    async def _shown(self, caller: Caller, listed: AddressList, form: ListView) -> ShownList:
        policy = await self._policies.of(caller.account)
        records = []
        for one in listed.entries:
            name = one.value if "@" in one.value else f"anybody@{one.value}"
            verified = policy.verified(name)
            if form.verified and form.verified != ("verified" if verified else "unverified"):
                continue
            if form.sender_email.lower() in one.value:
                records.append((one, verified))
        paging = Paging.read(form, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        return ShownList(listed, paging.of(records))

    def _joined(self, listed: AddressList, texts: Sequence[str], first_id: int = 0) -> AddressList:
        entries = list(listed.entries)
        known = {one.value for one in entries}
        number = first_id or next_id(entries)
        for text in texts:
            value = entry_of(self._name, text)
            if value not in known:
                known.add(value)
                entries.append(Entry(id=number, value=value))
                number += 1
        return msgspec.structs.replace(listed, entries=entries)

    def _edited(self, listed: AddressList, form: ListUpdate) -> AddressList:
        entries = list(listed.entries)
        for place, one in enumerate(entries):
            if str(one.id) == str(form.allowed_sender_id):
                entries[place] = Entry(
                    id=one.id,
                    value=entry_of(self._name, form.entries[0]) if form.entries else one.value,
                    name=one.name if form.name is None else form.name[:LONGEST_MESSAGE],
                    reply_prompt=one.reply_prompt
                    if form.reply_prompt is None
                    else form.reply_prompt[:LONGEST_MESSAGE],
                )
                return msgspec.structs.replace(listed, entries=entries)
        raise Refusal("There is no allowed sender with that id")


def next_id(entries: Sequence[Entry]) -> int:
    return max((one.id for one in entries), default=0) + 1


class SingleSenders:
    """Addresses that were proved by a link in a mail to them."""

    def __init__(
        self,
        database: Database,
        config: Config,
        policies: Policies,
        sending: Sending,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._senders = Documents(database, SINGLE_SENDERS, SingleSender, clock)
        self._policies = policies
        self._sending = sending
        self._clock = clock
        self._from = f"postmaster@{config.served_domains[0]}" if config.domains else ""
        self._url = (config.frontend_url or f"http://{config.http_listen}").rstrip("/")

    async def add(self, caller: Caller, form: SenderAdd) -> str:
        """Mail a link to an address; again when it waits for an answer already."""
        address = address_of(form.email_address)
        if not self._from:
            raise PaymentRequired("This server has no domain to send the confirmation from")
        found = await self._senders.get(caller.account, address)
        if found is not None and found.value.verified:
            return "ok"
        if found is not None and self._clock() - found.value.asked_at < ASK_AGAIN:
            return "ok"  # the mail is on its way: nobody fills a stranger's mailbox with these
        if found is None and await self._senders.count(caller.account) >= MOST_SINGLE_SENDERS:
            raise Refusal(f"There are {MOST_SINGLE_SENDERS} single senders already")
        token = secrets.token_urlsafe(32)
        value = SingleSender(token_digest=digest_of(token), asked_at=self._clock())
        lookup = f"sender:{value.token_digest}"
        if found is None:
            await self._senders.add(caller.account, address, value, lookup=lookup)
        else:
            await self._senders.change(caller.account, address, value, lookup=lookup)
        await self._ask(address, token, form.message[:LONGEST_MESSAGE])
        return "ok"

    async def _ask(self, address: str, token: str, message: str) -> None:
        words = f"{message}\n\n" if message else ""
        text = (
            f"{words}Somebody wants to send mail from {address} through this server. If that is "
            f"you, open this address and confirm:\n\n{self._url}/confirm-sender/{token}\n\n"
            "If it is not, do nothing.\n"
        )
        draft = Draft(
            sender=NamedAddress(self._from),
            to=(NamedAddress(address),),
            subject=f"Confirm {address} as a sender",
            text=text,
            headers=(("Auto-Submitted", "auto-generated"),),
        )
        principal = Principal("admin", "", unlimited=True)
        await self._sending.submit_draft(principal, draft, door="api", listed=False, charge=False)

    async def awaited(self, token: str) -> str | None:
        """The address that a link is about; None when it is no good."""
        found = await self._senders.find(f"sender:{digest_of(token)}")
        if found is None or self._clock() - found.value.asked_at > LINK_LIFE:
            return None
        return found.name

    async def confirm(self, token: str) -> str | None:
        """Somebody who reads the mail of an address says yes: it is verified now."""
        found = await self._senders.find(f"sender:{digest_of(token)}")
        if found is None or self._clock() - found.value.asked_at > LINK_LIFE:
            return None
        verified = msgspec.structs.replace(found.value, verified=True)
        await self._senders.change(found.account, found.name, verified)
        self._policies.forget()
        return found.name

    async def remove(self, caller: Caller, form: SenderId) -> str:
        """Forget a sender. Raises Refusal when there is none."""
        if await self._senders.remove(caller.account, address_of(form.email_address)) is None:
            raise Refusal("There is no single sender with that address")
        self._policies.forget()
        return "OK"

    async def view(self, caller: Caller, form: SenderView) -> list[tuple[str, bool]]:
        """Addresses, each with whether it was proved."""
        found = await self._senders.all(caller.account)
        wanted = address_of(form.email_address) if form.email_address else ""
        return [(one.name, one.value.verified) for one in found if wanted in ("", one.name)]


def address_of(text: str) -> str:
    """An address of a form. Raises BadField."""
    try:
        return canonical(text.strip())
    except BadAddress as error:
        raise BadField("email_address", error.detail) from None


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
