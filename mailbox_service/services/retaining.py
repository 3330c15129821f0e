"""Retention by size: when all arrived mail is larger than `retention_octets`, the oldest goes.

How much there is is added up mail by mail in portions: nothing is written for it while mail
arrives. Behind what was added up only new mail is read, so what was deleted meanwhile makes the
sum too large, never too small; before anything is deleted all is added up anew.
"""

from __future__ import annotations

import asyncio
import logging
import time

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.errors import MailError
from mailbox_service.services.chores import Chore, NotOurs
from mailbox_service.services.cleanup_runs import CleanupRuns
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sweeping import portions
from mailbox_service.signals import Signals
from mailbox_service.storage import cleaning, cursors, fills
from mailbox_service.storage.database import Database

log = logging.getLogger("mailbox.cleaning")

# The kind of its runs, beside those of the cleanup.
KIND = "retention_octets"
MINUTE = 60 * 1_000_000
LOOK_AGAIN_SECONDS = 60.0
TROUBLE_SECONDS = 10.0
# Rows that one reading unit adds up or looks through: some milliseconds.
PORTION = 5_000
PAGE = 200
# So much less than allowed is kept, in hundredths: a store at its bound would be added up anew
# every minute otherwise.
SLACK = 2
# Mail of the last minute stays: what follows from it (forwards, webhooks) may not be done.
SPARED_MICROS = MINUTE
# All is added up anew after so long, so that the figure does not stay too large.
ADD_UP_SECONDS = 3_600.0


class Retaining:
    """Keeps all arrived mail below a size. A mail in two mailboxes counts twice."""

    def __init__(
        self, database: Database, config: Config, signals: Signals, *, clock: Clock = now_micros
    ) -> None:
        self._database = database
        self._most = config.retention_octets
        self._signals = signals
        self._clock = clock
        self._runs = CleanupRuns(database, clock=clock)
        self._chore = Chore("retention", database, called="retention", clock=clock)
        self._octets = self._position = 0
        self._added_up: float | None = None

    async def run(self) -> None:
        """Look once a minute, until cancelled."""
        while True:
            pause = LOOK_AGAIN_SECONDS
            try:
                await self.look()
            except MailError as error:
                log.warning("retention-waits reason=%s", error.detail)
                pause = TROUBLE_SECONDS
            await asyncio.sleep(pause)

    async def look(self) -> int:
        """Once a minute, in one process of all, delete what is too much; how many mails. Raises
        TemporaryFailure."""
        minute = self._clock() // MINUTE
        await self._chore.last_done(minute - 1)
        try:
            return await self._chore.once(minute, self._keep_below)
        except NotOurs:
            return 0

    async def _keep_below(self) -> int:
        added_up = self._added_up
        if added_up is None or time.monotonic() - added_up > ADD_UP_SECONDS:
            await self._add_up_anew()
        else:
            await self._add_up()
            if self._octets > self._most:
                await self._add_up_anew()
        removed = 0
        if self._octets > self._most:
            removed = await self._recorded()
        await self._database.write(cursors.put, fills.MAIL_OCTETS, self._octets)
        return removed

    async def _add_up_anew(self) -> None:
        self._octets = self._position = 0
        self._added_up = None
        await self._add_up()
        self._added_up = time.monotonic()

    async def _add_up(self) -> None:
        """Add up what came since."""
        count = PORTION
        while count == PORTION:
            began = time.monotonic()
            octets, self._position, count = await self._database.read(
                fills.octets_behind, after=self._position, limit=PORTION
            )
            self._octets += octets
            await self._chore.rest(began)

    async def _recorded(self) -> int:
        """Delete, and write down what became of it."""
        began, before, removed, problem = self._clock(), self._octets, 0, ""
        try:
            after, more = 0, True
            while more:
                count, after, more = await self._step(after, before=began - SPARED_MICROS)
                removed += count
        except MailError as error:
            problem = error.detail
            raise
        finally:
            log.info(
                "cleanup kind=%s by=schedule removed=%d octets_before=%d octets=%d",
                KIND,
                removed,
                before,
                self._octets,
            )
            if removed or problem:
                await self._runs.write_down(
                    KIND, "schedule", began=began, removed=removed, problem=problem
                )
        return removed

    async def _step(self, after: int, *, before: int) -> tuple[int, int, bool]:
        """Delete some of the oldest mails behind an id that arrived before a time: how many, the
        last id that was looked at, and whether there is more to do."""
        target = self._most - self._most * SLACK // 100
        found = await self._database.read(fills.oldest, after=after, before=before, limit=PAGE)
        chosen, left = [], self._octets
        for one, size in found:
            if left <= target:
                break
            chosen.append((one, size))
            left -= size
        sizes, removed = dict(chosen), 0
        for ids in portions(chosen):
            began = time.monotonic()
            owners = await self._database.write(cleaning.remove_mail, ids, old=None, before=0)
            # What its owner deleted meanwhile is gone too.
            self._octets -= sum(sizes[one] for one in ids)
            removed += len(owners)
            for owner in set(owners):
                self._signals.notify(topics.mailbox(owner))
            await self._chore.rest(began)
        full_page = len(found) == PAGE
        return removed, chosen[-1][0] if chosen else after, full_page and self._octets > target
