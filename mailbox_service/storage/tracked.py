"""Copies of messages that tell of opening and clicks, and where their links lead.

A copy is one message for one recipient; its id is what links of ours bear, signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class TrackedCopy:
    """One copy; `told` counts what was written down about it."""

    id: int
    submission_id: int
    account: str
    recipient: str
    told: int


KEEP = """
INSERT INTO tracked_copies (submission_id, account, recipient, created_at)
VALUES (:submission_id, :account, :recipient, :now)
ON CONFLICT (submission_id, recipient) DO UPDATE SET account = excluded.account
RETURNING id
"""

KEEP_LINK = """
INSERT INTO tracked_links (submission_id, place, url) VALUES (:submission_id, :place, :url)
ON CONFLICT (submission_id, place) DO NOTHING
"""

GET = "SELECT id, submission_id, account, recipient, told FROM tracked_copies WHERE id = :id"

LINK = "SELECT url FROM tracked_links WHERE submission_id = :submission_id AND place = :place"

TELL = "UPDATE tracked_copies SET told = told + 1 WHERE id = :id AND told < :most"

OLD = "SELECT id, submission_id FROM tracked_copies WHERE created_at < :before LIMIT :limit"

REMOVE_LINKS = """
DELETE FROM tracked_links WHERE submission_id = :submission_id
   AND NOT EXISTS (SELECT 1 FROM tracked_copies WHERE submission_id = :submission_id)
"""


async def keep(
    tx: Transaction,
    *,
    submission_id: int,
    account: str,
    recipient: str,
    links: Sequence[str],
    now: int,
) -> int:
    """Keep a copy and the links of its message; its id, the same however often it is asked."""
    row = await tx.fetch_one(
        KEEP,
        {"submission_id": submission_id, "account": account, "recipient": recipient, "now": now},
    )
    assert row is not None
    for place, url in enumerate(links):
        await tx.execute(KEEP_LINK, {"submission_id": submission_id, "place": place, "url": url})
    return int(row[0])


async def get(tx: Transaction, copy_id: int) -> TrackedCopy | None:
    """One copy."""
    row = await tx.fetch_one(GET, {"id": copy_id})
    return None if row is None else TrackedCopy(*row)


async def link(tx: Transaction, submission_id: int, place: int) -> str | None:
    """Where a link of a message leads."""
    row = await tx.fetch_one(LINK, {"submission_id": submission_id, "place": place})
    return None if row is None else str(row[0])


async def tell(tx: Transaction, copy_id: int, *, most: int) -> bool:
    """Count something that is told of a copy; False when that was enough."""
    return await tx.execute(TELL, {"id": copy_id, "most": most}) > 0


async def purge(tx: Transaction, *, before: int, limit: int) -> int:
    """Forget copies that are older than a time, and the links of messages without any."""
    rows = await tx.fetch_all(OLD, {"before": before, "limit": limit})
    for copy_id, _ in rows:
        await tx.execute("DELETE FROM tracked_copies WHERE id = :id", {"id": copy_id})
    for submission_id in {row[1] for row in rows}:
        await tx.execute(REMOVE_LINKS, {"submission_id": submission_id})
    return len(rows)
