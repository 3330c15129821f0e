"""Arrived mail: one row a mailbox, the summary beside it, the bytes elsewhere.

A row says where a message is and what its owner has marked; what was read out of it (subject,
sender, codes) is its summary (`summaries`), written by a worker after the commit. Here messages
come, are found by their ids, marked and removed; `message_lists` pages through them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from mailbox_service.core.stored import (
    EVERY_FLAG,
    StoredMessage,
    StoredSummary,
    StoredVerdicts,
)
from mailbox_service.storage import contents, many_rows
from mailbox_service.storage.database import Row, Transaction

ADD = """
INSERT INTO messages (address, reverse_path, content_id, size, received_at, quiet)
VALUES (:address, :reverse_path, :content_id, :size, :now, :quiet) RETURNING id
"""

ADDED = ("address", "reverse_path", "content_id", "size", "received_at", "quiet")

COLUMNS = """m.id, m.address, m.reverse_path, m.content_id, m.size, m.flags, m.received_at,
       m.metadata, s.message_id, s.from_name, s.from_address, s.to_text, s.subject, s.preview,
       s.attachment_count, s.codes, s.links, s.code_marks, v.spf, v.dkim, v.dmarc, v.arc,
       v.results"""

FROM = """FROM messages m LEFT JOIN summaries s ON s.id = m.id
                LEFT JOIN verdicts v ON v.id = m.id"""

BY_IDS = f"SELECT {COLUMNS} {FROM} WHERE m.id IN ({{ids}})"

ARRIVALS = """
SELECT id, address, reverse_path, content_id, size, quiet FROM messages
 WHERE id > :id ORDER BY id LIMIT :limit
"""

OWNERS = "SELECT id, address FROM messages WHERE id IN ({ids})"

MARK = """
UPDATE messages SET flags = (flags & :kept) | :with
 WHERE id = :id AND address = :address AND flags <> ((flags & :kept) | :with)
"""

OWNED = """
SELECT id, content_id FROM messages
 WHERE id IN ({ids}) AND (CAST(:address AS TEXT) IS NULL OR address = :address)
"""

OLDEST_OF = "SELECT id, content_id FROM messages WHERE address = :address ORDER BY id LIMIT :limit"

REMOVE = "DELETE FROM messages WHERE id = :id"

REMOVE_SUMMARY = "DELETE FROM summaries WHERE id = :id"

REMOVE_VERDICTS = "DELETE FROM verdicts WHERE id = :id"

NEWEST_ID = "SELECT max(id) FROM messages"

COUNT_ALL = "SELECT count(*) FROM messages"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as the worker that reacts to it sees it; from a quiet one nothing follows."""

    id: int
    address: str
    reverse_path: str
    content_id: int
    size: int
    quiet: int


def listed(text: str) -> tuple[Any, ...]:
    """What a JSON array holds; most are empty, and a page has forty of them."""
    return () if text == "[]" else tuple(json.loads(text))


def message_of(row: Row) -> StoredMessage:
    # fmt: off
    (message_id, address, reverse_path, content_id, size, flags, received_at, metadata,
     header_id, from_name, from_address, to, subject, preview, attachment_count,
     codes, links, code_marks, *found) = row
    # fmt: on
    summary = None
    if from_name is not None:
        summary = StoredSummary(
            header_id,
            from_name,
            from_address,
            to,
            subject,
            preview,
            attachment_count,
            listed(codes),
            listed(links),
            listed(code_marks),
        )
    return StoredMessage(
        message_id,
        address,
        reverse_path,
        content_id,
        size,
        flags,
        received_at,
        metadata,
        summary,
        StoredVerdicts(*found) if found[0] is not None else None,
    )


async def add(
    tx: Transaction,
    *,
    addresses: Sequence[str],
    reverse_path: str,
    content: bytes,
    now: int,
    quiet: bool = False,
    packed: bytes | None = None,
) -> list[int]:
    """Put one message into mailboxes, its bytes once; the ids, in the order of `addresses`.

    `quiet`: it did not arrive from anybody, so nothing follows from it: no forward, no automatic
    reply, no webhook.
    """
    content_id = await contents.add(tx, content, uses=len(addresses), packed=packed)
    ids = []
    for address in addresses:
        row = await tx.fetch_one(
            ADD,
            {
                "address": address,
                "reverse_path": reverse_path,
                "content_id": content_id,
                "size": len(content),
                "now": now,
                "quiet": int(quiet),
            },
        )
        assert row is not None
        ids.append(int(row[0]))
    return ids


class NewMessage(Struct, frozen=True, gc=False):
    """One message on its way into mailboxes; `packed` is its gzip form where that is stored."""

    addresses: tuple[str, ...]
    reverse_path: str
    content: bytes
    now: int
    packed: bytes | None = None


