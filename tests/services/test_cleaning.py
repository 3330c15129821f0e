"""Cleanup on both engines: what is found, what is deleted, by whom and how often."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from mailbox_service.core import cleanup
from mailbox_service.core.cleanup import Problem
from mailbox_service.core.errors import BadRequest, TemporaryFailure
from mailbox_service.services import sweeping
from mailbox_service.services.chores import LEASE_MICROS
from mailbox_service.services.cleaning import Cleaning
from mailbox_service.services.sweeping import close_step, portions
from mailbox_service.storage import cleaning as storage_cleaning
from mailbox_service.storage import events
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.services.parts import NOON, Mailboxes
from tests.services.test_lifetimes import DAY, cleaning_of, opened, stored

pytestmark = pytest.mark.anyio


async def fill(mailboxes: Mailboxes, *ages: float, to: str = "ann@x.test") -> None:
    """Have mails arrive that are so many days old."""
    for days in ages:
        mailboxes.clock.now = NOON - round(days * DAY)
        await mailboxes.receive(to)
    mailboxes.clock.now = NOON


async def settle(mailboxes: Mailboxes) -> None:
    """Have everything that was accepted be in the tables."""
    caught_up = getattr(mailboxes.database, "caught_up", None)
    if caught_up is not None:
        await caught_up()


async def set_automatic(mailboxes: Mailboxes, **parts: Any) -> None:
    await mailboxes.administering.change({"auto_cleanup": parts})


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [
        ([], []),
        ([1] * 200, [200]),
        ([1] * 201, [200, 1]),
        ([3 << 20, 1 << 20, 1, 5 << 20, 1], [2, 1, 1, 1]),
    ],
)
def test_a_step_has_so_many_rows_and_octets(sizes: list[int], steps: list[int]) -> None:
    found = list(enumerate(sizes))
    assert [len(ids) for ids in portions(found)] == steps
    assert [one for ids in portions(found) for one in ids] == list(range(len(sizes)))


async def test_contents_go_with_their_last_mail(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    await mailboxes.receive("ann@x.test", "bob@x.test", "cat@x.test")
    await settle(mailboxes)
    removed = await database.write(storage_cleaning.remove_mail, [1, 2, 99], old=None, before=0)
    assert sorted(removed) == ["ann@x.test", "bob@x.test"]
    assert (await stored(database, "messages"), await stored(database, "contents")) == (1, 1)
    await database.write(storage_cleaning.remove_mail, [3], old=None, before=0)
    assert (await stored(database, "messages"), await stored(database, "contents")) == (0, 0)


async def test_hazard_27_a_sweep_takes_all_in_many_short_steps(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No transaction of it deletes more than a step; others write in between."""
    monkeypatch.setattr(sweeping, "STEP_ROWS", 7)
    monkeypatch.setattr(storage_cleaning, "WINDOW", 11)
    monkeypatch.setattr(sweeping, "PAGE", 9)
    mailboxes = Mailboxes(database)
    worker = cleaning_of(mailboxes)
    await fill(mailboxes, *[5.0] * 60, *[1.0] * 5, *[5.0] * 5)
    await settle(mailboxes)
    steps: list[int] = []
    remove = storage_cleaning.remove_mail

    async def watched(tx: Transaction, ids: Any, **rest: Any) -> list[str]:
        owners = await remove(tx, ids, **rest)
        steps.append(len(owners))
        return owners

    monkeypatch.setattr(storage_cleaning, "remove_mail", watched)
    assert await worker.clean(cleanup.MAILS, 3) == 65
    assert max(steps) <= 7
    assert await stored(database, "messages") == 5


async def test_who_comes_back_between_looking_and_deleting_keeps_the_address(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database)
    ann = await opened(mailboxes)
    due = storage_cleaning.INACTIVE
    before = NOON + DAY
    found = await database.read(
        storage_cleaning.find_addresses, due, before=before, after=(0, 0), limit=9
    )
    assert [address_id for _, address_id in found] == [ann.address_id]
    mailboxes.clock.now = NOON + 2 * DAY
    await mailboxes.reading.touch("ann@x.test")
    outcome = await database.write(close_step, ann.address_id, due=due, before=before)
    assert outcome is None
    assert await mailboxes.registering.find(ann.address_id) is not None


