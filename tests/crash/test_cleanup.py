"""A service that is killed amid a cleanup loses nothing but the unfinished rest (hazards 20, 27):
the store is whole, what was not to be deleted is all there, and the next run ends the work."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import threading
import time
from pathlib import Path

from mailbox_service.core.cleanup import DAY
from mailbox_service.services.clock import now_micros
from mailbox_service.storage import addresses, messages
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.sqlite import SqliteDatabase
from tests.crash.forking import forking
from tests.journeys.running import RunningService

ADDRESSES = 60
MAILS_EACH = 60
FRESH = 3  # of each mailbox, not old
ROUNDS = 4
WAIT_SECONDS = 60.0

# Rows that break a promise of the store, by the promise.
BROKEN = {
    "a mail without its content": "SELECT count(*) FROM messages m"
    " WHERE NOT EXISTS (SELECT 1 FROM contents c WHERE c.id = m.content_id)",
    "a content that nobody has": "SELECT count(*) FROM contents c"
    " WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.content_id = c.id)",
    "a content with a wrong count": "SELECT count(*) FROM contents c"
    " WHERE uses <> (SELECT count(*) FROM messages m WHERE m.content_id = c.id)",
    "a summary without its mail": "SELECT count(*) FROM summaries s"
    " WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = s.id)",
    "mail of a closed address": "SELECT count(*) FROM messages m"
    " WHERE NOT EXISTS (SELECT 1 FROM addresses a WHERE a.address = m.address)",
}


async def fill(path: Path) -> None:
    """A store with old and fresh mail, each content in two mailboxes."""
    store = SqliteDatabase(path)
    await store.open()
    now = now_micros()

    async def open_all(tx: Transaction) -> None:
        for n in range(ADDRESSES):
            await addresses.open_address(
                tx,
                address=f"a{n}@x.test",
                name=f"a{n}@x.test",
                password_hash=None,
                source_meta="test",
                now=now - 10 * DAY,
            )

    async def send(tx: Transaction, pair: int) -> None:
        for n in range(MAILS_EACH):
            age = 10 * DAY if n >= FRESH else 0
            await messages.add(
                tx,
                addresses=[f"a{2 * pair}@x.test", f"a{2 * pair + 1}@x.test"],
                reverse_path="s@y.test",
                content=b"Subject: n%d\r\n\r\n%s" % (n, b"x" * 3000),
                now=now - age,
                quiet=True,
            )

    await store.write(open_all)
    for pair in range(ADDRESSES // 2):
        await store.write(send, pair)
    await store.close()


def ask(path: Path, sql: str) -> int:
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        return int(connection.execute(sql).fetchone()[0])


def check(path: Path) -> None:
    for promise, sql in BROKEN.items():
        assert ask(path, sql) == 0, promise
    with contextlib.closing(sqlite3.connect(path, timeout=30)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def start_cleanup(service: RunningService, kind: str) -> threading.Thread:
    """Ask for a cleanup of what is older than five days; the answer may never come."""

    def work() -> None:
        body = {"cleanType": kind, "cleanDays": 5}
        with contextlib.suppress(OSError):
            service.post("/admin/cleanup", body, admin=True)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_until_fewer(path: Path, table: str, rows: int, thread: threading.Thread) -> None:
    """Wait until a cleanup has left fewer rows than that, or has ended."""
    deadline = time.monotonic() + WAIT_SECONDS
    while ask(path, f"SELECT count(*) FROM {table}") >= rows and thread.is_alive():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_service_killed_amid_cleanups_leaves_a_whole_store_and_ends_the_work_later(
    tmp_path: Path,
) -> None:
    service = RunningService(tmp_path, {"cleanup_batch_size": 5000})
    path = tmp_path / "data" / "mailbox.db"
    asyncio.run(fill(path))
    fresh = ADDRESSES * FRESH
    moment = random.Random(27)

    with forking(service):
        for _ in range(ROUNDS):
            service.start()
            left = ask(path, "SELECT count(*) FROM messages")
            thread = start_cleanup(service, "mails")
            wait_until_fewer(path, "messages", left - moment.randrange(600), thread)
            service.kill()
            thread.join()
            check(path)
            assert ask(path, "SELECT count(*) FROM messages") >= fresh

        for _ in range(ROUNDS):
            service.start()
            left = ask(path, "SELECT count(*) FROM addresses")
            thread = start_cleanup(service, "addressCreated")
            wait_until_fewer(path, "addresses", left - moment.randrange(10), thread)
            service.kill()
            thread.join()
            check(path)

    service.start()
    try:
        for kind in ("mails", "addressCreated"):
            body = {"cleanType": kind, "cleanDays": 5}
            assert service.post("/admin/cleanup", body, admin=True).status == 200
        check(path)
        for table in ("messages", "addresses", "contents", "summaries"):
            assert ask(path, f"SELECT count(*) FROM {table}") == 0, table
        assert service.stop() == 0
    finally:
        service.kill()
