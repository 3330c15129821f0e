"""The bytes of messages, stored once however many mailboxes and queue rows refer to them.

Nothing that lists ever reads this table. `uses` counts the references; the last one to go takes
the bytes with it.
"""

from __future__ import annotations

import zlib

from mailbox_service.storage.database import Transaction


class Damaged(Exception):
    """The stored bytes are not those that were accepted, or are gone."""


ADD = """
INSERT INTO contents (uses, checksum, bytes) VALUES (:uses, :checksum, :bytes) RETURNING id
"""

READ = """
SELECT checksum, bytes FROM contents WHERE id = :id
"""

CHANGE_USES = """
UPDATE contents SET uses = uses + :change WHERE id = :id RETURNING uses
"""

REMOVE_UNUSED = """
DELETE FROM contents WHERE id = :id AND uses <= 0
"""


async def add(tx: Transaction, content: bytes, *, uses: int) -> int:
    """Store the bytes of a message that `uses` rows will refer to; their content id."""
    row = await tx.fetch_one(ADD, {"uses": uses, "checksum": zlib.crc32(content), "bytes": content})
    assert row is not None
    return int(row[0])


async def read(tx: Transaction, content_id: int) -> bytes:
    """The bytes of a message. Raises Damaged when they are not as they were accepted."""
    row = await tx.fetch_one(READ, {"id": content_id})
    if row is None:
        raise Damaged(f"content {content_id} is missing")
    content = bytes(row[1])
    if zlib.crc32(content) != row[0]:
        raise Damaged(f"content {content_id} does not match its checksum")
    return content


async def keep(tx: Transaction, content_id: int, *, uses: int = 1) -> None:
    """Count further references to stored bytes."""
    await tx.execute(CHANGE_USES, {"id": content_id, "change": uses})


async def release(tx: Transaction, content_id: int) -> None:
    """Give up one reference; the last one removes the bytes."""
    row = await tx.fetch_one(CHANGE_USES, {"id": content_id, "change": -1})
    if row is not None and row[0] <= 0:
        await tx.execute(REMOVE_UNUSED, {"id": content_id})
