"""What is SQLite's alone: its file, its thread, its locks, its damages."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiosqlite
import pytest

from mailbox_service.core.errors import BadRequest, StorageFull, TemporaryFailure
from mailbox_service.storage import contents, cursors, quick_writing, sqlite
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.sqlite import SqliteDatabase
from tests.storage.conftest import MakeDisk, make_read_only, no_file_longer_than

pytestmark = pytest.mark.anyio

HOLD_THE_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
print("free", flush=True)
"""


@contextmanager
def another_process_in_a_transaction(path: Path) -> Iterator[None]:
    """Somebody else who writes to the same file, and takes the time of the block for it."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        yield
        other.stdin.write("\n")
        other.stdin.flush()
        assert other.stdout.readline() == "free\n"


@pytest.fixture
async def store(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    path = tmp_path / "mailbox.db"
    shutil.copy(sqlite_template, path)
    store = SqliteDatabase(path)
    await store.open()
    yield store
    await store.close()


async def keep(tx: Transaction, content: bytes) -> int:
    return await contents.add(tx, content, uses=1)


async def count(tx: Transaction) -> int:
    row = await tx.fetch_one("SELECT count(*) FROM contents")
    assert row is not None
    return int(row[0])


async def fill(store: SqliteDatabase) -> int:
    """Store mail, less at a time, until not even the least goes in; how much was taken."""
    taken = 0
    for size in (100_000, 5_000, 10):
        try:
            while True:
                await store.write(keep, os.urandom(size))
                taken += 1
        except StorageFull:
            continue
    return taken


async def pragma(tx: Transaction, name: str) -> object:
    row = await tx.fetch_one(f"PRAGMA {name}")
    assert row is not None
    return row[0]


def assert_no_thread_is_left() -> None:
    """The thread of a connection that was not closed would keep the process alive."""
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            thread.join(5)
            assert not thread.is_alive()


async def test_aiosqlite_runs_a_whole_piece_of_work_in_its_thread() -> None:
    """Pins the one private method of aiosqlite that `in_thread` stands on."""
    async with aiosqlite.connect(":memory:") as connection:

        def work(raw: sqlite3.Connection) -> tuple[int, int]:
            return threading.get_ident(), raw.execute("SELECT 2").fetchone()[0]

        thread, value = await sqlite.in_thread(connection, work)
        assert value == 2
        assert thread != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await sqlite.in_thread(connection, lambda raw: 1 / 0)


async def test_a_commit_is_synced_before_it_is_answered(store: SqliteDatabase) -> None:
    assert await store.write(pragma, "synchronous") == 2  # FULL
    assert await store.write(pragma, "journal_mode") == "wal"
    assert await store.read(pragma, "query_only") == 1


async def test_connections_are_made_anew_while_work_goes_on(store: SqliteDatabase) -> None:
    """`relax`: a statement that is kept would keep a message of 50 MB that was bound to it."""
    assert store._writer is not None
    before = {id(connection._conn) for connection in store._opened}
    held = [connection._conn for connection in store._opened]  # so that no id comes again
    writes = [store.write(keep, b"mail %d" % number) for number in range(50)]
    reads = [asyncio.ensure_future(store.read(count)) for _ in range(10)]
    await store.relax()
    assert len(set(await asyncio.gather(*writes))) == 50
    await asyncio.gather(*reads)
    await store.relax()  # those that were lent before
    assert not before & {id(connection._conn) for connection in store._opened}
    assert len(held) == 3
    assert await store.read(count) == 50
    assert await store.write(pragma, "synchronous") == 2
    assert await store.read(pragma, "query_only") == 1
    await store.relax()
    assert await store.write(keep, b"more") > 0


async def test_a_store_that_is_closed_has_nothing_to_give_back(store: SqliteDatabase) -> None:
    await store.close()
    await store.relax()


async def test_only_the_owner_may_read_the_files(store: SqliteDatabase) -> None:
    await store.write(keep, b"mail")
    for name in ("mailbox.db", "mailbox.db-wal", "mailbox.db-shm"):
        mode = (store.path.parent / name).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600, name


async def test_a_unit_that_awaits_anything_else_is_refused_alone(store: SqliteDatabase) -> None:
    async def wait(tx: Transaction) -> None:
        await keep(tx, b"waiting")
        await asyncio.sleep(0)

    async def wait_only(tx: Transaction) -> None:
        await asyncio.sleep(0)

    good, bad = store.write(keep, b"good"), store.write(wait)
    await good
    with pytest.raises(RuntimeError, match="other than its transaction"):
        await bad
    with pytest.raises(RuntimeError, match="other than its transaction"):
        await store.read(wait_only)
    assert await store.read(count) == 1


async def test_a_store_that_another_process_locks_is_a_temporary_failure(
    sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 19: DB locked → 4xx, readiness says so, and it recovers without a restart."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    path = tmp_path / "mailbox.db"
    shutil.copy(sqlite_template, path)
    store = SqliteDatabase(path)
    await store.open()
    with another_process_in_a_transaction(path):
        units = [store.write(keep, b"mail") for _ in range(3)]
        for unit in units:
            with pytest.raises(TemporaryFailure):
                await unit
        assert await store.read(count) == 0
        with pytest.raises(TemporaryFailure):
            await store.ping()
    await store.ping()
    await store.write(keep, b"mail")
    assert await store.read(count) == 1
    await store.close()


async def test_a_full_disk_refuses_mail_and_takes_it_again_when_there_is_room(
    sqlite_template: Path, small_disk: MakeDisk
) -> None:
    """Hazard 19: ENOSPC on write → 4xx, readiness 503, recovery without restart."""
    disk = small_disk(6)
    path = disk / "mailbox.db"
    shutil.copy(sqlite_template, path)
    filler = disk / "filler"
    filler.write_bytes(bytes(2_000_000))
    store = SqliteDatabase(path)
    await store.open()
    await store.write(keep, b"before")
    too_big = store.write(keep, os.urandom(5_000_000))
    with pytest.raises(StorageFull):
        await too_big
    assert await store.read(count) == 1
    kept = 1 + await fill(store)
    assert await store.read(count) == kept
    with pytest.raises(StorageFull):
        await store.ping()
    filler.unlink()
    await store.write(keep, b"after")
    await store.ping()
    assert await store.read(count) == kept + 1
    await store.close()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_disk_that_is_read_only_is_a_reason_not_a_hang(
    sqlite_template: Path, small_disk: MakeDisk
) -> None:
    disk = small_disk(2)
    shutil.copy(sqlite_template, disk / "mailbox.db")
    make_read_only(disk)
    with pytest.raises(TemporaryFailure):
        await SqliteDatabase(disk / "mailbox.db").open()
    with pytest.raises(TemporaryFailure):
        await SqliteDatabase(disk / "folder" / "mailbox.db").open()
    assert_no_thread_is_left()


async def test_a_file_that_is_no_store_is_a_reason_not_a_hang(tmp_path: Path) -> None:
    path = tmp_path / "mailbox.db"
    path.write_bytes(os.urandom(8192))
    with pytest.raises(TemporaryFailure) as refused:
        await SqliteDatabase(path).open()
    assert "not a database" in str(refused.value.__cause__)
    assert_no_thread_is_left()


async def test_a_read_without_end_is_interrupted(
    store: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "READ_SECONDS", 0.05)

    async def count_for_ever(tx: Transaction) -> None:
        await tx.fetch_one(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        )

    with pytest.raises(TemporaryFailure):
        await store.read(count_for_ever)
    assert await store.read(count) == 0


async def test_a_read_that_nobody_waits_for_any_more_ends_and_delays_nobody(
    store: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "READ_SECONDS", 1000.0)
    begun = threading.Event()

    async def endless(tx: Transaction) -> None:
        begun.set()
        await tx.fetch_one(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"
        )

    async with asyncio.timeout(60):
        for _ in range(4):  # more than there are readers
            begun.clear()
            caller = asyncio.create_task(store.read(endless))
            await asyncio.to_thread(begun.wait, 30)
            caller.cancel()
            with pytest.raises(asyncio.CancelledError):
                await caller
            assert await store.read(count) == 0


async def test_a_folder_that_is_gone_is_a_temporary_failure(tmp_path: Path) -> None:
    store = SqliteDatabase(tmp_path / "data" / "mailbox.db")
    await store.open()
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    with pytest.raises(TemporaryFailure):
        await store.ping()
    (tmp_path / "elsewhere").rename(tmp_path / "data")
    await store.ping()
    await store.close()


async def test_a_quick_read_that_is_not_quick_leaves_the_loop(store: SqliteDatabase) -> None:
    threads: list[int] = []

    async def count_to_a_million(tx: Transaction) -> int:
        threads.append(threading.get_ident())
        row = await tx.fetch_one(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
            "SELECT max(i) FROM n"
        )
        assert row is not None
        return int(row[0])

    assert await store.read_quick(count_to_a_million) == 1_000_000
    here, reader = threads
    assert here == threading.get_ident() != reader
    assert await store.read_quick(count) == 0


async def test_a_log_with_garbage_behind_it_opens_with_all_that_was_committed(
    store: SqliteDatabase, tmp_path: Path
) -> None:
    """Hazard 22: corrupted WAL tail → the service starts."""
    for n in range(50):
        await store.write(keep, b"%d" % n * 3000)
    # Copied while it is open, as a crash leaves it: nearly all is in the log alone.
    image = tmp_path / "image"
    for number, garbage in enumerate((os.urandom(10_000), bytes(10_000), b"\x37\x7f\x06\x82" * 99)):
        folder = image / str(number)
        folder.mkdir(parents=True)
        for name in ("mailbox.db", "mailbox.db-wal"):
            shutil.copy(store.path.parent / name, folder / name)
        with (folder / "mailbox.db-wal").open("ab") as log:
            log.write(garbage)
        after = SqliteDatabase(folder / "mailbox.db")
        await after.open()
        assert await after.read(count) == 50
        for content_id in (1, 25, 50):
            expected = b"%d" % (content_id - 1) * 3000
            assert await after.read(contents.read, content_id) == expected
        await after.write(keep, b"more")
        await after.close()


async def test_a_damaged_page_is_a_temporary_failure_of_what_lies_on_it(
    sqlite_template: Path, tmp_path: Path
) -> None:
    """Hazard 22: the service starts on a damaged file, and everything else is served."""
    path = tmp_path / "mailbox.db"
    shutil.copy(sqlite_template, path)
    raw = sqlite3.connect(path)
    (root,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'contents'").fetchone()
    (page_size,) = raw.execute("PRAGMA page_size").fetchone()
    raw.close()
    with path.open("r+b") as file:
        file.seek((root - 1) * page_size)
        file.write(os.urandom(page_size))
    store = SqliteDatabase(path)
    await store.open()
    for read in (store.read, store.read_quick):
        with pytest.raises(TemporaryFailure):
            await read(contents.read, 1)
    with pytest.raises(TemporaryFailure):
        await store.write(keep, b"mail")

    async def settings(tx: Transaction) -> int:
        return len(await tx.fetch_all("SELECT name FROM settings"))

    assert await store.read(settings) == 0
    await store.write(sqlite.touch)
    await store.close()


async def test_bytes_that_changed_on_disk_are_never_given_out(store: SqliteDatabase) -> None:
    """Hazard 22: truncated blob."""
    content_id = await store.write(keep, b"Subject: hello\r\n\r\n" * 100)

    async def shorten(tx: Transaction) -> None:
        await tx.execute("UPDATE contents SET bytes = substr(bytes, 1, 40)")

    await store.write(shorten)
    with pytest.raises(contents.Damaged):
        await store.read(contents.read, content_id)


async def test_the_loop_is_free_while_a_group_is_committed(store: SqliteDatabase) -> None:
    def slow(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    async def with_a_slow_function(tx: Transaction) -> None:
        slow(0.2)
        await keep(tx, b"mail")

    unit = store.write(with_a_slow_function)
    turns = 0
    while not unit.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert turns > 20


async def test_quick_units_that_are_refused_or_slow_are_done_by_the_thread(
    store: SqliteDatabase,
) -> None:
    """A refusal undoes its unit alone, and a unit that takes long stops the loop for no longer
    than a quick one may."""

    async def slow(tx: Transaction) -> int:
        row = await tx.fetch_one(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) "
            "SELECT count(*) FROM n"
        )
        assert row is not None
        return int(row[0])

    async def refused(tx: Transaction) -> None:
        await cursors.put(tx, "refused", 1)
        raise BadRequest("no")

    kept = [store.write_quick(cursors.put, f"c{n}", n) for n in range(5)]
    bad = store.write_quick(refused)
    counted = store.write_quick(slow)
    await asyncio.gather(*kept)
    with pytest.raises(BadRequest):
        await bad
    assert await counted == 1_000_000
    assert [await store.read(cursors.get, f"c{n}") for n in range(5)] == list(range(5))
    assert await store.read(cursors.get, "refused") == 0
    assert await store.read_small("count", slow) == 1_000_000


async def test_quick_writes_survive_many_turns_of_the_log(store: SqliteDatabase) -> None:
    for round_ in range(600):
        await store.write_quick(cursors.put, "turns", round_)
    assert await store.read(cursors.get, "turns") == 599


async def test_what_was_committed_is_kept_though_the_log_finds_no_room_in_the_tables(
    store: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 22. The log is written over where it was, and the tables would have to grow."""
    monkeypatch.setattr(quick_writing, "COMMITS_A_CHECKPOINT", 10)
    await store.write(keep, os.urandom(8_000_000))
    with no_file_longer_than(store.path.stat().st_size):
        for _ in range(25):
            await store.write_quick(keep, os.urandom(20_000))
    assert "storage-checkpoint-failed" in caplog.text
    assert await store.read(count) == 26


