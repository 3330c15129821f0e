"""Work that waits in rows until its turn: side by side, woken by signals, swept when it is old.

Whoever uses this leases rows in a transaction and hands over a coroutine for each. What the
process does not finish comes back when the lease ends; what is over is kept for a while, so that
people can ask what became of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from mailbox_service.core.errors import MailError
from mailbox_service.services.clock import Clock
from mailbox_service.signals import Signals, Watch
from mailbox_service.storage.database import Database, Transaction

LOOK_AGAIN_SECONDS = 10.0
# After trouble with the store.
TROUBLE_SECONDS = 2.0
TIDY_EVERY = 60 * 1_000_000
# Rows that one round of tidying takes: it must not hold up the writer.
TIDY_ROWS = 500

C = TypeVar("C")


class NextTurn(Protocol):
    """Reads when the next row comes due, microseconds UTC; None: none waits."""

    async def __call__(self, tx: Transaction, *, now: int) -> int | None: ...


class Purge(Protocol):
    """Removes rows that were over before a time, so many at most."""

    async def __call__(self, tx: Transaction, *, before: int, limit: int) -> Any: ...


class LeasedWork:
    """The tasks of one worker, and when it looks for more."""

    def __init__(
        self,
        name: str,
        database: Database,
        signals: Signals,
        *,
        topic: str,
        most: int,
        next_turn: NextTurn,
        purge: Purge,
        kept_micros: int,
        clock: Clock,
    ) -> None:
        self._name = name
        self._log = logging.getLogger(f"mailbox.{name}")
        self._database = database
        self._signals = signals
        self._topic = topic
        self._most = most
        self._next_turn = next_turn
        self._purge = purge
        self._kept_micros = kept_micros
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._tidied = 0

    @property
    def free(self) -> int:
        """How much more may be begun."""
        return self._most - len(self._tasks)

    @property
    def busy(self) -> bool:
        """Whether something that was begun is not over."""
        return bool(self._tasks)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do a leased piece beside the others."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def begin_due(
        self,
        claim_due: Callable[..., Coroutine[Any, Any, Sequence[C]]],
        work: Callable[[C], Coroutine[Any, Any, None]],
        *,
        lease_micros: int,
        **how: Any,
    ) -> bool:
        """Lease as many rows as there is place for, by `claim_due` with what else it asks for,
        and begin with each; whether there may be more."""
        if self.free <= 0:
            return False
        now = self._clock()
        claims = await self._database.write(
            claim_due, now=now, lease_until=now + lease_micros, limit=self.free, **how
        )
        for claim in claims:
            self.begin(work(claim))
        return bool(claims)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._freed.set()
        if not task.cancelled() and task.exception() is not None:
            error = task.exception()
            self._log.error("%s-failed error=%s", self._name, error, exc_info=error)

    async def run(
        self, start_some: Callable[[], Awaitable[bool]], rested: Callable[[], None] | None = None
    ) -> None:
        """Work until cancelled. `start_some` leases and begins what is due, and says whether there
        may be more; `rested` is called after each wait."""
        try:
            with self._signals.watch(self._topic) as watch:
                while True:
                    try:
                        if await start_some():
                            continue
                        seconds = await self._pause()
                    except MailError as error:
                        self._log.warning("%s-waits reason=%s", self._name, error.detail)
                        seconds = TROUBLE_SECONDS
                    await self._wait(watch, seconds)
                    if rested is not None:
                        rested()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait(self, watch: Watch, seconds: float) -> None:
        """Wait for a new row, for a place that came free, or for the next turn."""
        signalled = asyncio.ensure_future(watch.wait(seconds))
        freed = asyncio.ensure_future(self._freed.wait())
        try:
            await asyncio.wait({signalled, freed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            signalled.cancel()
            freed.cancel()
            await asyncio.gather(signalled, freed, return_exceptions=True)
        self._freed.clear()

    async def _pause(self) -> float:
        """Seconds until the next turn."""
        now = self._clock()
        if now - self._tidied >= TIDY_EVERY:
            self._tidied = now
            before = now - self._kept_micros
            await self._database.write(self._purge, before=before, limit=TIDY_ROWS)
        turn = await self._database.read(self._next_turn, now=now)
        if turn is None:
            return LOOK_AGAIN_SECONDS
        return min(max((turn - now) / 1_000_000, 0.01), LOOK_AGAIN_SECONDS)

    async def settled(self) -> None:
        """Return when everything that was begun is over."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
