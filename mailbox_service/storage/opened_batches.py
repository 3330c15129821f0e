"""Which addresses were opened together, by the key under which that was asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass

from mailbox_service.storage.database import Transaction

GET = "SELECT fingerprint, address_ids FROM opened_batches WHERE batch_key = :key"

# The first to ask has the key; another process waits here for the end of its transaction.
TAKE = """
INSERT INTO opened_batches (batch_key, fingerprint, address_ids, created_at)
VALUES (:key, :fingerprint, '[]', :now)
ON CONFLICT (batch_key) DO NOTHING
"""

FILL = "UPDATE opened_batches SET address_ids = :address_ids WHERE batch_key = :key"

FORGET = """
WITH old AS MATERIALIZED (
    SELECT batch_key FROM opened_batches WHERE created_at < :before LIMIT :limit)
DELETE FROM opened_batches WHERE batch_key IN (SELECT batch_key FROM old)
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """What was opened under a key. `fingerprint` tells one request from another."""

    fingerprint: str
    address_ids: tuple[int, ...]


async def get(tx: Transaction, key: str) -> Batch | None:
    """What was opened under a key; None when nothing was."""
    row = await tx.fetch_one(GET, {"key": key})
    return None if row is None else Batch(str(row[0]), tuple(json.loads(row[1])))


async def take(tx: Transaction, key: str, *, fingerprint: str, now: int) -> bool:
    """Have a key; False when addresses were opened under it."""
    values = {"key": key, "fingerprint": fingerprint, "now": now}
    return await tx.execute(TAKE, values) > 0


async def fill(tx: Transaction, key: str, *, address_ids: list[int]) -> None:
    """Remember what was opened under a key."""
    await tx.execute(FILL, {"key": key, "address_ids": json.dumps(address_ids)})


async def forget(tx: Transaction, *, before: int, limit: int) -> int:
    """Forget keys from before a time; how many, `limit` at most."""
    return await tx.execute(FORGET, {"before": before, "limit": limit})
