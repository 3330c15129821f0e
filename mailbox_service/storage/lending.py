"""Connections for reading, lent to one unit of work at a time."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

from mailbox_service.core.errors import TemporaryFailure

C = TypeVar("C")

# How long a unit waits for a connection: as long as a reading unit may hold one.
READ_SECONDS = 10.0


class Lending(Generic[C]):
    """A few connections; the one that came back last goes out first, its caches warm."""

    def __init__(self) -> None:
        self._idle: asyncio.LifoQueue[C] = asyncio.LifoQueue()
        self._count = 0
        self._closing = False

    def add(self, connection: C) -> None:
        """Have one more to lend."""
        self._count += 1
        self._idle.put_nowait(connection)

    async def borrow(self) -> C:
        """A connection, to be given back. Raises TemporaryFailure when all stay away."""
        if self._closing:
            raise TemporaryFailure("The service is stopping.")
        if not self._idle.empty():
            return self._idle.get_nowait()
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await self._idle.get()
        except TimeoutError:
            raise TemporaryFailure("The store has too much to do now.") from None

    def borrow_now(self) -> C | None:
        """Another connection, if one is here."""
        if self._closing or self._idle.empty():
            return None
        return self._idle.get_nowait()

    def give_back(self, connection: C) -> None:
        """The unit of work has ended."""
        self._idle.put_nowait(connection)

    async def call_in(self) -> None:
        """Lend no more, and wait until those that are out have come back."""
        self._closing = True
        try:
            async with asyncio.timeout(2 * READ_SECONDS):
                for _ in range(self._count):
                    await self._idle.get()
        except TimeoutError:
            return  # it will be closed under whoever holds it
