"""Arriving mail is on disk when it is answered, and in the tables before anybody looks."""

from __future__ import annotations

import asyncio
import errno
import signal
import sqlite3
import struct
import sys
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.core.packing import pack
from mailbox_service.storage import (
    contents,
    cursors,
    incoming,
    incoming_log,
    message_lists,
)
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.incoming import CURSOR, LARGEST_OCTETS, payload_of
from mailbox_service.storage.incoming_log import IncomingLog
from mailbox_service.storage.messages import NewMessage
from mailbox_service.storage.promise import Promise
from mailbox_service.storage.sqlite import SqliteDatabase
from mailbox_service.storage.syncing import (
    MOST_SYNCS,
    Done,
    KernelSyncing,
    Syncing,
    ThreadSyncing,
)
from tests.storage.conftest import no_file_longer_than

pytestmark = pytest.mark.anyio


def letter(number: int, size: int = 0) -> NewMessage:
    content = b"Subject: %d\r\n\r\n" % number + b"x" * size
    return NewMessage(("ann@x.test",), "bob@elsewhere.example", content, 1_000_000 + number)


def write_log(store: Path, *letters: NewMessage, settled: int = 0) -> IncomingLog:
    """A log as a process left it that was killed."""
    log = IncomingLog(store)
    log.open(settled)
    for one in letters:
        log.write([payload_of(one)])
    return log


def joined(one: NewMessage) -> bytes:
    return b"".join(payload_of(one))


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteDatabase]:
    store = SqliteDatabase(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def every_content(tx: Transaction) -> list[bytes]:
    rows = await tx.fetch_all("SELECT content_id FROM messages ORDER BY id")
    return [await contents.read(tx, row[0]) for row in rows]


async def keep(store: SqliteDatabase, *letters: NewMessage) -> None:
    kept = [store.keep(one, None) for one in letters]
    assert all(future is not None for future in kept)
    await asyncio.gather(*[future for future in kept if future is not None])


async def test_whoever_reads_or_writes_sees_what_was_answered_before(tmp_path: Path) -> None:
    async with opened(tmp_path / "mailbox.db") as store:
        await keep(store, letter(1))
        assert await store.read(every_content) == [letter(1).content]
        await keep(store, letter(2))
        assert await store.write(message_lists.count, None) == 2
        await keep(store, letter(3))
        await store.caught_up()
        assert await store.read_quick(message_lists.count, None) == 3


async def test_mail_goes_into_the_tables_though_nobody_asks(tmp_path: Path) -> None:
    async with opened(tmp_path / "mailbox.db") as store, asyncio.timeout(20):
        await keep(store, *map(letter, range(1200)))
        while await store.read_quick(message_lists.count, None) < 1200:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await store.read(every_content) == [letter(n).content for n in range(1200)]


async def test_a_message_with_many_recipients_reaches_each_with_its_bytes_once(
    tmp_path: Path,
) -> None:
    everybody = tuple(f"box{n}@x.test" for n in range(20))
    async with opened(tmp_path / "mailbox.db") as store:
        await keep(store, *[NewMessage(everybody, "", b"to all", n) for n in range(7)])
        assert await store.read(message_lists.count, None) == 140
        stored = await store.read(count_contents)
        assert stored == 7


async def count_contents(tx: Transaction) -> int:
    row = await tx.fetch_one("SELECT count(*) FROM contents")
    assert row is not None
    return int(row[0])


async def test_large_mail_and_mail_to_a_crowd_go_straight_into_the_tables(tmp_path: Path) -> None:
    async with opened(tmp_path / "mailbox.db") as store:
        usual = letter(0, 100 << 10)
        await keep(store, usual)
        assert await store.read(every_content) == [usual.content]
        assert store.keep(letter(1, LARGEST_OCTETS), None) is None
        crowd = tuple(f"box{n}@x.test" for n in range(1000))
        assert store.keep(NewMessage(crowd, "", b"x", 1), None) is None


async def test_what_a_killed_process_had_answered_is_found_once(tmp_path: Path) -> None:
    path = tmp_path / "mailbox.db"
    write_log(path, *map(letter, range(5))).close(emptied=False)
    for _ in range(2):
        async with opened(path) as store:
            assert await store.read(every_content) == [letter(n).content for n in range(5)]


async def test_what_the_tables_hold_already_is_not_taken_from_the_log_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mailbox.db"
    async with opened(path) as store:
        await store.write(cursors.put, CURSOR, 3)
    write_log(path, *map(letter, range(1, 6))).close(emptied=False)
    async with opened(path) as store:
        assert await store.read(every_content) == [letter(4).content, letter(5).content]


def test_a_log_that_was_torn_anywhere_gives_back_all_before_the_tear(tmp_path: Path) -> None:
    store = tmp_path / "mailbox.db"
    letters = [letter(n, 40 * n) for n in range(8)]
    write_log(store, *letters).close(emptied=False)
    file = tmp_path / "mailbox.db-incoming-0"
    whole = file.read_bytes()
    ends = []
    size = 0
    for one in letters:
        size += incoming_log.HEADER.size + len(joined(one))
        ends.append(size)
    assert ends[-1] == len(whole)
    for cut in range(0, len(whole), 7):
        for tail in (b"", b"\0" * 64, b"\xff" * 64):
            file.write_bytes(whole[:cut] + tail)
            found = [payload for _, payload in incoming_log.records(file)]
            whole_ones = sum(end <= cut for end in ends)
            assert found == [joined(one) for one in letters[:whole_ones]]


def test_what_is_left_of_an_older_turn_is_not_taken_for_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming_log, "TURN_OCTETS", 1000)
    store = tmp_path / "mailbox.db"
    log = IncomingLog(store)
    log.open(0)
    number = 0
    for round_ in range(200):
        settled = max(0, number - 3)
        if log.wants_turn(settled):
            log.turn()
        payloads = [payload_of(letter(round_, round_ % 90))] * (round_ % 4 + 1)
        number = log.write(payloads).first + len(payloads) - 1
        log.close(emptied=False)
        found = IncomingLog(store)
        after = found.open(settled)
        assert after is not None
        assert [one for one, _ in after] == list(range(settled + 1, number + 1))
        found.close(emptied=False)
        reopened = log.open(settled)
        assert reopened == after
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert max(sizes) < 5000


