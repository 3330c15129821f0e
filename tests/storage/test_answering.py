"""Whether a store answers is told in time, whatever holds it up (hazard 19)."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.storage import answering, sqlite
from mailbox_service.storage.answering import Answering
from mailbox_service.storage.sqlite import SqliteDatabase, touch
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio


async def test_a_store_answers_and_stops_answering_when_it_is_closed(
    database: AnyDatabase,
) -> None:
    for _ in range(3):
        await database.ping()
    await asyncio.gather(*(database.ping() for _ in range(50)))
    await database.close()
    with pytest.raises(TemporaryFailure):
        await database.ping()


async def test_a_look_that_hangs_is_waited_for_once_and_not_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answering, "ANSWER_SECONDS", 0.02)
    looks, free = 0, asyncio.Event()

    async def look() -> None:
        nonlocal looks
        looks += 1
        await free.wait()

    asked = Answering(look)
    outcomes = await asyncio.gather(*(asked.ask() for _ in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, TemporaryFailure) for outcome in outcomes)
    assert looks == 1
    free.set()
    await asked.finish()
    await asked.ask()
    assert looks == 2


async def test_a_sqlite_store_that_another_process_holds_says_so_before_its_busy_timeout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is held for as long as the test likes, and the busy timeout is an hour: were the
    answer to wait for it, the test would."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 3600.0)
    store = SqliteDatabase(tmp_path / "mailbox.db")
    await store.open()
    other = sqlite3.connect(tmp_path / "mailbox.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        waiting = store.write(touch)
        refusal = ""
        async with asyncio.timeout(60):
            while not refusal:
                try:
                    await store.ping()
                except TemporaryFailure as trouble:
                    refusal = trouble.detail
        assert refusal == "The store does not answer now."
        assert not waiting.done()
        other.execute("ROLLBACK")
        await waiting
        async with asyncio.timeout(60):
            while True:  # the look that began meanwhile may still be under way
                try:
                    await store.ping()
                except TemporaryFailure:
                    continue
                break
    finally:
        other.close()
        await store.close()
