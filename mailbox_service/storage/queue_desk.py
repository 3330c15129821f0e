"""The queue as an operator sees it, and what an operator does to it.

Looking costs what waits and not what was ever sent: rows that wait are found by indexes that
hold no others, in portions, newest first, and only then is anything else asked about them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from mailbox_service.core.queue_desk import DeskRow, QueueFilter
from mailbox_service.core.queue_words import GAP
from mailbox_service.storage.addresses import contains
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.dialects import each_integer
from mailbox_service.storage.leases import Claim
from mailbox_service.storage.send_queue import RECIPIENT_COLUMNS, Attempt, recipient_of

# Ids looked at in one go, and rows that counts are made of: some tenths of a second.
LOOK = 2_000
MOST_COUNTED = 50_000
NEWEST = 2**62
# The newest attempts at one recipient; the schedule of four days has some thirty.
MOST_ATTEMPTS = 100


# Unary plus keeps SQLite from walking the ids of everything that was ever sent.
_DUE = """
SELECT +id AS id FROM recipients WHERE next_attempt_at IS NOT NULL{domain} AND +id < :before"""
_HELD = "SELECT +id AS id FROM recipients WHERE state = 'held'{domain} AND +id < :before"

_COLUMNS = f"""{RECIPIENT_COLUMNS}, r.domain, r.queued_at, s.queue_id, s.address, s.subject,
       s.size, s.created_at"""

ROWS = f"""
SELECT {_COLUMNS} FROM recipients r JOIN submissions s ON s.id = r.submission_id
 WHERE r.id IN ({{ids}}){{conditions}} ORDER BY r.id DESC LIMIT :limit
"""

ROW = f"""
SELECT {_COLUMNS} FROM recipients r JOIN submissions s ON s.id = r.submission_id WHERE r.id = :id
"""

GROUPS = """
SELECT coalesce(r.last_reply, ''), r.domain, count(*)
  FROM ({waiting} ORDER BY id DESC LIMIT :most) AS waiting
  JOIN recipients r ON r.id = waiting.id JOIN submissions s ON s.id = r.submission_id
 WHERE 1 = 1{conditions}
 GROUP BY 1, 2
"""

ATTEMPTS = """
SELECT started_at, ended_at, remote, outcome, reply, conversation FROM attempts
 WHERE submission_id = :submission_id AND recipient_id = :id ORDER BY id DESC LIMIT :limit
"""

RETRY = """
UPDATE recipients
   SET state = CASE WHEN attempts = 0 THEN 'queued' ELSE 'deferred' END,
       next_attempt_at = CAST(:now AS BIGINT), updated_at = CAST(:now AS BIGINT)
 WHERE id IN ({ids})
   AND (state = 'held' OR (state IN ('queued', 'deferred') AND next_attempt_at > :now))
RETURNING id, submission_id, recipient
"""

# Leased like a recipient that is being attempted, so that nobody attempts it meanwhile.
TAKE_OUT = """
UPDATE recipients
   SET state = 'sending', next_attempt_at = :lease_until, lease_holder = :holder,
       interrupted = 0, updated_at = :now
 WHERE id IN ({ids}) AND state IN ('queued', 'deferred', 'held')
RETURNING id, submission_id, recipient, domain, attempts, queued_at, interrupted
"""

OF_MESSAGE = """
SELECT r.id FROM recipients r JOIN submissions s ON s.id = r.submission_id
 WHERE s.queue_id = :queue_id AND r.state IN ('queued', 'deferred', 'held') AND r.id > :after
 ORDER BY r.id LIMIT :limit
