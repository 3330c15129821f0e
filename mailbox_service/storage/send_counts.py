"""How many messages the whole service sent in a UTC day or month (mailbox API §10.6)."""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

ADD_WITHIN = """
INSERT INTO send_counts (period, sent) VALUES (:period, 1)
ON CONFLICT (period) DO UPDATE SET sent = send_counts.sent + 1
 WHERE CAST(:limit AS BIGINT) < 0 OR send_counts.sent < CAST(:limit AS BIGINT)
RETURNING sent
"""

GET = "SELECT sent FROM send_counts WHERE period = :period"

REMOVE_BEFORE = "DELETE FROM send_counts WHERE period < :period"

REMOVE_BETWEEN = "DELETE FROM send_counts WHERE period >= :first AND period < :last"


async def add_within(tx: Transaction, period: str, *, limit: int) -> bool:
    """Count one more message, when that stays within `limit` (negative: any number).

    False, and not counted, when the limit is reached.
    """
    if limit == 0:
        return False
    return await tx.fetch_one(ADD_WITHIN, {"period": period, "limit": limit}) is not None


async def get(tx: Transaction, period: str) -> int:
    """How many were counted in a period."""
    row = await tx.fetch_one(GET, {"period": period})
    return 0 if row is None else int(row[0])


async def remove_before(tx: Transaction, period: str) -> int:
    """Forget periods whose names sort before `period`; how many."""
    return await tx.execute(REMOVE_BEFORE, {"period": period})


async def remove_between(tx: Transaction, first: str, last: str) -> int:
    """Forget periods whose names sort from `first` to before `last`; how many."""
    return await tx.execute(REMOVE_BETWEEN, {"first": first, "last": last})