async def test_a_second_process_on_a_store_leaves_the_log_to_the_first(tmp_path: Path) -> None:
    path = tmp_path / "mailbox.db"
    async with opened(path) as store, opened(path) as other:
        assert other.keep(letter(1), None) is None
        await keep(store, letter(2))
        assert await store.read(message_lists.count, None) == 1
        assert await other.read(message_lists.count, None) == 1


async def test_a_log_that_another_process_gives_back_meanwhile_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It put mail into the tables after we looked how far they hold it."""
    path = tmp_path / "mailbox.db"
    loop = asyncio.get_running_loop()
    first = SqliteDatabase(path)
    await first.open()
    await keep(first, letter(1))
    take = IncomingLog.open

    def take_when_it_is_given_back(
        log: IncomingLog, settled: int
    ) -> list[tuple[int, bytes]] | None:
        asyncio.run_coroutine_threadsafe(first.close(), loop).result(20)
        return take(log, settled)

    monkeypatch.setattr(IncomingLog, "open", take_when_it_is_given_back)
    async with opened(path) as store:
        await keep(store, letter(2))
        assert await store.read(every_content) == [letter(1).content, letter(2).content]


async def test_mail_that_no_table_takes_is_put_aside_and_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "mailbox.db"
    bad = NewMessage(("ann@x.test",), "", b"bad", 2**63)  # one more than a table has room for
    async with opened(path) as store, asyncio.timeout(20):
        await keep(store, letter(1), bad, letter(2))
        while await store.read(message_lists.count, None) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await store.read(every_content) == [letter(1).content, letter(2).content]
    aside = tmp_path / "mailbox.db-incoming-refused"
    assert [payload for _, payload in incoming_log.records(aside)] == [joined(bad)]


async def test_mail_that_cannot_even_be_written_down_is_refused_alone(tmp_path: Path) -> None:
    async with opened(tmp_path / "mailbox.db") as store:
        bad = store.keep(NewMessage(("ann@x.test",), "", b"bad", 2**80), None)
        assert bad is not None
        with pytest.raises(OverflowError):
            await bad
        await keep(store, letter(1))


async def test_a_disk_that_takes_no_more_is_a_temporary_refusal_and_loses_nothing(
    tmp_path: Path,
) -> None:
    """Hazard 22."""
    path = tmp_path / "mailbox.db"
    async with opened(path) as store:
        await keep(store, letter(1))
        with no_file_longer_than(1):
            refused = store.keep(letter(2), None)
            assert refused is not None
            with pytest.raises(TemporaryFailure):
                await refused
        await keep(store, letter(3))
        assert await store.read(every_content) == [letter(1).content, letter(3).content]


@pytest.mark.parametrize("kind", [ThreadSyncing, KernelSyncing])
async def test_a_sync_ends_and_tells_what_went_wrong(
    tmp_path: Path, kind: type[ThreadSyncing] | type[KernelSyncing]
) -> None:
    try:
        syncing: Syncing = kind()
    except (OSError, KeyError):
        pytest.skip("the kernel does not offer it")
    loop = asyncio.get_running_loop()
    with (tmp_path / "file").open("wb") as file:
        for _ in range(3):
            file.write(b"x" * 5000)
            file.flush()
            done: asyncio.Future[OSError | None] = loop.create_future()
            syncing.start(file.fileno(), done.set_result)
            assert await done is None
        several = loop.create_future()
        left = 40

        def next_one(error: OSError | None) -> None:
            """Start another sync where one has ended."""
            nonlocal left
            left -= 1
            if error is not None or left == 0:
                several.set_result(error)
            elif left >= MOST_SYNCS:
                syncing.start(file.fileno(), next_one)

        for _ in range(MOST_SYNCS):
            file.write(b"y" * 5000)
            file.flush()
            syncing.start(file.fileno(), next_one)
        assert await several is None
    wrong: asyncio.Future[OSError | None] = loop.create_future()
    syncing.start(2**20, wrong.set_result)
    assert isinstance(await wrong, OSError)
    syncing.close()


class SimulatedDisk:
    """A simulator of a disk that ends its syncs when it is told to, in any order."""

    def __init__(self) -> None:
        self.syncs: list[Done] = []

    def start(self, file: int, done: Done) -> None:
        self.syncs.append(done)

    def end(self, place: int, error: OSError | None = None) -> None:
        asyncio.get_running_loop().call_soon(self.syncs[place], error)

    def close(self) -> None:
        pass


@asynccontextmanager
async def on_a_simulated_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[SqliteDatabase, SimulatedDisk]]:
    disk = SimulatedDisk()

    async def simulated(file: int) -> Syncing:
        return disk

    monkeypatch.setattr(incoming, "syncing_for", simulated)
    monkeypatch.setattr(incoming, "SLOW_SYNC_SECONDS", -1.0)  # every sync is a slow one
    async with opened(path) as store:
        yield store, disk


async def begun(
    disk: SimulatedDisk, store: SqliteDatabase, *letters: NewMessage
) -> list[Promise[None]]:
    """Mail that is on its way to the disk, a sync each."""
    kept = []
    for one in letters:
        future = store.keep(one, None)
        assert future is not None
        kept.append(future)
        before = len(disk.syncs)
        while len(disk.syncs) == before:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return kept


async def test_whoever_wants_to_hears_once_of_mail_that_is_on_disk_and_of_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Sequence[NewMessage]] = []
    async with (
        asyncio.timeout(20),
        on_a_simulated_disk(tmp_path / "mailbox.db", monkeypatch) as (store, disk),
    ):
        store.when_kept(told.append)
        first, second, lost = await begun(disk, store, letter(1), letter(2), letter(3))
        disk.end(1)
        await asyncio.sleep(0.01)
        assert not told
        disk.end(0)
        await asyncio.gather(first, second)
        disk.end(2, OSError(errno.EIO, "simulated"))
        with pytest.raises(TemporaryFailure):
            await lost
        await asyncio.sleep(0.01)
    assert told == [[letter(1)], [letter(2)]]


async def test_syncs_on_their_way_together_are_answered_in_the_order_of_their_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 21: behind mail that is not on disk, no mail would be found after a power cut."""
    async with (
        asyncio.timeout(20),
        on_a_simulated_disk(tmp_path / "mailbox.db", monkeypatch) as (store, disk),
    ):
        first, second, third = await begun(disk, store, letter(1), letter(2), letter(3))
        fourth = store.keep(letter(4), None)
        disk.end(2)
        disk.end(1)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not any(one.done() for one in (first, second, third))
        assert len(disk.syncs) == incoming.MOST_GROUPS
        disk.end(0)
        await asyncio.gather(first, second, third)
        while len(disk.syncs) == incoming.MOST_GROUPS:  # noqa: ASYNC110
            await asyncio.sleep(0)
        disk.end(3)
        assert fourth is not None
        await fourth
        assert await store.read(every_content) == [letter(n).content for n in range(1, 5)]


