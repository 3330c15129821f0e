"""Units of work on a connection of SQLite, in whatever thread it lives."""

from __future__ import annotations

import sqlite3
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TypeVar

from mailbox_service.storage.database import NO_PARAMS, Dialect, Params, Row

T = TypeVar("T")

# FULL syncs the write-ahead log at every commit: NORMAL may lose the last commits to a power
# cut, after the client was told yes.
PRAGMAS = (
    # Before there is a table. A row somewhere in an index has its whole page written to the log,
    # summed and synced: with pages of 16 KiB an opened address costs a third more, and a mail
    # that is sent a fifth. What large contents gain from larger pages, a tenth, is less.
    "PRAGMA page_size = 4096",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",
)
# Gives up what the cache of pages holds and nobody uses.
SHRINK = "PRAGMA shrink_memory"
# Statements kept compiled a connection: more than all SQL of this service.
STATEMENT_CACHE = 512


class SqliteTransaction:
    """Runs at once, inside the connection's thread: its coroutines never suspend."""

    dialect: Dialect = "sqlite"
    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def fetch_all(self, sql: str, params: Params = NO_PARAMS) -> Sequence[Row]:
        return self._connection.execute(sql, params).fetchall()

    async def fetch_one(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        # All rows, so that a RETURNING statement runs to its end.
        rows = self._connection.execute(sql, params).fetchall()
        return rows[0] if rows else None

    async def execute(self, sql: str, params: Params = NO_PARAMS) -> int:
        return max(self._connection.execute(sql, params).rowcount, 0)

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        self._connection.executemany(sql, rows)

    async def fetch_values(self, sql: str, values: Sequence[object]) -> Sequence[Row]:
        return self._connection.execute(sql, values).fetchall()

    async def hold(self, lock: int) -> None:
        """Held already: there is one writer, and its transactions begin IMMEDIATE."""


def run_to_end(coroutine: Coroutine[object, object, T]) -> T:
    """Drive a unit of work in this thread; it must not wait for anything outside."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("a unit of work awaited something other than its transaction")


def roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def connect_here(path: Path, *pragmas: str) -> sqlite3.Connection:
    """A connection for the thread of the event loop: it waits for nothing."""
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=0, cached_statements=STATEMENT_CACHE
    )
    for pragma in (*PRAGMAS[2:], *pragmas):
        connection.execute(pragma)
    return connection
