"""Arrived mail: one row a mailbox, the summary beside it, the bytes elsewhere.

A row says where a message is and what its owner has marked; what was read out of it (subject,
sender, codes) is its summary, written by a worker after the commit, so that accepting mail
never waits for parsing. Lists join the two and never touch contents.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from mailbox_service.core.stored import (
    EVERY_FLAG,
    FLAGGED,
    NO_FILTERS,
    SEEN,
    Filters,
    State,
    StoredMessage,
    StoredSummary,
    StoredVerdicts,
)
from mailbox_service.storage import contents, many_rows
from mailbox_service.storage.addresses import contains
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

# All of a message that can change: what its owner marked, what a model found, and whether the
# workers have been there. Nothing out of a summary, which is long: how often that was changed
# stands beside the marks.
STATE = """m.id, m.flags, m.metadata,
       CASE WHEN s.id IS NULL THEN -1 ELSE m.revision END, v.id IS NOT NULL"""

COUNT_WITH_UNREAD = f"""
SELECT count(*), coalesce(sum(CASE WHEN (flags & {SEEN}) = 0 THEN 1 ELSE 0 END), 0)
  FROM messages WHERE address = :address
"""

BY_IDS = f"SELECT {COLUMNS} {FROM} WHERE m.id IN ({{ids}})"

# Only behind the worker's cursor can a summary be missing.
UNREAD_BY_WORKER = """
SELECT m.id, m.content_id FROM messages m LEFT JOIN summaries s ON s.id = m.id
 WHERE m.address = :address AND m.id > :after AND s.id IS NULL ORDER BY m.id DESC LIMIT :limit
"""

AFTER = "SELECT id, content_id FROM messages WHERE id > :id ORDER BY id LIMIT :limit"

ARRIVALS = """
SELECT id, address, reverse_path, content_id, size, quiet FROM messages
 WHERE id > :id ORDER BY id LIMIT :limit
"""

OWNERS = "SELECT id, address FROM messages WHERE id IN ({ids})"

ADD_SUMMARY = """
INSERT INTO summaries (id, message_id, from_name, from_address, to_text, subject, preview,
                       search_text, attachment_count, codes, links, code_marks)
SELECT m.id, :message_id, :from_name, :from_address, :to, :subject, :preview, :search_text,
       :attachment_count, :codes, :links, :code_marks
  FROM messages m WHERE m.id = :id
ON CONFLICT (id) DO NOTHING
"""

TO_ASK_ABOUT = """
SELECT id, address, content_id FROM messages
 WHERE id > :after AND id <= :up_to AND received_at >= :since AND quiet = 0 AND size <= :most
 ORDER BY id LIMIT :limit
"""

CHANGE_SUMMARY = """
UPDATE summaries SET codes = :codes, links = :links, code_marks = :code_marks WHERE id = :id
"""

COUNT_CHANGE = "UPDATE messages SET revision = revision + 1 WHERE id = :id"

SET_METADATA = "UPDATE messages SET metadata = :metadata WHERE id = :id"

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
    content_ids = await contents.add_all(
        tx,
        [(arrival.content, len(arrival.addresses), arrival.packed) for arrival in arrivals],
        checksums,
    )
    rows = [
        (address, arrival.reverse_path, content_id, len(arrival.content), arrival.now, 0)
        for arrival, content_id in zip(arrivals, content_ids, strict=True)
        for address in arrival.addresses
    ]
    by = ("content_id", "address")
    numbers = iter(await many_rows.insert_numbered(tx, "messages", ADDED, rows, by))
    return [[next(numbers) for _ in arrival.addresses] for arrival in arrivals]


def conditions(
    address: str | None,
    filters: Filters,
    *,
    before_id: int | None = None,
    after_id: int | None = None,
    unknown_only: bool = False,
) -> tuple[str, dict[str, Any]]:
    """The WHERE clause of a list, and its parameters."""
    clauses: list[str] = []
    params: dict[str, Any] = {}
    if address is not None:
        clauses.append("m.address = :address")
        params["address"] = address
    if before_id is not None:
        clauses.append("m.id < :before_id")
        params["before_id"] = before_id
    if after_id is not None:
        clauses.append("m.id > :after_id")
        params["after_id"] = after_id
    if unknown_only:
        clauses.append("NOT EXISTS (SELECT 1 FROM addresses a WHERE a.address = m.address)")
    if filters.q:
        clauses.append("s.search_text LIKE :q ESCAPE '\\'")
        params["q"] = contains(filters.q.casefold())
    if filters.sender:
        clauses.append(
            "(lower(s.from_name || ' ' || s.from_address) LIKE :sender ESCAPE '\\'"
            " OR lower(m.reverse_path) LIKE :sender ESCAPE '\\')"
        )
        params["sender"] = contains(filters.sender)
    if filters.subject:
        clauses.append("lower(s.subject) LIKE :subject ESCAPE '\\'")
        params["subject"] = contains(filters.subject)
    if filters.unread:
        clauses.append(f"(m.flags & {SEEN}) = 0")
    if filters.flagged:
        clauses.append(f"(m.flags & {FLAGGED}) <> 0")
    if filters.codes:
        clauses.append("(s.codes <> '[]' OR s.links <> '[]')")
    if filters.since is not None:
        clauses.append("m.received_at >= :since")
        params["since"] = filters.since
    return " AND ".join(clauses) or "1 = 1", params


async def list_page(
    tx: Transaction,
    address: str | None,
    *,
    limit: int,
    offset: int = 0,
    before_id: int | None = None,
    after_id: int | None = None,
    filters: Filters = NO_FILTERS,
    unknown_only: bool = False,
) -> list[StoredMessage]:
    """A page of a mailbox, or of all mailboxes when `address` is None: newest first, and
    oldest first behind `after_id`."""
    where, params = conditions(
        address, filters, before_id=before_id, after_id=after_id, unknown_only=unknown_only
    )
    rows = await tx.fetch_all(
        page_of(COLUMNS, where, ascending=after_id is not None),
        {**params, "limit": limit, "offset": offset},
    )
    return [message_of(row) for row in rows]


async def list_states(
    tx: Transaction,
    address: str,
    *,
    limit: int,
    offset: int = 0,
    before_id: int | None = None,
    after_id: int | None = None,
    filters: Filters = NO_FILTERS,
) -> list[State]:
    """The messages of the same page of a mailbox, and nothing of them but their states."""
    where, params = conditions(address, filters, before_id=before_id, after_id=after_id)
    rows = await tx.fetch_all(
        page_of(STATE, where, ascending=after_id is not None),
        {**params, "limit": limit, "offset": offset},
    )
    return list(rows)


def page_of(columns: str, where: str, *, ascending: bool) -> str:
    """The query of a page."""
    direction = "ASC" if ascending else "DESC"
    return (
        f"SELECT {columns} {FROM} WHERE {where} ORDER BY m.id {direction}"
        " LIMIT :limit OFFSET :offset"
    )


async def count_with_unread(tx: Transaction, address: str) -> tuple[int, int]:
    """How many messages a mailbox holds, and how many of them are unread."""
    row = await tx.fetch_one(COUNT_WITH_UNREAD, {"address": address})
    assert row is not None
    return int(row[0]), int(row[1])


async def count(
    tx: Transaction,
    address: str | None,
    *,
    filters: Filters = NO_FILTERS,
    unknown_only: bool = False,
) -> int:
    """How many messages a list has in all; by the index alone where nothing is filtered."""
    where, params = conditions(address, filters, unknown_only=unknown_only)
    source = FROM if filters else "FROM messages m"
    row = await tx.fetch_one(f"SELECT count(*) {source} WHERE {where}", params)
    assert row is not None
    return int(row[0])


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


async def without_summary(tx: Transaction, *, after: int, limit: int) -> list[tuple[int, int]]:
    """The message and content ids that come behind a worker's cursor."""
    rows = await tx.fetch_all(AFTER, {"id": after, "limit": limit})
    return [(int(row[0]), int(row[1])) for row in rows]


