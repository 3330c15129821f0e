"""How much happened in each hour, added up behind a cursor so that nothing is counted twice.

Each source is a table whose ids grow: a portion of it is read, and its sums are written in one
transaction with the cursor. Hours count from 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mailbox_service.storage import cursors
from mailbox_service.storage.database import Row, Transaction

HOUR = 3_600_000_000

Source = Literal["messages", "events", "addresses"]
SOURCES: tuple[Source, ...] = ("messages", "events", "addresses")
KINDS = ("received", "sent", "deferred", "bounced", "addresses")

# Mail that did not arrive from anybody (an import, a notice of the administrator) is quiet.
_SUMS: Mapping[Source, str] = {
    "messages": """
SELECT received_at / 3600000000, 'received', sum(1 - quiet), max(id), count(*)
  FROM (SELECT id, received_at, quiet FROM messages WHERE id > :after ORDER BY id LIMIT :limit)
       AS portion
 GROUP BY 1
""",
    "events": """
SELECT at / 3600000000,
       CASE kind WHEN 'delivered' THEN 'sent' WHEN 'failed' THEN 'bounced'
                 WHEN 'deferred' THEN 'deferred' ELSE '' END,
       count(*), max(id), count(*)
  FROM (SELECT id, at, kind FROM events WHERE id > :after ORDER BY id LIMIT :limit) AS portion
 GROUP BY 1, 2
""",
    "addresses": """
SELECT created_at / 3600000000, 'addresses', count(*), max(id), count(*)
  FROM (SELECT id, created_at FROM addresses
         WHERE id > :after AND id < coalesce((SELECT min(id) FROM addresses
                                               WHERE created_at >= :settled), :no_end)
         ORDER BY id LIMIT :limit) AS portion
 GROUP BY 1
""",
}

NEWEST = """
SELECT (SELECT coalesce(max(id), 0) FROM messages), (SELECT coalesce(max(id), 0) FROM events),
       (SELECT coalesce(max(id), 0) FROM addresses)
"""

_ADD = """
INSERT INTO figures (hour, {kind}) VALUES (:hour, :number)
ON CONFLICT (hour) DO UPDATE SET {kind} = figures.{kind} + excluded.{kind}
"""
ADD = {kind: _ADD.format(kind=kind) for kind in KINDS}

BETWEEN = f"""
SELECT hour, {", ".join(KINDS)} FROM figures WHERE hour >= :since AND hour < :before ORDER BY hour
"""

REMOVE_BEFORE = "DELETE FROM figures WHERE hour < :hour"

COUNT = """
SELECT (SELECT count(*) FROM addresses), (SELECT count(*) FROM messages)
"""

# Rows that wait are found by indexes that hold no others.
QUEUE = """
SELECT (SELECT count(*) FROM recipients WHERE next_attempt_at IS NOT NULL)
     + (SELECT count(*) FROM recipients WHERE state = 'held'),
       (SELECT count(*) FROM recipients WHERE next_attempt_at IS NOT NULL AND state = 'deferred'),
       (SELECT min(queued_at) FROM recipients WHERE next_attempt_at IS NOT NULL),
       (SELECT min(queued_at) FROM recipients WHERE state = 'held')
"""

LAST_ID = 2**62


@dataclass(frozen=True, slots=True)
class Portion:
    """What a portion of a source adds up to: sums by hour and kind. `rows` were read, from
    behind the id `before` to the id `position`."""

    source: Source
    before: int
    position: int
    rows: int
    sums: Mapping[tuple[int, str], int]


@dataclass(frozen=True, slots=True)
class QueueNow:
    """What waits now: recipients in all and deferred ones, and since when the oldest waits."""

    waiting: int
    deferred: int
    oldest_at: int | None


def cursor_of(source: Source) -> str:
    """The name of a source's cursor."""
    return f"figures {source}"


async def newest_ids(tx: Transaction) -> Mapping[Source, int]:
    """The newest id of every source: whether there is anything to count."""
    row = await tx.fetch_one(NEWEST)
    assert row is not None
    return {source: int(number) for source, number in zip(SOURCES, row, strict=True)}


async def next_portion(tx: Transaction, source: Source, *, limit: int, settled: int) -> Portion:
    """Add up the next rows of a source.

    Ids of messages and events become visible in order; those of addresses do not where several
    processes open some, so only addresses opened before `settled` are counted.
    """
    before = await cursors.get(tx, cursor_of(source))
    values: dict[str, object] = {"after": before, "limit": limit}
    if source == "addresses":
        values |= {"settled": settled, "no_end": LAST_ID}
    found = await tx.fetch_all(_SUMS[source], values)
    sums = {(int(hour), str(kind)): int(number) for hour, kind, number, _, _ in found if kind}
    position = max((int(row[3]) for row in found), default=before)
    return Portion(source, before, position, sum(int(row[4]) for row in found), sums)


async def add(tx: Transaction, portion: Portion, *, since: int) -> bool:
    """Write down what a portion adds up to, but for hours before `since`; False when another
    process has counted it."""
    if not await cursors.move(
        tx, cursor_of(portion.source), before=portion.before, position=portion.position
    ):
        return False
    for (hour, kind), number in sorted(portion.sums.items()):
        if number and hour >= since:
            await tx.execute(ADD[kind], {"hour": hour, "number": number})
    return True


async def between(tx: Transaction, *, since: int, before: int) -> list[Row]:
    """The figures of the hours from `since` to before `before`: the hour, and a number a kind.
    Hours in which nothing happened are left out."""
    return list(await tx.fetch_all(BETWEEN, {"since": since, "before": before}))


async def remove_before(tx: Transaction, hour: int) -> int:
    """Forget the hours before one; how many."""
    return await tx.execute(REMOVE_BEFORE, {"hour": hour})


async def count(tx: Transaction) -> tuple[int, int]:
    """How many addresses and mails there are. It reads an index of each whole."""
    row = await tx.fetch_one(COUNT)
    assert row is not None
    return int(row[0]), int(row[1])


async def queue_now(tx: Transaction) -> QueueNow:
    """What waits to be sent; it costs what waits, not what was sent."""
    row = await tx.fetch_one(QUEUE)
    assert row is not None
    oldest = [int(at) for at in row[2:] if at is not None]
    return QueueNow(int(row[0]), int(row[1]), min(oldest, default=None))
