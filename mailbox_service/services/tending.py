"""Tending the queue: what an operator sees of it, and trying or giving up many at once.

Much is done in portions, each a transaction of its own: a queue of a million stands in nobody's
way, and what was done stays done when the operator goes away.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.address import split
from mailbox_service.core.delivery import Reply
from mailbox_service.core.errors import BadRequest, NotFound
from mailbox_service.core.events import EventKind
from mailbox_service.core.policy import served_by
from mailbox_service.core.queue_desk import EVERYTHING, DeskRow, QueueFilter
from mailbox_service.core.queue_words import Waiting, reason_of, story
from mailbox_service.core.told import Told
from mailbox_service.services.attempts import Outcome, notice_of
from mailbox_service.services.claiming import LEASE_MICROS
from mailbox_service.services.clock import Clock, new_id, now_micros
from mailbox_service.services.recording import Record, record_all
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, events, queue_desk, send_queue, submissions
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.events import sent_detail
from mailbox_service.storage.leases import Claim, Settled
from mailbox_service.storage.send_queue import Attempt
from mailbox_service.storage.submissions import Submission

STATES = ("queued", "deferred", "sending", "held")
# Recipients in one transaction: retrying is a few statements, giving up reads contents besides.
RETRIED, GIVEN_UP = 500, 100
# Rows that are looked up together for that, and after how many changes one call ends: some
# minutes of work. Whoever means more asks again.
LOOKED_AT, MOST_AT_ONCE = 5_000, 100_000
# Reasons and domains that are told, most frequent first.
MOST_REASONS, MOST_DOMAINS = 20, 50
# What a sender reads. RFC 3463 X.7.0: it is policy, and not about the recipient's mailbox, so
# nobody is put on a list because of it.
DROPPED = Reply(554, "5.7.0", "The administrator of this service took the message from the queue")


@dataclass(frozen=True, slots=True)
class QueuePage:
    """A page of the queue; `reasons` and `domains` count all that fits, most frequent first."""

    rows: list[DeskRow]
    count: int
    reasons: list[tuple[str, int]]
    domains: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class OpenedRow:
    """A recipient with its story in words and the attempts at it, oldest first."""

    row: DeskRow
    story: list[Told]
    attempts: list[Attempt]


class Tending:
    """The queue for its operator."""

    def __init__(
        self, database: Database, config: Config, signals: Signals, *, clock: Clock = now_micros
    ) -> None:
        self._database = database
        self._config = config
        self._signals = signals
        self._clock = clock

    # Looking.

    async def page(
        self, wanted: QueueFilter = EVERYTHING, *, limit: int, before_id: int | None = None
    ) -> QueuePage:
        """A page of what waits, newest first, before an id. Raises BadRequest."""
        check_filter(wanted)
        rows = await self._database.read(queue_desk.page, wanted, limit=limit, before_id=before_id)
        groups = await self._database.read(queue_desk.groups, wanted)
        # Of a long queue every reply may be another: that is too much for the event loop.
        reasons, domains = await asyncio.to_thread(counted, groups)
        return QueuePage(
            rows,
            domains.total(),
            reasons.most_common(MOST_REASONS),
            domains.most_common(MOST_DOMAINS),
        )

    async def open(self, recipient_id: int) -> OpenedRow:
        """One recipient, also one that waits no more. Raises NotFound."""

        async def unit(tx: Transaction) -> tuple[DeskRow, list[Attempt]]:
            row = await queue_desk.one(tx, recipient_id)
            if row is None:
                raise NotFound("There is no such recipient in the queue")
            return row, await queue_desk.attempts_at(tx, row)

        row, attempts = await self._database.read(unit)
        recipient = row.recipient
        waiting = Waiting(
            state=recipient.state,
            domain=row.domain,
            attempts=recipient.attempts,
            queued_at=row.queued_at,
            next_attempt_at=recipient.next_attempt_at,
            reply=recipient.last_reply or "",
            remote=recipient.remote or "",
            outbound=self._config.outbound,
            is_own=self._is_own(row.domain),
        )
        return OpenedRow(row, story(waiting, now=self._clock()), attempts)

    def _is_own(self, domain: str) -> bool:
        return served_by(domain, frozenset(self._config.served_domains)) is not None

    # Acting.

    async def retry(self, ids: Sequence[int]) -> int:
        """Make it the turn of recipients that wait or are held; how many."""
        return await self._retry(ids)

    async def retry_where(self, wanted: QueueFilter) -> int:
        """Make it the turn of all that fit, but for mail that is scheduled for later; how many.
        Raises BadRequest."""
        changed = 0
        async for rows in self._portions(wanted, RETRIED):
            now = self._clock()
            changed += await self._retry([row.recipient.id for row in rows if row.queued_at <= now])
            if changed >= MOST_AT_ONCE:
                break
        return changed

    async def _retry(self, ids: Sequence[int]) -> int:
        changed = 0
        for start in range(0, len(ids), RETRIED):
            number, owners = await self._database.write(
                retry_some, ids[start : start + RETRIED], self._clock()
            )
            changed += number
            self._tell(owners)
            self._signals.notify(topics.QUEUE)
        return changed

    async def drop(self, ids: Sequence[int]) -> int:
        """Give up recipients that wait or are held, with a notice to each sender of ours; how
        many."""
        dropped = 0
        for start in range(0, len(ids), GIVEN_UP):
            dropped += await self._drop(ids[start : start + GIVEN_UP])
        return dropped

    async def drop_where(self, wanted: QueueFilter) -> int:
        """Give up all that fit, as `drop` does. Raises BadRequest."""
        dropped = 0
        async for rows in self._portions(wanted, GIVEN_UP):
            dropped += await self._drop([row.recipient.id for row in rows])
            if dropped >= MOST_AT_ONCE:
                break
        return dropped

    async def drop_message(self, queue_id: str, *, report: bool = True) -> int:
        """Give up what waits of one message; how many recipients. Without `report` its sender
        is not told."""
        dropped, last = 0, 0
        while ids := await self._database.read(
            queue_desk.of_message, queue_id, after=last, limit=GIVEN_UP
        ):
            dropped += await self._drop(ids, report=report)
            last = ids[-1]
        return dropped

    async def _portions(self, wanted: QueueFilter, size: int) -> AsyncIterator[list[DeskRow]]:
        """What fits, newest first. What comes in meanwhile is not among it."""
        check_filter(wanted)
        before: int | None = None
        while rows := await self._database.read(
            queue_desk.page, wanted, limit=LOOKED_AT, before_id=before
        ):
            for start in range(0, len(rows), size):
                yield rows[start : start + size]
            before = rows[-1].recipient.id

    async def _drop(self, ids: Sequence[int], *, report: bool = True) -> int:
        """Lease them, so that nobody attempts them; then record that they failed, with the
        notices, in one transaction. A kill between the two leaves leases, which end."""
        now, holder = self._clock(), secrets.token_hex(8)
        claims = await self._database.write(
            queue_desk.take_out, ids, holder=holder, now=now, lease_until=now + LEASE_MICROS
        )
        if not claims:
            return 0
        by_message: dict[int, list[Claim]] = {}
        for claim in claims:
            by_message.setdefault(claim.submission_id, []).append(claim)
        found = await self._database.read(submissions.by_ids, by_message.keys())
        entries = [
            await self._record_of(submission, by_message[submission.id], holder, now, report)
            for submission in found
        ]
        noticed = await self._database.write(record_all, entries)
        self._tell({submission.address for submission in found})
        self._signals.notify(topics.SENDING_EVENTS)
        if any(one is True for one in noticed):
            self._signals.notify(topics.MESSAGES)
        return len(claims)

    async def _record_of(
        self, submission: Submission, claims: Sequence[Claim], holder: str, now: int, report: bool
    ) -> Record:
        outcomes = tuple(self._dropped(claim, now) for claim in claims)
        notice, notice_id = None, new_id()
        if report and submission.reverse_path and self._is_own(split(submission.reverse_path)[1]):
            try:
                content = await self._database.read(contents.read, submission.content_id)
            except contents.Damaged:
                content = b""
            notice = notice_of(
                submission,
                outcomes,
                content,
                reporting_mta=self._config.own_name,
                notice_id=notice_id,
                now=now,
            )
        return Record(
            submission=submission,
            outcomes=outcomes,
            holder=holder,
            now=now,
            notice=notice,
            notice_id=notice_id,
            sub_addresses=self._config.enable_sub_addresses,
        )

    def _dropped(self, claim: Claim, now: int) -> Outcome:
        settled = Settled(
            claim=claim,
            state=send_queue.FAILED,
            next_attempt_at=None,
            started_at=now,
            ended_at=now,
            remote=self._config.own_name,
            reply=str(DROPPED),
            conversation=f"* {DROPPED.text}.",
        )
        return Outcome(settled, DROPPED)

    def _tell(self, owners: set[str]) -> None:
        for address in owners:
            self._signals.notify(topics.mailbox(address))


def counted(groups: Sequence[tuple[str, str, int]]) -> tuple[Counter[str], Counter[str]]:
    """How many recipients have which reason, and which domain."""
    reasons: Counter[str] = Counter()
    domains: Counter[str] = Counter()
    for reply, domain, number in groups:
        domains[domain] += number
        if reply:
            reasons[reason_of(reply)] += number
    return reasons, domains


def check_filter(wanted: QueueFilter) -> None:
    """Raises BadRequest for a state that nothing can wait in."""
    if wanted.state and wanted.state not in STATES:
        raise BadRequest(f"state is one of {', '.join(STATES)}")


async def retry_some(tx: Transaction, ids: Sequence[int], now: int) -> tuple[int, set[str]]:
    """Make it the turn of recipients, with an event each; how many, and whose mail it was."""
    changed = await queue_desk.retry(tx, ids, now=now)
    numbers = {submission_id for _, submission_id, _ in changed}
    found = {one.id: one for one in await submissions.by_ids(tx, numbers)}
    states = await send_queue.states_of(tx, list(numbers)) if numbers else {}
    await events.add_all(
        tx,
        [
            retried(found[number], row_id, recipient, states[number], now)
            for row_id, number, recipient in changed
            if number in found
        ],
    )
    return len(changed), {one.address for one in found.values()}


def retried(
    submission: Submission, recipient_id: int, recipient: str, state: str, now: int
) -> events.NewEvent:
    """The event that an operator made it a recipient's turn."""
    detail = sent_detail(
        submission.id,
        queue_id=submission.queue_id,
        state=state,
        recipient=recipient,
        recipient_state=send_queue.QUEUED,
        last_reply=None,
    )
    text = json.dumps(detail, ensure_ascii=False)
    return (EventKind.RETRIED, now, submission.address, submission.id, recipient_id, text)
