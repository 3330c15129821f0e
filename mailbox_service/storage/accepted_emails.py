"""E-mails that were accepted before they could be composed: they wait for files from the web.

A row is the whole request. It goes when its message is in the queue, whose id was promised when
it was accepted; until then its next turn is due, or a lease holds it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_integer


@dataclass(frozen=True, slots=True)
class NewAccepted:
    """An accepted e-mail. `request` is JSON, `due_at` when it is to go out, 0 for now."""

    queue_id: str
    account: str
    request: bytes
    due_at: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """A leased one; `attempt` counts from 1."""

    id: int
    queue_id: str
    account: str
    request: bytes
    due_at: int
    attempt: int


COUNT = """
SELECT count(*) FROM (SELECT 1 FROM accepted_emails WHERE account = :account LIMIT :limit)
    AS waiting
"""

ADD = """
INSERT INTO accepted_emails (queue_id, account, request, due_at, next_attempt_at, created_at)
VALUES (:queue_id, :account, :request, :due_at, :now, :now)
"""

DUE = """
SELECT id FROM accepted_emails WHERE next_attempt_at <= :now
 ORDER BY next_attempt_at, id LIMIT :limit
"""

# Another process may have been quicker: what it took has a turn in the future.
CLAIM = """
UPDATE accepted_emails SET attempts = attempts + 1, next_attempt_at = :lease_until, leased = 1
 WHERE id IN ({ids}) AND next_attempt_at <= :now
RETURNING id, queue_id, account, request, due_at, attempts
"""

AGAIN = "UPDATE accepted_emails SET next_attempt_at = :at, leased = 0 WHERE id = :id"

END_LEASES = "UPDATE accepted_emails SET next_attempt_at = :now, leased = 0 WHERE leased = 1"

NEXT_TURN = "SELECT min(next_attempt_at) FROM accepted_emails WHERE next_attempt_at > :now"

REMOVE = "DELETE FROM accepted_emails WHERE id = :id"


async def add(tx: Transaction, new: NewAccepted, *, now: int, most: int) -> bool:
    """Keep an accepted e-mail; False when too many of the account wait."""
    row = await tx.fetch_one(COUNT, {"account": new.account, "limit": most})
    if row is not None and row[0] >= most:
        return False
    await tx.execute(
        ADD,
        {
            "queue_id": new.queue_id,
            "account": new.account,
            "request": new.request,
            "due_at": new.due_at,
            "now": now,
        },
    )
    return True


async def claim_due(tx: Transaction, *, now: int, lease_until: int, limit: int) -> list[Accepted]:
    """Lease those whose turn has come."""
    due = await tx.fetch_all(DUE, {"now": now, "limit": limit})
    if not due:
        return []
    rows = await tx.fetch_all(
        CLAIM.format(ids=each_integer(tx.dialect, "ids")),
        {"ids": json.dumps([row[0] for row in due]), "now": now, "lease_until": lease_until},
    )
    return [Accepted(row[0], row[1], row[2], bytes(row[3]), row[4], row[5]) for row in rows]


async def again(tx: Transaction, accepted_id: int, *, at: int) -> None:
    """Give one another turn."""
    await tx.execute(AGAIN, {"id": accepted_id, "at": at})


async def end_leases(tx: Transaction, *, now: int) -> None:
    """Whoever held a lease is dead: what it had comes due."""
    await tx.execute(END_LEASES, {"now": now})


async def next_turn(tx: Transaction, *, now: int) -> int | None:
    """When the next one comes due that is not due now."""
    row = await tx.fetch_one(NEXT_TURN, {"now": now})
    return None if row is None else row[0]


async def remove(tx: Transaction, accepted_id: int) -> None:
    """One is done."""
    await tx.execute(REMOVE, {"id": accepted_id})
