"""SQLite: one writer that commits in groups, a few readers, all durable before they answer.

Each connection lives in the thread that aiosqlite gives it, and a unit of work runs there from
its first statement to its last: one thread hop a group, not one a statement. That is why a unit
may await nothing but its transaction; what it awaits here never really waits. Two ways are
shorter still: `incoming` for arriving mail, `quick_writing` for short units.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import aiosqlite

from mailbox_service.core.errors import (
    MailError,
    StatementRefused,
    StorageFull,
    TemporaryFailure,
)
from mailbox_service.storage import cursors, migrate
from mailbox_service.storage.answering import Answering, heard
from mailbox_service.storage.database import Transaction, Unit
from mailbox_service.storage.grouping import Bound, GroupCommit, Outcome, describe, log
from mailbox_service.storage.incoming import CURSOR, Incoming
from mailbox_service.storage.lending import READ_SECONDS, Lending
from mailbox_service.storage.messages import NewMessage
from mailbox_service.storage.promise import Promise
from mailbox_service.storage.quick_writing import (
    QUICK_SECONDS,
    QUICK_STEPS,
    QuickWriter,
    checkpoint,
)
from mailbox_service.storage.sqlite_units import (
    PRAGMAS,
    SHRINK,
    STATEMENT_CACHE,
    SqliteTransaction,
    connect_here,
    roll_back,
    run_to_end,
)

T = TypeVar("T")
P = ParamSpec("P")

# How long a statement waits for another process that writes, such as a command of ours. A
# client of the mail doors waits longer than that for its reply.
BUSY_SECONDS = 5.0
READERS = 2
OPTIONS: dict[str, Any] = {
    "isolation_level": None,
    "timeout": BUSY_SECONDS,
    "cached_statements": STATEMENT_CACHE,
}
# A unit that nobody waits for any more is told to end so often until it has.
CALL_OFF_SECONDS = 0.05
READER_PRAGMAS = (*PRAGMAS, "PRAGMA query_only = ON")
# With less free disk than a small mail takes in the log and in the tables, with what follows
# from it, nothing is ready, though a note of some octets may still find room.
LEAST_FREE_OCTETS = 256 * 1024
# A small read that took long twice is not tried on the event loop again for a while: once may have
# been the machine, which had something else to do. So many are remembered.
SLOW_SECONDS = 30.0
MOST_SLOW = 10_000

TOUCH = """
INSERT INTO cursors (name, position) VALUES ('ping', 1)
ON CONFLICT (name) DO UPDATE SET position = cursors.position + 1
"""


@dataclass(slots=True)
class Slow:
    """A small read that took long: how often in a row, and until when it is a reader's work."""

    times: int = 0
    until: float = 0.0


