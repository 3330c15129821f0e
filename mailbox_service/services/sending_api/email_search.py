"""The old search of what was sent, a row a recipient (sending-api §2.7).

What a message says of itself has no index, so it is looked at in memory: in portions, with a
bound for one call, and never more rows kept than the page needs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from msgspec import Struct

from mailbox_service.core.api_values import plain_time, zulu
from mailbox_service.core.email_id import email_id_of, queue_id_of
from mailbox_service.core.filter_query import matches, parse_query
from mailbox_service.core.sending_api import BadField, Caller
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.activity import kinds_of
from mailbox_service.services.sending_api.dates import range_of
from mailbox_service.services.sending_api.paging import place_of, token_of, until_of
from mailbox_service.storage import sending_events, sending_messages
from mailbox_service.storage.database import Database
from mailbox_service.storage.sending_events import SendingEvent
from mailbox_service.storage.sending_messages import SearchRow

LARGEST_PAGE, DEFAULT_PAGE = 5_000, 5_000
CONNECTOR_PAGE = 100
# Rows that one call looks at.
LOOKED_AT = 50_000
PORTION = 2_000

STATUS = {
    "queued": "processed",
    "sending": "processed",
    "held": "processed",
    "deferred": "deferred",
    "delivered": "delivered",
    "quarantined": "refused",
}
# Statuses that connectors ask for by one name.
BOUNCES = ("softbounce", "hardbounce")
GROUPS = {
    "sent": ("delivered",),
    "dropped": ("rejected", "refused", "cancelled"),
    "bounce": BOUNCES,
    "bounced": BOUNCES,
}


# Statuses that no queue has: a connector asks by them for what happened later.
LATER = {"opened": ("opened",), "clicked": ("clicked",), "spam": ("spam",),
         "unsubscribed": ("unsubscribed",)}  # fmt: skip


class EmailSearch(Struct, kw_only=True):
    """Which messages, a row a recipient."""

    start_date: str = ""
    end_date: str = ""
    limit: int | None = None
    status_counts: bool = False
    opened_only: bool = False
    clicked_only: bool = False
    ignore_case: bool = False
    filter_query: str = ""
    email_id: list[str] = []
    username: str = ""
    headers: list[str] = []
    continue_token: str = ""
    sender: str = ""
    recipient: str = ""
    subject: str = ""
    status: str = ""
    event: str = ""
    offset: int | None = None
    sort_by: str = ""
    sort_order: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """One look at a message: when, by whom, with what and from where."""

    at: int
    recipient: str
    agent: str
    ip: str


@dataclass(frozen=True, slots=True)
class FoundEmail:
    """One recipient of one message, with what it did."""

    row: SearchRow
    email_id: str
    status: str
    fields: Mapping[str, Any]
    opens: tuple[Opening, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundEmails:
    """Messages, how many fit in all, where the next ones are, and the states if they are to be
    counted."""

    emails: tuple[FoundEmail, ...]
    total: int
    continue_token: str | None
    wanted_headers: tuple[str, ...]
    status_counts: dict[str, int] | None


class EmailSearching:
    """Looks into what was sent."""

    def __init__(self, database: Database, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._clock = clock

    async def search(self, caller: Caller, form: EmailSearch) -> FoundEmails:
        """Messages, newest first unless another order is asked for."""
        connector = any((form.sender, form.recipient, form.subject, form.status, form.event,
                         form.offset is not None, form.sort_by, form.sort_order))  # fmt: skip
        if form.limit is not None and form.limit < 1:
            raise BadField("limit", "Must be at least 1")
        limit = form.limit or (CONNECTOR_PAGE if connector else DEFAULT_PAGE)
        limit = min(limit, LARGEST_PAGE)
        until = until_of(form.continue_token) if form.continue_token else 0
        now = until or self._clock() + 1
        start, end = range_of(form.start_date, form.end_date, now=now)
        if until and not form.end_date:
            end = now  # what is new since the first page would move the rows of this one
        if form.email_id and not form.start_date:
            start = 0
        skip = place_of(form.continue_token) if form.continue_token else form.offset or 0
        if skip < 0:
            raise BadField("offset", "Must not be negative")
        order = Order.read(form)
        query = parse_query(form.filter_query) if form.filter_query else None
        wanted_ids: list[str | None] = [queue_id_of(one) or "-" for one in form.email_id] or [None]
        first: list[FoundEmail] = []
        counts: Counter[str] = Counter()
        for queue_id in wanted_ids[:LARGEST_PAGE]:
            portions = self._portions(caller.account, start, end, queue_id, form.username)
            async for portion in portions:
                rows = [found_email(row) for row in portion]
                rows = [one for one in rows if fits(one, form)]
                if query is not None:
                    rows = [one for one in rows if matches(query, flat(one))]
                for kinds in told_kinds(form):
                    rows = await self._that_told(caller.account, rows, kinds)
                counts.update(one.status for one in rows)
                first = order.first([*first, *rows], skip + limit)
        shown = await self._with_opens(caller.account, first[skip : skip + limit])
        total = counts.total()
        return FoundEmails(
            tuple(shown),
            total,
            token_of(skip + limit, now) if total > skip + limit else None,
            tuple(form.headers),
            dict(counts) if form.status_counts else None,
        )

    async def _portions(
        self, account: str, start: int, end: int, queue_id: str | None, username: str
    ) -> AsyncIterator[list[SearchRow]]:
        """The rows of a range, newest first, no more than one call may look at."""
        before, after_recipient, looked = sending_messages.NEWEST, 0, 0
        while looked < LOOKED_AT:
            rows = await self._database.read(
                sending_messages.search,
                account,
                start=start,
                end=end,
                limit=PORTION,
                queue_id=queue_id,
                username=username or None,
                before=before,
                after_recipient=after_recipient,
            )
            yield rows
            if len(rows) < PORTION:
                return
            looked += len(rows)
            before, after_recipient = rows[-1].submission_id, rows[-1].recipient_id

    async def _told(
        self, account: str, rows: Sequence[FoundEmail], kinds: Sequence[str]
    ) -> dict[tuple[int, str], list[SendingEvent]]:
        """The events of some kinds of some recipients, oldest first."""
        told: dict[tuple[int, str], list[SendingEvent]] = {}
        ids = sorted({one.row.submission_id for one in rows})
        if ids:
            for event in await self._database.read(
                sending_events.of_submissions, account, ids, kinds=kinds
            ):
                told.setdefault((event.submission_id, event.recipient), []).append(event)
        return told

    async def _that_told(
        self, account: str, rows: Sequence[FoundEmail], kinds: Sequence[str]
    ) -> list[FoundEmail]:
        """Those to whom one of these things happened."""
        told = await self._told(account, rows, kinds)
        return [one for one in rows if (one.row.submission_id, one.row.recipient) in told]

    async def _with_opens(self, account: str, rows: Sequence[FoundEmail]) -> list[FoundEmail]:
        told = await self._told(account, rows, ("opened",))
        return [
            replace(
                one,
                opens=tuple(
                    map(opening_of, told.get((one.row.submission_id, one.row.recipient), ()))
                ),
            )
            for one in rows
        ]


@dataclass(frozen=True, slots=True)
class Order:
    """In which order rows are shown; rows come newest first."""

    by: str
    ascending: bool

    @classmethod
    def read(cls, form: EmailSearch) -> Order:
        """From `sort_by` and `sort_order`; a field that is none of ours means the time."""
        return cls(form.sort_by.lower(), form.sort_order.lower() == "asc")

    def first(self, rows: list[FoundEmail], most: int) -> list[FoundEmail]:
        """The first of some rows in this order."""
        read = SORTED_BY.get(self.by, by_time)
        return sorted(rows, key=read, reverse=not self.ascending)[:most]


def by_time(one: FoundEmail) -> tuple[int, int]:
    """When it was sent; the recipients of one message as its header has them."""
    return one.row.submission_id, -one.row.recipient_id


SORTED_BY: Mapping[str, Callable[[FoundEmail], Any]] = {
    "subject": lambda one: one.row.subject.lower(),
    "sender": lambda one: one.row.sender,
    "recipient": lambda one: one.row.recipient,
    "status": lambda one: one.status,
}


def fits(one: FoundEmail, form: EmailSearch) -> bool:
    """Whether a connector's filters let a row pass."""
    row = one.row
    if form.sender and form.sender.lower() not in row.sender.lower():
        return False
    if form.recipient and form.recipient.lower() not in row.recipient.lower():
        return False
    if form.subject and not same(form.subject, row.subject, form.ignore_case):
        return False
    status = form.status.lower()
    if not status or status in LATER:
        return True
    return one.status in GROUPS.get(status, (status, status.removesuffix("d")))


