"""Many rows with one statement: a statement costs more than a row.

Rows go in portions of a power of two, so that an engine has a few statements of each table to
keep compiled and not one for every number of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

from mailbox_service.storage.database import Row, Transaction

T = TypeVar("T")

# SQLite takes 32,766 parameters a statement and PostgreSQL 65,535; no table of ours has twenty
# columns. From here on a longer statement saves nothing.
MOST_ROWS = 64


@lru_cache(maxsize=256)
def statement(
    table: str, columns: tuple[str, ...], count: int, returning: str
) -> tuple[str, tuple[str, ...]]:
    """The statement that adds so many rows, and the names of its parameters, row by row."""
    names = [[f"{column}{n}" for column in columns] for n in range(count)]
    rows = ", ".join(f"({', '.join(f':{name}' for name in row)})" for row in names)
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {rows}"
    if returning:
        sql += f" RETURNING {returning}"
    return sql, tuple(name for row in names for name in row)


def portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Rows in portions of at most MOST_ROWS, each of a power of two."""
    start, size = 0, MOST_ROWS
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2
        yield rows[start : start + size]
        start += size


async def insert(
    tx: Transaction, table: str, columns: tuple[str, ...], rows: Sequence[Row]
) -> None:
    """Add rows; each has a value a column."""
    for portion in portions(rows):
        sql, names = statement(table, columns, len(portion), "")
        await tx.execute(sql, dict(zip(names, (v for row in portion for v in row), strict=True)))


async def insert_returning(
    tx: Transaction, table: str, columns: tuple[str, ...], rows: Sequence[Row], returning: str
) -> list[Row]:
    """Add rows, and give these columns of what was added, in no order."""
    added: list[Row] = []
    for portion in portions(rows):
        sql, names = statement(table, columns, len(portion), returning)
        params = dict(zip(names, (v for row in portion for v in row), strict=True))
        added += await tx.fetch_all(sql, params)
    return added
