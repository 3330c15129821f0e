"""The queue: one row a recipient, leased to a worker while it is being attempted.

`next_attempt_at` says when a row's turn comes, and is null when it never will: the row is
final, or held. How workers take turns stands in `leases`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import Struct

from mailbox_service.core.events import EventKind
from mailbox_service.core.stored import QueuedRecipient
from mailbox_service.storage import many_rows
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.dialects import each_integer

QUEUED = "queued"
HELD = "held"
SENDING = "sending"
DEFERRED = "deferred"
DELIVERED = "delivered"
FAILED = "failed"
QUARANTINED = "quarantined"

# What people see of a message: the state of its recipient who is worst off. A row that was
# taken out because its content is damaged will not be delivered either.
WORST_FIRST = (FAILED, DEFERRED, HELD, QUEUED, SENDING, DELIVERED)

# A message to many recipients waits behind those to few, domain by domain.
NORMAL, BULK = 0, 1


class NewRecipient(Struct, frozen=True, gc=False):
    """A recipient of a new submission; `state` is queued or held, or failed with a `reply` for
    somebody who will not be sent to. `due_at` is when its turn comes, 0 for now."""

    recipient: str
    domain: str
    state: str = QUEUED
    due_at: int = 0
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one recipient."""

    recipient: str
    started_at: int
    ended_at: int
    remote: str
    outcome: str
    reply: str
    conversation: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A recipient that waits, as the operator lists it."""

    queue_id: str
    address: str
    recipient: QueuedRecipient


ADDED = (
    *("submission_id", "recipient", "domain", "state", "priority", "queued_at"),
    *("next_attempt_at", "updated_at", "last_reply"),
)

RECIPIENT_COLUMNS = """r.id, r.submission_id, r.recipient, r.state, r.attempts,
       r.next_attempt_at, r.last_reply, r.remote, r.updated_at"""

OF_SUBMISSIONS = f"""
SELECT {RECIPIENT_COLUMNS} FROM recipients r WHERE r.submission_id IN ({{ids}}) ORDER BY r.id
"""

STATES = "SELECT DISTINCT submission_id, state FROM recipients WHERE submission_id IN ({ids})"

ATTEMPTS = """
SELECT r.recipient, a.started_at, a.ended_at, a.remote, a.outcome, a.reply, a.conversation
  FROM attempts a JOIN recipients r ON r.id = a.recipient_id
 WHERE a.submission_id = :id ORDER BY a.id LIMIT :limit
"""

WAITING = f"""
SELECT s.queue_id, s.address, {RECIPIENT_COLUMNS}
  FROM recipients r JOIN submissions s ON s.id = r.submission_id
 WHERE (r.next_attempt_at IS NOT NULL OR r.state = 'held') AND r.id > :after
 ORDER BY r.id LIMIT :limit
"""

COUNT_BY_STATE = """
SELECT state, count(*) FROM recipients
 WHERE next_attempt_at IS NOT NULL OR state = 'held' GROUP BY state
"""

RETRY = """
UPDATE recipients
   SET state = CASE WHEN attempts = 0 THEN 'queued' ELSE 'deferred' END, next_attempt_at = :now,
       updated_at = :now
 WHERE submission_id IN (SELECT id FROM submissions WHERE queue_id = :queue_id)
   AND state IN ('queued', 'deferred', 'held')
"""

RETRY_ALL = """
WITH waiting AS MATERIALIZED (
    SELECT id FROM recipients
     WHERE (state IN ('queued', 'deferred') AND next_attempt_at > :now AND queued_at <= :now)
        OR state = 'held'
     ORDER BY id LIMIT :limit)
UPDATE recipients
   SET state = CASE WHEN attempts = 0 THEN 'queued' ELSE 'deferred' END, next_attempt_at = :now,
       updated_at = :now
 WHERE id IN (SELECT id FROM waiting)
RETURNING id
"""

# What an operator does is an event of the message, too.
ADD_OPERATOR_EVENT = """
INSERT INTO events (kind, at, address, submission_id, recipient_id, detail)
SELECT CAST(:kind AS TEXT), :now, s.address, s.id, r.id,
       '{"id":' || s.id || ',"queue_id":"' || s.queue_id || '","state":"' || CAST(:state AS TEXT)
       || '","recipient":"' || r.recipient || '","recipient_state":"' || CAST(:state AS TEXT)
       || '","last_reply":null}'
  FROM recipients r JOIN submissions s ON s.id = r.submission_id
 WHERE s.queue_id = :queue_id AND r.state IN ('queued', 'deferred', 'held')
