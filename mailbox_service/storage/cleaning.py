"""What cleanup looks for and deletes, in steps that are over in milliseconds.

Looking is reading: a window of ids at a time, since mail has no index by age (ids grow with
time, and an index would be paid for by every mail that arrives). Deleting takes what was found,
a few hundred rows in one transaction, and asks again whether each still is what was looked for:
between the two somebody may have opened the address or come back to it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service.core.cleanup_statement import Selection
from mailbox_service.core.stored import Address
from mailbox_service.storage import addresses, contents
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_integer

# Ids looked at in one reading unit: some milliseconds of it.
WINDOW = 5_000


@dataclass(frozen=True, slots=True)
class OldRows:
    """Rows of one table that are older than a time (`:before`), and what else must be so."""

    table: str
    condition: str


OLD_MAIL = OldRows("messages", "received_at < :before")
OLD_UNKNOWN_MAIL = OldRows(
    "messages",
    "received_at < :before"
    " AND NOT EXISTS (SELECT 1 FROM addresses a WHERE a.address = messages.address)",
)
OLD_SENT = OldRows("submissions", "created_at < :before AND listed = 1")


@dataclass(frozen=True, slots=True)
class DueAddresses:
    """Addresses whose time in one column lies before `:before`, and what else must be so."""

    column: str
    condition: str = "1 = 1"


INACTIVE = DueAddresses("updated_at")
CREATED = DueAddresses("created_at")
UNBOUND = DueAddresses(
    "created_at",
    "NOT EXISTS (SELECT 1 FROM user_addresses u WHERE u.address_id = addresses.id)",
)
EMPTY = DueAddresses(
    "created_at", "NOT EXISTS (SELECT 1 FROM messages m WHERE m.address = addresses.address)"
)
# `:before` is now: what ends at this very moment has ended.
ENDED = DueAddresses("expires_at", "expires_at IS NOT NULL")

LOWEST_ID = "SELECT min(id), max(id) FROM {table}"

FIND_ROWS = """
SELECT id, size FROM {table}
 WHERE id >= :first AND id <= :last AND {condition} ORDER BY id LIMIT :limit
"""

OLDEST_MAIL = """
SELECT id, size FROM messages WHERE address = :address ORDER BY id LIMIT :limit
"""

REMOVE_MAIL = """
DELETE FROM messages WHERE id IN ({ids}) AND {condition} RETURNING id, content_id, address
"""

REMOVE_FOUND = (
    "DELETE FROM summaries WHERE id IN ({ids})",
    "DELETE FROM verdicts WHERE id IN ({ids})",
)

UNLIST = """
UPDATE submissions SET listed = 0 WHERE id IN ({ids}) AND {condition} RETURNING address
"""

FIND_ADDRESSES = """
SELECT {column}, id FROM addresses
 WHERE {column} < :before AND ({column}, id) > (CAST(:time AS BIGINT), CAST(:id AS BIGINT))
   AND {condition}
 ORDER BY {column}, id LIMIT :limit
"""

IS_DUE = "SELECT 1 FROM addresses WHERE id = :id AND {column} < :before AND {condition}"

NEXT_END = "SELECT min(expires_at) FROM addresses WHERE expires_at IS NOT NULL"

REMOVE_ALLOWANCE = "DELETE FROM allowances WHERE id = :key"

REMOVE_AUTO_REPLY = "DELETE FROM auto_replies WHERE address = :key"

OLDEST_SENT = """
SELECT id FROM submissions WHERE address = :address AND listed = 1 ORDER BY id LIMIT :limit
"""

OLDEST_EVENT = "SELECT at FROM events ORDER BY id LIMIT 1"

END_OF_EVENTS = """
SELECT max(id) FROM (SELECT id FROM events WHERE id > :after ORDER BY id LIMIT :limit) AS page
"""

# By id, in whose order events were written: an index by age would be paid for by every fact.
FORGET_EVENTS = "DELETE FROM events WHERE id > :after AND id <= :last AND at < :before"

# The tables of mailbox-api §8.1 as they are read from ours, for conditions that administrators
# write. Times are text there; contents and passwords are not shown.
TEXT_TIME = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S', {} / 1000000, 'unixepoch')",
    "postgresql": "to_char(to_timestamp({} / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')",
}
TABLES = """
WITH raw_mails AS (
    SELECT m.id, s.message_id, m.reverse_path AS source, m.address, m.metadata,
           {received_at} AS created_at
      FROM messages m LEFT JOIN summaries s ON s.id = m.id),
