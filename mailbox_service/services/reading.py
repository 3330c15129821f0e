"""Read a mailbox: list, open, mark, delete. What comes next is `following`'s.

Every operation names the mailbox that it is for, and finds nothing in any other. Administrators
pass None and see all.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace as with_values

from mailbox_service import signals as topics
from mailbox_service.core.mailbox_limits import Fill
from mailbox_service.core.stored import (
    ANSWERED,
    FLAGGED,
    SEEN,
    Excerpt,
    Filters,
    StoredMessage,
)
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.summarising import summarise_mailbox, summary_of
from mailbox_service.signals import Signals
from mailbox_service.storage import addresses, contents, events, fills, message_lists, messages
from mailbox_service.storage.database import SMALL_OCTETS, Database, TooLarge, Transaction

log = logging.getLogger("mailbox.reading")

# Addresses whose owners were here today, as far as they are remembered; some 200 octets each.
MOST_TOUCHED = 10_000
# A page of a hundred mails may have a hundred of the largest, and takes several times their octets
# while it is made. Larger ones are read and answered mail by mail.
LARGE_OCTETS = 8 << 20
# Further down, SQLite walks over everything above.
QUICK_OFFSET = 1_000

T = TypeVar("T")
Both = tuple[StoredMessage, bytes]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of messages, how many there are in all, and how many of those are unread."""

    messages: list[StoredMessage]
    count: int = 0
    unread: int = 0