async def test_an_address_with_much_mail_is_emptied_before_it_is_closed(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "STEP_ROWS", 4)
    mailboxes = Mailboxes(database)
    ann = await opened(mailboxes)
    await fill(mailboxes, *[0.0] * 10)
    await settle(mailboxes)
    worker = cleaning_of(mailboxes)
    for left in (6, 2):
        outcome = await database.write(close_step, ann.address_id, due=None, before=0)
        assert outcome is not None
        assert not outcome[1]
        assert await stored(database, "messages") == left
    mailboxes.clock.now += 2 * DAY
    assert await worker.clean(cleanup.ADDRESS_CREATED, 1) == 1
    assert await stored(database, "messages") == 0
    assert await stored(database, "contents") == 0


async def test_every_night_all_parts_run_once_in_one_process(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, cleanup_batch_size=2)
    workers = [cleaning_of(mailboxes) for _ in range(3)]
    await set_automatic(
        mailboxes,
        enableMailsAutoCleanup=True,
        cleanMailsDays=3,
        customSqlCleanupList=[
            {
                "name": "bob",
                "enabled": True,
                "sql": "DELETE FROM raw_mails WHERE address = 'bob@x.test'",
            },
            {"name": "off", "enabled": False, "sql": "DELETE FROM raw_mails"},
        ],
    )
    await fill(mailboxes, *[5.0] * 7, 1.0)
    await fill(mailboxes, 1.0, to="bob@x.test")
    await settle(mailboxes)
    # A service that is new waits for the next midnight.
    assert [await worker.clean_daily() for worker in workers] == [False] * 3
    assert await stored(database, "messages") == 9
    mailboxes.clock.now = NOON + DAY // 2
    done = await asyncio.gather(*(worker.clean_daily() for worker in workers))
    assert sorted(done) == [False, False, True]
    # All of it, though a batch is two rows.
    assert await stored(database, "messages") == 1
    assert [await worker.clean_daily() for worker in workers] == [False] * 3
    runs = await workers[0].runs(limit=100)
    assert {run.asked_by for run in runs} == {"schedule"}
    assert sum(run.removed for run in runs) == 8
    mailboxes.clock.now += DAY
    assert await workers[1].clean_daily()


