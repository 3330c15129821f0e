"""Retention by size, on both engines: the oldest goes, and no more than has to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.core.stored import Excerpt
from mailbox_service.services import retaining as services_retaining
from mailbox_service.services.counting import Counting
from mailbox_service.services.retaining import KIND, MINUTE, Retaining
from mailbox_service.storage import chores, cleaning, fills, message_lists
from tests.databases import AnyDatabase
from tests.services.parts import LETTER, Mailboxes
from tests.services.test_lifetimes import stored

pytestmark = pytest.mark.anyio

LARGE = LETTER + b"x" * 1_000


def worker(mailboxes: Mailboxes) -> Retaining:
    return Retaining(mailboxes.database, mailboxes.config, mailboxes.signals, clock=mailboxes.clock)


async def arrive(mailboxes: Mailboxes, number: int, to: str = "ann@x.test") -> list[int]:
    """Have mails arrive that follow each other, the last one two minutes ago."""
    ids: list[int] = []
    for _ in range(number):
        ids += await mailboxes.receive(to, content=LARGE)
    mailboxes.clock.now += 2 * MINUTE
    return ids


async def octets(database: AnyDatabase) -> int:
    found = await database.read(fills.octets_behind, after=0, limit=100_000)
    return found[0]


async def left(database: AnyDatabase) -> list[int]:
    rows = await database.read(message_lists.page, None, Excerpt(1000))
    return sorted(row.id for row in rows)


async def test_the_oldest_goes_until_the_rest_is_below(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, retention_octets=12_000)
    keeper = worker(mailboxes)
    ids = await arrive(mailboxes, 5, "ann@x.test") + await arrive(mailboxes, 5, "bob@x.test")
    one = (await octets(database)) // 10
    assert 1_000 < one < 1_400
    removed = await keeper.look()
    assert removed == 10 - 12_000 * 98 // 100 // one
    assert await left(database) == ids[removed:]
    assert await octets(database) <= 12_000 < await octets(database) + 2 * one
    assert await stored(database, "contents") == 10 - removed
    (run,) = await database.read(chores.runs, limit=5)
    assert (run.kind, run.asked_by, run.removed, run.problem) == (KIND, "schedule", removed, "")


async def test_below_the_bound_nothing_goes_and_nothing_is_written_down(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database, retention_octets=100_000)
    await arrive(mailboxes, 5)
    assert await worker(mailboxes).look() == 0
    assert await stored(database, "messages") == 5
    assert await database.read(chores.runs, limit=5) == []


async def test_what_owners_deleted_is_not_deleted_again(database: AnyDatabase) -> None:
    """New mail is added to what was there; before anything goes all is added up anew."""
    mailboxes = Mailboxes(database, retention_octets=12_000)
    keeper = worker(mailboxes)
    ids = await arrive(mailboxes, 9)
    assert await keeper.look() == 0
    await mailboxes.reading.delete("ann@x.test", ids[:5])
    await arrive(mailboxes, 5)
    assert await keeper.look() == 0
    assert await stored(database, "messages") == 9
    await arrive(mailboxes, 3)
    assert await keeper.look() > 0


async def test_mail_of_the_last_minute_stays(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, retention_octets=2_000)
    keeper = worker(mailboxes)
    old = await arrive(mailboxes, 3)
    for _ in range(3):
        await mailboxes.receive("ann@x.test", content=LARGE)
    assert await keeper.look() == 3
    assert not set(old) & set(await left(database))
    mailboxes.clock.now += 2 * MINUTE
    assert await keeper.look() == 2


async def test_one_process_looks_in_a_minute(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, retention_octets=2_000)
    await arrive(mailboxes, 8)
    counts = await asyncio.gather(*(worker(mailboxes).look() for _ in range(3)))
    assert sorted(counts)[:2] == [0, 0]
    assert max(counts) == 7
    await arrive(mailboxes, 1)
    assert await worker(mailboxes).look() == 1


async def test_hazard_27_much_goes_in_many_short_steps(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services_retaining, "PAGE", 7)
    monkeypatch.setattr(services_retaining, "PORTION", 5)
    mailboxes = Mailboxes(database, retention_octets=5_000)
    await arrive(mailboxes, 60)
    steps: list[int] = []
    remove = cleaning.remove_mail

    async def watched(tx: Any, ids: Any, **rest: Any) -> list[str]:
        owners = await remove(tx, ids, **rest)
        steps.append(len(owners))
        return owners

    monkeypatch.setattr(cleaning, "remove_mail", watched)
    removed = await worker(mailboxes).look()
    assert sum(steps) == removed > 50
    assert max(steps) <= 7
    assert await octets(database) <= 5_000


async def test_a_failing_store_is_written_down_and_the_rest_goes_later(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailboxes = Mailboxes(database, retention_octets=2_000)
    keeper = worker(mailboxes)
    await arrive(mailboxes, 5)

    async def broken(tx: Any, *_: Any, **__: Any) -> list[str]:
        raise TemporaryFailure("The disk is away")

    with monkeypatch.context() as patched:
        patched.setattr(cleaning, "remove_mail", broken)
        with pytest.raises(TemporaryFailure):
            await keeper.look()
    (run,) = await database.read(chores.runs, limit=5)
    assert (run.removed, run.problem) == (0, "The disk is away")
    assert await keeper.look() == 4


async def test_figures_tell_how_full_it_is(database: AnyDatabase) -> None:
    bounded = Mailboxes(database, retention_octets=12_000)
    await arrive(bounded, 4)
    await worker(bounded).look()
    now = await Counting(database, bounded.config, clock=bounded.clock).now()
    assert (now.mail_octets, now.retention_octets) == (await octets(database), 12_000)
    free = Mailboxes(database)
    now = await Counting(database, free.config, clock=free.clock).now()
    assert (now.mail_octets, now.retention_octets) == (None, 0)
