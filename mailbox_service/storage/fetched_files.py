"""Files that were fetched from the web for messages, kept for a day under their address."""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

PUT = """
INSERT INTO fetched_files (url_digest, media_type, fetched_at, bytes)
VALUES (:digest, :media_type, :now, :bytes)
ON CONFLICT (url_digest) DO UPDATE
   SET media_type = excluded.media_type, fetched_at = excluded.fetched_at, bytes = excluded.bytes
"""

GET = (
    "SELECT media_type, bytes FROM fetched_files WHERE url_digest = :digest AND fetched_at > :after"
)

PURGE = "DELETE FROM fetched_files WHERE fetched_at <= :before"


async def put(tx: Transaction, digest: str, *, media_type: str, content: bytes, now: int) -> None:
    """Keep a file, in place of an older one from the same address."""
    params = {"digest": digest, "media_type": media_type, "bytes": content, "now": now}
    await tx.execute(PUT, params)


async def get(tx: Transaction, digest: str, *, after: int) -> tuple[str, bytes] | None:
    """A file fetched after a time: its media type and its bytes."""
    row = await tx.fetch_one(GET, {"digest": digest, "after": after})
    return None if row is None else (str(row[0]), bytes(row[1]))


async def purge(tx: Transaction, *, before: int) -> int:
    """Forget what was fetched before a time."""
    return await tx.execute(PURGE, {"before": before})
