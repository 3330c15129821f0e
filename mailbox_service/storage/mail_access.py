"""Mailboxes as mail clients see them: rows that are a number, flags, a size and a time.

Two mailboxes belong to an address: what arrived (`messages`) and what it sent (`submissions`), and
two to an account, of all its addresses. All are asked for in the same words here, and contents are
never touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailbox_service.core.mailboxes import Box, MailRow, Numbers
from mailbox_service.core.stored import SEEN
from mailbox_service.storage import events
from mailbox_service.storage.database import Row, Transaction


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose mail is meant: a condition, the order of its ids, and what it names."""

    condition: str
    order: str
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Binding:
    """An address of an account, and what tells its registration from one before it."""

    address: str
    address_id: int
    created_at: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows of one mailbox are: a table, its visible rows, its columns."""

    table: str
    listed: str
    columns: str
    unseen: str


ARRIVED = Source("messages", "", "id, flags, size, received_at", f"(flags & {SEEN}) = 0")
# What somebody sent is read: there is nothing to mark.
SENT = Source("submissions", " AND listed = 1", f"id, {SEEN}, size, created_at", "1 = 0")

SOURCES = {Box.INBOX: ARRIVED, Box.SENT: SENT}

# Ids in one statement: the text stays short, and 10,000 messages are 20 statements.
IDS_AT_ONCE = 500

STILL_OPEN = "SELECT id, tokens_from FROM addresses WHERE address = :address"

BOUND = """
 address IN (SELECT a.address FROM user_addresses u JOIN addresses a ON a.id = u.address_id
              WHERE u.user_id = :user_id)
"""

BINDINGS = """
SELECT a.address, a.id, a.created_at FROM user_addresses u JOIN addresses a ON a.id = u.address_id
 WHERE u.user_id = :user_id ORDER BY a.address
"""

# Which account it is, and its newest binding: their ids never come back.
STANDING = """
SELECT created_at, (SELECT max(b.id) FROM user_addresses b WHERE b.user_id = users.id)
  FROM users WHERE id = :user_id AND email = :email
"""

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


def of_address(address: str) -> Whose:
    """The mail of one address."""
    return Whose("address = :address", "id", {"address": address})


def of_account(user_id: int) -> Whose:
    """The mail of all addresses of an account. By the index of the addresses, and ordered by a
    sum: by the ids alone an engine might read the mail of everybody."""
    return Whose(BOUND, "id + 0", {"user_id": user_id})


async def standing(tx: Transaction, user_id: int, email: str) -> tuple[int, int] | None:
    """When an account was opened, and the number of its newest binding, 0 without an address;
    None when it is gone."""
    row = await tx.fetch_one(STANDING, {"user_id": user_id, "email": email})
    return None if row is None else (int(row[0]), int(row[1] or 0))


async def bindings(tx: Transaction, user_id: int) -> list[Binding]:
    """The addresses of an account, by name."""
    rows = await tx.fetch_all(BINDINGS, {"user_id": user_id})
    return [Binding(str(row[0]), int(row[1]), int(row[2])) for row in rows]


async def by_owner(
    tx: Transaction, box: Box, whose: Whose, ids: Sequence[int]
) -> dict[str, list[int]]:
    """Rows by their addresses, as far as they are there."""
    source = SOURCES[box]
    found: defaultdict[str, list[int]] = defaultdict(list)
    for part in some(sorted(ids)):
        rows = await tx.fetch_all(
            f"SELECT address, id FROM {source.table}"
            f" WHERE {whose.condition}{source.listed} AND id IN ({part}) ORDER BY id",
            whose.params,
        )
        for address, row_id in rows:
            found[str(address)].append(int(row_id))
    return found


async def newest_event(tx: Transaction, whose: Whose) -> int:
    """The id of the newest fact about this mail; 0 when there is none."""
    row = await tx.fetch_one(
        f"SELECT max({whose.order}) FROM events WHERE {whose.condition}", whose.params
    )
    return 0 if row is None or row[0] is None else int(row[0])


async def happened(
    tx: Transaction, whose: Whose, *, after_id: int, limit: int
) -> list[events.Event]:
    """The facts about this mail behind an id, oldest first."""
    rows = await tx.fetch_all(
        f"SELECT {events.COLUMNS} FROM events WHERE {whose.condition} AND id > :after"
        f" ORDER BY {whose.order} LIMIT :limit",
        {**whose.params, "after": after_id, "limit": limit},
    )
    return [events.event_of(row) for row in rows]


async def registration(tx: Transaction, address: str) -> tuple[int, int] | None:
    """The id of an open address, and from when its tokens count; None when it is closed."""
    row = await tx.fetch_one(STILL_OPEN, {"address": address})
    return None if row is None else (int(row[0]), int(row[1]))


async def rows_after(
    tx: Transaction, box: Box, whose: Whose, *, after_id: int, limit: int
) -> list[MailRow]:
    """The rows behind an id, by id."""
    source = SOURCES[box]
    return rows_of(
        await tx.fetch_all(
            f"SELECT {source.columns} FROM {source.table}"
            f" WHERE {whose.condition}{source.listed} AND id > :after"
            f" ORDER BY {whose.order} LIMIT :limit",
            {**whose.params, "after": after_id, "limit": limit},
        )
    )


async def rows_by_id(tx: Transaction, box: Box, whose: Whose, ids: Sequence[int]) -> list[MailRow]:
    """Those of some rows that are there, by id."""
    source = SOURCES[box]
    found: list[MailRow] = []
    for part in some(sorted(ids)):
        found += rows_of(
            await tx.fetch_all(
                f"SELECT {source.columns} FROM {source.table}"
                f" WHERE {whose.condition}{source.listed} AND id IN ({part}) ORDER BY id",
                whose.params,
            )
        )
    return found


async def count_up_to(tx: Transaction, box: Box, whose: Whose, top: int) -> int:
    """How many rows there are up to an id; by the index alone."""
    source = SOURCES[box]
    row = await tx.fetch_one(
        f"SELECT count(*) FROM {source.table}"
        f" WHERE {whose.condition}{source.listed} AND id <= :top",
        {**whose.params, "top": top},
    )
    assert row is not None
    return int(row[0])


async def numbers(tx: Transaction, box: Box, whose: Whose) -> Numbers:
    """A mailbox in numbers."""
    source = SOURCES[box]
    row = await tx.fetch_one(
        f"SELECT count(*), max(id), sum(CASE WHEN {source.unseen} THEN 1 ELSE 0 END)"
        f" FROM {source.table} WHERE {whose.condition}{source.listed}",
        whose.params,
    )
    assert row is not None
    return Numbers(int(row[0]), int(row[2] or 0), int(row[1] or 0))


async def content_ids(
    tx: Transaction, box: Box, whose: Whose, ids: Sequence[int]
) -> list[tuple[int, int]]:
    """The ids of messages of a mailbox and of their contents."""
    source = SOURCES[box]
    found: list[tuple[int, int]] = []
    for part in some(ids):
        rows = await tx.fetch_all(
            f"SELECT id, content_id FROM {source.table}"
            f" WHERE {whose.condition}{source.listed} AND id IN ({part}) ORDER BY id",
            whose.params,
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
