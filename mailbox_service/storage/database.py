"""What storage functions stand on: transactions, and a database that runs them.

A storage function is `async def name(tx: Transaction, ...)`. It awaits methods of `tx` and
nothing else, keeps no state outside its arguments, and may be run a second time when its first
run was rolled back. Several run in one transaction by being awaited one after another inside a
unit of work, the function that is handed to `read` or `write`.

SQL is the part that SQLite and PostgreSQL share. What to mind:

* Parameters are `:name`. PostgreSQL finds their type from what stands beside them, so one that
  stands alone or beside a number is written `CAST(:now AS BIGINT)`; otherwise a time would not
  fit the 32 bits of a plain `0`.
* A decision is made by the statement that writes (`UPDATE ... WHERE balance > 0 RETURNING ...`,
  `ON CONFLICT`), not by a `SELECT` before it: on PostgreSQL another process may come between.
  Where that cannot be said in one statement, take a lock of `storage.locks` first.
* A result has the order of its ORDER BY and no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, Protocol, TypeVar

from mailbox_service.storage.promise import Promise

if TYPE_CHECKING:
    from mailbox_service.storage.messages import NewMessage

T = TypeVar("T")
P = ParamSpec("P")

Dialect = Literal["sqlite", "postgresql"]
Row = tuple[Any, ...]
Params = Mapping[str, object]
Unit = Callable[Concatenate["Transaction", P], Coroutine[Any, Any, T]]

NO_PARAMS: Params = {}

# What the event loop may read for one request.
SMALL_OCTETS = 128 << 10


class TooLarge(Exception):
    """There is more to read than the event loop should."""


class Transaction(Protocol):
    """One transaction of either engine. SQL has `:name` parameters and is the subset that
    SQLite and PostgreSQL share. Values are int, float, str, bytes and None, both ways."""

    dialect: Dialect

    async def fetch_all(self, sql: str, params: Params = NO_PARAMS) -> Sequence[Row]:
        """All rows of a query."""
        ...

    async def fetch_one(self, sql: str, params: Params = NO_PARAMS) -> Row | None:
        """The first row of a query, or None."""
        ...

    async def execute(self, sql: str, params: Params = NO_PARAMS) -> int:
        """Run one statement; the number of rows that it changed."""
        ...

    async def execute_many(self, sql: str, rows: Sequence[Params]) -> None:
        """Run one statement once a row of parameters."""
        ...

    async def fetch_values(self, sql: str, values: Sequence[object]) -> Sequence[Row]:
        """All rows of a statement whose parameters stand in their order (`many_rows`): `?` on
        SQLite, `$1` and so on on PostgreSQL. By name each costs three times as much."""
        ...

    async def hold(self, lock: int) -> None:
        """Hold a lock of `storage.locks` until this transaction ends. On SQLite, which has one
        writer at a time, every writing transaction holds them all."""
        ...


class Database(Protocol):
    """A store of either engine.

    Trouble of disk, engine or network is `TemporaryFailure`, a full disk `StorageFull`, a
    statement that the engine does not take `StatementRefused`: what the unit wrote was not kept.
    One doubt is left: when the connection to PostgreSQL breaks during the commit itself, it may
    have been. Whoever comes back then does the work twice, never not at all.
    """

    async def open(self) -> None:
        """Connect, and bring the schema up to date. Raises TemporaryFailure, SchemaTooNew."""
        ...

    async def close(self) -> None:
        """Let running units end, refuse new ones, disconnect."""
        ...

    async def read(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit that only reads, on one consistent state."""
        ...

    async def read_quick(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit that reads a little, at the least cost.

        On SQLite it runs on the event loop itself, five to ten times cheaper than in a thread,
        but nothing else moves meanwhile: it asks by primary key or by an index, for at most 100
        short rows, and never for contents. Each of its statements sees a state of its own, on
        both engines, so what must agree is asked for in one statement or with `read`.
        """
        ...

    async def read_small(self, key: str, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit that reads little, contents among it, on one consistent state. On SQLite on
        the event loop itself, while that is quick: what took long is remembered under `key` for
        a while, and runs in a thread. A unit that finds more than `SMALL_OCTETS` raises TooLarge;
        its caller then uses `read`."""
        ...

    def write(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Run a unit that may write. The future ends once the commit is on disk; an exception
        from the unit undoes that unit alone. A caller that goes away does not undo it."""
        ...

    def write_quick(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """`write` for a unit of some statements by key with few octets. On SQLite a group of
        such units runs on the event loop itself: the way to the writer's thread and back costs
        several times what they do."""
        ...

    def keep(self, message: NewMessage, answer: T) -> Promise[T] | None:
        """Put arriving mail on disk the quickest way; the promise is kept with `answer` then. It
        goes into the tables soon: what `read` and `write` run sees it, `read_quick` only after
        `caught_up`. None where this way is closed: then the tables are written at once."""
        ...

    def when_kept(self, told: Callable[[Sequence[NewMessage]], object]) -> None:
        """Have a function hear of what `keep` has put on disk, a group at a time."""
        ...

    async def caught_up(self) -> None:
        """Return when all mail that was kept before is in the tables."""
        ...

    async def relax(self) -> None:
        """Give back memory that is held for later. Work goes on meanwhile. Raises
        TemporaryFailure."""
        ...

    async def ping(self) -> None:
        """Return when the store can be read, and written as far as is known; after trouble a
        small write finds out whether it has passed. Raises TemporaryFailure."""
        ...
