"""What happened to mail: searches of events, messages, scheduled mail and the archive."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.api_values import DAY, day_start, is_day, like, plain_time, zulu
from mailbox_service.core.email_id import (
    email_id_of,
    queue_id_of,
    queue_id_of_schedule,
    schedule_id_of,
)
from mailbox_service.core.filter_query import matches, parse_query
from mailbox_service.core.sending_api import BadField, Caller, Refusal
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.paging import Page, Paging, place_of, token_of
from mailbox_service.services.sending_api.suppressions import date_of
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, sending_events, sending_messages
from mailbox_service.storage.database import Database
from mailbox_service.storage.sending_events import EventFilter, SendingEvent
from mailbox_service.storage.sending_messages import SearchRow, SentMessage

LARGEST_EVENTS, DEFAULT_EVENTS = 1_000, 100
LARGEST_EMAILS, DEFAULT_EMAILS = 5_000, 5_000
CONNECTOR_EMAILS = 100
LARGEST_SCHEDULED = 1_000
LINK_SECONDS = 3_600
MOST_WORDS = 20
# Rows that one call looks at when what is asked for has no index: it goes on by its token.
LOOKED_AT = 50_000
PORTION = 2_000

# Event names of webhooks, and other spellings, as activity names.
EVENT_NAMES = {
    **{kind: (kind,) for kind in sending_events.KINDS},
    "bounce": ("soft-bounced", "hard-bounced"),
    "bounced": ("soft-bounced", "hard-bounced"),
    "softbounce": ("soft-bounced",),
    "hardbounce": ("hard-bounced",),
    "reject": ("rejected",),
    "open": ("opened",),
    "click": ("clicked",),
    "unsubscribe": ("unsubscribed",),
    "resubscribe": ("resubscribed",),
    "spam_complaint": ("spam",),
    "sent": ("processed",),
}


class ActivitySearch(Struct, kw_only=True):
    """Which events."""

    start_date: str = ""
    end_date: str = ""
    search: str = ""
    search_email_id: str = ""
    search_subject: str = ""
    search_sender: str = ""
    search_recipient: str = ""
    search_usernames: list[str] = []
    subaccounts: list[str] = []
    limit: int | None = None
    offset: int | None = None
    continue_token: str = ""
    only_latest: bool = False
    only_latest_by_sent: bool = False
    event_types: list[str] = []
    include_headers: bool = False
    custom_headers: list[str] = []
    region: str = ""


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


class ScheduledSearch(Struct, kw_only=True):
    """Which scheduled messages."""

    schedule_id: str = ""
    search_subject: str = ""
    search_recipient: str = ""
    search_sender: str = ""
    search: str = ""
    limit: int | None = None
    page: int = 1


class ScheduledRemove(Struct):
    """Which scheduled message is taken back."""

    schedule_id: str


class ArchiveSearch(Struct, kw_only=True):
    """Which full copies."""

    start_date: str = ""
    end_date: str = ""
    limit: int | None = None
    username: str = ""
    recipient: str = ""
    sender: str = ""
    envelope_from: str = ""
    subject: str = ""
    headers: str = ""
    continue_token: str = ""


class EmailId(Struct):
    """Which message."""

    email_id: str


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """A page of events, and which fields of their headers are wanted."""

    page: Page[SendingEvent]
    include_headers: bool
    custom_headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundEmail:
    """One recipient of one message, with what it did."""

    row: SearchRow
    email_id: str
    status: str
    fields: Mapping[str, Any]
    opens: tuple[SendingEvent, ...]


@dataclass(frozen=True, slots=True)
class FoundEmails:
    """Messages, where the next ones are, and the states if they are to be counted."""

    emails: tuple[FoundEmail, ...]
    continue_token: str | None
    wanted_headers: tuple[str, ...]
    status_counts: dict[str, int] | None


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A message that waits for its time."""

    schedule_id: str
    message: SentMessage
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Archived:
    """A message of which there is a full copy."""

    email_id: str
    message: SentMessage
    fields: Mapping[str, Any]
    url: str = ""


STATUS = {
    "queued": "processed",
    "sending": "processed",
    "held": "processed",
    "deferred": "deferred",
    "delivered": "delivered",
    "quarantined": "refused",
}
PROCESSING = frozenset(("queued", "sending", "held", "deferred"))


