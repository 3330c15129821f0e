"""Whom an account does not send to (sending-api §5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from msgspec import Struct

from mailbox_service import signals as topics
from mailbox_service.core.address import canonical, canonical_domain, split
from mailbox_service.core.api_values import like
from mailbox_service.core.errors import BadAddress
from mailbox_service.core.fuzzy import any_resembles
from mailbox_service.core.sending_api import BadField, Caller
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.dates import between
from mailbox_service.services.sending_api.paging import Page, Paging
from mailbox_service.signals import Signals
from mailbox_service.storage import sending_events, suppressions
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.sending_events import About, NewEvent
from mailbox_service.storage.suppressions import Suppression, Wanted

MANUAL = "manual"
REASONS = (MANUAL, "spam", "unsubscribe", "bounce", "compliance")
# Other spellings that connectors use.
SPELLINGS = {
    "bounces": "bounce",
    "unsubscribes": "unsubscribe",
    "unsubscribed": "unsubscribe",
    "spam complaints": "spam",
    "spam complaint": "spam",
    "spam_complaints": "spam",
    "complaint": "spam",
    "hard-bounced": "bounce",
}
MOST_AT_ONCE = 1_000
LONGEST_DESCRIPTION = 1_000
LONGEST_SHOWN = 320
KINDS = ("", "EMAIL", "DOMAIN", "ALL")
LARGEST_PAGE = 1_000
DEFAULT_PAGE = 100
# Entries that one search for likeness looks at, and how many between two breaths: 10 ms.
LOOKED_AT, PORTION = 100_000, 500
SWITCHES = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class SuppressionAdd(Struct, kw_only=True):
    """Addresses or domains, and why. `type` turns an address into its domain, or takes both."""

    email_address: list[str]
    block_description: str = ""
    type: str = ""


class SuppressionRemove(Struct, kw_only=True):
    """One address or domain; without reasons every entry of it goes."""

    email_address: str
    reasons: list[str] = []


class SuppressionView(Struct, kw_only=True):
    """Which entries."""

    email_address: str = ""
    recipients: list[str] = []
    reasons: list[str] = []
    suppression_types: list[str] = []
    wildcard: str = ""
    # What resembles the addresses, or this text itself, as people mistype it.
    fuzzy: bool | str = False
    start_date: str = ""
    end_date: str = ""
    sort: str = "desc"
    limit: int | None = None
    offset: int | None = None
    continue_token: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """What counts now, and of what was asked for that which is no address, with the reason."""

    entries: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    description: str


@dataclass(frozen=True, slots=True)
class Removed:
    """An address, and for each reason whether there was an entry."""

    email_address: str
    reasons: tuple[tuple[str, bool], ...]


def target_of(text: str) -> str:
    """The spelling under which an address or domain is kept. Raises BadField."""
    text = text.strip().removeprefix("@")
    try:
        return canonical(text) if "@" in text else canonical_domain(text)
    except BadAddress as error:
        raise BadField("email_address", error.detail) from None


def reason_of(text: str, field: str = "suppression_type") -> str:
    """One of the reasons, in any spelling. Raises BadField."""
    word = text.strip().lower()
    word = SPELLINGS.get(word, word)
    if word not in REASONS:
        raise BadField(field, f"Must be one of {', '.join(REASONS)}")
    return word


class Suppressions:
    """The suppression lists of all accounts."""

    def __init__(self, database: Database, signals: Signals, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock

    async def add(self, caller: Caller, form: SuppressionAdd) -> Added:
        """Suppress by hand; what is there already gets the new description."""
        if not 1 <= len(form.email_address) <= MOST_AT_ONCE:
            raise BadField("email_address", f"1 to {MOST_AT_ONCE} addresses")
        description = form.block_description[:LONGEST_DESCRIPTION]
        kind = form.type.upper()
        if kind not in KINDS:
            raise BadField("type", "EMAIL, DOMAIN or ALL")
        targets: list[str] = []
        failed: list[tuple[str, str]] = []
        for text in form.email_address:
            try:
                target = target_of(text)
            except BadField as error:
                if len(form.email_address) == 1:
                    raise
                failed.append((text[:LONGEST_SHOWN], error.detail))
                continue
            if "@" in target and kind in ("DOMAIN", "ALL"):
                targets.append(split(target)[1])
            if "@" not in target or kind != "DOMAIN":
                targets.insert(max(len(targets) - (kind == "ALL"), 0), target)
        targets = list(dict.fromkeys(targets))
        if not targets:
            raise BadField("email_address", f"None of them is an address: {failed[0][1]}")
        await self._database.write(add_all, caller.account, targets, description, self._clock())
        return Added(tuple(targets), tuple(failed), form.block_description)

    async def remove(self, caller: Caller, form: SuppressionRemove) -> Removed:
        """Forget entries; an address that nothing else holds back has come back."""
        target = target_of(form.email_address)
        reasons = [reason_of(one, "reasons") for one in form.reasons]
        gone = await self._database.write(
            remove_some, caller.account, target, reasons, self._clock()
        )
        self._signals.notify(topics.SENDING_EVENTS)
        asked = reasons or gone
        return Removed(target, tuple((one, one in gone) for one in dict.fromkeys(asked)))

    async def view(self, caller: Caller, form: SuppressionView) -> Page[Suppression]:
        """A page of entries."""
        paging = Paging.read(form, default=DEFAULT_PAGE, largest=LARGEST_PAGE)
        targets = [one for one in [form.email_address, *form.recipients] if one]
        if len(targets) > MOST_AT_ONCE:
            raise BadField("recipients", f"More than {MOST_AT_ONCE} addresses")
        words: list[str] = []
        types = list(form.suppression_types)
        for one in form.reasons:  # a type's name means the type; other texts are searched for
            if SPELLINGS.get(one.lower(), one.lower()) in REASONS:
                types.append(one)
            else:
                words.append(one)
        part = form.wildcard.replace("*", "")
        start, end = between(form.start_date, form.end_date)
        wanted = Wanted(
            reasons=tuple(reason_of(one) for one in types),
            start=start,
            end=end,
        )
        fuzzy = fuzzy_terms(form.fuzzy)
        if fuzzy is not None:
            terms = [one for one in [*targets, part, *fuzzy] if one]
            found = await self._resembling(caller.account, wanted, terms, words)
            found.sort(key=lambda one: (one.created_at, one.id), reverse=form.sort.lower() != "asc")
            return paging.of(found)
        rows, total = await self._database.read(
            suppressions.list_page,
            account=caller.account,
            wanted=replace(
                wanted,
                targets=tuple(target_of(one) for one in targets),
                like=like(part) if part else None,
                words=tuple(like(one) for one in words),
            ),
            now=self._clock(),
            limit=paging.limit,
            offset=paging.offset,
            newest_first=form.sort.lower() != "asc",
        )
        return paging.page(rows, total)

    async def _resembling(
        self, account: str, wanted: Wanted, terms: list[str], words: list[str]
    ) -> list[Suppression]:
        """The entries that resemble what somebody typed, of the newest that one call may look
        at."""
        found: list[Suppression] = []
        before, now = suppressions.NEWEST, self._clock()
        for _ in range(LOOKED_AT // PORTION):
            rows = await self._database.read(
                suppressions.portion,
                account=account,
                wanted=wanted,
                now=now,
                before=before,
                limit=PORTION,
            )
            found += [
                one
                for one in rows
                if (not terms or any_resembles(terms, (one.target,)))
                and (not words or any_resembles(words, (one.description,)))
            ]
            if len(rows) < PORTION:
                break
            before = rows[-1].id
        return found


def fuzzy_terms(told: bool | str) -> list[str] | None:
    """What to look for besides the addresses of a form; None when no likeness is asked for."""
    if isinstance(told, str):
        word = told.strip().lower()
        if word not in SWITCHES:
            return [told]
        told = SWITCHES[word]
    return [] if told else None


async def add_all(
    tx: Transaction, account: str, targets: list[str], description: str, now: int
) -> None:
    """Keep several entries together."""
    for target in targets:
        await suppressions.put(
            tx, account=account, target=target, reason=MANUAL, description=description, now=now
        )


async def remove_some(
    tx: Transaction, account: str, target: str, reasons: list[str], now: int
) -> list[str]:
    """Forget entries, and note that an address came back when nothing holds it any more."""
    gone: list[str] = []
    chosen: list[str | None] = [*reasons] or [None]
    for reason in chosen:
        gone += await suppressions.remove(tx, account=account, target=target, reason=reason)
    left = await suppressions.among(tx, account=account, targets=[target], now=now)
    if gone and not left and "@" in target:
        about = About(account, 0, "", "", "")
        await sending_events.add(tx, about, [NewEvent("resubscribed", now, target)])
    return gone
