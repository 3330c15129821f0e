"""PostgreSQL: the same units of work over asyncpg, for stores that several processes share.

Writing goes through one connection a process, in groups, as on SQLite; reading through a few
others. Every connection is made anew when it was lost: the units that it takes along are
refused as temporary, and the next ones find the server again.
"""

from __future__ import annotations

import re
from asyncio import Future
from collections.abc import Callable, Coroutine, Sequence
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar

import asyncpg  # type: ignore[import-untyped]

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.storage import migrate
from mailbox_service.storage.answering import Answering
from mailbox_service.storage.database import (
    NO_PARAMS,
    Dialect,
    Params,
    Row,
    Transaction,
    Unit,
)
from mailbox_service.storage.grouping import Bound, GroupCommit, Outcome, describe, log
from mailbox_service.storage.lending import READ_SECONDS, Lending
from mailbox_service.storage.messages import NewMessage
from mailbox_service.storage.notices import Notices
from mailbox_service.storage.postgres_errors import SERVER_ERRORS, as_refusal, one_line

T = TypeVar("T")
P = ParamSpec("P")

READERS = 4
CONNECT_SECONDS = 5.0
WRITE_SECONDS = 30.0  # sweeps go in steps, and no step is near this
# Beyond what the server itself would end: then it is the network that is silent.
SILENCE_SECONDS = 10.0
# Statements kept prepared a connection: more than all SQL of this service.
STATEMENT_CACHE = 512
# Two processes may update the same rows in another order; PostgreSQL ends one of them, which
# then has free way.
TRIES = 3

SETTINGS = {
    "application_name": "mailbox",
    # As SQLite's busy_timeout: a client of the mail doors waits longer than that for its reply.
    "lock_timeout": "5s",
    # A process that was stopped inside a transaction must not hold its locks for ever.
    "idle_in_transaction_session_timeout": "60s",
    # All statements are short; compiling them to machine code costs more than it saves.
    "jit": "off",
}
# 250 means on disk, also where the server or its database was told otherwise.
SYNC_AT_COMMIT = """
SELECT set_config('synchronous_commit', 'on', false)
 WHERE current_setting('synchronous_commit') = 'off'
"""

_TOKENS = re.compile(
    r"""
      '(?:[^']|'')*'            # a string
    | "(?:[^"]|"")*"            # a quoted name
    | --[^\n]* | /\*.*?\*/      # a comment
    | ::                        # a cast
    | :([A-Za-z_][A-Za-z0-9_]*) # a parameter
    """,
    re.VERBOSE | re.DOTALL,
)

_CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)

TOUCH = """
INSERT INTO cursors (name, position) VALUES ('ping', 1)
ON CONFLICT (name) DO UPDATE SET position = cursors.position + 1
"""


@lru_cache(maxsize=1024)
def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """SQL with `:name` parameters as PostgreSQL's `$1`, and the names in that order."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return found[0]
        return f"${names.setdefault(name, len(names) + 1)}"

    return _TOKENS.sub(number, sql), tuple(names)


def argument(value: object) -> object:
    """A parameter as PostgreSQL takes it. Its text cannot hold NUL, and mail can."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in value else value
    if isinstance(value, bool):
        return int(value)
    return value


