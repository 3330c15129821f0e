"""A chore: what one process of all does once in a while, in many short steps.

Who does it holds a lease, which is kept up while the work goes on: a process that died held it
no longer than that, and another takes the chore over.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mailbox_service.services.clock import Clock
from mailbox_service.storage import chores
from mailbox_service.storage.database import Database

log = logging.getLogger("mailbox.cleaning")

LEASE_MICROS = 120 * 1_000_000
RENEW_SECONDS = 20.0
# Rest after a step for as many times as long as it took.
REST = 1.0

T = TypeVar("T")


class NotOurs(Exception):
    """The chore was done in this turn, or another process is at it (by now)."""


class Chore:
    """One chore, as one process sees it; `called` is its name in the log. Turns are numbered: the
    days or minutes since 1970, say."""

    def __init__(self, name: str, database: Database, *, called: str, clock: Clock) -> None:
        self._name = name
        self._database = database
        self._called = called
        self._clock = clock
        self._holder = secrets.token_hex(8)
        # On the clock of the machine; None while the chore is not ours.
        self._renewed: float | None = None

    async def last_done(self, turn: int) -> int:
        """The turn in which the chore was done last; one that never was begins to count with
        this."""
        return await self._database.write(chores.last_done, self._name, today=turn)

    async def once(self, turn: int, work: Callable[[], Awaitable[T]]) -> T:
        """Do the work of a turn. Raises NotOurs, and whatever the work raises; then the turn is
        not done yet."""
        now = self._clock()
        claimed = await self._database.write(
            chores.claim,
            self._name,
            holder=self._holder,
            today=turn,
            now=now,
            lease_until=now + LEASE_MICROS,
        )
        if not claimed:
            raise NotOurs
        self._renewed = time.monotonic()
        try:
            outcome = await work()
        except NotOurs:
            log.warning("%s-lease-lost", self._called)
            raise
        finally:
            self._renewed = None
        await self._database.write(chores.finish, self._name, holder=self._holder, today=turn)
        return outcome

    async def rest(self, began: float) -> None:
        """After a step that `began` then (`time.monotonic`), give way to everybody else; keep the
        lease while the chore is ours. Raises NotOurs."""
        await asyncio.sleep((time.monotonic() - began) * REST)
        if self._renewed is None or time.monotonic() - self._renewed < RENEW_SECONDS:
            return
        self._renewed = time.monotonic()
        until = self._clock() + LEASE_MICROS
        if not await self._database.write(
            chores.renew, self._name, holder=self._holder, lease_until=until
        ):
            raise NotOurs