class SqliteDatabase:
    """A store in one file."""

    def __init__(self, path: Path, *, readers: int = READERS) -> None:
        self.path = path
        self._reader_count = readers
        self._writer: aiosqlite.Connection | None = None
        self._readers: Lending[aiosqlite.Connection] = Lending()
        self._incoming = Incoming(path, self._add_unit, as_refusal)
        self._groups = GroupCommit(self._commit, as_refusal, self._incoming)
        self._answering = Answering(self._look)
        self._opened: list[aiosqlite.Connection] = []
        self._here: QuickWriter | None = None
        self._quick: sqlite3.Connection | None = None
        self._quick_until = 0.0
        self._slow: dict[str, Slow] = {}
        self._closing = False

    async def open(self) -> None:
        try:
            await self._open()
            return
        except BaseException as error:
            await self._incoming.close()
            await self._disconnect()  # a connection's thread would keep the process alive
            refusal = as_refusal(error)
        raise refusal

    async def _open(self) -> None:
        await asyncio.to_thread(create_private, self.path)
        self._writer = await self._connect(PRAGMAS)
        await asyncio.to_thread(migrate.upgrade_sqlite, self.path)
        for _ in range(self._reader_count):
            reader = await self._connect(READER_PRAGMAS)
            self._readers.add(reader)
        self._quick = self._connect_here()
        self._groups.start()
        self._here = await QuickWriter.of(self.path)
        if await asyncio.to_thread(self._incoming.open, self._settled()):
            # Asked again: until now the log may have been another process's.
            await self._incoming.start(self._settled())

    def _settled(self) -> int:
        """Up to which number the tables hold what was in the log of arriving mail."""
        assert self._quick is not None
        return run_to_end(cursors.get(SqliteTransaction(self._quick), CURSOR))

    async def _connect(self, pragmas: Sequence[str]) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(self.path, **OPTIONS)
        self._opened.append(connection)
        for pragma in pragmas:
            await connection.execute(pragma)
        return connection

    def _connect_here(self) -> sqlite3.Connection:
        """A connection for the thread of the event loop: it waits for nothing."""
        connection = connect_here(self.path, "PRAGMA query_only = ON")
        connection.set_progress_handler(self._quick_is_over, QUICK_STEPS)
        return connection

    async def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        await self._incoming.close()
        await self._groups.finish()
        await self._answering.finish()
        await self._readers.call_in()  # from here on quick reads are refused as well
        await self._disconnect()

    async def _disconnect(self) -> None:
        if self._here is not None:
            self._here.close()
            self._here = None
        if self._quick is not None:
            self._quick.close()
            self._quick = None
        while self._opened:
            await self._opened.pop().close()

    async def read(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def bound(tx: Transaction) -> Coroutine[object, object, T]:
            return work(tx, *args, **kwargs)

        await self._incoming.caught_up()
        reader = await self._readers.borrow()
        # Nobody waits for a list longer; sweeps over a whole store go in steps.
        limit = asyncio.get_running_loop().call_later(READ_SECONDS, reader._conn.interrupt)
        gone = False
        try:
            return await in_thread(reader, partial(read_unit, bound))
        except sqlite3.Error as error:
            refusal = as_refusal(error)
            log.error("storage-read-failed error=%s", describe(error))
        except asyncio.CancelledError:
            gone = True
            raise
        finally:
            limit.cancel()
            if gone:
                self._call_off(reader)
            else:
                self._readers.give_back(reader)
        raise refusal

    def _call_off(self, reader: aiosqlite.Connection) -> None:
        """Nobody waits for a unit any more, and its thread is still at it: end it, and lend the
        reader again when it has ended. Whoever got it before would wait behind it."""
        timer: asyncio.TimerHandle

        def end_it() -> None:
            nonlocal timer
            reader._conn.interrupt()  # which does nothing between two statements
            timer = asyncio.get_running_loop().call_later(CALL_OFF_SECONDS, end_it)

        def ended(behind_it: asyncio.Task[None]) -> None:
            timer.cancel()
            self._readers.give_back(reader)
            heard(behind_it)

        end_it()
        asyncio.ensure_future(in_thread(reader, nothing)).add_done_callback(ended)

    async def read_quick(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self._quick is not None:
            self._quick_until = time.thread_time() + QUICK_SECONDS
            try:
                return run_to_end(work(SqliteTransaction(self._quick), *args, **kwargs))
            except sqlite3.Error:
                pass  # too long, or in another's way: a reader may wait, and says what it is
        return await self.read(work, *args, **kwargs)

    async def read_small(self, key: str, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await self._incoming.caught_up()
        slow = self._slow.get(key) if self._slow else None
        if self._quick is not None and (slow is None or slow.until < time.monotonic()):
            self._quick_until = time.thread_time() + QUICK_SECONDS
            try:
                self._quick.execute("BEGIN")
                found = run_to_end(work(SqliteTransaction(self._quick), *args, **kwargs))
                if slow is not None:
                    del self._slow[key]
                return found
            except sqlite3.Error:
                self._was_slow(key)
            finally:
                roll_back(self._quick)
        return await self.read(work, *args, **kwargs)

    def _was_slow(self, key: str) -> None:
        if len(self._slow) >= MOST_SLOW:
            self._slow.clear()
        slow = self._slow.setdefault(key, Slow())
        slow.times += 1
        if slow.times > 1:
            slow.until = time.monotonic() + SLOW_SECONDS

    def _quick_is_over(self) -> bool:
        return time.thread_time() > self._quick_until

    def write(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        def bound(tx: Transaction) -> Coroutine[object, object, T]:
            return work(tx, *args, **kwargs)

        return self._groups.add(bound)

    def write_quick(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        def bound(tx: Transaction) -> Coroutine[object, object, T]:
            return work(tx, *args, **kwargs)

        return self._groups.add(bound, quick=True)

    def keep(self, message: NewMessage, answer: T) -> Promise[T] | None:
        return self._incoming.add(message, answer)

    def when_kept(self, told: Callable[[Sequence[NewMessage]], object]) -> None:
        self._incoming.told = told

    async def caught_up(self) -> None:
        await self._incoming.caught_up()

    def _add_unit(self, start: Bound) -> asyncio.Future[Any]:
        return self._groups.add(start)

    async def _commit(self, group: Sequence[Bound], quick: bool) -> Sequence[Outcome]:
        assert self._writer is not None
        if quick and self._here is not None:
            outcomes = await self._here.commit(group)
            if self._here.wants_checkpoint:
                await in_thread(self._writer, checkpoint)
            if outcomes is not None:
                return outcomes
        return await in_thread(self._writer, partial(commit_group, group))

    async def relax(self) -> None:
        """Give memory back. A kept statement keeps the values that were bound last, be it a
        message of 50 MB, and nothing of Python's takes them from it: so the connections are made
        anew, the caches of pages with them. Readers that are lent stay as they are until the next
        time; those on the event loop never see large values."""
        if self._closing or self._writer is None:
            return
        try:
            await self._relax(self._writer)
            return
        except (sqlite3.Error, OSError) as error:
            refusal = as_refusal(error)
        raise refusal

    async def _relax(self, writer: aiosqlite.Connection) -> None:
        await in_thread(writer, partial(renew, writer, self.path, PRAGMAS))
        readers = [await self._readers.borrow()]
        try:
            while (another := self._readers.borrow_now()) is not None:
                readers.append(another)
            for reader in readers:
                await in_thread(reader, partial(renew, reader, self.path, READER_PRAGMAS))
        finally:
            for reader in readers:
                self._readers.give_back(reader)
        if self._quick is not None:
            self._quick.execute(SHRINK).fetchall()
        if self._here is not None:
            self._here.shrink()

    async def ping(self) -> None:
        await self._answering.ask()

    async def _look(self) -> None:
        try:
            disk = os.statvfs(self.path.parent)
        except OSError as error:
            raise as_refusal(error) from None
        if disk.f_bavail * disk.f_frsize < LEAST_FREE_OCTETS:
            raise StorageFull("There is no room to store anything now.")
        if self._groups.in_trouble or self._groups.is_stuck:
            await self.write(touch)
        await self.read(look)


async def touch(tx: Transaction) -> None:
    """Write as little as can be written."""
    await tx.execute(TOUCH)


async def look(tx: Transaction) -> None:
    """Read as little as can be read."""
    await tx.fetch_one("SELECT version_num FROM alembic_version")


def nothing(connection: sqlite3.Connection) -> None:
    """What a thread comes to when it is through with the work before."""


def create_private(path: Path) -> None:
    """Make sure of a file that its owner alone may read; its log files follow its mode."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    path.chmod(0o600)


async def in_thread(connection: aiosqlite.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """Run `work` in the thread of an aiosqlite connection, whole.

    aiosqlite offers its statements one by one, a thread hop each; its own `_execute` is the
    one way to hand it a whole piece of work. `tests/storage/test_sqlite.py` pins it.
    """

    def here() -> T:
        # Asked for in the thread: `relax` may have replaced it meanwhile.
        return work(connection._conn)

    return await connection._execute(here)  # type: ignore[no-any-return, no-untyped-call]


def renew(
    held: aiosqlite.Connection, path: Path, pragmas: Sequence[str], old: sqlite3.Connection
) -> None:
    """Put a new connection in the place of one, in its thread and between its pieces of work.
    When that fails the old one stays."""
    new = sqlite3.connect(path, **OPTIONS)
    try:
        for pragma in pragmas:
            new.execute(pragma)
    except BaseException:
        new.close()
        raise
    held._connection = new
    old.close()


def read_unit(
    start: Callable[[Transaction], Coroutine[object, object, T]], connection: sqlite3.Connection
) -> T:
    """Run one reading unit on one state of the database."""
    connection.execute("BEGIN")
    try:
        return run_to_end(start(SqliteTransaction(connection)))
    finally:
        roll_back(connection)


def commit_group(group: Sequence[Bound], connection: sqlite3.Connection) -> Sequence[Outcome]:
    """Commit a group of units in one transaction.

    First all together without a savepoint, since nearly every group goes through; when one of
    several is refused, again with a savepoint each, so that only that one is undone.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            outcomes = run_together(group, connection)
        except Exception as error:
            roll_back(connection)
            if len(group) == 1:
                return [Outcome(error=error)]
            connection.execute("BEGIN IMMEDIATE")
            outcomes = run_apart(group, connection)
        connection.execute("COMMIT")
    except Exception as error:
        return [Outcome(error=error)] * len(group)
    finally:
        roll_back(connection)
    return outcomes


def run_together(group: Sequence[Bound], connection: sqlite3.Connection) -> list[Outcome]:
    tx = SqliteTransaction(connection)
    return [Outcome(run_to_end(start(tx))) for start in group]


def run_apart(group: Sequence[Bound], connection: sqlite3.Connection) -> list[Outcome]:
    tx = SqliteTransaction(connection)
    outcomes = []
    for start in group:
        connection.execute("SAVEPOINT unit")
        try:
            outcomes.append(Outcome(run_to_end(start(tx))))
        except Exception as error:
            if not connection.in_transaction:
                raise  # a full disk or a read error has undone the whole group
            connection.execute("ROLLBACK TO unit")
            outcomes.append(Outcome(error=error))
        connection.execute("RELEASE unit")
    return outcomes


# Its grammar and names; a value that is too long, or of the wrong kind; who may do what.
_ABOUT_THE_STATEMENT = frozenset(
    (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_AUTH)
)


def as_refusal(error: BaseException) -> BaseException:
    """Trouble of the engine as a temporary refusal; everything else as it is."""
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return because(StorageFull("There is no room to store this now."), error)
        return because(TemporaryFailure("The store cannot be reached now."), error)
    if not isinstance(error, sqlite3.Error):
        return error
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return error  # a bug of ours, not of the disk
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return because(StorageFull("There is no room to store this now."), error)
    if code in _ABOUT_THE_STATEMENT:
        return because(StatementRefused("The store does not take this statement."), error)
    return because(TemporaryFailure("The store cannot be reached now."), error)


def because(refusal: MailError, cause: BaseException) -> MailError:
    refusal.__cause__ = cause
    return refusal