"""


def waiting_ids(wanted: QueueFilter) -> str:
    """The query of the ids that may fit a filter, before any other condition."""
    domain = " AND domain = :domain" if wanted.domain else ""
    parts = [_DUE, _HELD]
    if wanted.state:
        parts = [_HELD] if wanted.state == "held" else [_DUE]
    return "SELECT id FROM (" + " UNION ALL ".join(parts).format(domain=domain) + ") AS found"


def conditions(wanted: QueueFilter) -> str:
    """What else a filter asks for."""
    found = ""
    if wanted.state:
        found += " AND r.state = :state"
    if wanted.sender:
        found += " AND lower(s.address) LIKE :sender ESCAPE '\\'"
    if wanted.recipient:
        found += " AND r.recipient LIKE :recipient ESCAPE '\\'"
    if wanted.reason:
        found += " AND lower(r.last_reply) LIKE :reason ESCAPE '\\'"
    return found


def parameters(wanted: QueueFilter) -> dict[str, object]:
    """The values of a filter, those that its statements name."""
    values: dict[str, object] = {}
    if wanted.state:
        values["state"] = wanted.state
    if wanted.domain:
        values["domain"] = wanted.domain
    if wanted.sender:
        values["sender"] = contains(wanted.sender)
    if wanted.recipient:
        values["recipient"] = contains(wanted.recipient)
    if wanted.reason:
        values["reason"] = contains(wanted.reason).replace(GAP, "%")
    return values


def row_of(row: Row) -> DeskRow:
    domain, queued_at, queue_id, sender, subject, size, created_at = row[9:]
    recipient = recipient_of(row[:9])
    return DeskRow(recipient, domain, queued_at, queue_id, sender, subject, size, created_at)


async def page(
    tx: Transaction, wanted: QueueFilter, *, limit: int, before_id: int | None = None
) -> list[DeskRow]:
    """Recipients that wait and fit, newest first, before an id."""
    before = NEWEST if before_id is None else before_id
    look = f"{waiting_ids(wanted)} ORDER BY id DESC LIMIT :look"
    sql = ROWS.format(ids=each_integer(tx.dialect, "ids"), conditions=conditions(wanted))
    values = parameters(wanted)
    place = {name: values.pop(name) for name in ("domain",) if name in values}
    found: list[DeskRow] = []
    size = LOOK
    while len(found) < limit:
        asked: dict[str, object] = {**place, "before": before, "look": size}
        ids = [int(row[0]) for row in await tx.fetch_all(look, asked)]
        if ids:
            given = {**values, "ids": json.dumps(ids), "limit": limit - len(found)}
            found += [row_of(row) for row in await tx.fetch_all(sql, given)]
        if len(ids) < size:
            break
        # Each look goes through all that waits: where little fits, a few large ones are better.
        before, size = ids[-1], min(size * 5, MOST_COUNTED)
    return found


async def groups(tx: Transaction, wanted: QueueFilter) -> list[tuple[str, str, int]]:
    """How many recipients that fit have which last reply and which domain. Of a longer queue the
    newest `MOST_COUNTED` are looked at."""
    sql = GROUPS.format(waiting=waiting_ids(wanted), conditions=conditions(wanted))
    values = {**parameters(wanted), "before": NEWEST, "most": MOST_COUNTED}
    return [(str(a), str(b), int(n)) for a, b, n in await tx.fetch_all(sql, values)]


async def one(tx: Transaction, recipient_id: int) -> DeskRow | None:
    """One recipient, also one that does not wait any more."""
    row = await tx.fetch_one(ROW, {"id": recipient_id})
    return None if row is None else row_of(row)


async def attempts_at(tx: Transaction, row: DeskRow) -> list[Attempt]:
    """The attempts at a recipient, oldest first."""
    values = {
        "id": row.recipient.id,
        "submission_id": row.recipient.submission_id,
        "limit": MOST_ATTEMPTS,
    }
    rows = await tx.fetch_all(ATTEMPTS, values)
    return [Attempt(row.recipient.recipient, *found) for found in reversed(rows)]


async def of_message(tx: Transaction, queue_id: str, *, after: int, limit: int) -> list[int]:
    """The ids of a message's recipients that wait, behind one."""
    values = {"queue_id": queue_id, "after": after, "limit": limit}
    return [int(row[0]) for row in await tx.fetch_all(OF_MESSAGE, values)]


async def retry(tx: Transaction, ids: Sequence[int], *, now: int) -> list[tuple[int, int, str]]:
    """Make it the turn of recipients that wait for a later one or are held: the id, the
    submission and the address of each."""
    sql = RETRY.format(ids=each_integer(tx.dialect, "ids"))
    rows = await tx.fetch_all(sql, {"ids": json.dumps(list(ids)), "now": now})
    return [(int(row[0]), int(row[1]), str(row[2])) for row in rows]


async def take_out(
    tx: Transaction, ids: Sequence[int], *, holder: str, now: int, lease_until: int
) -> list[Claim]:
    """Lease recipients that wait, to give them up."""
    sql = TAKE_OUT.format(ids=each_integer(tx.dialect, "ids"))
    values = {"ids": json.dumps(list(ids)), "holder": holder, "now": now}
    rows = await tx.fetch_all(sql, {**values, "lease_until": lease_until})
    return [Claim(*row) for row in rows]
