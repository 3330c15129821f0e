"""Figures over time: each thing counted once, in its hour, on both engines."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mailbox_service.core.errors import BadRequest
from mailbox_service.services import counting
from mailbox_service.services.counting import Counting
from mailbox_service.storage import events, figures
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.figures import HOUR
from tests.databases import AnyDatabase
from tests.services.parts import NOON, Mailboxes

pytestmark = pytest.mark.anyio

SOON = counting.SETTLED_MICROS + 1


def worker(mailboxes: Mailboxes) -> Counting:
    return Counting(mailboxes.database, mailboxes.config, clock=mailboxes.clock)


async def happen(database: AnyDatabase, *kinds: str, at: int = NOON) -> None:
    """Have events be there."""

    async def unit(tx: Transaction) -> None:
        await events.add_all(tx, [(kind, at, "ann@x.test", 1, 1, "{}") for kind in kinds])

    await database.write(unit)


async def test_every_step_is_there_and_the_last_is_now(database: AnyDatabase) -> None:
    count = worker(Mailboxes(database))
    for name, (hours, step) in counting.RANGES.items():
        found = await count.figures(name)
        assert (found.range, found.step_seconds) == (name, step * 3_600)
        assert len(found.points) == hours // step
        assert found.points[-1].at <= NOON < found.points[-1].at + step * HOUR
        distances = {b.at - a.at for a, b in zip(found.points, found.points[1:], strict=False)}
        assert distances == {step * HOUR}
    with pytest.raises(BadRequest, match="24h, 7d, 30d, 90d"):
        await count.figures("1y")


async def test_what_happens_is_counted_in_its_hour(database: AnyDatabase, tmp_path: Path) -> None:
    mailboxes = Mailboxes(database, data_dir=str(tmp_path))
    count = worker(mailboxes)
    await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    await mailboxes.receive("ann@x.test", "bob@x.test")
    await happen(database, "queued", "deferred", "delivered", "delivered", "failed", "flags")
    mailboxes.clock.now += HOUR
    await mailboxes.receive("ann@x.test")
    mailboxes.clock.now += SOON
    found = await count.figures("24h")
    before, last = found.points[-2:]
    assert (before.received, before.sent, before.deferred, before.bounced) == (2, 2, 1, 1)
    assert (before.addresses, last.addresses) == (1, 0)
    assert (last.received, last.sent) == (1, 0)
    totals = found.totals
    assert (totals.received, totals.sent, totals.addresses) == (3, 2, 1)
    assert (found.now.addresses, found.now.mails) == (1, 3)
    assert found.now.store_octets > 0
    assert 0 < found.now.disk_free <= found.now.disk_total


async def test_nothing_is_counted_twice_by_whom_ever(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    await mailboxes.receive("ann@x.test")
    first, second = worker(mailboxes), worker(mailboxes)
    await asyncio.gather(*(one.count_some() for one in (first, second) * 5))
    await mailboxes.receive("ann@x.test")
    await second.count_some()
    again = worker(mailboxes)  # after a crash
    assert (await again.figures("24h")).totals.received == 2
    stale = await database.read(figures.next_portion, "messages", limit=10, settled=0)
    await mailboxes.receive("ann@x.test")
    assert (await first.figures("24h")).totals.received == 3
    assert not await database.write(figures.add, stale, since=0)


async def test_what_was_counted_stays_when_it_is_deleted(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    opened = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    await mailboxes.receive("ann@x.test")
    mailboxes.clock.now += SOON
    count = worker(mailboxes)
    await count.count_some()
    await mailboxes.registering.close(opened.address_id, "ann@x.test")
    totals = (await count.figures("24h")).totals
    assert (totals.received, totals.addresses) == (1, 1)


async def test_a_backlog_is_worked_off_in_portions(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "PORTION", 2)
    mailboxes = Mailboxes(database)
    for _ in range(5):
        await mailboxes.receive("ann@x.test")
    count = worker(mailboxes)
    assert [await count.count_some() for _ in range(3)] == [True, True, False]
    assert (await count.figures("7d")).totals.received == 5


async def test_mail_that_came_from_nobody_is_not_received(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    await mailboxes.receive("ann@x.test")
    await database.write(make_quiet)
    assert (await worker(mailboxes).figures("24h")).totals.received == 0


async def make_quiet(tx: Transaction) -> None:
    await tx.execute("UPDATE messages SET quiet = 1")


async def test_hours_are_forgotten_after_ninety_days(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    await mailboxes.receive("ann@x.test")
    await happen(database, "delivered", at=NOON - counting.KEPT_HOURS * HOUR - HOUR)
    count = worker(mailboxes)
    await count.count_some()
    kept = await database.read(figures.between, since=0, before=10**9)
    assert [row[0] for row in kept] == [NOON // HOUR]
    assert await database.write(figures.remove_before, NOON // HOUR + 1) == 1
    assert await database.read(figures.between, since=0, before=10**9) == []


async def test_the_worker_counts_by_itself(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    await mailboxes.receive("ann@x.test")
    running = asyncio.create_task(worker(mailboxes).run())
    try:
        async with asyncio.timeout(20):
            while not await database.read(figures.between, since=0, before=10**9):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
