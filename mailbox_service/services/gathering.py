"""What comes in while a group is on its way to the disk makes the next group.

The store would group single units too; a group that is one unit from the start is a few
statements however many items it has, and saves most of what an item costs beside its octets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from mailbox_service.core.errors import MailError

T = TypeVar("T")
R = TypeVar("R")

# What a turn of the loop reads from its sockets is an item two turns later at the earliest.
QUIET_TURNS = 3
# A flood has no quiet turn; nobody waits longer than for some milliseconds of others' requests.
MOST_TURNS = 16

Written = asyncio.Future[list[R | MailError]]

A = TypeVar("A", contravariant=True)


class Waiter(Protocol[A]):
    """Who waits for an answer: a future, or what is told in that very moment."""

    def done(self) -> bool:
        """It waits no longer."""
        ...

    def set_result(self, answer: A, /) -> None:
        """Hear the answer."""
        ...

    def set_exception(self, error: BaseException, /) -> None:
        """Hear why there is none."""
        ...

    def cancel(self) -> object:
        """Hear that there will be none."""
        ...


class Preparing:
    """A waiter that can make ready what it will say if all goes well, while the disk works."""

    __slots__ = ()

    def prepare(self) -> None:
        """Make it ready. It may be told before."""


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
        enough: int | None = None,
    ) -> None:
        """`linger`: seconds that the first of a group waits for others. `patient`: it waits while
        each turn of the loop brings one more, which takes no time when nobody comes; so those who
        were just answered, and ask again, are in the next group and not in the one after it.
        `enough`: a group of so many waits for nobody, so that others work meanwhile."""
        self._write = write
        self._octets = octets
        self._most = most
        self._most_octets = most_octets
        self._linger = linger
        self._patient = patient
        self._enough = most if enough is None else enough
        self._pending: list[tuple[T, Waiter[R]]] = []
        self._writing = False

    def add(self, item: T) -> asyncio.Future[R]:
        """Write one item; the future ends with its answer once it is on disk."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self.add_for(item, future)
        return future

    def add_for(self, item: T, waiter: Waiter[R]) -> None:
        """Write one item; `waiter` is told its answer once it is on disk."""
        self._pending.append((item, waiter))
        if not self._writing:
            self._writing = True
            self._soon(asyncio.get_running_loop())

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
        if quiet < QUIET_TURNS and turns < MOST_TURNS and now < self._enough:
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
            # One turn later the group is on its way to the disk, and there is time.
            asyncio.get_running_loop().call_soon(prepare_all, group)

    def _take_group(self) -> list[tuple[T, Waiter[R]]]:
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

    def _written(self, group: list[tuple[T, Waiter[R]]], written: Written[R]) -> None:
        if (self._linger or self._patient) and 0 < len(self._pending) < self._enough:
            self._soon(asyncio.get_running_loop())
        else:
            self._write_next()
        if not written.cancelled() and written.exception() is None:
            for (_, waiter), answer in zip(group, written.result(), strict=True):
                tell(waiter, answer)
        elif len(group) == 1:
            tell_failure(group[0][1], written)
        else:  # one may not fail the others
            for item, waiter in group:
                self._write([item]).add_done_callback(partial(self._written_alone, waiter))

    def _written_alone(self, waiter: Waiter[R], written: Written[R]) -> None:
        if written.cancelled() or written.exception() is not None:
            tell_failure(waiter, written)
        else:
            tell(waiter, written.result()[0])


def prepare_all(group: Sequence[tuple[object, object]]) -> None:
    """Let those of a group prepare who can."""
    for _, waiter in group:
        if isinstance(waiter, Preparing):
            waiter.prepare()


def tell(waiter: Waiter[R], answer: R | MailError) -> None:
    """Answer whoever waits, if somebody still does."""
    if waiter.done():
        return
    if isinstance(answer, MailError):
        waiter.set_exception(answer)
    else:
        waiter.set_result(answer)


def tell_failure(waiter: Waiter[R], written: asyncio.Future[T]) -> None:
    """Tell whoever waits why nothing was written."""
    if written.cancelled():
        waiter.cancel()
    elif not waiter.done():
        waiter.set_exception(written.exception() or RuntimeError("no reason was given"))


def pass_on(waiter: Waiter[R], written: asyncio.Future[R]) -> None:
    """Tell whoever waits what became of one item that was written alone."""
    if written.cancelled() or written.exception() is not None:
        tell_failure(waiter, written)
    else:
        tell(waiter, written.result())
