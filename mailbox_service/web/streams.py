"""Connections that stay open: how many there may be, and how they end when the service stops."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from mailbox_service.core.errors import TooManyRequests

T = TypeVar("T")

# One stream holds about 40 KiB here: these are 80 MiB, and far from the descriptors of a process.
MOST_STREAMS = 2_000
# A person with some tabs on some devices, or a test suite; not a program gone wild.
MOST_OF_ONE_MAILBOX = 20
RETRY_SECONDS = 15.0


class Streams:
    """Counts the event streams and blocking waits of this process, and ends them together."""

    def __init__(self) -> None:
        self._of_mailbox: Counter[str] = Counter()
        self._total = 0
        self._closing = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Whether the service stops."""
        return self._closing.is_set()

    @property
    def open(self) -> int:
        """How many connections hold a place now."""
        return self._total

    def close(self) -> None:
        """End every stream now and refuse new ones; clients come back to whoever is there."""
        self._closing.set()

    def check(self, address: str) -> None:
        """Raises TooManyRequests when there is no place for one more connection."""
        if (
            self.closed
            or self._total >= MOST_STREAMS
            or self._of_mailbox.get(address, 0) >= MOST_OF_ONE_MAILBOX
        ):
            raise TooManyRequests("Too many open streams", retry_after=RETRY_SECONDS)

    @contextmanager
    def one_more(self, address: str) -> Iterator[None]:
        """Hold a place for one connection. Raises TooManyRequests when there is none."""
        self.check(address)
        self._total += 1
        self._of_mailbox[address] += 1
        try:
            yield
        finally:
            self._total -= 1
            self._of_mailbox[address] -= 1
            if not self._of_mailbox[address]:
                del self._of_mailbox[address]

    async def unless_closed(
        self, waiting: Awaitable[T], leaving: Awaitable[None] | None = None
    ) -> T | None:
        """Wait for something; None when the service stops first, or when `leaving` is over first:
        nobody is there any more to be told, and the place is free for whoever comes next."""
        wanted = asyncio.ensure_future(waiting)
        ends: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._closing.wait())]
        if leaving is not None:
            ends.append(asyncio.ensure_future(leaving))
        try:
            await asyncio.wait({wanted, *ends}, return_when=asyncio.FIRST_COMPLETED)
            return wanted.result() if wanted.done() else None
        finally:
            unfinished = [one for one in (wanted, *ends) if not one.done()]
            for one in unfinished:
                one.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def until_closed(self, items: AsyncIterator[T]) -> AsyncIterator[T]:
        """The items, until there are no more or the service stops."""
        while True:
            try:
                item = await self.unless_closed(_next(items))
            except StopAsyncIteration:
                return
            if self.closed:
                return
            yield cast(T, item)


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)
