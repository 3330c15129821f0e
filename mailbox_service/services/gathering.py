"""What comes in while a group is on its way to the disk makes the next group.

The store would group single units too; a group that is one unit from the start is a few
statements however many items it has, and saves most of what an item costs beside its octets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from mailbox_service.core.errors import MailError

T = TypeVar("T")
R = TypeVar("R")

# What a turn of the loop reads from its sockets is an item two turns later at the earliest.
QUIET_TURNS = 3
# A flood has no quiet turn; nobody waits longer than for some milliseconds of others' requests.
MOST_TURNS = 16

Written = asyncio.Future[list[R | MailError]]


class Gathering(Generic[T, R]):
    """Items of one kind, written in groups. `write` writes some; what it gives is the answer of
    each in their order, a refusal being one too. `octets` weighs an item."""

    def __init__(
        self,
        write: Callable[[Sequence[T]], Written[R]],
        octets: Callable[[T], int],
        *,
        most: int,
        most_octets: int,
        linger: float = 0.0,
        patient: bool = False,
    ) -> None:
        """`linger`: seconds that the first of a group waits for others. `patient`: it waits while
        each turn of the loop brings one more, which takes no time when nobody comes; so those who
        were just answered, and ask again, are in the next group and not in the one after it."""
        self._write = write
        self._octets = octets
        self._most = most
        self._most_octets = most_octets
        self._linger = linger
        self._patient = patient
        self._pending: list[tuple[T, asyncio.Future[R]]] = []
        self._writing = False

    def add(self, item: T) -> asyncio.Future[R]:
        """Write one item; the future ends with its answer once it is on disk."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._pending.append((item, future))
        if not self._writing:
            self._writing = True
            self._soon(loop)
        return future

    def _soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write the next group when it had time to become one."""
        if self._linger:
            loop.call_later(self._linger, self._write_next)
        elif self._patient:
            loop.call_soon(self._wait_for_more, len(self._pending), 0, 1)
        else:
            loop.call_soon(self._write_next)

    def _wait_for_more(self, before: int, quiet: int, turns: int) -> None:
        """Write the next group once nobody has joined it for some turns of the loop."""
        now = len(self._pending)
        quiet = 0 if now > before else quiet + 1
        if quiet < QUIET_TURNS and turns < MOST_TURNS and now < self._most:
            loop = asyncio.get_running_loop()
            loop.call_soon(self._wait_for_more, now, quiet, turns + 1)
        else:
            self._write_next()

    def _write_next(self) -> None:
        """Write the next group, if anything has come."""
        group = self._take_group()
        self._writing = bool(group)
        if group:
            written = self._write([item for item, _ in group])
            written.add_done_callback(partial(self._written, group))

    def _take_group(self) -> list[tuple[T, asyncio.Future[R]]]:
        """All that waits, or a large group out of a flood."""
        octets = count = 0
        for item, _ in self._pending[: self._most]:
            octets += self._octets(item)
            if count and octets > self._most_octets:
                break
            count += 1
        group = self._pending[:count]
        del self._pending[:count]
        return group

    def _written(self, group: list[tuple[T, asyncio.Future[R]]], written: Written[R]) -> None:
        if (self._linger or self._patient) and 0 < len(self._pending) < self._most:
            self._soon(asyncio.get_running_loop())
        else:
            self._write_next()
        if not written.cancelled() and written.exception() is None:
            for (_, future), answer in zip(group, written.result(), strict=True):
                tell(future, answer)
        elif len(group) == 1:
            self._tell_failure(group[0][1], written)
        else:  # one may not fail the others
            for item, future in group:
                self._write([item]).add_done_callback(partial(self._written_alone, future))

    def _written_alone(self, future: asyncio.Future[R], written: Written[R]) -> None:
        if written.cancelled() or written.exception() is not None:
            self._tell_failure(future, written)
        else:
            tell(future, written.result()[0])

    def _tell_failure(self, future: asyncio.Future[R], written: Written[R]) -> None:
        if written.cancelled():
            future.cancel()
        elif not future.done():
            future.set_exception(written.exception() or RuntimeError("no reason was given"))


def tell(future: asyncio.Future[R], answer: R | MailError) -> None:
    """Answer whoever waits, if somebody still does."""
    if future.done():
        return
    if isinstance(answer, MailError):
        future.set_exception(answer)
    else:
        future.set_result(answer)
