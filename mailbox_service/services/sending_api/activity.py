"""What happened to mail: a search of events (sending-api §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from mailbox_service.core.api_values import like
from mailbox_service.core.email_id import queue_id_of
from mailbox_service.core.sending_api import MASTER, BadField, Caller
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.dates import range_of
from mailbox_service.services.sending_api.documents import SUBACCOUNTS, Documents
from mailbox_service.services.sending_api.paging import Page, Paging
from mailbox_service.services.sending_api.policies import Subaccount
from mailbox_service.storage import delivery_attempts, sending_events
from mailbox_service.storage.database import Database
from mailbox_service.storage.delivery_attempts import DeliveryAttempt
from mailbox_service.storage.sending_events import EventFilter, SendingEvent

LARGEST_EVENTS, DEFAULT_EVENTS = 1_000, 100
MOST_WORDS = 20

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


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """A page of events, which fields of their headers are wanted, and how deliveries of their
    messages were tried, by submission id."""

    page: Page[SendingEvent]
    include_headers: bool
    custom_headers: tuple[str, ...]
    attempts: Mapping[int, Sequence[DeliveryAttempt]]
    # What subaccounts are called, by their ids.
    names: Mapping[str, str] = field(default_factory=dict)


class Activity:
    """Looks into what happened."""

    def __init__(self, database: Database, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._clock = clock
        self._subaccounts = Documents(database, SUBACCOUNTS, Subaccount, clock)

    async def search(self, caller: Caller, form: ActivitySearch) -> FoundEvents:
        """A page of events, newest first."""
        paging = Paging.read(form, default=DEFAULT_EVENTS, largest=LARGEST_EVENTS)
        now = paging.until or self._clock() + 1
        start, end = range_of(form.start_date, form.end_date, now=now)
        only_latest = form.only_latest or form.only_latest_by_sent
        # A message whose latest event is younger would not be found at all.
        if paging.until and not form.end_date and not only_latest:
            end = now
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
            only_latest=only_latest,
        )
        rows, total = await self._database.read(
            sending_events.search,
            wanted,
            limit=paging.limit,
            offset=paging.offset,
            by_send_time=form.only_latest_by_sent,
        )
        processed = [row.submission_id for row in rows if row.kind == "processed"]
        attempts = await self._database.read(delivery_attempts.of_submissions, processed)
        names: dict[str, str] = {}
        if any(row.account for row in rows):
            known = await self._subaccounts.all(MASTER)
            names = {one.name: one.value.fullname for one in known}
        headers = tuple(form.custom_headers)
        page = paging.page(rows, total, until=now)
        return FoundEvents(page, form.include_headers, headers, attempts, names)


def accounts_of(caller: Caller, subaccounts: Sequence[str]) -> tuple[str, ...]:
    """The accounts that a search covers: the caller's own, or some below the master."""
    if not subaccounts:
        return (caller.account,)
    if caller.account:
        if set(subaccounts) != {caller.account}:
            raise BadField("subaccounts", "Only the master account sees others")
        return (caller.account,)
    return tuple(dict.fromkeys(subaccounts))


def kinds_of(names: Sequence[str], field: str = "event_types") -> tuple[str, ...]:
    """Event names of either vocabulary as kinds. Raises BadField."""
    kinds: list[str] = []
    for name in names:
        if name.lower() not in EVENT_NAMES:
            raise BadField(field, f"There is no event type {name[:50]!r}")
        kinds += EVENT_NAMES[name.lower()]
    return tuple(dict.fromkeys(kinds))
