"""The bytes of messages, stored once however many mailboxes and queue rows refer to them.

Nothing that lists ever reads this table. `uses` counts the references; the last one to go takes
the bytes with it. `packed` rows hold the gzip form (`core.packing`), which who stores them makes
beforehand; the checksum is always that of the content itself.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import zip_longest

from mailbox_service.core.packing import BadPacking, unpack
from mailbox_service.storage import many_rows
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_integer


class Damaged(Exception):
    """The stored bytes are not those that were accepted, or are gone."""


# More than any content that is accepted: `max_message_size` ends at 1 GiB.
LARGEST = 1 << 31

ADDED = ("uses", "checksum", "packed", "bytes")

ADD = """
INSERT INTO contents (uses, checksum, packed, bytes) VALUES (:uses, :checksum, :packed, :bytes)
RETURNING id
"""

READ = """
SELECT checksum, packed, bytes FROM contents WHERE id = :id
"""

READ_ALL = "SELECT id, checksum, packed, bytes FROM contents WHERE id IN ({ids})"

CHANGE_USES = """
UPDATE contents SET uses = uses + :change WHERE id = :id RETURNING uses
"""

REMOVE_UNUSED = """
DELETE FROM contents WHERE id = :id AND uses <= 0
"""

RELEASE_MANY = "UPDATE contents SET uses = uses - :uses WHERE id IN ({ids})"

REMOVE_MANY_UNUSED = "DELETE FROM contents WHERE id IN ({ids}) AND uses <= 0"


async def add(tx: Transaction, content: bytes, *, uses: int, packed: bytes | None = None) -> int:
    """Store the bytes of a message that `uses` rows will refer to; their content id. `packed`:
    the gzip form of `content`, which is then what is stored."""
    row = await tx.fetch_one(
        ADD,
        {
            "uses": uses,
            "checksum": zlib.crc32(content),
            "packed": int(packed is not None),
            "bytes": content if packed is None else packed,
        },
    )
    assert row is not None
    return int(row[0])


async def add_all(
    tx: Transaction,
    stored: Sequence[tuple[bytes, int, bytes | None]],
    checksums: Sequence[int | None] = (),
) -> Sequence[int]:
    """Store the bytes of several messages, each with its number of uses and its gzip form where
    that is to be stored instead; their content ids. `checksums`: those of the bytes, where they
    are known."""
    rows = [
        (
            uses,
            zlib.crc32(content) if checksum is None else checksum,
            int(packed is not None),
            content if packed is None else packed,
        )
        for (content, uses, packed), checksum in zip_longest(stored, checksums)
    ]
    return await many_rows.insert_numbered(tx, "contents", ADDED, rows, ("checksum",))


async def read(tx: Transaction, content_id: int) -> bytes:
    """The bytes of a message. Raises Damaged when they are not as they were accepted."""
    row = await tx.fetch_one(READ, {"id": content_id})
    if row is None:
        raise Damaged(f"content {content_id} is missing")
    return whole(content_id, *row)


def whole(content_id: int, checksum: int, packed: int, stored: bytes) -> bytes:
    """The content that a row holds. Raises Damaged."""
    content = bytes(stored)
    if packed:
        try:
            content = unpack(content, most=LARGEST)
        except BadPacking as error:
            raise Damaged(f"content {content_id} does not unpack: {error}") from None
    if zlib.crc32(content) != checksum:
        raise Damaged(f"content {content_id} does not match its checksum")
    return content


async def read_all(tx: Transaction, content_ids: Collection[int]) -> dict[int, bytes | None]:
    """The bytes of several messages by content id; None for what is not as it was accepted."""
    found: dict[int, bytes | None] = dict.fromkeys(content_ids)
    sql = READ_ALL.format(ids=each_integer(tx.dialect, "ids"))
    rows = await tx.fetch_all(sql, {"ids": json.dumps(list(found))}) if found else []
    for content_id, checksum, packed, stored in rows:
        try:
            found[int(content_id)] = whole(int(content_id), checksum, packed, stored)
        except Damaged:
            continue
    return found


async def keep(tx: Transaction, content_id: int, *, uses: int = 1) -> None:
    """Count further references to stored bytes."""
    await tx.execute(CHANGE_USES, {"id": content_id, "change": uses})


async def release(tx: Transaction, content_id: int) -> None:
    """Give up one reference; the last one removes the bytes."""
    row = await tx.fetch_one(CHANGE_USES, {"id": content_id, "change": -1})
    if row is not None and row[0] <= 0:
        await tx.execute(REMOVE_UNUSED, {"id": content_id})


async def release_all(tx: Transaction, content_ids: Sequence[int]) -> None:
    """Give up several references at once, one for each time that an id is named."""
    these = each_integer(tx.dialect, "ids")
    references = Counter(content_ids)
    for count in sorted(set(references.values())):
        released = [one for one, times in references.items() if times == count]
        await tx.execute(
            RELEASE_MANY.format(ids=these), {"ids": json.dumps(released), "uses": count}
        )
    await tx.execute(REMOVE_MANY_UNUSED.format(ids=these), {"ids": json.dumps(list(references))})