class PostgresTransaction:
    """One transaction of one connection."""

    dialect: Dialect = "postgresql"
    __slots__ = ("_connection", "_held")

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._held: set[int] = set()

    async def fetch_all(self, sql: str, params: Params = NO_PARAMS) -> Sequence[Row]:
        text, names = numbered(sql)
        rows = await self._connection.fetch(text, *[argument(params[name]) for name in names])
        return [tuple(row) for row in rows]

    async def fetch_one(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        text, names = numbered(sql)
        row = await self._connection.fetchrow(text, *[argument(params[name]) for name in names])
        return None if row is None else tuple(row)

    async def execute(self, sql: str, params: Params = NO_PARAMS) -> int:
        text, names = numbered(sql)
        status = await self._connection.execute(text, *[argument(params[name]) for name in names])
        count = status.rpartition(" ")[2]  # "INSERT 0 1", "UPDATE 3", "CREATE TABLE"
        return int(count) if count.isdecimal() else 0

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        text, names = numbered(sql)
        await self._connection.executemany(
            text, [[argument(row[name]) for name in names] for row in rows]
        )

    async def fetch_values(self, sql: str, values: Sequence[object]) -> Sequence[Row]:
        rows = await self._connection.fetch(sql, *map(argument, values))
        return [tuple(row) for row in rows]

    async def hold(self, lock: int) -> None:
        if lock not in self._held:
            await self._connection.execute("SELECT pg_advisory_xact_lock($1)", lock)
            self._held.add(lock)

    def let_go(self) -> None:
        """A savepoint was rolled back, and locks taken after it went with it."""
        self._held.clear()


class Line:
    """One connection that comes back: made when first needed, and anew when it was lost."""

    def __init__(self, url: str, *, seconds: float) -> None:
        self._url = url
        self._seconds = seconds
        self._connection: asyncpg.Connection | None = None

    async def connection(self) -> asyncpg.Connection:
        """The connection, alive as far as is known."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._url, seconds=self._seconds)
        return self._connection

    def cut(self) -> None:
        """Give the connection up, in whatever state it is."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Say goodbye."""
        if self._connection is not None and not self._connection.is_closed():
            try:
                await self._connection.close(timeout=CONNECT_SECONDS)
            except SERVER_ERRORS:
                self._connection.terminate()
        self._connection = None


async def connect(url: str, *, seconds: float = WRITE_SECONDS) -> asyncpg.Connection:
    """A connection whose statements take no longer than `seconds`, and whose values are those
    of `Transaction`: no Decimal, no bool."""
    connection = await asyncpg.connect(
        url,
        timeout=CONNECT_SECONDS,
        command_timeout=seconds + SILENCE_SECONDS,
        statement_cache_size=STATEMENT_CACHE,
        max_cached_statement_lifetime=0,
        server_settings={**SETTINGS, "statement_timeout": f"{seconds:.0f}s"},
    )
    try:
        # SUM of BIGINT is NUMERIC in PostgreSQL.
        await connection.set_type_codec(
            "numeric", schema="pg_catalog", encoder=str, decoder=number, format="text"
        )
        await connection.set_type_codec(
            "bool", schema="pg_catalog", encoder=truth, decoder=from_truth, format="text"
        )
        await connection.execute(SYNC_AT_COMMIT)
    except BaseException:
        connection.terminate()
        raise
    return connection


def number(text: str) -> int | float:
    """A NUMERIC: an int when it has no fraction."""
    return float(text) if "." in text or "N" in text else int(text)


def truth(value: object) -> str:
    """A value as PostgreSQL's boolean."""
    return "t" if value else "f"


def from_truth(text: str) -> int:
    """PostgreSQL's boolean as SQLite's."""
    return int(text == "t")


class PostgresDatabase:
    """A store in a PostgreSQL database."""

    def __init__(self, url: str, *, readers: int = READERS) -> None:
        self.url = url
        self._writer = Line(url, seconds=WRITE_SECONDS)
        self._lines = [Line(url, seconds=READ_SECONDS) for _ in range(readers)]
        self._readers: Lending[Line] = Lending()
        self._groups = GroupCommit(self._commit, as_refusal)
        self._answering = Answering(self._look)
        self._notices = Notices(lambda: connect(url))
        self._closing = False

    async def open(self) -> None:
        try:
            await migrate.upgrade_postgres(
                lambda: connect(self.url, seconds=migrate.PATIENCE_SECONDS)
            )
            await self._writer.connection()
        except Exception as error:
            refusal = as_refusal(error)
            if refusal is not error:
                # Whoever starts it hears why: nobody else can mend a name, a password or a right.
                refusal = TemporaryFailure(f"The store cannot be used: {one_line(error)}")
        else:
            for line in self._lines:
                self._readers.add(line)
            self._groups.start()
            return
        raise refusal

    async def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        await self._groups.finish()
        await self._answering.finish()
        await self._readers.call_in()
        await self._notices.close()
        for line in [self._writer, *self._lines]:
            await line.close()

    async def read(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def on_one_state(connection: asyncpg.Connection) -> T:
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                value = await work(PostgresTransaction(connection), *args, **kwargs)
            except Exception:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("ROLLBACK")
            return value

        return await self._on_reader(on_one_state)

    async def read_small(self, key: str, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.read(work, *args, **kwargs)

    async def read_quick(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        async def on_any_state(connection: asyncpg.Connection) -> T:
            return await work(PostgresTransaction(connection), *args, **kwargs)

        return await self._on_reader(on_any_state)

    async def _on_reader(self, use: Callable[[asyncpg.Connection], Coroutine[Any, Any, T]]) -> T:
        line = await self._readers.borrow()
        try:
            return await use(await line.connection())
        except Exception as error:
            refusal = as_refusal(error)
            if refusal is not error:
                line.cut()
                log.error("storage-read-failed error=%s", describe(error))
        except BaseException:
            line.cut()  # cancelled amid a statement; nothing may be awaited here
            raise
        finally:
            self._readers.give_back(line)
        raise refusal

    def write(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        def bound(tx: Transaction) -> Coroutine[Any, Any, T]:
            return work(tx, *args, **kwargs)

        return self._groups.add(bound)

    write_quick = write

    async def _commit(self, group: Sequence[Bound], quick: bool) -> Sequence[Outcome]:
        try:
            outcomes = await commit_group(group, await self._writer.connection())
        except BaseException:
            self._writer.cut()
            raise
        if any(isinstance(one.error, asyncpg.ReadOnlySQLTransactionError) for one in outcomes):
            self._writer.cut()  # another server is the primary now: look for it
        return outcomes

    def keep(self, message: NewMessage, answer: T) -> None:
        """Nothing is won here: the server has a log of its own, which it syncs once a group."""

    def when_kept(self, told: Callable[[Sequence[NewMessage]], object]) -> None:
        """Nothing is ever kept that way."""

    async def relax(self) -> None:
        """Give memory back: nothing is kept here that would be worth it."""

    async def caught_up(self) -> None:
        """Always so."""

    async def ping(self) -> None:
        await self._answering.ask()

    async def _look(self) -> None:
        if self._groups.in_trouble or self._groups.is_stuck:
            await self.write(touch)
        await self.read_quick(look)

    async def listen(self, callback: Callable[[str], None]) -> None:
        """Have `callback` called with every topic that any process notifies, this one too."""
        await self._notices.listen(callback)

    def notify(self, topic: str) -> None:
        """Tell every process that listens. Best effort: what is told while the server is away
        is lost, so whoever waits also looks again on a timer."""
        self._notices.send(topic)


async def touch(tx: Transaction) -> None:
    """Write as little as can be written."""
    await tx.execute(TOUCH)


async def look(tx: Transaction) -> None:
    """Read as little as can be read."""
    await tx.fetch_one("SELECT version_num FROM alembic_version")


async def commit_group(group: Sequence[Bound], connection: asyncpg.Connection) -> Sequence[Outcome]:
    """Commit a group of units in one transaction, as `storage.sqlite` does. Raises when the
    whole group failed; the connection is then in an unknown state."""
    failure: Exception | None = None
    await connection.execute("BEGIN")
    try:
        outcomes: Sequence[Outcome] = await run_together(group, connection)
    except Exception as error:
        if connection.is_closed():
            raise
        await connection.execute("ROLLBACK")
        failure = error
    else:
        if await connection.execute("COMMIT") == "COMMIT":
            return outcomes
        # A unit went on after a statement had failed. SQLite lets it; PostgreSQL answers the
        # commit with ROLLBACK. Apart, that unit is found.
    if len(group) == 1 and failure is not None and not isinstance(failure, _CONFLICTS):
        return [Outcome(error=failure)]
    await connection.execute("BEGIN")
    outcomes = await run_apart(group, connection)
    await connection.execute("COMMIT")
    return outcomes


async def run_together(group: Sequence[Bound], connection: asyncpg.Connection) -> list[Outcome]:
    tx = PostgresTransaction(connection)
    return [Outcome(await start(tx)) for start in group]


async def run_apart(group: Sequence[Bound], connection: asyncpg.Connection) -> list[Outcome]:
    tx = PostgresTransaction(connection)
    return [await run_alone(start, tx, connection) for start in group]


async def run_alone(
    start: Bound, tx: PostgresTransaction, connection: asyncpg.Connection
) -> Outcome:
    """Run one unit so that only itself is undone."""
    outcome = Outcome()
    for _ in range(TRIES):
        await connection.execute("SAVEPOINT unit")
        try:
            outcome = Outcome(await start(tx))
            await connection.execute("RELEASE unit")
        except Exception as error:
            if connection.is_closed():
                raise
            await connection.execute("ROLLBACK TO unit; RELEASE unit")
            tx.let_go()
            outcome = Outcome(error=error)
        if not isinstance(outcome.error, _CONFLICTS):
            break
    return outcome