async def add_all(
    tx: Transaction, arrivals: Sequence[NewMessage], checksums: Sequence[int | None] = ()
) -> list[list[int]]:
    """Put several messages into mailboxes with two statements in all; the ids of each, in the
    order of its addresses. `checksums`: of their contents, where they are known."""
    rows = await _with_contents(tx, arrivals, checksums)
    by = ("content_id", "address")
    numbers = iter(await many_rows.insert_numbered(tx, "messages", ADDED, rows, by))
    return [[next(numbers) for _ in arrival.addresses] for arrival in arrivals]


async def put_all(
    tx: Transaction, arrivals: Sequence[NewMessage], checksums: Sequence[int | None] = ()
) -> None:
    """As `add_all`, where nobody asks for the ids."""
    await many_rows.insert(tx, "messages", ADDED, await _with_contents(tx, arrivals, checksums))


async def _with_contents(
    tx: Transaction, arrivals: Sequence[NewMessage], checksums: Sequence[int | None]
) -> list[Row]:
    """Store the contents of messages; the rows that put these into mailboxes."""
    content_ids = await contents.add_all(
        tx,
        [(arrival.content, len(arrival.addresses), arrival.packed) for arrival in arrivals],
        checksums,
    )
    return [
        (address, arrival.reverse_path, content_id, len(arrival.content), arrival.now, 0)
        for arrival, content_id in zip(arrivals, content_ids, strict=True)
        for address in arrival.addresses
    ]


async def by_id(tx: Transaction, message_id: int) -> StoredMessage | None:
    """One message of any mailbox."""
    rows = await by_ids(tx, [message_id])
    return rows[0] if rows else None


async def by_ids(tx: Transaction, ids: Sequence[int]) -> list[StoredMessage]:
    """Several messages, by id."""
    if not ids:
        return []
    rows = await tx.fetch_all(BY_IDS.format(ids=ids_text(ids)))
    return [message_of(row) for row in sorted(rows, key=lambda row: int(row[0]))]


def ids_text(ids: Sequence[int]) -> str:
    """Ids as SQL: whole numbers need no quoting, and the engines share no list parameter."""
    return ",".join(str(int(message_id)) for message_id in ids)


async def owners(tx: Transaction, ids: Sequence[int]) -> dict[int, str]:
    """Whose mailbox each of several messages is in."""
    rows = await tx.fetch_all(OWNERS.format(ids=ids_text(ids))) if ids else []
    return {int(row[0]): str(row[1]) for row in rows}


async def arrivals(tx: Transaction, *, after: int, limit: int) -> list[Arrival]:
    """The messages that come behind a worker's cursor, whosever they are."""
    rows = await tx.fetch_all(ARRIVALS, {"id": after, "limit": limit})
    return [Arrival(*row) for row in rows]


async def mark(
    tx: Transaction, address: str, ids: Sequence[int], *, with_flags: int, without: int
) -> int:
    """Set and clear flags of messages in one mailbox; how many changed."""
    changed = 0
    kept = EVERY_FLAG & ~without
    for message_id in ids:
        changed += await tx.execute(
            MARK, {"id": message_id, "address": address, "with": with_flags, "kept": kept}
        )
    return changed


async def remove(tx: Transaction, address: str | None, ids: Sequence[int]) -> list[int]:
    """Delete messages of one mailbox (of any, when None); the ids that were there."""
    if not ids:
        return []
    rows = await tx.fetch_all(OWNED.format(ids=ids_text(ids)), {"address": address})
    return await remove_rows(tx, rows)


async def remove_oldest(tx: Transaction, address: str, *, limit: int) -> list[int]:
    """Delete the oldest messages of a mailbox, `limit` at most; their ids, none when there are
    no more."""
    while rows := await tx.fetch_all(OLDEST_OF, {"address": address, "limit": limit}):
        if removed := await remove_rows(tx, rows):
            return removed
    return []


async def remove_rows(tx: Transaction, rows: Sequence[Row]) -> list[int]:
    removed = []
    for message_id, content_id in rows:
        if not await tx.execute(REMOVE, {"id": message_id}):
            continue  # another process was quicker, and has released its content
        await tx.execute(REMOVE_SUMMARY, {"id": message_id})
        await tx.execute(REMOVE_VERDICTS, {"id": message_id})
        await contents.release(tx, content_id)
        removed.append(int(message_id))
    return removed


async def newest_id(tx: Transaction) -> int:
    """The highest id of any message; 0 when there is none."""
    row = await tx.fetch_one(NEWEST_ID)
    return int(row[0] or 0) if row is not None else 0


async def count_all(tx: Transaction) -> int:
    """How many messages are stored."""
    row = await tx.fetch_one(COUNT_ALL)
    assert row is not None
    return int(row[0])
