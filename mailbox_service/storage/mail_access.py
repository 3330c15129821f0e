"""Mailboxes as mail clients see them: rows that are a number, flags, a size and a time.

Two mailboxes belong to an address: what arrived (`messages`) and what it sent (`submissions`).
Both are asked for in the same words here, and contents are never touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service.core.mailboxes import Box, MailRow, Numbers
from mailbox_service.core.stored import SEEN
from mailbox_service.storage.database import Row, Transaction


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows of one mailbox are: a table, its visible rows, its columns."""

    table: str
    visible: str
    columns: str
    unseen: str


ARRIVED = Source(
    "messages", "address = :address", "id, flags, size, received_at", f"(flags & {SEEN}) = 0"
)
# What somebody sent is read: there is nothing to mark.
SENT = Source(
    "submissions", "address = :address AND listed = 1", f"id, {SEEN}, size, created_at", "1 = 0"
)

SOURCES = {Box.INBOX: ARRIVED, Box.SENT: SENT}

# Ids in one statement: the text stays short, and 10,000 messages are 20 statements.
IDS_AT_ONCE = 500

STILL_OPEN = "SELECT id, tokens_from FROM addresses WHERE address = :address"

MARK = """
UPDATE messages SET flags = (flags & :kept) | :with
 WHERE id IN ({ids}) AND address = :address AND flags <> ((flags & :kept) | :with)
RETURNING id
"""


def rows_of(rows: Sequence[Row]) -> list[MailRow]:
    return [MailRow(int(row[0]), int(row[1]), int(row[2]), int(row[3])) for row in rows]


def some(ids: Sequence[int]) -> list[str]:
    """Ids as SQL, so many at a time: whole numbers need no quoting."""
    return [
        ",".join(str(int(one)) for one in ids[at : at + IDS_AT_ONCE])
        for at in range(0, len(ids), IDS_AT_ONCE)
    ]


async def registration(tx: Transaction, address: str) -> tuple[int, int] | None:
    """The id of an open address, and from when its tokens count; None when it is closed."""
    row = await tx.fetch_one(STILL_OPEN, {"address": address})
    return None if row is None else (int(row[0]), int(row[1]))


async def rows_after(
    tx: Transaction, box: Box, address: str, *, after_id: int, limit: int
) -> list[MailRow]:
    """The rows behind an id, by id."""
    source = SOURCES[box]
    return rows_of(
        await tx.fetch_all(
            f"SELECT {source.columns} FROM {source.table}"
            f" WHERE {source.visible} AND id > :after ORDER BY id LIMIT :limit",
            {"address": address, "after": after_id, "limit": limit},
        )
    )


async def rows_by_id(tx: Transaction, box: Box, address: str, ids: Sequence[int]) -> list[MailRow]:
    """Those of some rows that are there, by id."""
    source = SOURCES[box]
    found: list[MailRow] = []
    for part in some(sorted(ids)):
        found += rows_of(
            await tx.fetch_all(
                f"SELECT {source.columns} FROM {source.table}"
                f" WHERE {source.visible} AND id IN ({part}) ORDER BY id",
                {"address": address},
            )
        )
    return found


async def count_up_to(tx: Transaction, box: Box, address: str, top: int) -> int:
    """How many rows there are up to an id; by the index alone."""
    source = SOURCES[box]
    row = await tx.fetch_one(
        f"SELECT count(*) FROM {source.table} WHERE {source.visible} AND id <= :top",
        {"address": address, "top": top},
    )
    assert row is not None
    return int(row[0])


async def numbers(tx: Transaction, box: Box, address: str) -> Numbers:
    """A mailbox in numbers."""
    source = SOURCES[box]
    row = await tx.fetch_one(
        f"SELECT count(*), max(id), sum(CASE WHEN {source.unseen} THEN 1 ELSE 0 END)"
        f" FROM {source.table} WHERE {source.visible}",
        {"address": address},
    )
    assert row is not None
    return Numbers(int(row[0]), int(row[2] or 0), int(row[1] or 0))


async def content_ids(
    tx: Transaction, box: Box, address: str, ids: Sequence[int]
) -> list[tuple[int, int]]:
    """The ids of messages of a mailbox and of their contents."""
    source = SOURCES[box]
    found: list[tuple[int, int]] = []
    for part in some(ids):
        rows = await tx.fetch_all(
            f"SELECT id, content_id FROM {source.table}"
            f" WHERE {source.visible} AND id IN ({part}) ORDER BY id",
            {"address": address},
        )
        found += [(int(row[0]), int(row[1])) for row in rows]
    return found


async def mark(
    tx: Transaction, address: str, ids: Sequence[int], *, with_flags: int, kept: int
) -> list[int]:
    """Set flags of arrived messages, and clear those that are not `kept`; which changed."""
    changed: list[int] = []
    for part in some(ids):
        rows = await tx.fetch_all(
            MARK.format(ids=part), {"address": address, "with": with_flags, "kept": kept}
        )
        changed += [int(row[0]) for row in rows]
    return sorted(changed)
