"""What storage functions stand on: transactions, and a database that runs them.

A storage function is `async def name(tx: Transaction, ...)`. It awaits methods of `tx` and
nothing else, keeps no state outside its arguments, and may be run a second time when its first
run was rolled back. Several run in one transaction by being awaited one after another inside a
unit of work, the function that is handed to `read` or `write`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

Row = tuple[Any, ...]
Params = Mapping[str, object]
Unit = Callable[Concatenate["Transaction", P], Coroutine[Any, Any, T]]

NO_PARAMS: Params = {}


class Transaction(Protocol):
    """One transaction of either engine. SQL has `:name` parameters and is the subset that
    SQLite and PostgreSQL share."""

    dialect: str

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


class Database(Protocol):
    """A store of either engine. Trouble of disk, engine or network is `TemporaryFailure`, a
    full disk `StorageFull`; both mean that nothing was changed."""

    async def open(self) -> None:
        """Connect, and bring the schema up to date."""
        ...

    async def close(self) -> None:
        """Let running units end, refuse new ones, disconnect."""
        ...

    async def read(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a unit that only reads, on one consistent state."""
        ...

    def write(self, work: Unit[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Run a unit that may write. The future ends once the commit is on disk; an exception
        from the unit undoes that unit alone."""
        ...
