"""SQLite: one writer that commits in groups, a few readers, all durable before they answer.

Each connection lives in the thread that aiosqlite gives it, and a unit of work runs there from
its first statement to its last: one thread hop a group, not one a statement. That is why a unit
may await nothing but its transaction; what it awaits here never really waits.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import aiosqlite

from mailbox_service.core.errors import MailError, StorageFull, TemporaryFailure
from mailbox_service.storage import migrate
from mailbox_service.storage.database import NO_PARAMS, Params, Row, Transaction, Unit

T = TypeVar("T")
P = ParamSpec("P")

Bound = Callable[[Transaction], Coroutine[Any, Any, Any]]

log = logging.getLogger("mailbox.storage")

# FULL syncs the write-ahead log at every commit: NORMAL may lose the last commits to a power
# cut, after the client was told yes.
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16384",
)
# A group holds what came in while the group before it was committed. The bound keeps the first
# caller of a flood from waiting for the last.
LARGEST_GROUP = 512
READERS = 2
# Statements kept compiled a connection: more than all SQL of this service.
STATEMENT_CACHE = 512

_FULL = {sqlite3.SQLITE_FULL}


class SqliteTransaction:
    """Runs at once, inside the connection's thread: its coroutines never suspend."""

    dialect = "sqlite"
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
        return self._connection.execute(sql, params).rowcount

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        self._connection.executemany(sql, rows)


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive a unit of work in this thread; it must not wait for anything outside."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("a unit of work awaited something other than its transaction")


@dataclass(slots=True)
class Waiting:
    """A unit of work that waits for its group."""

    start: Bound
    future: asyncio.Future[Any]


@dataclass(slots=True)
class Outcome:
    """What became of one unit: a value, or the reason why it was undone."""

    value: Any = None
    error: BaseException | None = None


class SqliteDatabase:
    """A store in one file."""

    def __init__(self, path: Path, *, readers: int = READERS) -> None:
        self.path = path
        self._reader_count = readers
        self._writer: aiosqlite.Connection | None = None
        self._readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self._pending: list[Waiting] = []
        self._wake = asyncio.Event()
        self._committing: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._writer = await self._connect()
        for pragma in PRAGMAS:
            await self._writer.execute(pragma)
        await asyncio.to_thread(migrate.upgrade, f"sqlite:///{self.path}")
        self.path.chmod(0o600)
        for _ in range(self._reader_count):
            reader = await self._connect()
            for pragma in (*PRAGMAS[1:], "PRAGMA query_only = ON"):
                await reader.execute(pragma)
            self._readers.put_nowait(reader)
        self._committing = asyncio.create_task(self._commit_groups(), name="sqlite writer")

    async def _connect(self) -> aiosqlite.Connection:
        return await aiosqlite.connect(
            self.path, isolation_level=None, cached_statements=STATEMENT_CACHE
        )

    async def close(self) -> None:
        self._closing = True
        self._wake.set()
        if self._committing is not None:
            await self._committing
        for _ in range(self._reader_count):
            if self._writer is not None:
                await (await self._readers.get()).close()
        if self._writer is not None:
            await self._writer.close()

    async def read(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def bound(tx: Transaction) -> Coroutine[Any, Any, T]:
            return work(tx, *args, **kwargs)

        reader = await self._readers.get()
        try:
            outcome = await in_thread(reader, partial(read_unit, bound))
        finally:
            self._readers.put_nowait(reader)
        if outcome.error is not None:
            raise as_refusal(outcome.error)
        return outcome.value  # type: ignore[no-any-return]

    def write(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._closing:
            future.set_exception(TemporaryFailure("The service is stopping."))
            return future

        def bound(tx: Transaction) -> Coroutine[Any, Any, T]:
            return work(tx, *args, **kwargs)

        self._pending.append(Waiting(bound, future))
        self._wake.set()
        return future

    async def _commit_groups(self) -> None:
        """Commit whatever has come in, until the store closes."""
        assert self._writer is not None
        while self._pending or not self._closing:
            if not self._pending:
                self._wake.clear()
                await self._wake.wait()
                continue
            group, self._pending = (
                self._pending[:LARGEST_GROUP],
                self._pending[LARGEST_GROUP:],
            )
            try:
                outcomes = await in_thread(self._writer, partial(commit_group, group))
            except Exception as error:  # the connection itself is broken
                outcomes = [Outcome(error=error) for _ in group]
            for waiting, outcome in zip(group, outcomes, strict=True):
                settle(waiting.future, outcome)


async def in_thread(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run `work` in the thread of an aiosqlite connection, whole.

    aiosqlite offers its statements one by one, a thread hop each; its own `_execute` is the
    one way to hand it a whole piece of work. `tests/storage/test_sqlite.py` pins it.
    """
    return await connection._execute(work, connection._conn)  # type: ignore[no-any-return, no-untyped-call]


def read_unit(
    start: Bound,
    connection: sqlite3.Connection,
) -> Outcome:
    """Run one reading unit on one state of the database."""
    try:
        connection.execute("BEGIN")
        try:
            return Outcome(run_to_end(start(SqliteTransaction(connection))))
        finally:
            roll_back(connection)
    except Exception as error:
        return Outcome(error=error)


def commit_group(group: Sequence[Waiting], connection: sqlite3.Connection) -> list[Outcome]:
    """Commit a group of units in one transaction.

    First all together without a savepoint, since nearly every group goes through; when one of
    them is refused, again with a savepoint each, so that only that one is undone.
    """
    try:
        return commit_together(group, connection)
    except Exception:
        roll_back(connection)
    try:
        return commit_apart(group, connection)
    except Exception as error:
        roll_back(connection)
        return [Outcome(error=error) for _ in group]


def commit_together(group: Sequence[Waiting], connection: sqlite3.Connection) -> list[Outcome]:
    connection.execute("BEGIN IMMEDIATE")
    tx = SqliteTransaction(connection)
    outcomes = [Outcome(run_to_end(waiting.start(tx))) for waiting in group]
    connection.execute("COMMIT")
    return outcomes


def commit_apart(group: Sequence[Waiting], connection: sqlite3.Connection) -> list[Outcome]:
    connection.execute("BEGIN IMMEDIATE")
    tx = SqliteTransaction(connection)
    outcomes = []
    for waiting in group:
        connection.execute("SAVEPOINT unit")
        try:
            outcomes.append(Outcome(run_to_end(waiting.start(tx))))
        except Exception as error:
            if not connection.in_transaction:
                raise  # a full disk or a read error has undone the whole group
            connection.execute("ROLLBACK TO unit")
            outcomes.append(Outcome(error=error))
        connection.execute("RELEASE unit")
    connection.execute("COMMIT")
    return outcomes


def roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def settle(future: asyncio.Future[Any], outcome: Outcome) -> None:
    """Answer the caller, who may have gone."""
    if future.done():
        return
    if outcome.error is None:
        future.set_result(outcome.value)
    else:
        future.set_exception(as_refusal(outcome.error))


def as_refusal(error: BaseException) -> BaseException:
    """Trouble of the engine as a temporary refusal; everything else as it is."""
    if isinstance(error, MailError) or not isinstance(error, sqlite3.Error):
        return error
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return error  # a bug of ours, not of the disk
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    log.error("storage-failed engine=sqlite code=%s error=%s", code, type(error).__name__)
    refusal: MailError
    if code in _FULL:
        refusal = StorageFull("There is no room to store this now.")
    else:
        refusal = TemporaryFailure("The store cannot be reached now.")
    refusal.__cause__ = error
    return refusal
