"""How many requests each client made on a day (mailbox-api §5.2, step 4)."""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

# One statement judges and counts, so that requests at the same time cannot pass the limit.
COUNT = """
INSERT INTO daily_requests (day, client, requests) VALUES (:day, :client, 1)
ON CONFLICT (day, client) DO UPDATE SET requests = daily_requests.requests + 1
 WHERE daily_requests.requests < :most
RETURNING requests
"""

FORGET = """
WITH old AS MATERIALIZED (
    SELECT day, client FROM daily_requests WHERE day < :today LIMIT :limit)
DELETE FROM daily_requests WHERE (day, client) IN (SELECT day, client FROM old)
"""


async def count(tx: Transaction, *, day: int, client: str, most: int) -> bool:
    """Count one request of a client; False, and not counted, when it made `most` that day.
    Days count from 1970, UTC."""
    row = await tx.fetch_one(COUNT, {"day": day, "client": client, "most": most})
    return row is not None


async def forget(tx: Transaction, *, today: int, limit: int) -> int:
    """Forget counts of days before today; how many, `limit` at most."""
    return await tx.execute(FORGET, {"today": today, "limit": limit})
