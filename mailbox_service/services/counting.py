"""Figures over time: what was received, sent, deferred, bounced and opened in each hour; and how
much there is of everything now.

Accepting and sending mail knows nothing of this. A worker reads what is behind its cursors and
adds it up, so a kill at any moment counts nothing twice and leaves nothing out; only what was
deleted within the seconds before it was counted is missing.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mailbox_service.config import Config
from mailbox_service.core.errors import BadRequest, MailError
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.storage import (
    addresses,
    cursors,
    figures,
    messages,
    size,
    submissions,
    users,
)
from mailbox_service.storage.addresses import DAY
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.figures import HOUR, KINDS, SOURCES, QueueNow, Source
from mailbox_service.storage.fills import MAIL_OCTETS

log = logging.getLogger("mailbox.counting")

DAY_HOURS = 24
KEPT_HOURS = 90 * DAY_HOURS
# Hours of a range and of one of its steps: what a chart of some hundred points can show.
RANGES: Mapping[str, tuple[int, int]] = {
    "24h": (24, 1),
    "7d": (7 * DAY_HOURS, 1),
    "30d": (30 * DAY_HOURS, 6),
    "90d": (90 * DAY_HOURS, DAY_HOURS),
}
# Rows added up in one go: some milliseconds of one reader.
PORTION = 5_000
# Portions that whoever looks waits for: after that the figures are a little late.
MOST_PORTIONS_SEEN = 10
LOOK_AGAIN_SECONDS = 10.0
# Where several processes write, an address may show itself later than one with a higher id.
SETTLED_MICROS = 15_000_000
# How long a count of everything is shown before it is made again, and at least so many times as
# long as it took.
COUNTED_SECONDS, COUNTED_TIMES = 30.0, 100.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much there is of everything (mailbox-api §3.6)."""

    mail_count: int
    address_count: int
    active_7_days: int
    active_30_days: int
    user_count: int
    send_count: int


@dataclass(frozen=True, slots=True)
class Point:
    """What happened in the step that begins at `at` (microseconds UTC)."""

    at: int
    received: int = 0
    sent: int = 0
    deferred: int = 0
    bounced: int = 0
    addresses: int = 0


@dataclass(frozen=True, slots=True)
class Now:
    """How much there is now. The counts of addresses and mails may be half a minute old."""

    addresses: int
    mails: int
    queue: QueueNow
    store_octets: int
    disk_free: int
    disk_total: int
    mail_octets: int | None = None
    """Of all arrived mail, where `retention_octets` bounds it."""
    retention_octets: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """A range of figures: a point for every step, the last one being that of now."""

    range: str
    step_seconds: int
    points: tuple[Point, ...]
    totals: Point
    now: Now


class Counting:
    """Adds up what happens, and shows it."""

    def __init__(self, database: Database, config: Config, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._folder = Path(config.data_dir)
        self._retention = config.retention_octets
        self._clock = clock
        self._counted = (0, 0)
        self._count_until = 0.0
        self._counting = asyncio.Lock()
        self._positions: dict[Source, int] = {}
        self._purged_at = 0

    async def run(self) -> None:
        """Add up until cancelled."""
        while True:
            try:
                more = await self.count_some()
                await self._purge()
            except MailError as error:
                log.warning("figures-wait reason=%s", error.detail)
                more = False
            # A backlog of years is worked off while others come first.
            await asyncio.sleep(0.05 if more else LOOK_AGAIN_SECONDS)

    async def count_some(self) -> bool:
        """Add up the next portion of everything that is new; whether there may be more."""
        newest = await self._database.read(figures.newest_ids)
        more = False
        for source in SOURCES:
            if self._positions.get(source) != newest[source]:
                more = await self._count_source(source) or more
        return more

    async def _count_source(self, source: Source) -> bool:
        now = self._clock()
        portion = await self._database.read(
            next_portion, source, limit=PORTION, settled=now - SETTLED_MICROS
        )
        if portion.rows:
            since = now // HOUR - KEPT_HOURS
            await self._database.write(figures.add, portion, since=since)
        self._positions[source] = portion.position
        return portion.rows == PORTION

    async def _purge(self) -> None:
        """Once an hour, forget what is too old."""
        hour = self._clock() // HOUR
        if hour != self._purged_at:
            self._purged_at = hour
            await self._database.write(figures.remove_before, hour - KEPT_HOURS)

    async def figures(self, wanted: str) -> Figures:
        """The figures of a range, up to now. Raises BadRequest for an unknown range."""
        if wanted not in RANGES:
            raise BadRequest(f"range is one of {', '.join(RANGES)}")
        for _ in range(MOST_PORTIONS_SEEN):
            if not await self.count_some():
                break
        hours, step = RANGES[wanted]
        before = (self._clock() // HOUR // step + 1) * step
        since = before - hours
        rows = await self._database.read(figures.between, since=since, before=before)
        points = points_of(rows, since=since, steps=hours // step, step=step)
        totals = Point(0, *(sum(getattr(point, kind) for point in points) for kind in KINDS))
        return Figures(wanted, step * 3_600, points, totals, await self.now())

    async def now(self) -> Now:
        """How much there is."""
        addresses, mails = await self._count()
        queue = await self._database.read(figures.queue_now)
        octets = await self._database.read(size.octets)
        free, total = await asyncio.to_thread(disk_of, self._folder)
        mail = None
        if self._retention:
            mail = await self._database.read(cursors.get, MAIL_OCTETS)
        return Now(addresses, mails, queue, octets, free, total, mail, self._retention)

    async def statistics(self) -> Statistics:
        """How much there is of everything."""
        return await self._database.read(count_everything, self._clock())

    async def _count(self) -> tuple[int, int]:
        """Addresses and mails, counted seldom: it costs what there is."""
        async with self._counting:
            started = time.monotonic()
            if started >= self._count_until:
                self._counted = await self._database.read(figures.count)
                ended = time.monotonic()
                pause = max(COUNTED_SECONDS, COUNTED_TIMES * (ended - started))
                self._count_until = ended + pause
            return self._counted


async def next_portion(
    tx: Transaction, source: Source, *, limit: int, settled: int
) -> figures.Portion:
    """As `figures.next_portion`; where there is one writer, every address is settled."""
    if tx.dialect == "sqlite":
        settled = figures.LAST_ID
    return await figures.next_portion(tx, source, limit=limit, settled=settled)


def points_of(
    rows: list[tuple[int, ...]], *, since: int, steps: int, step: int
) -> tuple[Point, ...]:
    """A point a step, of hours with their numbers."""
    sums = [[0] * len(KINDS) for _ in range(steps)]
    for hour, *numbers in rows:
        place = sums[(int(hour) - since) // step]
        for n, number in enumerate(numbers):
            place[n] += int(number)
    return tuple(Point((since + n * step) * HOUR, *place) for n, place in enumerate(sums))


def disk_of(folder: Path) -> tuple[int, int]:
    """Free and total octets of the disk that holds a folder; 0 when that cannot be told."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return 0, 0
    return usage.free, usage.total


async def count_everything(tx: Transaction, now: int) -> Statistics:
    return Statistics(
        mail_count=await messages.count_all(tx),
        address_count=await addresses.count(tx),
        active_7_days=await addresses.count_active(tx, since=now - 7 * DAY),
        active_30_days=await addresses.count_active(tx, since=now - 30 * DAY),
        user_count=await users.count(tx),
        send_count=await submissions.count(tx, None),
    )
