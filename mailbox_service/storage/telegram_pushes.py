"""News of mail on its way to Telegram: one row for each chat that is told of a mail.

`next_attempt_at` says when its turn comes and is null when it is over; a lease is a turn in the
future, so the push of a worker that died comes due by itself. `steps_done` counts the calls of
the Bot API that were answered (the text, then each group of files), so that what arrived is not
sent again. Nothing of the mail is stored here: a push of a deleted mail tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_service.storage.database import Transaction

WAITING = "waiting"
PUSHING = "pushing"
PUSHED = "pushed"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewPush:
    """A mail that a chat is to be told of; `for_all`: because it is told of all mail."""

    chat: str
    message_id: int
    for_all: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased push. `attempt` counts from 1, times are microseconds UTC."""

    id: int
    chat: str
    message_id: int
    for_all: bool
    attempt: int
    steps_done: int
    created_at: int


ADD = """
INSERT INTO telegram_pushes (chat, message_id, global_push, state, created_at, next_attempt_at,
                             updated_at)
VALUES (:chat, :message_id, :global_push, :state, :now, :now, :now)
ON CONFLICT (chat, message_id, global_push) DO NOTHING
"""

COUNT_WAITING = """
SELECT count(*) FROM (SELECT 1 FROM telegram_pushes
                       WHERE chat = :chat AND next_attempt_at IS NOT NULL LIMIT :limit) AS waiting
"""

# One at a time for each chat, the oldest first, and none while one is leased: Telegram shows them
# in the order in which they come. What another process took in between is no longer due.
CLAIM = """
UPDATE telegram_pushes
   SET state = 'pushing', attempts = attempts + 1, next_attempt_at = :lease_until,
       lease_holder = :holder, updated_at = :now
 WHERE next_attempt_at <= :now
   AND id IN (SELECT min(id) FROM telegram_pushes AS due
               WHERE next_attempt_at <= :now
                 AND NOT EXISTS (SELECT 1 FROM telegram_pushes AS busy
                                  WHERE busy.chat = due.chat AND busy.state = 'pushing'
                                    AND busy.next_attempt_at > :now)
               GROUP BY chat ORDER BY min(next_attempt_at) LIMIT :limit)
RETURNING id, chat, message_id, global_push, attempts, steps_done, created_at
"""

STEP = """
UPDATE telegram_pushes SET steps_done = :steps_done, next_attempt_at = :lease_until
 WHERE id = :id AND lease_holder = :holder
"""

SETTLE = """
UPDATE telegram_pushes
   SET state = :state, next_attempt_at = :next_attempt_at, lease_holder = NULL,
       updated_at = :now, reason = :reason
 WHERE id = :id AND lease_holder = :holder
"""

END_LEASES = "UPDATE telegram_pushes SET next_attempt_at = :now WHERE state = 'pushing'"

NEXT_TURN = "SELECT min(next_attempt_at) FROM telegram_pushes WHERE next_attempt_at > :now"

PURGE = """
DELETE FROM telegram_pushes WHERE id IN (
    SELECT id FROM telegram_pushes
     WHERE next_attempt_at IS NULL AND updated_at <= :before LIMIT :limit)
"""


async def add(tx: Transaction, push: NewPush, *, now: int, most_waiting: int) -> bool:
    """Keep a push to be made; False when the chat has too many that wait."""
    row = await tx.fetch_one(COUNT_WAITING, {"chat": push.chat, "limit": most_waiting})
    if row is not None and row[0] >= most_waiting:
        return False
    values = {
        "chat": push.chat,
        "message_id": push.message_id,
        "global_push": int(push.for_all),
        "state": WAITING,
        "now": now,
    }
    await tx.execute(ADD, values)
    return True


async def claim_due(
    tx: Transaction, *, now: int, lease_until: int, holder: str, limit: int
) -> list[Claim]:
    """Lease pushes whose turn has come, one for each chat."""
    values = {"now": now, "lease_until": lease_until, "holder": holder, "limit": limit}
    rows = await tx.fetch_all(CLAIM, values)
    return [
        Claim(number, chat, message_id, bool(for_all), attempt, steps, created_at)
        for number, chat, message_id, for_all, attempt, steps, created_at in sorted(rows)
    ]


async def step(
    tx: Transaction, push_id: int, *, steps_done: int, lease_until: int, holder: str
) -> bool:
    """Note how far a push has come, and lease it on; False when the lease was lost."""
    values = {
        "id": push_id,
        "steps_done": steps_done,
        "lease_until": lease_until,
        "holder": holder,
    }
    return await tx.execute(STEP, values) > 0


async def settle(
    tx: Transaction,
    push_id: int,
    *,
    state: str,
    next_attempt_at: int | None,
    reason: str,
    holder: str,
    now: int,
) -> bool:
    """Write down what became of a push; False when the lease was lost to another worker."""
    values = {
        "id": push_id,
        "state": state,
        "next_attempt_at": next_attempt_at,
        "reason": reason,
        "holder": holder,
        "now": now,
    }
    return await tx.execute(SETTLE, values) > 0


async def end_leases(tx: Transaction, *, now: int) -> None:
    """Have every leased push come due: whoever held it is dead."""
    await tx.execute(END_LEASES, {"now": now})


async def next_turn(tx: Transaction, *, now: int) -> int | None:
    """When the next push that waits comes due."""
    row = await tx.fetch_one(NEXT_TURN, {"now": now})
    return None if row is None or row[0] is None else int(row[0])


async def purge(tx: Transaction, *, before: int, limit: int) -> int:
    """Forget pushes that are over since `before`; how many, `limit` at most."""
    return await tx.execute(PURGE, {"before": before, "limit": limit})