address AS (
    SELECT id, name, source_meta, {created_at} AS created_at, {updated_at} AS updated_at
      FROM addresses),
sendbox AS (
    SELECT id, address, {created_at} AS created_at FROM submissions WHERE listed = 1),
auto_reply_mails AS (
    SELECT address, name, subject, message, source_prefix, enabled, {updated_at} AS created_at
      FROM auto_replies),
address_sender AS (
    SELECT id, address, balance, enabled, {created_at} AS created_at FROM allowances),
users_address AS (
    SELECT id, user_id, address_id, {created_at} AS created_at FROM user_addresses)
"""
MATCHING = """{tables}
SELECT {key} FROM (SELECT * FROM {table} WHERE {key} > {after} ORDER BY {key} LIMIT :window)
    AS {table}
 WHERE ({condition}) ORDER BY {key}
"""
END_OF_WINDOW = """
SELECT max({key}), count(*) FROM (
    SELECT {key} FROM {real} WHERE {key} > {after} ORDER BY {key} LIMIT :window) AS seen
"""
REAL_TABLES = {
    "raw_mails": "messages",
    "address": "addresses",
    "sendbox": "submissions",
    "auto_reply_mails": "auto_replies",
    "address_sender": "allowances",
}

Key = int | str


@dataclass(frozen=True, slots=True)
class Window:
    """What a look at some rows found. `end` is the last key that was looked at, None when there
    is nothing behind it."""

    keys: tuple[Key, ...]
    end: Key | None


async def bounds(tx: Transaction, table: str) -> tuple[int, int]:
    """The lowest and the highest id of a table; (1, 0) when it is empty."""
    row = await tx.fetch_one(LOWEST_ID.format(table=table))
    if row is None or row[0] is None:
        return 1, 0
    return int(row[0]), int(row[1])


async def find_rows(
    tx: Transaction, old: OldRows, *, before: int, first: int, last: int, limit: int
) -> list[tuple[int, int]]:
    """Ids and sizes of old rows with ids from `first` to `last`, lowest first."""
    sql = FIND_ROWS.format(table=old.table, condition=old.condition)
    params = {"before": before, "first": first, "last": last, "limit": limit}
    return [(int(row[0]), int(row[1])) for row in await tx.fetch_all(sql, params)]


async def oldest_mail(tx: Transaction, address: str, *, limit: int) -> list[tuple[int, int]]:
    """Ids and sizes of the oldest messages of a mailbox."""
    rows = await tx.fetch_all(OLDEST_MAIL, {"address": address, "limit": limit})
    return [(int(row[0]), int(row[1])) for row in rows]


async def remove_mail(
    tx: Transaction, ids: Sequence[int], *, old: OldRows | None, before: int
) -> list[str]:
    """Delete those of several messages that are (still) old; whose they were, one name a
    message. Without `old` they are deleted whatever they are."""
    if not ids:
        return []
    condition = "1 = 1" if old is None else old.condition
    these = each_integer(tx.dialect, "ids")
    rows = await tx.fetch_all(
        REMOVE_MAIL.format(ids=these, condition=condition),
        {"ids": json.dumps(list(ids)), "before": before},
    )
    if not rows:
        return []
    gone = json.dumps([int(row[0]) for row in rows])
    for statement in REMOVE_FOUND:
        await tx.execute(statement.format(ids=these), {"ids": gone})
    await contents.release_all(tx, [int(row[1]) for row in rows])
    return [str(row[2]) for row in rows]


async def unlist_sent(
    tx: Transaction, ids: Sequence[int], *, old: OldRows | None, before: int
) -> list[str]:
    """Take those of several sent messages that are (still) old out of their sent boxes; whose
    they were. What is on its way is still delivered, and then removed."""
    if not ids:
        return []
    condition = "listed = 1" if old is None else old.condition
    rows = await tx.fetch_all(
        UNLIST.format(ids=each_integer(tx.dialect, "ids"), condition=condition),
        {"ids": json.dumps(list(ids)), "before": before},
    )
    return [str(row[0]) for row in rows]


async def unlist_oldest(tx: Transaction, address: str, *, limit: int) -> int:
    """Take the oldest messages out of a sent box, `limit` at most; how many."""
    rows = await tx.fetch_all(OLDEST_SENT, {"address": address, "limit": limit})
    return len(await unlist_sent(tx, [int(row[0]) for row in rows], old=None, before=0))


async def find_addresses(
    tx: Transaction, due: DueAddresses, *, before: int, after: tuple[int, int], limit: int
) -> list[tuple[int, int]]:
    """Times and ids of due addresses behind a time and an id, oldest first."""
    sql = FIND_ADDRESSES.format(column=due.column, condition=due.condition)
    params = {"before": before, "time": after[0], "id": after[1], "limit": limit}
    return [(int(row[0]), int(row[1])) for row in await tx.fetch_all(sql, params)]


async def still_due(
    tx: Transaction, address_id: int, due: DueAddresses | None, *, before: int
) -> Address | None:
    """An address when it is (still) due; without `due` whatever it is."""
    if due is not None:
        sql = IS_DUE.format(column=due.column, condition=due.condition)
        if await tx.fetch_one(sql, {"id": address_id, "before": before}) is None:
            return None
    return await addresses.by_id(tx, address_id)


async def next_end(tx: Transaction) -> int | None:
    """When the next address ends that was opened for a time."""
    row = await tx.fetch_one(NEXT_END)
    return None if row is None or row[0] is None else int(row[0])


async def remove_allowance(tx: Transaction, key: int) -> int:
    """Forget an allowance; the default one is made again when it is needed."""
    return await tx.execute(REMOVE_ALLOWANCE, {"key": key})


async def remove_auto_reply(tx: Transaction, key: str) -> int:
    """Forget the automatic reply of a mailbox."""
    return await tx.execute(REMOVE_AUTO_REPLY, {"key": key})


async def oldest_event(tx: Transaction) -> int | None:
    """When the first event was that is still known."""
    row = await tx.fetch_one(OLDEST_EVENT)
    return None if row is None else int(row[0])


async def forget_events(
    tx: Transaction, *, before: int, after: int, limit: int
) -> tuple[int, int | None]:
    """Forget those of the next events behind an id that are older than a time: how many, and the
    last id that was looked at, None when there is nothing behind it."""
    end = await tx.fetch_one(END_OF_EVENTS, {"after": after, "limit": limit})
    if end is None or end[0] is None:
        return 0, None
    last = int(end[0])
    params = {"after": after, "last": last, "before": before}
    return await tx.execute(FORGET_EVENTS, params), last


def key_of(table: str) -> str:
    """What names a row of a table of the mailbox API."""
    return "address" if table == "auto_reply_mails" else "id"


async def find_matching(
    tx: Transaction, selection: Selection, *, after: Key | None, window: int
) -> Window:
    """What a statement selects among the next rows behind a key."""
    table = selection.table
    key = key_of(table)
    is_text = key == "address"
    place = "CAST(:after AS TEXT)" if is_text else "CAST(:after AS BIGINT)"
    start: Key = "" if is_text else 0
    values = {"after": start if after is None else after, "window": window}
    written = TEXT_TIME[tx.dialect]
    tables = TABLES.format(
        **{name: written.format(name) for name in ("created_at", "updated_at")},
        received_at=written.format("m.received_at"),
    )
    condition = selection.condition
    sql = MATCHING.format(
        tables=tables,
        key=key,
        table=table,
        after=place,
        condition=condition.in_words_of(tx.dialect),
    )
    rows = await tx.fetch_all(sql, {**condition.params, **values})
    end = await tx.fetch_one(
        END_OF_WINDOW.format(key=key, real=REAL_TABLES[table], after=place), values
    )
    if end is None or end[0] is None:
        return Window((), None)
    # The sent box shows fewer rows than there are: what was looked at reaches at least so far.
    return Window(tuple(row[0] for row in rows), end[0] if end[1] == window else None)
