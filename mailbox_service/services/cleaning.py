"""Deleting by age and by rule: when an administrator asks, every night, and at the end of an
address's lifetime. What is deleted then, and how, is `sweeping`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from mailbox_service.config import Config
from mailbox_service.core import cleanup
from mailbox_service.core.cleanup import DAY, Kind, Problem, Run
from mailbox_service.core.cleanup_statement import read_statement
from mailbox_service.core.errors import BadRequest, MailError
from mailbox_service.services.administering import Administering
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.chores import Chore, NotOurs
from mailbox_service.services.cleanup_runs import CleanupRuns
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sweeping import Sweeping
from mailbox_service.signals import Signals
from mailbox_service.storage import cleaning, daily_requests, opened_batches
from mailbox_service.storage.cleaning import DueAddresses, OldRows
from mailbox_service.storage.database import Database

log = logging.getLogger("mailbox.cleaning")

SETTING = "auto_cleanup"
# How often ends of lifetimes, the clock and old counts are looked at.
LOOK_AGAIN_SECONDS = 5.0
TROUBLE_SECONDS = 10.0
TIDY_EVERY = 60 * 1_000_000
TIDY_ROWS = 500
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
        self._clock = clock
        self._batch = cleanup.batch_size(config.cleanup_batch_size)
        self._event_days = config.event_history_days
        self._runs = CleanupRuns(database, clock=clock)
        self._nightly = Chore(SETTING, database, called="cleanup", clock=clock)
        self._sweeping = Sweeping(
            database, config, authenticating, signals, rest=self._nightly.rest, clock=clock
        )
        self._done_day = -1
        self._tidied = 0

    # What an administrator asks for

    async def clean(self, kind: Kind, days: float, *, asked_by: str = "admin") -> int:
        """One run of one kind: how many rows were deleted. Raises TemporaryFailure."""
        limit = self._batch if kind.in_batches else None
        before = cleanup.before(self._clock(), days)
        if kind.name in OLD_ROWS:
            steps = self._sweeping.old_rows(OLD_ROWS[kind.name], before, limit)
        else:
            steps = self._sweeping.addresses(DUE_ADDRESSES[kind.name], before, limit)
        return await self._recorded(kind.name, asked_by, steps)

    async def clean_by_statement(self, name: str, sql: str, *, asked_by: str = "admin") -> int:
        """Delete what a statement selects; how many rows. Raises BadRequest for one that cannot
        be run here."""
        now = self._clock()
        try:
            selection = read_statement(sql, now=now)
        except BadRequest as error:
            await self._runs.write_down(
                f"[{name}]", asked_by, began=now, removed=0, problem=error.detail
            )
            raise
        return await self._recorded(f"[{name}]", asked_by, self._sweeping.selected(selection))

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
            await self._sweeping.matching(selection, after=None, window=1)
        except BadRequest as error:
            return error.detail
        return ""

    async def runs(self, *, limit: int, before_id: int | None = None) -> list[Run]:
        """What cleanups did, newest first."""
        return await self._runs.newest(limit=limit, before_id=before_id)

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
        async for count in self._sweeping.addresses(cleaning.ENDED, now + 1, None):
            removed += count
        log.info("addresses-ended count=%d", removed)
        return removed

    async def clean_daily(self) -> bool:
        """Once a UTC day, in one process of all, do what the stored settings say; True when it
        was done now."""
        today = self._clock() // DAY
        if today <= self._done_day:
            return False
        if await self._nightly.last_done(today) >= today:
            self._done_day = today
            return False
        try:
            await self._nightly.once(today, self._clean_all)
        except NotOurs:
            return False
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
            except NotOurs:
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
            await self._recorded("events", "schedule", self._sweeping.old_events(before))

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
        except NotOurs:
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
            await self._runs.write_down(
                kind, asked_by, began=began, removed=removed, problem=problem
            )
        return removed
