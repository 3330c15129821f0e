"""Mail that waits for its time: looked for, and taken back (sending-api §2.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from mailbox_service import signals as topics
from mailbox_service.core.email_id import queue_id_of_schedule, schedule_id_of
from mailbox_service.core.sending_api import BadField, Caller, Refusal
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.signals import Signals
from mailbox_service.storage import sending_messages
from mailbox_service.storage.database import Database
from mailbox_service.storage.sending_messages import SentMessage

LARGEST_PAGE = 1_000


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


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A message that waits for its time."""

    schedule_id: str
    message: SentMessage
    fields: Mapping[str, Any]


class Scheduling:
    """Knows what waits for its time."""

    def __init__(self, database: Database, signals: Signals, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock

    async def search(self, caller: Caller, form: ScheduledSearch) -> list[Scheduled]:
        """What waits for its time, the next first."""
        if form.limit is not None and form.limit < 1:
            raise BadField("limit", "Must be at least 1")
        rows = await self._database.read(
            sending_messages.scheduled, caller.account, now=self._clock()
        )
        limit = min(form.limit or LARGEST_PAGE, LARGEST_PAGE)
        found = []
        for row in rows:
            one = Scheduled(schedule_id_of(row.queue_id), row, json.loads(row.fields))
            if fits(one, form):
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


def recipients_text(fields: Mapping[str, Any]) -> str:
    """All recipients of a message in one text."""
    return ", ".join([*fields.get("to", []), *fields.get("cc", []), *fields.get("bcc", [])])


def fits(one: Scheduled, form: ScheduledSearch) -> bool:
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