async def test_mail_behind_mail_that_could_not_be_synced_is_refused_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 22: its own sync may have gone well; it would not be found all the same."""
    path = tmp_path / "mailbox.db"
    async with asyncio.timeout(20), on_a_simulated_disk(path, monkeypatch) as (store, disk):
        kept, torn, behind = await begun(disk, store, letter(1), letter(2), letter(3))
        after = store.keep(letter(4), None)
        disk.end(2)
        disk.end(1, OSError(errno.EIO, "the disk is broken"))
        disk.end(0)
        await kept
        for future in (torn, behind):
            with pytest.raises(TemporaryFailure):
                await future
        while len(disk.syncs) == incoming.MOST_GROUPS:  # noqa: ASYNC110
            await asyncio.sleep(0)
        disk.end(3)
        assert after is not None
        await after
        found = list(incoming_log.records(tmp_path / "mailbox.db-incoming-0"))
        assert [payload for _, payload in found] == [joined(letter(1)), joined(letter(4))]
        assert await store.read(every_content) == [letter(1).content, letter(4).content]


KEEP_AND_DIE = """
import asyncio, os, sys
from pathlib import Path
from mailbox_service.storage.messages import NewMessage
from mailbox_service.storage.promise import Promise
from mailbox_service.storage.sqlite import SqliteDatabase

