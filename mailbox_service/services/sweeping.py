"""What a cleanup deletes, step by step.

Every step is one short transaction that leaves the store whole, so a kill loses nothing but the
unfinished rest, which the next run finds again. Between steps whoever writes has its turn, and
after each the worker rests.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.cleanup_statement import WORDS, Selection
from mailbox_service.core.errors import BadRequest, StatementRefused
from mailbox_service.core.stored import Address
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.clock import Clock
from mailbox_service.services.closing import close_address, hold_of
from mailbox_service.signals import Signals
from mailbox_service.storage import cleaning
from mailbox_service.storage.cleaning import DueAddresses, OldRows
from mailbox_service.storage.closed_names import Hold
from mailbox_service.storage.database import Database, Transaction

# One step: so many rows and octets are deleted within some ten milliseconds, and nobody's mail
# waits longer than that for its turn.
STEP_ROWS = 200
STEP_OCTETS = 4 << 20
# Events are some hundred octets each, and nothing belongs to them.
STEP_EVENTS = 500
# Where sizes are not known beforehand.
STEP_UNSIZED = 50
# Addresses closed in one commit; each is a unit of its own.
CLOSED_AT_ONCE = 20
PAGE = 200
# All that one statement may take of one run; what is left is found by the next.
STATEMENT_SECONDS = 60.0


class Sweeping:
    """Looks for rows and deletes them; each deletion yields how many rows a step took. `rest` is
    awaited after a step, with the time of `time.monotonic` at which that began."""

    def __init__(
        self,
        database: Database,
        config: Config,
        authenticating: Authenticating,
        signals: Signals,
        *,
        rest: Callable[[float], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._database = database
        self._config = config
        self._authenticating = authenticating
        self._signals = signals
        self._rest = rest
        self._clock = clock

    async def old_rows(self, old: OldRows, before: int, limit: int | None) -> AsyncIterator[int]:
        """Delete old mail, or take old sent mail off its lists, lowest ids first."""
        first, highest = await self._database.read(cleaning.bounds, old.table)
        left = limit
        while first <= highest and (left is None or left > 0):
            last = first + cleaning.WINDOW - 1
            wanted = PAGE if left is None else min(PAGE, left)
            found = await self._database.read(
                cleaning.find_rows, old, before=before, first=first, last=last, limit=wanted
            )
            remove = cleaning.remove_mail if old.table == "messages" else cleaning.unlist_sent
            for ids in portions(found):
                count = await self._mail_step(remove, ids, old, before)
                left = None if left is None else left - count
                yield count
            # A full page may end within the window.
            first = found[-1][0] + 1 if len(found) == wanted else last + 1

    async def old_events(self, before: int) -> AsyncIterator[int]:
        """Forget old events, the oldest first, until there is a step that finds none."""
        after: int | None = 0
        while after is not None:
            began = time.monotonic()
            count, after = await self._database.write(
                cleaning.forget_events, before=before, after=after, limit=STEP_EVENTS
            )
            if not count:
                return
            yield count
            await self._rest(began)

    async def _mail_step(
        self, remove: Any, ids: Sequence[int], old: OldRows | None, before: int
    ) -> int:
        began = time.monotonic()
        owners: list[str] = await self._database.write(remove, ids, old=old, before=before)
        for owner in set(owners):
            self._signals.notify(topics.mailbox(owner))
        await self._rest(began)
        return len(owners)

    async def addresses(
        self, due: DueAddresses, before: int, limit: int | None
    ) -> AsyncIterator[int]:
        """Close due addresses with all that belongs to them, oldest first."""
        after = (-1 << 62, 0)
        left = limit
        while left is None or left > 0:
            wanted = PAGE if left is None else min(PAGE, left)
            found = await self._database.read(
                cleaning.find_addresses, due, before=before, after=after, limit=wanted
            )
            for at in range(0, len(found), CLOSED_AT_ONCE):
                ids = [address_id for _, address_id in found[at : at + CLOSED_AT_ONCE]]
                count = await self._close_all(ids, due, before)
                left = None if left is None else left - count
                yield count
            if len(found) < wanted:
                return
            after = found[-1]

    async def _close_all(self, ids: Sequence[int], due: DueAddresses | None, before: int) -> int:
        """Close several addresses; how many were (still) due."""
        closed = 0
        waiting = list(ids)
        while waiting:
            began = time.monotonic()
            hold = hold_of(self._config, self._clock())
            steps = [
                self._database.write(close_step, address_id, due=due, before=before, hold=hold)
                for address_id in waiting
            ]
            outcomes = await asyncio.gather(*steps)
            waiting = []
            for owner, is_closed in filter(None, outcomes):
                self._signals.notify(topics.mailbox(owner.address))
                if is_closed:
                    closed += 1
                else:
                    waiting.append(owner.id)
            self._authenticating.forget()
            await self._rest(began)
        if closed:
            self._signals.notify(topics.ADDRESSES)
        return closed

    async def selected(self, selection: Selection) -> AsyncIterator[int]:
        """Delete what a statement selects, window by window."""
        after: cleaning.Key | None = None
        ends = time.monotonic() + STATEMENT_SECONDS
        while True:
            window = await self.matching(selection, after=after, window=cleaning.WINDOW)
            for at in range(0, len(window.keys), STEP_UNSIZED):
                yield await self._remove_selected(
                    selection.table, window.keys[at : at + STEP_UNSIZED]
                )
            if window.end is None or time.monotonic() > ends:
                return
            after = window.end

    async def matching(
        self, selection: Selection, *, after: cleaning.Key | None, window: int
    ) -> cleaning.Window:
        """What a statement selects next. Raises BadRequest for a statement that passed our reader
        and that the store does not take; TemporaryFailure for trouble of the store."""
        try:
            return await self._database.read(
                cleaning.find_matching, selection, after=after, window=window
            )
        except StatementRefused as refused:
            raise BadRequest(WORDS.say("not-understood")) from refused

    async def _remove_selected(self, table: str, keys: Sequence[cleaning.Key]) -> int:
        if table == "raw_mails":
            return await self._mail_step(cleaning.remove_mail, numbers(keys), None, 0)
        if table == "sendbox":
            return await self._mail_step(cleaning.unlist_sent, numbers(keys), None, 0)
        if table == "address":
            return await self._close_all(numbers(keys), None, 0)
        began = time.monotonic()
        if table == "auto_reply_mails":
            removing = [self._database.write(cleaning.remove_auto_reply, str(key)) for key in keys]
        else:
            removing = [self._database.write(cleaning.remove_allowance, int(key)) for key in keys]
        removed = sum(await asyncio.gather(*removing))
        await self._rest(began)
        return removed


async def close_step(
    tx: Transaction,
    address_id: int,
    *,
    due: DueAddresses | None,
    before: int,
    hold: Hold | None = None,
) -> tuple[Address, bool] | None:
    """Close an address that is (still) due, or delete some of its mail when it has much: the
    address, and whether it is closed now. None when it is not due any more.

    Each step asks again, so an owner who comes back meanwhile keeps the address.
    """
    owner = await cleaning.still_due(tx, address_id, due, before=before)
    if owner is None:
        return None
    found = await cleaning.oldest_mail(tx, owner.address, limit=STEP_ROWS)
    removed = next(portions(found), [])
    await cleaning.remove_mail(tx, removed, old=None, before=before)
    unlisted = await cleaning.unlist_oldest(tx, owner.address, limit=STEP_ROWS)
    if len(removed) < len(found) or STEP_ROWS in (len(found), unlisted):
        return owner, False
    await close_address(tx, owner.id, owner.address, hold=hold)
    return owner, True


def portions(found: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Ids with sizes as steps of so many rows and octets; a large one has a step of its own."""
    ids: list[int] = []
    octets = 0
    for one, size in found:
        if ids and (len(ids) >= STEP_ROWS or octets + size > STEP_OCTETS):
            yield ids
            ids, octets = [], 0
        ids.append(one)
        octets += size
    if ids:
        yield ids


def numbers(keys: Sequence[cleaning.Key]) -> list[int]:
    """Keys that are ids."""
    return [int(key) for key in keys]
