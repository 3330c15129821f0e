"""The sent box: what an address sent, what became of it, and why.

Every operation names the address that it is for, and finds nothing of any other. Administrators
pass None and see all.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailbox_service import signals as topics
from mailbox_service.core.errors import NotFound
from mailbox_service.core.header_words import first_mailbox
from mailbox_service.core.parsing import ParsedMessage, parse
from mailbox_service.core.stored import QueuedRecipient
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, send_queue, submissions
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.send_queue import Attempt
from mailbox_service.storage.submissions import Submission

log = logging.getLogger("mailbox.sent")

# A record is worked out from the message itself up to this size; what is larger is mostly files,
# and a page of 100 of them would be a page of minutes.
LARGEST_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message of a sent box with its recipients; `state` is that of the worst off."""

    submission: Submission
    recipients: tuple[QueuedRecipient, ...]

    @property
    def state(self) -> str:
        """queued, held, sending, deferred, delivered or failed."""
        return send_queue.worst(recipient.state for recipient in self.recipients)


@dataclass(frozen=True, slots=True)
class SentPage:
    """A page of a sent box, and how many messages are in the box."""

    messages: list[SentMessage]
    count: int


@dataclass(frozen=True, slots=True)
class OpenedSent:
    """One sent message with its text and every attempt at every recipient, oldest first."""

    message: SentMessage
    parsed: ParsedMessage
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class WholeSent:
    """One sent message octet for octet, and whose it is; empty when its content is damaged."""

    id: int
    address: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class SendboxRow:
    """A row of the mailbox API's sendbox; `record` is the JSON of mailbox API §10.8."""

    id: int
    address: str
    record: str
    created_at: int


class SentMail:
    """Reads and tidies sent boxes."""

    def __init__(self, database: Database, signals: Signals, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock

    async def page(
        self, address: str | None, *, limit: int, before_id: int | None = None
    ) -> SentPage:
        """A page of a sent box, newest first, before an id."""

        async def unit(tx: Transaction) -> SentPage:
            found = await submissions.list_page(tx, address, limit=limit, before_id=before_id)
            listed = await with_recipients(tx, found)
            return SentPage(listed, await submissions.count(tx, address))

        return await self._database.read(unit)

    async def count(self, address: str | None = None) -> int:
        """How many messages a sent box lists, or all of them."""
        return await self._database.read(submissions.count, address)

    async def open(self, address: str | None, submission_id: int) -> OpenedSent:
        """One message, read, with its attempts. Raises NotFound."""

        async def unit(tx: Transaction) -> tuple[SentMessage, bytes, list[Attempt]]:
            submission = await owned(tx, address, submission_id)
            (message,) = await with_recipients(tx, [submission])
            content = await content_or_nothing(tx, submission)
            return message, content, await send_queue.attempts_of(tx, submission.id)

        message, content, attempts = await self._database.read(unit)
        parsed = await asyncio.to_thread(parse, content)
        return OpenedSent(message, parsed, tuple(attempts))

    async def sender_of(self, submission_id: int) -> str | None:
        """Whose sent box a message is in; None when there is none."""

        async def unit(tx: Transaction) -> str | None:
            found = await submissions.by_id(tx, submission_id)
            return None if found is None else found.address

        return await self._database.read(unit)

    async def whole(self, address: str | None, submission_id: int) -> WholeSent:
        """One message as it was queued. Raises NotFound."""

        async def unit(tx: Transaction) -> WholeSent:
            submission = await owned(tx, address, submission_id)
            raw = await content_or_nothing(tx, submission)
            return WholeSent(submission.id, submission.address, raw)

        return await self._database.read(unit)

    async def sendbox(
        self, address: str | None, *, limit: int, offset: int
    ) -> tuple[list[SendboxRow], int]:
        """A page of the mailbox API's sendbox, newest first, and how many rows it has."""

        async def unit(tx: Transaction) -> tuple[list[tuple[Submission, str, bytes]], int]:
            found = await submissions.list_page(tx, address, limit=limit, offset=offset)
            people = await send_queue.of_submissions(
                tx, [one.id for one in found if one.record is None]
            )
            rows = []
            for one in found:
                first = people[one.id][0].recipient if people.get(one.id) else ""
                readable = one.record is None and one.size <= LARGEST_READ
                content = await content_or_nothing(tx, one) if readable else b""
                rows.append((one, first, content))
            return rows, await submissions.count(tx, address)

        rows, total = await self._database.read(unit)
        return await asyncio.to_thread(sendbox_rows, rows), total

    async def delete(self, address: str | None, submission_id: int) -> bool:
        """Take a message out of its sent box; mail that is still on the way goes on."""
        changed = await self._database.write(submissions.unlist, submission_id, address=address)
        if changed and address is not None:
            self._signals.notify(topics.mailbox(address))
        return changed

    async def clear(self, address: str) -> int:
        """Empty a sent box; how many messages were in it."""
        changed = await self._database.write(submissions.unlist_all, address)
        if changed:
            self._signals.notify(topics.mailbox(address))
        return changed


async def owned(tx: Transaction, address: str | None, submission_id: int) -> Submission:
    """A message of a sent box. Raises NotFound."""
    submission = await submissions.by_id(tx, submission_id)
    if submission is None or not submission.listed or address not in (None, submission.address):
        raise NotFound("There is no sent mail with that id")
    return submission


async def with_recipients(tx: Transaction, found: Sequence[Submission]) -> list[SentMessage]:
    """Messages with their recipients, in the same order."""
    people = await send_queue.of_submissions(tx, [submission.id for submission in found])
    return [
        SentMessage(submission, tuple(as_shown(one) for one in people[submission.id]))
        for submission in found
    ]


def as_shown(recipient: QueuedRecipient) -> QueuedRecipient:
    """A recipient as its sender sees it: what was taken out of the queue has failed."""
    shown = send_queue.worst((recipient.state,))
    return recipient if shown == recipient.state else replace(recipient, state=shown)


async def content_or_nothing(tx: Transaction, submission: Submission) -> bytes:
    """The bytes of a message; none when they are damaged, which is logged and not hidden from
    its owner's list."""
    try:
        return await contents.read(tx, submission.content_id)
    except contents.Damaged as error:
        log.error("content-damaged queue_id=%s reason=%s", submission.queue_id, error)
        return b""


def sendbox_rows(rows: Sequence[tuple[Submission, str, bytes]]) -> list[SendboxRow]:
    """Rows with their records: the kept one, or one worked out from the message."""
    return [
        SendboxRow(
            one.id,
            one.address,
            one.record if one.record is not None else record_text(one, recipient, content),
            one.created_at,
        )
        for one, recipient, content in rows
    ]


def record_text(submission: Submission, recipient: str, content: bytes) -> str:
    """The record of a message that did not come as a request of the mailbox API."""
    parsed = parse(content)
    to_name, to_address = first_mailbox(first_value(parsed, "to"))
    return json.dumps(
        {
            "version": "v2",
            "from_name": first_mailbox(first_value(parsed, "from"))[0],
            "to_name": to_name,
            "to_mail": to_address or recipient,
            "subject": parsed.subject or submission.subject,
            "content": parsed.html or parsed.text,
            "is_html": bool(parsed.html),
            "geoData": {"ip": "unknown"},
        },
        ensure_ascii=False,
    )


def first_value(parsed: ParsedMessage, name: str) -> str:
    """The first field of a name, encoded words unread; empty when there is none."""
    return next((value for key, value in parsed.headers if key.lower() == name), "")