async def main():
    store = SqliteDatabase(Path(sys.argv[1]))
    await store.open()
    for number in range(40):
        await store.keep(NewMessage(("ann@x.test",), "", b"%d" % number, number), None)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


async def test_a_process_that_is_killed_right_after_its_answers_has_lost_none(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mailbox.db"
    for _ in range(3):
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", KEEP_AND_DIE, path)
        assert await process.wait() == -signal.SIGKILL
    async with opened(path) as store:
        assert await store.read(every_content) == [b"%d" % n for n in range(40)] * 3


async def test_the_log_is_empty_after_a_stop(tmp_path: Path) -> None:
    async with opened(tmp_path / "mailbox.db") as store:
        await keep(store, letter(1), letter(2))
    assert incoming.CURSOR == "incoming"
    for n in range(2):
        assert (tmp_path / f"mailbox.db-incoming-{n}").stat().st_size == 0


async def test_mail_that_a_program_of_before_had_answered_is_found(tmp_path: Path) -> None:
    path = tmp_path / "mailbox.db"
    letters = [letter(n) for n in range(5)]
    records = b""
    for number, one in enumerate(map(joined, letters), 1):
        check = zlib.crc32(one, number)
        records += struct.pack("<4sQII", b"MBX1", number, len(one), check) + one
    (tmp_path / "mailbox.db-incoming-0").write_bytes(records[:-1] + b"?")  # the last one was torn
    async with opened(path) as store:
        assert await store.read(every_content) == [one.content for one in letters[:-1]]


async def test_what_was_taken_from_the_log_has_the_checksum_of_its_content(tmp_path: Path) -> None:
    plain, packed = letter(1), letter(2)
    packed = NewMessage(packed.addresses, "", packed.content, 1, pack(packed.content))
    async with opened(tmp_path / "mailbox.db") as store:
        await asyncio.gather(keep(store, plain), keep(store, packed))
        for content_id, content in enumerate((plain.content, packed.content), 1):
            assert await store.read(contents.read, content_id) == content


async def test_a_log_that_could_not_be_read_at_start_keeps_its_mail_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mailbox.db"
    async with opened(path):
        pass
    write_log(path, letter(1), letter(2)).close(emptied=False)

    def unreadable(path: Path) -> Iterator[tuple[int, bytes]]:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(incoming_log, "records", unreadable)
        store = SqliteDatabase(path)
        with pytest.raises(TemporaryFailure):
            await store.open()
        await store.close()
    async with opened(path) as store:
        assert await store.read(every_content) == [letter(1).content, letter(2).content]


async def rename(tx: Transaction, table: str, name: str) -> None:
    await tx.execute(f"ALTER TABLE {table} RENAME TO {name}")


async def test_mail_that_the_tables_cannot_take_now_holds_up_no_reader_and_no_stop(
    tmp_path: Path,
) -> None:
    """Everything else that a group does goes through, so nothing else tells of it."""
    path = tmp_path / "mailbox.db"
    async with asyncio.timeout(60):
        async with opened(path) as store:
            await store.write(rename, "messages", "elsewhere")
            await keep(store, letter(1), letter(2))
            assert await store.read(cursors.get, CURSOR) == 0
        store = SqliteDatabase(path)
        with pytest.raises(TemporaryFailure):
            await store.open()
        await store.close()
        with closing(sqlite3.connect(path)) as mended:
            mended.execute("ALTER TABLE elsewhere RENAME TO messages")
        async with opened(path) as store:
            assert await store.read(every_content) == [letter(1).content, letter(2).content]


async def test_mail_that_can_be_put_nowhere_stays_in_the_log_and_ends_no_writing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mailbox.db"
    bad = NewMessage(("ann@x.test",), "", b"bad", 2**63)
    aside = tmp_path / "mailbox.db-incoming-refused"
    aside.mkdir()
    async with opened(path) as store, asyncio.timeout(20):
        await keep(store, bad)
        await store.write(cursors.put, "still", 1)
        assert await store.read(cursors.get, "still") == 1
        aside.rmdir()
        await keep(store, letter(1))
        while await store.read(message_lists.count, None) < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [payload for _, payload in incoming_log.records(aside)] == [joined(bad)]


async def test_mail_beyond_the_bound_is_refused_while_the_tables_take_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "MOST_OCTETS", 1000)
    async with opened(tmp_path / "mailbox.db") as store, asyncio.timeout(60):
        await store.write(rename, "messages", "elsewhere")
        await keep(store, letter(1, 2000))
        await store.read(cursors.get, CURSOR)
        refused = store.keep(letter(2), None)
        assert refused is not None
        with pytest.raises(TemporaryFailure):
            await refused
        await store.write(rename, "elsewhere", "messages")
        while await store.read(message_lists.count, None) < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await keep(store, letter(3))
        contents = [letter(1, 2000).content, letter(3).content]
        assert await store.read(every_content) == contents


async def test_a_log_that_cannot_be_emptied_at_the_end_does_not_keep_the_store_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    path = tmp_path / "mailbox.db"
    store = SqliteDatabase(path)
    await store.open()
    await keep(store, letter(1))
    with monkeypatch.context() as patched:
        patched.setattr(incoming_log, "fdatasync", cannot)
        await store.close()
    async with opened(path) as store:
        assert await store.read(every_content) == [letter(1).content]
