"""Many rows with one statement: a statement costs more than a row.

Rows go in portions of some sizes, so that an engine has a few statements of each table to keep
compiled and not one for every number of rows; and of enough sizes that nearly every group is one
statement or two. With powers of two alone fifteen rows are four statements and take a quarter more
than sixteen.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeVar

from mailbox_service.storage.database import Dialect, Row, Transaction

T = TypeVar("T")

# SQLite takes 32,766 parameters a statement and PostgreSQL 65,535; no table of ours has twenty
# columns. From 64 rows on a longer statement costs a row no less, but a thread that runs it has to
# take the interpreter back from the event loop more seldom.
MOST_ROWS = 256
SIZES = (*range(1, 9), 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 192, MOST_ROWS)

LAST_ID = "SELECT last_insert_rowid()"


@lru_cache(maxsize=512)
def statement(
    table: str,
    columns: tuple[str, ...],
    count: int,
    returning: str,
    dialect: Dialect,
    otherwise: str = "",
) -> str:
    """The statement that adds so many rows; its parameters are their values, row by row."""
    width = len(columns)
    if dialect == "sqlite":
        rows = [", ".join("?" * width)] * count
    else:
        rows = [
            ", ".join(f"${row * width + place}" for place in range(1, width + 1))
            for row in range(count)
        ]
    values = ", ".join(f"({row})" for row in rows)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}"
    if otherwise:
        sql = f"{sql} ON CONFLICT {otherwise}"
    return f"{sql} RETURNING {returning}" if returning else sql


def portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Rows in portions of `SIZES`, the largest that there are rows for first."""
    start = 0
    while start < len(rows):
        size = SIZES[bisect_right(SIZES, len(rows) - start) - 1]
        yield rows[start : start + size]
        start += size


async def insert(
    tx: Transaction, table: str, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Add rows; each has a value a column."""
    await insert_returning(tx, table, columns, rows, "")


async def insert_returning(
    tx: Transaction,
    table: str,
    columns: tuple[str, ...],
    rows: Sequence[Row],
    returning: str,
    otherwise: str = "",
) -> list[Row]:
    """Add rows, and give these columns of what was added, in no order. `otherwise` says what
    becomes of a row that is in conflict with another, such as `(address) DO NOTHING`."""
    added: list[Row] = []
    for portion in portions(rows):
        sql = statement(table, columns, len(portion), returning, tx.dialect, otherwise)
        added += await tx.fetch_values(sql, list(chain.from_iterable(portion)))
    return added


async def insert_numbered(
    tx: Transaction,
    table: str,
    columns: tuple[str, ...],
    rows: Sequence[Row],
    by: tuple[str, ...],
) -> Sequence[int]:
    """Add rows to a table that gives out their ids; the ids, in the order of the rows. `by` are
    columns that tell one row from another, for where somebody else may add rows meanwhile.

    SQLite has one writer, and each row has the id behind the highest, so the last one tells all.
    `RETURNING` would tell them too, but Python gives the interpreter away and waits for it again
    at each row that it fetches, which on a busy service costs more than to write it.
    """
    if tx.dialect == "sqlite":
        await insert(tx, table, columns, rows)
        found = await tx.fetch_one(LAST_ID)
        assert found is not None
        return range(int(found[0]) - len(rows) + 1, int(found[0]) + 1)
    added = await insert_returning(tx, table, columns, rows, ", ".join(("id", *by)))
    places = [columns.index(column) for column in by]
    return in_order(added, [tuple([row[place] for place in places]) for row in rows])


def in_order(added: Sequence[Row], wanted: Sequence[tuple[object, ...]]) -> list[int]:
    """The ids of rows, of which each begins with its own, in the order in which they were wanted.
    PostgreSQL numbers rows as they are written; should it ever not, those that are told apart get
    theirs all the same. Raises RuntimeError when some are not: no row may get another's."""
    numbered = sorted((int(row[0]), tuple(row[1:])) for row in added)
    if [key for _, key in numbered] == list(wanted):
        return [number for number, _ in numbered]
    ids = {key: number for number, key in numbered}
    if len(ids) < len(numbered) or ids.keys() != set(wanted):
        raise RuntimeError("rows were not numbered in the order in which they were written")
    return [ids[key] for key in wanted]