def told_kinds(form: EmailSearch) -> list[Sequence[str]]:
    """The kinds of events of which each row must have one, group by group. Raises BadField."""
    groups: list[Sequence[str]] = []
    if form.opened_only:
        groups.append(("opened",))
    if form.clicked_only:
        groups.append(("clicked",))
    if form.status.lower() in LATER:
        groups.append(LATER[form.status.lower()])
    kinds = kinds_of([form.event], "event") if form.event else ()
    # That it was processed is true of all, and told once a message.
    if kinds and "processed" not in kinds:
        groups.append(kinds)
    return groups


def found_email(row: SearchRow) -> FoundEmail:
    """A recipient with its state by the names of the API."""
    status = STATUS.get(row.state, "")
    reply = row.last_reply or ""
    if not status:
        if row.cancelled:
            status = "cancelled"
        elif row.remote is None:
            status = "rejected"
        else:
            code = reply[:3]
            hard = code.startswith("5") and not reply[4:].startswith(("5.2.2", "5.7."))
            status = "hardbounce" if hard else "softbounce"
    return FoundEmail(row, email_id_of(row.queue_id), status, json.loads(row.fields))


def opening_of(event: SendingEvent) -> Opening:
    """The look that an event tells of."""
    told = json.loads(event.detail)
    return Opening(event.at, event.recipient, told.get("user-agent", ""), told.get("srchost", ""))


def flat(one: FoundEmail) -> dict[str, list[str]]:
    """What a filter query may ask about, each with its texts."""
    row = one.row
    reply = row.last_reply or ""
    return {
        "sender": [row.sender, str(one.fields.get("from", ""))],
        "recipient": [row.recipient],
        "subject": [row.subject],
        "status": [one.status],
        "email_id": [one.email_id],
        "sent_ts": [plain_time(row.created_at), zulu(row.created_at)],
        "delivered_ts": [zulu(row.updated_at)] if one.status == "delivered" else [],
        "smtpcode": [reply[:3]] if reply[:3].isdigit() else [],
        "host": [row.remote or ""],
        "headers": [f"{name}: {text}" for name, text in one.fields.get("headers", [])],
    }


def same(wanted: str, text: str, ignore_case: bool) -> bool:
    return wanted.lower() == text.lower() if ignore_case else wanted == text