class Activity:
    """Looks into what was sent."""

    def __init__(
        self,
        database: Database,
        config: Config,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock
        self._secret = hashlib.sha256(b"archive links\0" + config.jwt_secret.encode()).digest()
        self._url = (config.frontend_url or f"http://{config.http_listen}").rstrip("/")

    async def search(self, caller: Caller, form: ActivitySearch) -> FoundEvents:
        """A page of events, newest first."""
        paging = Paging.read(form, default=DEFAULT_EVENTS, largest=LARGEST_EVENTS)
        start, end = self._range(form.start_date, form.end_date)
        queue_id = None
        if form.search_email_id:
            queue_id = queue_id_of(form.search_email_id) or "-"
        words = [word.strip() for word in form.search.split("|") if word.strip()]
        wanted = EventFilter(
            accounts=accounts_of(caller, form.subaccounts),
            start=start,
            end=end,
            queue_id=queue_id,
            subject=like(form.search_subject) if form.search_subject else None,
            sender=like(form.search_sender) if form.search_sender else None,
            recipient=like(form.search_recipient) if form.search_recipient else None,
            kinds=kinds_of(form.event_types),
            usernames=tuple(form.search_usernames),
            words=tuple(like(word) for word in words[:MOST_WORDS]),
            only_latest=form.only_latest or form.only_latest_by_sent,
        )
        rows, total = await self._database.read(
            sending_events.search,
            wanted,
            limit=paging.limit,
            offset=paging.offset,
            by_send_time=form.only_latest_by_sent,
        )
        headers = tuple(form.custom_headers)
        return FoundEvents(paging.page(rows, total), form.include_headers, headers)

    async def emails(self, caller: Caller, form: EmailSearch) -> FoundEmails:
        """Messages, a row a recipient, newest first (§2.7)."""
        connector = any((form.sender, form.recipient, form.subject, form.status, form.event,
                         form.offset is not None, form.sort_by, form.sort_order))  # fmt: skip
        limit = form.limit or (CONNECTOR_EMAILS if connector else DEFAULT_EMAILS)
        if limit < 1:
            raise BadField("limit", "Must be at least 1")
        limit = min(limit, LARGEST_EMAILS)
        start, end = self._range(form.start_date, form.end_date)
        if form.email_id and not form.start_date:
            start = 0
        query = parse_query(form.filter_query) if form.filter_query else None
        skip = form.offset or 0
        if form.continue_token:
            skip = place_of(form.continue_token)
        wanted_ids: list[str | None] = [queue_id_of(one) or "-" for one in form.email_id] or [None]
        found: list[FoundEmail] = []
        for queue_id in wanted_ids[:LARGEST_EMAILS]:
            async for row in self._rows(caller.account, start, end, queue_id, form.username):
                one = found_email(row)
                if self._fits(one, form) and (query is None or matches(query, flat(one))):
                    found.append(one)
                if len(found) > skip + limit:
                    break
        found = await self._with_opens(caller.account, found, form)
        if form.sort_order.lower() == "asc":
            found.reverse()
        shown = found[skip : skip + limit]
        counts: dict[str, int] | None = None
        if form.status_counts:
            counts = {}
            for one in found:
                counts[one.status] = counts.get(one.status, 0) + 1
        token = token_of(skip + limit) if len(found) > skip + limit else None
        return FoundEmails(tuple(shown), token, tuple(form.headers), counts)

    async def _rows(
        self, account: str, start: int, end: int, queue_id: str | None, username: str
    ) -> Any:
        """All rows of a range in portions, newest first, no more than one call may look at."""
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
            for row in rows:
                yield row
            if len(rows) < PORTION:
                return
            looked += len(rows)
            before, after_recipient = rows[-1].submission_id, rows[-1].recipient_id

    @staticmethod
    def _fits(one: FoundEmail, form: EmailSearch) -> bool:
        row = one.row
        if form.sender and form.sender.lower() not in row.sender.lower():
            return False
        if form.recipient and form.recipient.lower() not in row.recipient.lower():
            return False
        if form.subject and not same(form.subject, row.subject, form.ignore_case):
            return False
        if form.status:
            status = form.status.lower()
            known = {"sent": ("delivered",), "dropped": ("rejected", "refused", "cancelled")}
            if one.status not in known.get(status, (status, status.removesuffix("d"))):
                return False
        if form.event:
            kinds = EVENT_NAMES.get(form.event.lower(), ())
            names = {"soft-bounced": "softbounce", "hard-bounced": "hardbounce"}
            if one.status not in {names.get(kind, kind) for kind in kinds}:
                return False
        return True

    async def _with_opens(
        self, account: str, found: list[FoundEmail], form: EmailSearch
    ) -> list[FoundEmail]:
        """With what was opened and clicked; without what was not, when only that is wanted."""
        if not (form.opened_only or form.clicked_only):
            return found
        kind = "clicked" if form.clicked_only else "opened"
        kept = []
        for one in found:
            wanted = EventFilter((account,), 0, 2**62, queue_id=one.row.queue_id, kinds=(kind,))
            rows, _ = await self._database.read(sending_events.search, wanted, limit=100)
            mine = tuple(row for row in rows if row.recipient == one.row.recipient)
            if mine:
                opens = mine if kind == "opened" else ()
                kept.append(FoundEmail(one.row, one.email_id, one.status, one.fields, opens))
        return kept

    async def scheduled(self, caller: Caller, form: ScheduledSearch) -> list[Scheduled]:
        """What waits for its time, the next first."""
        rows = await self._database.read(
            sending_messages.scheduled, caller.account, now=self._clock()
        )
        limit = min(form.limit or LARGEST_SCHEDULED, LARGEST_SCHEDULED)
        found = []
        for row in rows:
            one = Scheduled(schedule_id_of(row.queue_id), row, json.loads(row.fields))
            if fits_scheduled(one, form):
                found.append(one)
        first = (max(form.page, 1) - 1) * limit
        return found[first : first + limit]

    async def cancel(self, caller: Caller, form: ScheduledRemove) -> str:
        """Take back a message whose time has not come. Raises Refusal."""
        queue_id = queue_id_of_schedule(form.schedule_id.strip())
        row = None
        if queue_id is not None:
            row = await self._database.read(sending_messages.by_queue_id, caller.account, queue_id)
        if row is None or row.scheduled_at is None:
            raise Refusal(f"There is no scheduled email with the id {form.schedule_id[:64]!r}")
        if not await self._database.write(
            sending_messages.cancel, row.submission_id, now=self._clock()
        ):
            raise Refusal(f"The scheduled email {form.schedule_id[:64]!r} is sent or cancelled")
        self._signals.notify(topics.mailbox(row.sender))
        return form.schedule_id.strip()

    async def archive(
        self, caller: Caller, form: ArchiveSearch
    ) -> tuple[list[Archived], str | None]:
        """Full copies, newest first, and the token of the next page."""
        start, end = self._range(form.start_date, form.end_date, from_today=False)
        limit = min(form.limit or LARGEST_EMAILS, LARGEST_EMAILS)
        before = place_of(form.continue_token) if form.continue_token else sending_messages.NEWEST
        found: list[Archived] = []
        looked = 0
        while looked < LOOKED_AT:
            rows = await self._database.read(
                sending_messages.archived,
                caller.account,
                start=start,
                end=end,
                before=before,
                limit=PORTION,
            )
            for row in rows:
                before = row.submission_id
                one = self._linked(row)
                if fits_archived(one, form):
                    found.append(one)
                if len(found) == limit:
                    return found, token_of(before)
            if len(rows) < PORTION:
                return found, None
            looked += len(rows)
        return found, token_of(before)

    async def archived_email(self, caller: Caller, form: EmailId) -> Archived:
        """One full copy's description. Raises Refusal."""
        row = await self._archived(caller.account, form.email_id)
        return self._linked(row)

    def _linked(self, row: SentMessage) -> Archived:
        """A full copy with an address from which it can be had for an hour."""
        until = self._clock() // 1_000_000 + LINK_SECONDS
        email_id = email_id_of(row.queue_id)
        signature = self._signature(row.account, email_id, until)
        url = f"{self._url}/archive/{email_id}/{until}-{row.account or '-'}-{signature}"
        return Archived(email_id, row, json.loads(row.fields), url)

    def _signature(self, account: str, email_id: str, until: int) -> str:
        signed = f"{account}/{email_id}/{until}".encode()
        return hmac.digest(self._secret, signed, hashlib.sha256).hex()

    async def archived_content(self, email_id: str, proof: str) -> bytes | None:
        """The full copy that a link of ours leads to; None when the link is no good."""
        until, _, rest = proof.partition("-")
        account, _, signature = rest.rpartition("-")
        account = "" if account == "-" else account
        if not (until.isascii() and until.isdigit() and len(until) < 15):
            return None
        good = self._signature(account, email_id, int(until))
        if not hmac.compare_digest(good.encode(), signature.encode(errors="replace")):
            return None
        if int(until) < self._clock() // 1_000_000:
            return None
        try:
            row = await self._archived(account, email_id)
        except Refusal:
            return None
        assert row.archived_content_id is not None
        return await self._database.read(contents.read, row.archived_content_id)

    async def _archived(self, account: str, email_id: str) -> SentMessage:
        queue_id = queue_id_of(email_id)
        row = None
        if queue_id is not None:
            row = await self._database.read(sending_messages.by_queue_id, account, queue_id)
        if row is None or row.archived_content_id is None:
            raise Refusal(f"There is no archived email with the id {email_id[:64]!r}")
        return row

    def _range(self, start: str, end: str, *, from_today: bool = True) -> tuple[int, int]:
        """From a start, included, to an end, excluded; by default this day until now."""
        now = self._clock()
        first = day_start(now) if from_today else 0
        if start:
            first = date_of("start_date", start)
        last = date_of("end_date", end) if end else now + DAY
        if last <= first and end:
            if is_day(end) and is_day(start) and last == first:
                return first, last
            raise BadField("end_date", "Must be after start_date")
        return first, last


def accounts_of(caller: Caller, subaccounts: Sequence[str]) -> tuple[str, ...]:
    """The accounts that a search covers: the caller's own, or some below the master."""
    if not subaccounts:
        return (caller.account,)
    if caller.account:
        if set(subaccounts) != {caller.account}:
            raise BadField("subaccounts", "Only the master account sees others")
        return (caller.account,)
    return tuple(dict.fromkeys(subaccounts))


def kinds_of(names: Sequence[str]) -> tuple[str, ...]:
    """Event names of either vocabulary as kinds. Raises BadField."""
    kinds: list[str] = []
    for name in names:
        if name.lower() not in EVENT_NAMES:
            raise BadField("event_types", f"There is no event type {name[:50]!r}")
        kinds += EVENT_NAMES[name.lower()]
    return tuple(dict.fromkeys(kinds))


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
    return FoundEmail(row, email_id_of(row.queue_id), status, json.loads(row.fields), ())


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


def recipients_text(fields: Mapping[str, Any]) -> str:
    """All recipients of a message in one text."""
    return ", ".join([*fields.get("to", []), *fields.get("cc", []), *fields.get("bcc", [])])


def fits_scheduled(one: Scheduled, form: ScheduledSearch) -> bool:
    """Whether a search finds a scheduled message."""
    if form.schedule_id and one.schedule_id != form.schedule_id.strip().lower():
        return False
    subject = one.message.subject.lower()
    recipients = recipients_text(one.fields).lower()
    sender = str(one.fields.get("from", one.message.sender)).lower()
    for wanted, text in (
        (form.search_subject, subject),
        (form.search_recipient, recipients),
        (form.search_sender, sender),
    ):
        if wanted.lower() not in text:
            return False
    word = form.search.lower()
    return any(word in text for text in (subject, recipients, sender))


def fits_archived(one: Archived, form: ArchiveSearch) -> bool:
    """Whether a search finds an archived message."""
    message = one.message
    headers = "\n".join(f"{name}: {text}" for name, text in one.fields.get("headers", []))
    for wanted, text in (
        (form.username, message.username),
        (form.recipient, recipients_text(one.fields)),
        (form.sender, str(one.fields.get("from", ""))),
        (form.envelope_from, message.sender),
        (form.subject, message.subject),
        (form.headers, headers),
    ):
        if wanted.lower() not in text.lower():
            return False
    return True
