"""Mail that is handed in together is queued together.

What a refusal would leave behind to be undone (a key, a second counter) goes alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from mailbox_service.core.envelope import Receipt
from mailbox_service.core.errors import MailError
from mailbox_service.services.gathering import Gathering, Waiter, Written, pass_on
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


# Hears of submissions that are on disk, with what each was answered.
Heard = Callable[[Sequence[Order], Sequence[Receipt | MailError]], None]


class Departures:
    """Puts submissions into the queue. `queued` hears of each group that is on disk: what follows
    is done once a group, and not once a message."""

    def __init__(self, database: Database, queued: Heard) -> None:
        self._database = database
        self._queued = queued
        self._letters: Gathering[Order, Receipt] = Gathering(
            self._write, octets_of, most=LARGEST_GROUP, most_octets=GROUP_OCTETS, patient=True
        )

    def add(self, order: Order) -> asyncio.Future[Receipt]:
        """Queue one message; the future ends with its receipt once it is on disk, or with what
        is in its way."""
        if self._goes_along(order):
            return self._letters.add(order)
        return self._write_one(order)

    def add_for(self, order: Order, waiter: Waiter[Receipt]) -> None:
        """Queue one message; `waiter` is told its receipt once it is on disk, or what is in its
        way."""
        if self._goes_along(order):
            self._letters.add_for(order, waiter)
        else:
            self._write_one(order).add_done_callback(partial(pass_on, waiter))

    def _goes_along(self, order: Order) -> bool:
        """Whether it may be queued together with others."""
        return is_small(order) and undoes_nothing(order)

    def _write_one(self, order: Order) -> asyncio.Future[Receipt]:
        write = self._database.write_quick if is_small(order) else self._database.write
        written = write(enqueue, order)
        written.add_done_callback(partial(self._one_written, order))
        return written

    def _write(self, orders: Sequence[Order]) -> Written[Receipt]:
        octets = sum([len(order.content) for order in orders])
        quick = len(orders) <= QUICK_GROUP and octets <= QUICK_GROUP_OCTETS
        write = self._database.write_quick if quick else self._database.write
        written = write(enqueue_all, orders)
        written.add_done_callback(partial(self._written, orders))
        return written

    def _written(self, orders: Sequence[Order], written: Written[Receipt]) -> None:
        if not written.cancelled() and written.exception() is None:
            # Those who wait are told first, and have something to do meanwhile.
            asyncio.get_running_loop().call_soon(self._queued, orders, written.result())

    def _one_written(self, order: Order, written: asyncio.Future[Receipt]) -> None:
        if not written.cancelled() and written.exception() is None:
            self._queued([order], [written.result()])


def is_small(order: Order) -> bool:
    """Whether it is a common letter to a few."""
    return len(order.content) <= QUICK_OCTETS and len(order.recipients) <= QUICK_RECIPIENTS


def octets_of(order: Order) -> int:
    """What weighs in a group."""
    return len(order.content)
