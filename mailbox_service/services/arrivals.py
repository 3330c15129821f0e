"""Mail that arrives together is stored together.

What comes in while a group is on its way to the disk makes the next one, and a group is two
statements however many messages it has. The store would group single units too; this saves most
of what a unit costs beside its bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from msgspec.structs import replace

from mailbox_service.core.packing import pack
from mailbox_service.storage import locks, messages
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.messages import NewMessage
from mailbox_service.storage.promise import Promise

# Rows in one statement; SQLite takes 32,766 parameters, and a row has six.
LARGEST_GROUP = 100
# Octets in one group: beyond this the bytes are what costs, and memory what is short.
GROUP_OCTETS = 8 << 20
# A group of no more is written faster on the event loop than handed to the writer's thread.
QUICK_OCTETS = 256 << 10
# Packed on the event loop up to this size, some 0.2 ms; a thread costs as much. Beyond, in one.
PACKED_AT_ONCE = 16_384

T = TypeVar("T")
Pending = tuple[NewMessage, asyncio.Future[list[int]]]


class Arrivals:
    """Puts arriving messages into mailboxes. `packs`: compressed, where that is smaller."""

    def __init__(self, database: Database, *, packs: bool = False) -> None:
        self._database = database
        self._packs = packs
        self._pending: list[Pending] = []
        self._rows = 0
        self._writing = False

    def keep(self, arrival: NewMessage, answer: T) -> Promise[T] | None:
        """Store one message the quickest way: the promise is kept with `answer` once it is on disk.
        Its ids come a moment later, before anybody can ask for them. None where `add` has to
        do it."""
        return None if self._packs else self._database.keep(arrival, answer)

    def add(self, arrival: NewMessage) -> asyncio.Future[list[int]]:
        """Store one message; the future ends with its ids once it is on disk."""
        if not self._packs:
            return self._add(arrival)
        if len(arrival.content) > PACKED_AT_ONCE:
            return asyncio.ensure_future(self._add_packed(arrival))
        return self._add(replace(arrival, packed=pack(arrival.content)))

    async def _add_packed(self, arrival: NewMessage) -> list[int]:
        packed = await asyncio.to_thread(pack, arrival.content)
        return await self._add(replace(arrival, packed=packed))

    def _add(self, arrival: NewMessage) -> asyncio.Future[list[int]]:
        if len(arrival.addresses) > LARGEST_GROUP:
            return self._database.write(store_one, arrival)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[int]] = loop.create_future()
        self._pending.append((arrival, future))
        if not self._writing:
            self._writing = True
            loop.call_soon(self._write_next)
        return future

    def _write_next(self) -> None:
        """Write the next group, if anything has come."""
        group = self._take_group()
        self._writing = bool(group)
        if group:
            arrivals = [arrival for arrival, _ in group]
            quick = sum(len(arrival.content) for arrival in arrivals) <= QUICK_OCTETS
            write = self._database.write_quick if quick else self._database.write
            written = write(store_all, arrivals)
            written.add_done_callback(partial(self._written, group))

    def _take_group(self) -> list[Pending]:
        rows = octets = count = 0
        for arrival, _ in self._pending:
            rows += len(arrival.addresses)
            octets += len(arrival.content)
            if count and (rows > LARGEST_GROUP or octets > GROUP_OCTETS):
                break
            count += 1
        group = self._pending[:count]
        del self._pending[:count]
        return group

    def _written(self, group: list[Pending], written: asyncio.Future[list[list[int]]]) -> None:
        self._write_next()
        if written.cancelled() or written.exception() is not None:
            self._write_apart(group, written)
            return
        for (_, future), ids in zip(group, written.result(), strict=True):
            if not future.done():
                future.set_result(ids)

    def _write_apart(self, group: list[Pending], failed: asyncio.Future[list[list[int]]]) -> None:
        """One message may not fail the others: each gets its own answer."""
        if len(group) == 1:
            future = group[0][1]
            if failed.cancelled():
                future.cancel()
            elif not future.done():
                future.set_exception(failed.exception() or RuntimeError("no reason was given"))
            return
        for pending in group:
            alone = self._database.write(store_all, [pending[0]])
            alone.add_done_callback(partial(self._written_alone, pending))

    def _written_alone(self, pending: Pending, written: asyncio.Future[list[list[int]]]) -> None:
        if written.cancelled() or written.exception() is not None:
            self._write_apart([pending], written)
        elif not pending[1].done():
            pending[1].set_result(written.result()[0])


async def store_all(tx: Transaction, arrivals: Sequence[NewMessage]) -> list[list[int]]:
    """Put a group of messages into mailboxes."""
    await locks.order_messages(tx)
    return await messages.add_all(tx, arrivals)


async def store_one(tx: Transaction, arrival: NewMessage) -> list[int]:
    """Put one message with many recipients into their mailboxes."""
    await locks.order_messages(tx)
    return await messages.add(
        tx,
        addresses=arrival.addresses,
        reverse_path=arrival.reverse_path,
        content=arrival.content,
        now=arrival.now,
        packed=arrival.packed,
    )
