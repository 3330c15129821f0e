"""Limits of each mailbox: what it may hold, and what may arrive for it.

The store knows how full a mailbox is, and is asked when nothing is known: by one statement, after
which arriving mail is counted in memory. So a busy mailbox costs a statement each half a minute.
What is remembered is never less than what there is, as far as this process is concerned:
deletions make room only when the store is asked again, which is done before a mailbox is called
full. Mail that other processes take (on PostgreSQL) is seen within the same half a minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from mailbox_service.config import Config
from mailbox_service.core.errors import MailboxFull
from mailbox_service.core.mailbox_limits import HOUR, MINUTE, Fill, MailboxLimits
from mailbox_service.services.clock import Clock
from mailbox_service.storage import fills
from mailbox_service.storage.database import Database

# How long an answer of the store is believed, and at least so many times as long as it took.
KNOWN_MICROS = 30 * 1_000_000
KNOWN_TIMES = 100
# A full mailbox is looked at again after this, when more mail comes: its owner may have deleted.
# And after so many times as long as the look took, since who sends there need not stop.
FULL_MICROS = 1_000_000
FULL_TIMES = 10
# Mailboxes that are remembered, some 300 octets each; the one that was read first is forgotten.
MOST_KNOWN = 20_000


class Known:
    """What is remembered of one mailbox."""

    __slots__ = ("again", "at", "fill", "flying", "flying_octets", "since", "since_octets", "until")

    def __init__(self) -> None:
        self.fill = Fill()
        self.at = 0
        """When arrivals were counted last: others belong to another minute or hour."""
        self.again = 0
        """From then on the store is asked before it is called full."""
        self.until = 0
        # Mail that was taken and is not answered: the store may hold it or not. And what was
        # taken since the store is being asked.
        self.flying = self.flying_octets = 0
        self.since = self.since_octets = 0

    def turn(self, now: int) -> Fill:
        """How full it is, the arrivals being those of this minute and hour."""
        if now // MINUTE != self.at // MINUTE:
            self.fill.in_minute = 0
            if now // HOUR != self.at // HOUR:
                self.fill.in_hour = 0
            self.at = now
        return self.fill

    def add(self, number: int, octets: int) -> None:
        """Count mail that arrives, or that could not be stored after all (a negative number)."""
        fill = self.fill
        fill.mails = max(0, fill.mails + number)
        fill.octets = max(0, fill.octets + octets)
        fill.in_minute = max(0, fill.in_minute + number)
        fill.in_hour = max(0, fill.in_hour + number)
        self.since += number
        self.since_octets += octets
        self.flying += number
        self.flying_octets += octets


class Taken:
    """Room that a mail has in its mailboxes, until the store has it."""

    __slots__ = ("_mailboxes", "_size")

    def __init__(self, mailboxes: Sequence[Known], size: int) -> None:
        self._mailboxes = mailboxes
        self._size = size
        for known in mailboxes:
            known.add(1, size)

    def landed(self, answer: Any = None) -> None:
        """The mail is stored, or (as `answer` says) was refused after all."""
        failed = answer is not None and (answer.cancelled() or answer.exception() is not None)
        for known in self._mailboxes:
            if failed:
                known.add(-1, -self._size)
            else:
                known.flying -= 1
                known.flying_octets -= self._size


class Limiting:
    """Judges whether mailboxes take further mail. All refusals are temporary but that of a mail
    which is larger than any mailbox."""

    def __init__(self, database: Database, limits: MailboxLimits, *, clock: Clock) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock
        self._known: dict[str, Known] = {}
        self._reading: dict[str, asyncio.Task[Known]] = {}

    def allows_now(self, mailbox: str, *, size: int = 0) -> bool:
        """Judge from memory; False when the store must be asked. Raises MailboxFull or
        TooManyRequests."""
        return self._judged_now(mailbox, size) is not None

    async def allow(self, mailbox: str, *, size: int = 0) -> None:
        """Judge with the store where that is needed. Raises TemporaryFailure too."""
        await self._judged(mailbox, size)

    def take_now(self, mailboxes: Sequence[str], size: int) -> Taken | None:
        """Count a mail of so many octets that arrives; None when the store must be asked first.
        Raises MessageTooBig, MailboxFull or TooManyRequests; then it is counted nowhere.

        A mail for several mailboxes only needs some room in each: the sender would be told to
        come again with all of them, though only one is nearly full.
        """
        self._limits.check_size(size)
        alone = size if len(mailboxes) == 1 else 0
        found = []
        for mailbox in mailboxes:
            known = self._judged_now(mailbox, alone)
            if known is None:
                return None
            found.append(known)
        return Taken(found, size)

    async def take(self, mailboxes: Sequence[str], size: int) -> Taken:
        """As `take_now`, with the store where that is needed. Raises TemporaryFailure too."""
        self._limits.check_size(size)
        alone = size if len(mailboxes) == 1 else 0
        found = [await self._judged(mailbox, alone) for mailbox in mailboxes]
        # While one was read, mail may have come for another.
        now = self._clock()
        for known in found:
            self._limits.check(known.turn(now), now=now, size=alone)
        return Taken(found, size)

    def _judged_now(self, mailbox: str, size: int) -> Known | None:
        known = self._known.get(mailbox)
        now = self._clock()
        if known is None or known.until <= now:
            return None
        try:
            self._limits.check(known.turn(now), now=now, size=size)
        except MailboxFull:
            if now >= known.again:
                return None
            raise
        return known

    async def _judged(self, mailbox: str, size: int) -> Known:
        known = self._judged_now(mailbox, size)
        if known is None:
            known = await self._read(mailbox)
            now = self._clock()
            self._limits.check(known.turn(now), now=now, size=size)
        return known

    async def _read(self, mailbox: str) -> Known:
        """Ask the store, once for all who want to know."""
        reading = self._reading.get(mailbox)
        if reading is None:
            reading = asyncio.create_task(self._ask(mailbox))
            self._reading[mailbox] = reading
            reading.add_done_callback(partial(self._has_read, mailbox))
        return await asyncio.shield(reading)

    def _has_read(self, mailbox: str, reading: asyncio.Task[Known]) -> None:
        self._reading.pop(mailbox, None)
        if not reading.cancelled():
            reading.exception()  # whoever asked hears of it, if they are still there

    async def _ask(self, mailbox: str) -> Known:
        known = self._known.get(mailbox) or Known()
        known.since = known.since_octets = 0
        flying, flying_octets = known.flying, known.flying_octets
        began = time.monotonic()
        found = await self._database.read(fills.fill_of, mailbox, now=self._clock())
        took = round((time.monotonic() - began) * 1_000_000)
        now = self._clock()
        fill = known.turn(now)
        fill.mails = found.mails + flying + known.since
        fill.octets = found.octets + flying_octets + known.since_octets
        # Arrivals that were deleted since are in memory alone, those before our start in the store.
        fill.in_minute = max(fill.in_minute, found.in_minute + flying + known.since)
        fill.in_hour = max(fill.in_hour, found.in_hour + flying + known.since)
        known.again = now + max(FULL_MICROS, FULL_TIMES * took)
        known.until = now + max(KNOWN_MICROS, KNOWN_TIMES * took)
        self._remember(mailbox, known)
        return known

    def _remember(self, mailbox: str, known: Known) -> None:
        self._known.pop(mailbox, None)
        self._known[mailbox] = known
        if len(self._known) > MOST_KNOWN:
            del self._known[next(iter(self._known))]


def limiting_for(database: Database, config: Config, *, clock: Clock) -> Limiting | None:
    """What judges by the limits as they are configured; None when there are none."""
    limits = limits_of(config)
    return Limiting(database, limits, clock=clock) if limits else None


def limits_of(config: Config) -> MailboxLimits:
    """The limits as they are configured."""
    return MailboxLimits(
        config.mailbox_max_mails,
        config.mailbox_max_octets,
        config.mailbox_mails_per_minute,
        config.mailbox_mails_per_hour,
    )
