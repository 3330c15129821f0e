"""Keys by which a client can repeat a submission without sending twice.

A key belongs to its principal: the same text from another is another key.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_service.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class KeptKey:
    """What was accepted under a key. `fingerprint` tells one request from another."""

    fingerprint: str
    submission_id: int
    queue_id: str
    message_id: str


# The first one gets the row; a row that is too old counts as none.
TAKE = """
INSERT INTO idempotency_keys (principal, idempotency_key, fingerprint, submission_id, queue_id,
                              message_id, created_at)
VALUES (:principal, :key, :fingerprint, 0, :queue_id, :message_id, :now)
ON CONFLICT (principal, idempotency_key) DO UPDATE
   SET fingerprint = excluded.fingerprint, submission_id = 0, queue_id = excluded.queue_id,
       message_id = excluded.message_id, created_at = excluded.created_at
 WHERE idempotency_keys.created_at < :too_old
RETURNING queue_id
"""

GET = """
SELECT fingerprint, submission_id, queue_id, message_id FROM idempotency_keys
 WHERE principal = :principal AND idempotency_key = :key
"""

FILL = """
UPDATE idempotency_keys SET submission_id = :submission_id
 WHERE principal = :principal AND idempotency_key = :key
"""

REMOVE_BEFORE = """
WITH old AS MATERIALIZED (
    SELECT principal, idempotency_key FROM idempotency_keys
     WHERE created_at < :before LIMIT :limit)
DELETE FROM idempotency_keys
 WHERE (principal, idempotency_key) IN (SELECT principal, idempotency_key FROM old)
RETURNING principal
"""


async def take(
    tx: Transaction,
    *,
    principal: str,
    key: str,
    fingerprint: str,
    queue_id: str,
    message_id: str,
    now: int,
    too_old: int,
) -> KeptKey | None:
    """Take a key for a new submission: None when it is ours now, else what has it already.

    Of several that come at once one gets the key; the others wait for its commit and then see
    what it accepted.
    """
    params = {"principal": principal, "key": key}
    taken = await tx.fetch_one(
        TAKE,
        {
            **params,
            "fingerprint": fingerprint,
            "queue_id": queue_id,
            "message_id": message_id,
            "now": now,
            "too_old": too_old,
        },
    )
    if taken is not None:
        return None
    row = await tx.fetch_one(GET, params)
    assert row is not None
    return KeptKey(*row)


async def fill(tx: Transaction, *, principal: str, key: str, submission_id: int) -> None:
    """Note which submission a key was taken for, in the transaction that took it."""
    await tx.execute(FILL, {"principal": principal, "key": key, "submission_id": submission_id})


async def remove_before(tx: Transaction, *, before: int, limit: int) -> int:
    """Forget keys taken before a time, `limit` at most; how many."""
    # Counted by hand: SQLite's driver knows no row count for a statement that begins with WITH.
    return len(await tx.fetch_all(REMOVE_BEFORE, {"before": before, "limit": limit}))