class Reading:
    """Reads mailboxes and changes what their owners may change."""

    def __init__(self, database: Database, signals: Signals, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock
        # When the owner of an address has to be noted again.
        self._touched: OrderedDict[str, int] = OrderedDict()

    async def page(
        self,
        address: str | None,
        wanted: Excerpt,
        *,
        counted: bool = True,
        unread_counted: bool = False,
        touch: bool = False,
    ) -> Page:
        """A page of a mailbox. Totals are those of all pages. `touch` notes that the owner was
        here."""

        async def unit(tx: Transaction) -> Page:
            listed = await message_lists.page(tx, address, wanted)
            total = unread = 0
            if counted:
                total = await count(tx, address, wanted)
            if unread_counted:
                unread = await message_lists.count(tx, address, filters=Filters(unread=True))
            return Page(listed, total, unread)

        await self.prepare(address, wanted.filters)
        page = await self.read_page(address, wanted, unit)
        if touch and address is not None:
            await self.touch(address)
        return replace(page, messages=await self.summarised(page.messages))

    async def one(self, address: str | None, message_id: int) -> StoredMessage | None:
        """One message of a mailbox, or None."""

        async def unit(tx: Transaction) -> StoredMessage | None:
            return await owned(tx, address, message_id)

        await self._database.caught_up()
        found = await self._database.read_quick(unit)
        return None if found is None else (await self.summarised([found]))[0]

    async def content(
        self, address: str | None, message_id: int
    ) -> tuple[StoredMessage, bytes] | None:
        """One message of a mailbox with its bytes; empty when those are damaged."""

        async def unit(tx: Transaction, most: int | None = None) -> Both | None:
            found = await owned(tx, address, message_id)
            if found is None:
                return None
            check_octets([found], most)
            return found, await readable(tx, found)

        try:
            both = await self._database.read_small("content", unit, most=SMALL_OCTETS)
        except TooLarge:
            both = await self._database.read(unit)
        if both is None:
            return None
        message, content = both
        if message.summary is None:
            message = with_values(message, summary=await asyncio.to_thread(summary_of, content))
        return message, content

    async def page_with_contents(
        self,
        address: str | None,
        wanted: Excerpt,
        *,
        counted: bool,
        touch: bool = False,
    ) -> tuple[Page, list[bytes] | None]:
        """A page of a mailbox with the bytes of every message, as the mailbox API lists it; None
        for all of them when they are too many to be held: `source` reads each."""

        async def unit(tx: Transaction, most: int | None = None) -> tuple[Page, list[bytes] | None]:
            listed = await message_lists.page(tx, address, wanted)
            check_octets(listed, most)
            total = await count(tx, address, wanted) if counted else 0
            return Page(listed, total), await sources(tx, listed)

        await self.prepare(address, wanted.filters)
        try:
            small = partial(unit, most=SMALL_OCTETS)
            page, raw = await self.read_page(address, wanted, small)
        except TooLarge:
            page, raw = await self._database.read(unit)
        if touch and address is not None:
            await self.touch(address)
        return page, raw

    async def source(self, message: StoredMessage) -> bytes | None:
        """The bytes of a listed message; None when it was deleted since."""
        return await self._database.read(content_or_none, message)

    async def prepare(self, address: str | None, filters: Filters) -> None:
        """Before a search: what came a moment ago can be found, too."""
        if filters and address is not None:
            await summarise_mailbox(self._database, address)

    async def read_page(
        self,
        address: str | None,
        wanted: Excerpt,
        unit: Callable[[Transaction], Coroutine[Any, Any, T]],
    ) -> T:
        """Read a page on the event loop where it is likely to be quick: the top of one mailbox,
        not searched."""
        if address is None or wanted.filters or wanted.offset > QUICK_OFFSET:
            return await self._database.read(unit)
        return await self._database.read_small(f"page:{address}", unit)

    async def touch(self, address: str) -> None:
        """Note that the owner of an address was here; written once a day."""
        now = self._clock()
        due = self._touched.get(address)
        if due is not None and now < due:
            return
        row = await self._database.read_quick(addresses.by_address, address)
        if row is None:
            return
        last = row.updated_at
        if last < now - addresses.DAY:
            await self._database.write(addresses.touch, address, now)
            last = now
        self._touched[address] = min(last, now) + addresses.DAY
        self._touched.move_to_end(address)
        if len(self._touched) > MOST_TOUCHED:
            self._touched.popitem(last=False)

    async def mark(
        self,
        address: str,
        ids: Sequence[int],
        *,
        seen: bool | None = None,
        flagged: bool | None = None,
        answered: bool | None = None,
    ) -> int:
        """Set or clear marks of messages; None leaves a mark as it is. How many changed."""

        async def unit(tx: Transaction, now: int) -> int:
            return await mark_in(
                tx, address, ids, seen=seen, flagged=flagged, answered=answered, now=now
            )

        return await self._write_and_tell(address, unit)

    async def delete(self, address: str | None, ids: Sequence[int]) -> int:
        """Delete messages; how many were there."""

        async def unit(tx: Transaction, now: int) -> int:
            owners: dict[str, list[int]] = {}
            for found in await messages.by_ids(tx, ids):
                owners.setdefault(found.address, []).append(found.id)
            removed = await messages.remove(tx, address, ids)
            for owner, theirs in owners.items():
                gone = [message_id for message_id in theirs if message_id in removed]
                if gone:
                    await events.add(tx, "deleted", at=now, address=owner, detail={"ids": gone})
            return len(removed)

        return await self._write_and_tell(address, unit)

    async def fill(self, address: str) -> Fill:
        """How full a mailbox is now; it costs what the mailbox holds."""
        return await self._database.read(fills.fill_of, address, now=self._clock())

    async def _write_and_tell(
        self, address: str | None, unit: Callable[[Transaction, int], Coroutine[Any, Any, int]]
    ) -> int:
        changed = await self._database.write(unit, self._clock())
        if changed and address is not None:
            self._signals.notify(topics.mailbox(address))
        return changed

    async def summarised(self, listed: list[StoredMessage]) -> list[StoredMessage]:
        """The messages with a summary each; those that the worker has not read yet are read
        here and now."""
        missing = [message for message in listed if message.summary is None]
        if not missing:
            return listed

        async def unit(tx: Transaction) -> list[bytes]:
            return [await readable(tx, message) for message in missing]

        raw = await self._database.read(unit)
        read = await asyncio.to_thread(lambda: [summary_of(content) for content in raw])
        found = {message.id: summary for message, summary in zip(missing, read, strict=True)}
        return [
            message if message.summary else with_values(message, summary=found[message.id])
            for message in listed
        ]


async def count(tx: Transaction, address: str | None, wanted: Excerpt) -> int:
    """How many messages there are on all pages."""
    return await message_lists.count(
        tx, address, filters=wanted.filters, unknown_only=wanted.unknown_only
    )


async def mark_in(
    tx: Transaction,
    address: str,
    ids: Sequence[int],
    *,
    seen: bool | None,
    flagged: bool | None,
    answered: bool | None,
    now: int,
) -> int:
    """Set or clear marks of messages of a mailbox, and tell it; how many changed."""
    wanted = {SEEN: seen, FLAGGED: flagged, ANSWERED: answered}
    with_flags = sum(flag for flag, value in wanted.items() if value is True)
    without = sum(flag for flag, value in wanted.items() if value is False)
    detail: dict[str, Any] = {"ids": list(ids)}
    for name, value in (("seen", seen), ("flagged", flagged), ("answered", answered)):
        if value is not None:
            detail[name] = value
    changed = await messages.mark(tx, address, ids, with_flags=with_flags, without=without)
    if changed:
        await events.add(tx, "flags", at=now, address=address, detail=detail)
    return changed


async def owned(tx: Transaction, address: str | None, message_id: int) -> StoredMessage | None:
    """One message, when it is in the mailbox."""
    found = await messages.by_id(tx, message_id)
    if found is None or (address is not None and found.address != address):
        return None
    return found


def check_octets(found: Sequence[StoredMessage], most: int | None) -> None:
    """Raises TooLarge when messages have more octets in all."""
    if most is not None and sum(message.size for message in found) > most:
        raise TooLarge


async def readable(tx: Transaction, message: StoredMessage) -> bytes:
    """The bytes of a message; none when they are damaged, and the administrator is told."""
    try:
        return await contents.read(tx, message.content_id)
    except contents.Damaged as damage:
        log.error("content-damaged message=%d reason=%s", message.id, damage)
        return b""


async def content_or_none(tx: Transaction, message: StoredMessage) -> bytes | None:
    """The bytes of a mail; None when it was deleted since it was listed."""
    if await messages.by_id(tx, message.id) is None:
        return None
    return await readable(tx, message)


async def sources(tx: Transaction, listed: Sequence[StoredMessage]) -> list[bytes] | None:
    """The bytes of the messages of a page; None when they are too many to be held at once."""
    if sum(message.size for message in listed) > LARGE_OCTETS:
        return None
    return await all_readable(tx, listed)


async def all_readable(tx: Transaction, listed: Sequence[StoredMessage]) -> list[bytes]:
    """The bytes of several messages, in one statement: one each is most of what a page costs."""
    found = await contents.read_all(tx, {message.content_id for message in listed})
    return [
        # What is not whole is read again, for its reason.
        found[message.content_id] or await readable(tx, message)
        for message in listed
    ]