async def test_a_quick_write_while_another_program_writes_waits_its_turn(
    store: SqliteDatabase,
) -> None:
    with another_process_in_a_transaction(store.path):
        written = store.write_quick(cursors.put, "waited", 7)
        await asyncio.sleep(0.05)
        assert not written.done()
    await written
    assert await store.read(cursors.get, "waited") == 7


async def test_a_small_read_that_took_long_twice_is_a_readers_work_for_a_while(
    store: SqliteDatabase,
) -> None:
    """Once may have been the machine, which had something else to do."""
    threads: list[int] = []

    async def counts(tx: Transaction, most: int) -> int:
        threads.append(threading.get_ident())
        row = await tx.fetch_one(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT :most) "
            "SELECT count(*) FROM n",
            {"most": most},
        )
        assert row is not None
        return int(row[0])

    async def where(key: str, most: int) -> list[bool]:
        """Where such a read was tried, on the event loop or not."""
        threads.clear()
        assert await store.read_small(key, counts, most) == most
        return [thread == threading.get_ident() for thread in threads]

    assert await where("list", 1_000_000) == [True, False]
    assert await where("list", 1) == [True]
    for _ in range(2):
        assert await where("list", 1_000_000) == [True, False]
    assert await where("list", 1) == [False]
    assert await where("another list", 1) == [True]
