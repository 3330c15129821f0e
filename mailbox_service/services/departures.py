"""Mail that is handed in together is queued together.

What comes in while a group is on its way to the disk makes the next one, and a group is a few
statements however many messages it has. What a refusal would leave behind to be undone (a key, a
second counter) goes alone.
"""

from __future__ import annotations

import asyncio
from functools import partial

from mailbox_service.core.envelope import Receipt
from mailbox_service.core.errors import MailError
from mailbox_service.services.queueing import Order, enqueue, enqueue_all, undoes_nothing
from mailbox_service.storage.database import Database

# What the event loop may write by itself: common letters to a few, for some milliseconds.
QUICK_OCTETS = 32_768
QUICK_RECIPIENTS = 4
QUICK_GROUP = 32
QUICK_GROUP_OCTETS = 256 << 10
# Messages in one group, written in a thread: beyond this the rows are what costs.
LARGEST_GROUP = 128
GROUP_OCTETS = 4 << 20

Answered = asyncio.Future[list[Receipt | MailError]]
Pending = tuple[Order, asyncio.Future[Receipt]]


class Departures:
    """Puts submissions into the queue."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: list[Pending] = []
        self._writing = False

    def add(self, order: Order) -> asyncio.Future[Receipt]:
        """Queue one message; the future ends with its receipt once it is on disk, or with what
        is in its way."""
        small = is_small(order)
        if not small or not undoes_nothing(order):
            write = self._database.write_quick if small else self._database.write
            return write(enqueue, order)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        self._pending.append((order, future))
        if not self._writing:
            self._writing = True
            loop.call_soon(self._write_next)
        return future

    def _write_next(self) -> None:
        """Write the next group, if anything has come."""
        group = self._take_group()
        self._writing = bool(group)
        if not group:
            return
        octets = sum(len(order.content) for order, _ in group)
        quick = len(group) <= QUICK_GROUP and octets <= QUICK_GROUP_OCTETS
        write = self._database.write_quick if quick else self._database.write
        written = write(enqueue_all, [order for order, _ in group])
        written.add_done_callback(partial(self._written, group))

    def _take_group(self) -> list[Pending]:
        """What waits, as far as it makes one group: all of it, or a large one out of a flood."""
        octets = count = 0
        for order, _ in self._pending[:LARGEST_GROUP]:
            octets += len(order.content)
            if count and octets > GROUP_OCTETS:
                break
            count += 1
        group = self._pending[:count]
        del self._pending[:count]
        return group

    def _written(self, group: list[Pending], written: Answered) -> None:
        self._write_next()
        if written.cancelled() or written.exception() is not None:
            self._write_apart(group, written)
            return
        for (_, future), answer in zip(group, written.result(), strict=True):
            tell(future, answer)

    def _write_apart(self, group: list[Pending], failed: Answered) -> None:
        """One message may not fail the others: each gets its own answer."""
        if len(group) > 1:
            for pending in group:
                alone = self._database.write(enqueue_all, [pending[0]])
                alone.add_done_callback(partial(self._written_alone, pending))
            return
        future = group[0][1]
        if failed.cancelled():
            future.cancel()
        elif not future.done():
            future.set_exception(failed.exception() or RuntimeError("no reason was given"))

    def _written_alone(self, pending: Pending, written: Answered) -> None:
        if written.cancelled() or written.exception() is not None:
            self._write_apart([pending], written)
            return
        tell(pending[1], written.result()[0])


def tell(future: asyncio.Future[Receipt], answer: Receipt | MailError) -> None:
    """Answer whoever waits, if somebody still does."""
    if future.done():
        return
    if isinstance(answer, Receipt):
        future.set_result(answer)
    else:
        future.set_exception(answer)


def is_small(order: Order) -> bool:
    """Whether a message is a common letter."""
    return len(order.content) <= QUICK_OCTETS and len(order.recipients) <= QUICK_RECIPIENTS
