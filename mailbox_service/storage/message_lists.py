"""Lists of arrived mail: pages of one mailbox, or of all, by what is wanted of them; and counts.

A list joins messages with their summaries and verdicts and never touches contents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailbox_service.core.stored import (
    FLAGGED,
    NO_FILTERS,
    SEEN,
    Excerpt,
    Filters,
    State,
    StoredMessage,
)
from mailbox_service.storage.addresses import contains
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.letter_case import lower_case
from mailbox_service.storage.messages import COLUMNS, FROM, message_of

# All of a message that can change: what its owner marked, what a model found, and whether the
# workers have been there. Nothing out of a summary, which is long: how often that was changed
# stands beside the marks.
STATE = """m.id, m.flags, m.metadata,
       CASE WHEN s.id IS NULL THEN -1 ELSE m.revision END, v.id IS NOT NULL"""

COUNT_WITH_UNREAD = f"""
SELECT count(*), coalesce(sum(CASE WHEN (flags & {SEEN}) = 0 THEN 1 ELSE 0 END), 0)
  FROM messages WHERE address = :address
"""


async def page(tx: Transaction, address: str | None, wanted: Excerpt) -> list[StoredMessage]:
    """A page of a mailbox, or of all mailboxes when `address` is None."""
    return [message_of(row) for row in await rows(tx, COLUMNS, address, wanted)]


async def states(tx: Transaction, address: str, wanted: Excerpt) -> list[State]:
    """The messages of the same page of a mailbox, and nothing of them but their states."""
    return list(await rows(tx, STATE, address, wanted))


async def rows(
    tx: Transaction, columns: str, address: str | None, wanted: Excerpt
) -> Sequence[Row]:
    """The rows of a page."""
    where, params = conditions(
        address,
        wanted.filters,
        before_id=wanted.before_id,
        after_id=wanted.after_id,
        unknown_only=wanted.unknown_only,
    )
    direction = "DESC" if wanted.after_id is None else "ASC"
    return await tx.fetch_all(
        f"SELECT {columns} {FROM} WHERE {where} ORDER BY m.id {direction}"
        " LIMIT :limit OFFSET :offset",
        {**params, "limit": wanted.limit, "offset": wanted.offset},
    )


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


async def count_with_unread(tx: Transaction, address: str) -> tuple[int, int]:
    """How many messages a mailbox holds, and how many of them are unread."""
    row = await tx.fetch_one(COUNT_WITH_UNREAD, {"address": address})
    assert row is not None
    return int(row[0]), int(row[1])


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
        pattern = contains(filters.sender)
        names = lower_case("s.from_name || ' ' || s.from_address", pattern)
        clauses.append(
            f"({names} LIKE :sender ESCAPE '\\' OR lower(m.reverse_path) LIKE :sender ESCAPE '\\')"
        )
        params["sender"] = pattern
    if filters.subject:
        pattern = contains(filters.subject)
        clauses.append(f"{lower_case('s.subject', pattern)} LIKE :subject ESCAPE '\\'")
        params["subject"] = pattern
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
