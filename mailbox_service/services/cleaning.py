"""Deleting by age and by rule: when an administrator asks, every night, and at the end of an
address's lifetime.

Every step is one short transaction that leaves the store whole, so a kill loses nothing but the
unfinished rest, which the next run finds again. Between steps whoever writes has its turn, and
after each the worker rests for as long as the step took.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core import cleanup
from mailbox_service.core.cleanup import DAY, Kind, Problem, Run
from mailbox_service.core.cleanup_statement import WORDS, Selection, read_statement
from mailbox_service.core.errors import BadRequest, MailError, StatementRefused
from mailbox_service.core.stored import Address
from mailbox_service.services.administering import Administering
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.registering import close_address, hold_of
from mailbox_service.signals import Signals
from mailbox_service.storage import chores, cleaning, daily_requests, opened_batches
from mailbox_service.storage.cleaning import DueAddresses, OldRows
from mailbox_service.storage.closed_names import Hold
from mailbox_service.storage.database import Database, Transaction

log = logging.getLogger("mailbox.cleaning")

SETTING = "auto_cleanup"
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
# Rest after a step for as many times as long as it took.
REST = 1.0
# All that one statement may take of one run; what is left is found by the next.
STATEMENT_SECONDS = 60.0
# How often ends of lifetimes, the clock and old counts are looked at.
LOOK_AGAIN_SECONDS = 5.0
TROUBLE_SECONDS = 10.0
TIDY_EVERY = 60 * 1_000_000
TIDY_ROWS = 500
# A lease is kept up while the work goes on; whoever died held it no longer than this.
LEASE_MICROS = 120 * 1_000_000
RENEW_SECONDS = 20.0
KEPT_RUNS = 1000
# How long a key under which addresses were opened together is remembered.
BATCH_MICROS = DAY

OLD_ROWS: dict[str, OldRows] = {
    cleanup.MAILS.name: cleaning.OLD_MAIL,
    cleanup.MAILS_UNKNOWN.name: cleaning.OLD_UNKNOWN_MAIL,
    cleanup.SENDBOX.name: cleaning.OLD_SENT,
}
DUE_ADDRESSES: dict[str, DueAddresses] = {
    cleanup.INACTIVE_ADDRESS.name: cleaning.INACTIVE,
    cleanup.ADDRESS_CREATED.name: cleaning.CREATED,
    cleanup.UNBOUND_ADDRESS.name: cleaning.UNBOUND,
    cleanup.EMPTY_ADDRESS.name: cleaning.EMPTY,
}


class LeaseLost(Exception):
    """Another process does the daily cleanup by now."""


class Cleaning:
    """Runs cleanups; `run` is the worker that does it by itself."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        authenticating: Authenticating,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._administering = administering
        self._authenticating = authenticating
        self._signals = signals
        self._clock = clock
        self._config = config
        self._batch = cleanup.batch_size(config.cleanup_batch_size)
        self._event_days = config.event_history_days
        self._holder = secrets.token_hex(8)
        self._renewed: float | None = None
        self._done_day = -1
        self._tidied = 0

    # What an administrator asks for

    async def clean(self, kind: Kind, days: float, *, asked_by: str = "admin") -> int:
        """One run of one kind: how many rows were deleted. Raises TemporaryFailure."""
        limit = self._batch if kind.in_batches else None
        before = cleanup.before(self._clock(), days)
        if kind.name in OLD_ROWS:
            steps = self._old_rows(OLD_ROWS[kind.name], before, limit)
        else:
            steps = self._addresses(DUE_ADDRESSES[kind.name], before, limit)
        return await self._recorded(kind.name, asked_by, steps)

    async def clean_by_statement(self, name: str, sql: str, *, asked_by: str = "admin") -> int:
        """Delete what a statement selects; how many rows. Raises BadRequest for one that cannot
        be run here."""
        now = self._clock()
        try:
            selection = read_statement(sql, now=now)
        except BadRequest as error:
            await self._write_down(f"[{name}]", asked_by, now, 0, error.detail)
            raise
        return await self._recorded(f"[{name}]", asked_by, self._selected(selection))

    async def automatic(self) -> Any:
        """The settings of the automatic cleanup as they were saved; None when they never were."""
        return await self._administering.stored(SETTING)

    async def save_automatic(self, posted: Any) -> list[Problem]:
        """Save the settings of the automatic cleanup. Raises BadRequest by the contract's rules;
        returns what is wrong with statements that follow them and still cannot be run here.
        Raises TemporaryFailure when the store cannot be asked about them; nothing is saved then."""
        cleanup.check_automatic(posted)
        problems = []
        for entry in cleanup.listed_statements(posted):
            problem = await self._problem_of(entry.get("sql"))
            if problem:
                problems.append(Problem(cleanup.name_of(entry), problem))
        await self._administering.change({SETTING: posted})
        return problems

    async def _problem_of(self, sql: Any) -> str:
        """Why a statement cannot be run here; empty when it can. It is tried on one row, and
        nothing is deleted."""
        try:
            selection = read_statement(sql, now=self._clock())
        except BadRequest as error:
            return error.detail
        try:
            await self._matching(selection, after=None, window=1)
        except BadRequest as error:
            return error.detail
        return ""

    async def runs(self, *, limit: int, before_id: int | None = None) -> list[Run]:
        """What cleanups did, newest first."""
        return await self._database.read(chores.runs, limit=limit, before_id=before_id)

    # What happens by itself

    async def run(self) -> None:
        """Remove what has ended, and clean every night, until cancelled."""
        while True:
            pause = LOOK_AGAIN_SECONDS
            try:
                await self.remove_ended()
                await self.clean_daily()
                await self._tidy()
            except MailError as error:
                log.warning("cleanup-waits reason=%s", error.detail)
                pause = TROUBLE_SECONDS
            await asyncio.sleep(pause)

    async def remove_ended(self) -> int:
        """Remove the addresses whose lifetime is over, with all that belongs to them."""
        now = self._clock()
        end = await self._database.read_quick(cleaning.next_end)
        if end is None or end > now:
            return 0
        removed = 0
        async for count in self._addresses(cleaning.ENDED, now + 1, None):
            removed += count
        log.info("addresses-ended count=%d", removed)
        return removed

    async def clean_daily(self) -> bool:
        """Once a UTC day, in one process of all, do what the stored settings say; True when it
        was done now."""
        now = self._clock()
        today = now // DAY
        if today <= self._done_day:
            return False
        done = await self._database.write(chores.last_done, SETTING, today=today)
        if done >= today:
            self._done_day = today
            return False
        claimed = await self._database.write(
            chores.claim,
            SETTING,
            holder=self._holder,
            today=today,
            now=now,
            lease_until=now + LEASE_MICROS,
        )
        if not claimed:
            return False
        self._renewed = time.monotonic()
        try:
            await self._clean_all()
        except LeaseLost:
            log.warning("cleanup-lease-lost")
            return False
        finally:
            self._renewed = None
        await self._database.write(chores.finish, SETTING, holder=self._holder, today=today)
        self._done_day = today
        return True

    async def _clean_all(self) -> None:
        """Every enabled part, whatever becomes of the others (mailbox-api §12.2)."""
        wanted = cleanup.automatic(await self._administering.stored(SETTING))
        for kind, days in wanted.kinds:
            try:
                # Night after night a batch would never catch up with a busy service.
                while await self.clean(kind, days, asked_by="schedule") >= self._batch:
                    if not kind.in_batches:
                        break
            except MailError as error:
                log.warning("cleanup-failed kind=%s reason=%s", kind.name, error.detail)
        for name, sql in wanted.statements:
            try:
                await self.clean_by_statement(name, sql, asked_by="schedule")
            except LeaseLost:
                raise
            except Exception as error:
                reason = error.detail if isinstance(error, MailError) else type(error).__name__
                log.warning("cleanup-failed statement=%r reason=%s", name, reason)
        try:
            await self._forget_events()
        except MailError as error:
            log.warning("cleanup-failed kind=events reason=%s", error.detail)

    async def _forget_events(self) -> None:
        """Whatever the stored settings say: nobody asks for the table of events to grow."""
        before = cleanup.before(self._clock(), self._event_days)
        oldest = await self._database.read(cleaning.oldest_event)
        if oldest is not None and oldest < before:
            await self._recorded("events", "schedule", self._old_events(before))

    async def _tidy(self) -> None:
        """Once a minute, forget counts of days gone by and keys that are too old."""
        now = self._clock()
        if now - self._tidied < TIDY_EVERY:
            return
        self._tidied = now
        today = now // DAY
        await self._database.write(daily_requests.forget, today=today, limit=TIDY_ROWS)
        await self._database.write(
            opened_batches.forget, before=now - BATCH_MICROS, limit=TIDY_ROWS
        )

    async def _recorded(self, kind: str, asked_by: str, steps: AsyncIterator[int]) -> int:
        """Take all steps, and write down what became of them."""
        began, removed, problem = self._clock(), 0, ""
        try:
            async for count in steps:
                removed += count
        except LeaseLost:
            raise
        except MailError as error:
            problem = error.detail
            raise
        except Exception as error:
            problem = type(error).__name__
            raise
        finally:
            if removed or not problem:
                log.info("cleanup kind=%s by=%s removed=%d", kind, asked_by, removed)
            await self._write_down(kind, asked_by, began, removed, problem)
        return removed

    async def _write_down(
        self, kind: str, asked_by: str, began: int, removed: int, problem: str
    ) -> None:
        try:
            await self._database.write(
                chores.record,
                kind=kind,
                asked_by=asked_by,
                began_at=began,
                ended_at=self._clock(),
                removed=removed,
                problem=str(problem),
                kept=KEPT_RUNS,
            )
        except MailError as error:
            log.warning("cleanup-not-recorded reason=%s", error.detail)

    # Steps

    async def _old_rows(self, old: OldRows, before: int, limit: int | None) -> AsyncIterator[int]:
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

    async def _old_events(self, before: int) -> AsyncIterator[int]:
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

    async def _addresses(
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

    async def _selected(self, selection: Selection) -> AsyncIterator[int]:
        """Delete what a statement selects, window by window."""
        after: cleaning.Key | None = None
        ends = time.monotonic() + STATEMENT_SECONDS
        while True:
            window = await self._matching(selection, after=after, window=cleaning.WINDOW)
            for at in range(0, len(window.keys), STEP_UNSIZED):
                yield await self._remove_selected(
                    selection.table, window.keys[at : at + STEP_UNSIZED]
                )
            if window.end is None or time.monotonic() > ends:
                return
            after = window.end

    async def _matching(
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

    async def _rest(self, began: float) -> None:
        """Give way to everybody else; keep the lease of the day while there is one. Raises
        LeaseLost."""
        await asyncio.sleep((time.monotonic() - began) * REST)
        if self._renewed is None or time.monotonic() - self._renewed < RENEW_SECONDS:
            return
        self._renewed = time.monotonic()
        until = self._clock() + LEASE_MICROS
        kept = await self._database.write(
            chores.renew, SETTING, holder=self._holder, lease_until=until
        )
        if not kept:
            raise LeaseLost


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