async def test_a_part_that_fails_does_not_stop_the_others(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mailboxes = Mailboxes(database)
    worker = cleaning_of(mailboxes)
    await set_automatic(
        mailboxes,
        enableMailsAutoCleanup=True,
        cleanMailsDays=3,
        enableUnknowMailsAutoCleanup=True,
        cleanUnknowMailsDays=3,
        customSqlCleanupList=[
            {"name": "bad", "enabled": True, "sql": "DELETE FROM raw_mails WHERE id AND OR"},
            {"name": "not ours", "enabled": True, "sql": "DELETE FROM settings"},
            {"name": "good", "enabled": True, "sql": "DELETE FROM address"},
        ],
    )
    await opened(mailboxes)
    await fill(mailboxes, 5.0, to="nobody@x.test")
    await settle(mailboxes)
    await worker.clean_daily()
    clean = worker.clean

    async def failing(kind: cleanup.Kind, days: float, **rest: Any) -> int:
        if kind is cleanup.MAILS:
            raise TemporaryFailure("no")
        return await clean(kind, days, **rest)

    monkeypatch.setattr(worker, "clean", failing)
    mailboxes.clock.now = NOON + DAY
    with caplog.at_level(logging.WARNING):
        assert await worker.clean_daily()
    assert (await stored(database, "messages"), await stored(database, "addresses")) == (0, 0)
    told = [record.getMessage() for record in caplog.records]
    assert any("kind=mails" in line for line in told)
    assert any("'bad'" in line for line in told)
    assert any("'not ours'" in line for line in told)


async def test_a_statement_that_is_wrong_is_told_from_a_store_in_trouble(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailboxes = Mailboxes(database)
    worker = cleaning_of(mailboxes)

    def saved(condition: str) -> dict[str, Any]:
        sql = f"DELETE FROM raw_mails WHERE {condition}"
        return {"customSqlCleanupList": [{"name": "mine", "enabled": True, "sql": sql}]}

    words = "the store does not understand its condition"
    assert await worker.save_automatic(saved("id > 7")) == []
    assert await worker.save_automatic(saved("id AND OR")) == [Problem("mine", words)]
    with pytest.raises(BadRequest, match=words):
        await worker.clean_by_statement("mine", "DELETE FROM raw_mails WHERE id AND OR")
    before = await worker.automatic()

    class Away:
        async def read(self, *work: object, **arguments: object) -> None:
            raise TemporaryFailure("The store cannot be reached now.")

    with monkeypatch.context() as patched:
        patched.setattr(worker._sweeping, "_database", Away())
        with pytest.raises(TemporaryFailure):
            await worker.save_automatic(saved("id > 8"))
    assert await worker.automatic() == before


async def test_events_are_forgotten_at_night_when_they_are_old(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any rule of an administrator's, in steps, and never one that is not old."""
    monkeypatch.setattr(sweeping, "STEP_EVENTS", 4)
    mailboxes = Mailboxes(database, event_history_days=90)
    worker = cleaning_of(mailboxes)
    assert not await worker.clean_daily()
    night = NOON + DAY
    ages = [91.0] * 9 + [200.0, 90.0, 89.9, 91.0, 1.0]

    async def remember(tx: Transaction) -> None:
        for days in ages:
            at = night - round(days * DAY)
            await events.add(tx, "sent", at=at, address="ann@x.test")

    await database.write(remember)
    steps: list[int] = []
    forget = storage_cleaning.forget_events

    async def watched(tx: Transaction, **rest: Any) -> tuple[int, int | None]:
        count, last = await forget(tx, **rest)
        steps.append(count)
        return count, last

    monkeypatch.setattr(storage_cleaning, "forget_events", watched)
    mailboxes.clock.now = night
    assert await worker.clean_daily()
    assert steps == [4, 4, 2, 1, 0]
    left = await database.read(events.after, "ann@x.test", after_id=0, limit=100)
    assert [round((night - event.at) / DAY, 1) for event in left] == [90.0, 89.9, 1.0]
    runs = await worker.runs(limit=10)
    assert [(run.kind, run.asked_by, run.removed) for run in runs] == [("events", "schedule", 11)]
    # Nothing is old: no step, and nothing to tell.
    steps.clear()
    mailboxes.clock.now = night
    await worker._forget_events()
    assert steps == []
    assert len(await worker.runs(limit=10)) == 1


async def test_the_work_of_a_process_that_died_is_taken_over(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    dead, heir = cleaning_of(mailboxes), cleaning_of(mailboxes)
    await dead.clean_daily()
    mailboxes.clock.now = NOON + DAY

    async def die() -> None:
        raise asyncio.CancelledError

    dead._clean_all = die  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await dead.clean_daily()
    assert not await heir.clean_daily()
    mailboxes.clock.now += LEASE_MICROS
    assert await heir.clean_daily()


# A statement, and which of ann's three and bob's two mails stay.
STATEMENTS = [
    ("DELETE FROM raw_mails", 0),
    ("DELETE FROM raw_mails WHERE address = 'ann@x.test'", 2),
    ("DELETE FROM raw_mails WHERE source LIKE 'ANN@%'", 0),
    ("DELETE FROM raw_mails WHERE source LIKE 'bob@%'", 5),
    ("DELETE FROM raw_mails WHERE created_at < datetime('now', '-3 days')", 3),
    ("DELETE FROM raw_mails WHERE date(created_at) <= date('now', '-4 day')", 3),
    ("DELETE FROM raw_mails WHERE julianday('now') - julianday(created_at) > 3.5", 3),
    ("DELETE FROM raw_mails WHERE unixepoch('now') - unixepoch(created_at) > 86400 * 3", 3),
    ("DELETE FROM raw_mails WHERE id NOT IN (SELECT max(id) FROM raw_mails GROUP BY address)", 2),
    ("DELETE FROM raw_mails WHERE address NOT IN (SELECT name FROM address)", 3),
    (
        "DELETE FROM raw_mails WHERE NOT EXISTS "
        "(SELECT 1 FROM address a WHERE a.name = raw_mails.address)",
        3,
    ),
    ("DELETE FROM raw_mails WHERE \"id\" IN (1, 2) OR instr(address, 'bob') > 0", 1),
    ("DELETE FROM raw_mails WHERE ifnull(metadata, '') != ''", 5),
    ("DELETE FROM raw_mails WHERE length(address) == 10 AND lower(source) <> 'x'", 0),
    ("DELETE FROM raw_mails WHERE current_timestamp > created_at AND id BETWEEN 2 AND 3", 3),
    ("DELETE FROM raw_mails WHERE CASE WHEN id = 1 THEN 1 ELSE 0 END = 1;", 4),
]


@pytest.mark.parametrize(("sql", "left"), STATEMENTS)
async def test_a_statement_says_the_same_on_both_engines(
    database: AnyDatabase, sql: str, left: int
) -> None:
    mailboxes = Mailboxes(database)
    await opened(mailboxes)
    await fill(mailboxes, 5.0, 1.0, 1.0)
    await fill(mailboxes, 5.0, 1.0, to="bob@x.test")
    await settle(mailboxes)
    removed = await cleaning_of(mailboxes).clean_by_statement("mine", sql)
    assert (removed, await stored(database, "messages")) == (5 - left, left)
    assert await stored(database, "contents") == left


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("DELETE FROM address WHERE name LIKE 'ann%'", "addresses"),
        ("DELETE FROM address WHERE id NOT IN (SELECT address_id FROM users_address)", "addresses"),
        ("DELETE FROM auto_reply_mails WHERE subject = 's' AND enabled = 1", "auto_replies"),
        ("DELETE FROM address_sender WHERE balance > 3 AND enabled = 1", "allowances"),
        ("DELETE FROM sendbox WHERE created_at <= datetime('now')", "submissions WHERE listed = 1"),
    ],
)
async def test_statements_delete_from_the_other_tables(
    database: AnyDatabase, sql: str, table: str
) -> None:
    mailboxes = Mailboxes(database)
    await opened(mailboxes)

    async def make(tx: Transaction) -> None:
        for statement in (
            "INSERT INTO auto_replies (address, subject, message, enabled, source_prefix, name,"
            " updated_at) VALUES ('ann@x.test', 's', 'm', 1, '', '', 0)",
            "INSERT INTO allowances (address, balance, enabled, created_at)"
            " VALUES ('ann@x.test', 4, 1, 0)",
            "INSERT INTO submissions (queue_id, address, reverse_path, content_id, size, door,"
            " message_id, from_address, subject, created_at)"
            " VALUES ('q', 'ann@x.test', '', 1, 1, 'web', '', '', '', 0)",
        ):
            await tx.execute(statement)

    await database.write(make)
    assert await stored(database, table) == 1
    assert await cleaning_of(mailboxes).clean_by_statement("mine", sql) == 1
    assert await stored(database, table) == 0


async def test_a_statement_goes_through_a_store_in_windows(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_cleaning, "WINDOW", 3)
    mailboxes = Mailboxes(database)
    await fill(mailboxes, *[5.0] * 10)
    await settle(mailboxes)
    worker: Cleaning = cleaning_of(mailboxes)
    assert await worker.clean_by_statement("all", "DELETE FROM raw_mails WHERE id <> 4") == 9
    assert await stored(database, "messages") == 1