async def arrivals(tx: Transaction, *, after: int, limit: int) -> list[Arrival]:
    """The messages that come behind a worker's cursor, whosever they are."""
    rows = await tx.fetch_all(ARRIVALS, {"id": after, "limit": limit})
    return [Arrival(*row) for row in rows]


async def without_summary_of(
    tx: Transaction, address: str, *, after: int, limit: int
) -> list[tuple[int, int]]:
    """The newest messages of one mailbox that a worker has not come to."""
    rows = await tx.fetch_all(
        UNREAD_BY_WORKER, {"address": address, "after": after, "limit": limit}
    )
    return [(int(row[0]), int(row[1])) for row in rows]


async def add_summary(
    tx: Transaction, message_id: int, summary: StoredSummary, *, search_text: str
) -> None:
    """Write down what was read out of a message, unless that was deleted meanwhile.
    `search_text` is casefolded; it is searched and never read back."""
    await tx.execute(
        ADD_SUMMARY,
        {
            "id": message_id,
            "message_id": summary.message_id,
            "from_name": summary.from_name,
            "from_address": summary.from_address,
            "to": summary.to,
            "subject": summary.subject,
            "preview": summary.preview,
            "search_text": search_text,
            "attachment_count": summary.attachment_count,
            "codes": json.dumps(summary.codes, ensure_ascii=False),
            "links": json.dumps(summary.links, ensure_ascii=False),
            "code_marks": json.dumps(summary.code_marks),
        },
    )


async def to_ask_about(
    tx: Transaction, *, after: int, up_to: int, since: int, most: int, limit: int
) -> list[tuple[int, str, int]]:
    """The messages between two ids about which a model is asked, with their mailboxes and the
    ids of their contents: they arrived, at `since` (microseconds UTC) or later, and have `most`
    octets."""
    rows = await tx.fetch_all(
        TO_ASK_ABOUT,
        {"after": after, "up_to": up_to, "since": since, "most": most, "limit": limit},
    )
    return [(int(row[0]), str(row[1]), int(row[2])) for row in rows]


async def change_summary(
    tx: Transaction,
    message_id: int,
    *,
    codes: Sequence[str],
    code_marks: Sequence[dict[str, Any]],
    links: Sequence[dict[str, Any]],
) -> bool:
    """Put other codes and links into a summary; False when it is gone."""
    changed = await tx.execute(
        CHANGE_SUMMARY,
        {
            "id": message_id,
            "codes": json.dumps(codes, ensure_ascii=False),
            "links": json.dumps(links, ensure_ascii=False),
            "code_marks": json.dumps(code_marks),
        },
    )
    if changed:
        await tx.execute(COUNT_CHANGE, {"id": message_id})
    return bool(changed)


async def set_metadata(tx: Transaction, message_id: int, metadata: str) -> None:
    """Write the contract's extraction record of one message."""
    await tx.execute(SET_METADATA, {"id": message_id, "metadata": metadata})


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
    """Delete the oldest messages of a mailbox, `limit` at most; their ids."""
    return await remove_rows(
        tx, await tx.fetch_all(OLDEST_OF, {"address": address, "limit": limit})
    )


async def remove_rows(tx: Transaction, rows: Sequence[Row]) -> list[int]:
    removed = []
    for message_id, content_id in rows:
        await tx.execute(REMOVE, {"id": message_id})
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