"""

# More attempts than the schedule of four days has, for each of a thousand recipients.
MOST_ATTEMPTS_SHOWN = 50_000


def worst(states: Iterable[str]) -> str:
    """The state of a message whose recipients have these states."""
    seen = {FAILED if state == QUARANTINED else state for state in states}
    if len(seen) == 1:
        return seen.pop()
    return next((state for state in WORST_FIRST if state in seen), QUEUED)


def recipient_of(row: Row) -> QueuedRecipient:
    recipient = QueuedRecipient(*row)
    if recipient.state == SENDING:  # its next attempt is only the end of the lease
        return replace(recipient, next_attempt_at=None)
    return recipient


async def add(
    tx: Transaction,
    submission_id: int,
    recipients: Sequence[NewRecipient],
    *,
    priority: int,
    now: int,
) -> None:
    """Queue the recipients of a new submission; their first turn is now, or
    when they are due."""
    await add_all(tx, [(submission_id, recipients, priority, now)])


async def add_all(
    tx: Transaction, added: Sequence[tuple[int, Sequence[NewRecipient], int, int]]
) -> Sequence[int]:
    """Queue the recipients of several submissions, each with its id, its priority and its time;
    the ids of the rows, recipient by recipient."""
    rows = [
        (submission_id, new.recipient, new.domain, new.state, priority, new.due_at or now,
         None if new.state in (HELD, FAILED) else new.due_at or now, now, new.reply)
        for submission_id, recipients, priority, now in added
        for new in recipients
    ]  # fmt: skip
    by = ("submission_id", "recipient")
    return await many_rows.insert_numbered(tx, "recipients", ADDED, rows, by)


async def of_submissions(
    tx: Transaction, submission_ids: Sequence[int]
) -> Mapping[int, list[QueuedRecipient]]:
    """The recipients of several submissions, each list in the order of submitting."""
    found: dict[int, list[QueuedRecipient]] = {number: [] for number in submission_ids}
    if not found:
        return found
    sql = OF_SUBMISSIONS.format(ids=each_integer(tx.dialect, "ids"))
    for row in await tx.fetch_all(sql, {"ids": json.dumps(list(found))}):
        found[int(row[1])].append(recipient_of(row))
    return found


async def states_of(tx: Transaction, submission_ids: Sequence[int]) -> Mapping[int, str]:
    """The states of several messages, each that of its recipient who is worst off."""
    found: dict[int, set[str]] = {number: set() for number in submission_ids}
    sql = STATES.format(ids=each_integer(tx.dialect, "ids"))
    for number, state in await tx.fetch_all(sql, {"ids": json.dumps(list(found))}):
        found[int(number)].add(str(state))
    return {number: worst(states) for number, states in found.items()}


async def attempts_of(tx: Transaction, submission_id: int) -> list[Attempt]:
    """Every attempt at every recipient of a submission, oldest first."""
    rows = await tx.fetch_all(ATTEMPTS, {"id": submission_id, "limit": MOST_ATTEMPTS_SHOWN})
    return [Attempt(*row) for row in rows]


async def list_waiting(tx: Transaction, *, limit: int, after: int = 0) -> list[QueueRow]:
    """Recipients that are not final, oldest first, behind a recipient id."""
    rows = await tx.fetch_all(WAITING, {"limit": limit, "after": after})
    return [QueueRow(row[0], row[1], recipient_of(row[2:])) for row in rows]


async def count_by_state(tx: Transaction) -> dict[str, int]:
    """How many recipients wait, by state; final ones are not counted."""
    return {str(state): int(number) for state, number in await tx.fetch_all(COUNT_BY_STATE)}


async def retry(tx: Transaction, queue_id: str, *, now: int) -> int:
    """Make it the turn of a message's waiting and held recipients; how many."""
    params = {"queue_id": queue_id, "now": now}
    await tx.execute(
        ADD_OPERATOR_EVENT, {**params, "kind": str(EventKind.RETRIED), "state": QUEUED}
    )
    return await tx.execute(RETRY, params)


async def retry_all(tx: Transaction, *, now: int, limit: int) -> int:
    """Make it everybody's turn, held recipients included, `limit` at a time; how many."""
    # Counted by hand: SQLite's driver knows no row count for a statement that begins with WITH.
    return len(await tx.fetch_all(RETRY_ALL, {"now": now, "limit": limit}))
