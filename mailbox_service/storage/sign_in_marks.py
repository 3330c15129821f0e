"""What may be used once: a state that was given out, a challenge that was answered.

Rows are digests, so that a copy of the store lets nobody go on with somebody's sign-in.
"""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

PUT = """
INSERT INTO sign_in_marks (digest, ends_at) VALUES (:digest, :ends_at)
ON CONFLICT (digest) DO NOTHING
RETURNING digest
"""

TAKE = "DELETE FROM sign_in_marks WHERE digest = :digest RETURNING ends_at"

FORGET = "DELETE FROM sign_in_marks WHERE ends_at <= :now"

# The newest stay: a flood of states that nobody comes back with must not fill the store.
TRIM = """
DELETE FROM sign_in_marks WHERE digest IN (
    SELECT digest FROM sign_in_marks ORDER BY ends_at DESC, digest LIMIT :some OFFSET :most)
"""


async def put(tx: Transaction, digest: str, *, ends_at: int, now: int, most: int) -> bool:
    """Keep a mark until `ends_at`, and `most` of all of them; False when it is there already."""
    await tx.execute(FORGET, {"now": now})
    added = await tx.fetch_one(PUT, {"digest": digest, "ends_at": ends_at})
    await tx.execute(TRIM, {"some": most, "most": most})
    return added is not None


async def take(tx: Transaction, digest: str, *, now: int) -> bool:
    """Use a mark up; False when there is none, or it has ended."""
    row = await tx.fetch_one(TAKE, {"digest": digest})
    return row is not None and row[0] > now
