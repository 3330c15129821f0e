"""What is PostgreSQL's alone: its parameters, its absences, its locks, its signals."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import asyncpg  # type: ignore[import-untyped]
import pytest

from mailbox_service.core.errors import StorageFull, TemporaryFailure
from mailbox_service.signals import Signals
from mailbox_service.storage import (
    cleaning,
    contents,
    lending,
    messages,
    postgres,
    sending_messages,
    submissions,
)
from mailbox_service.storage.database import NO_PARAMS, Dialect, Params, Row, Transaction
from mailbox_service.storage.postgres import PostgresDatabase, numbered
from tests.databases import PostgresServer
from tests.storage.conftest import MakeDisk

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def other(store_url: str) -> AsyncIterator[PostgresDatabase]:
    """The same store, as another process sees it."""
    other = PostgresDatabase(store_url)
    await other.open()
    yield other
    await other.close()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that may be killed."""
    server = PostgresServer()
    yield server
    server.stop()


async def keep(tx: Transaction, content: bytes) -> int:
    return await contents.add(tx, content, uses=1)


async def count(tx: Transaction) -> int:
    row = await tx.fetch_one("SELECT count(*) FROM contents")
    assert row is not None
    return int(row[0])


async def set_setting(tx: Transaction, name: str) -> int:
    return await tx.execute(
        "INSERT INTO settings (name, value, updated_at) VALUES (:name, '', 0) "
        "ON CONFLICT (name) DO UPDATE SET version = settings.version + 1",
        {"name": name},
    )


@pytest.mark.parametrize(
    ("sql", "expected", "names"),
    [
        ("SELECT 1", "SELECT 1", ()),
        ("a = :a AND b = :b", "a = $1 AND b = $2", ("a", "b")),
        ("x > :now OR y > :now", "x > $1 OR y > $1", ("now",)),
        (":a::bigint + 1", "$1::bigint + 1", ("a",)),
        ("a = ':no' AND b = :yes", "a = ':no' AND b = $1", ("yes",)),
        ("a = 'it''s :no' || :yes", "a = 'it''s :no' || $1", ("yes",)),
        ('":no" = :yes', '":no" = $1', ("yes",)),
        ("-- :no\n:yes", "-- :no\n$1", ("yes",)),
        ("/* :no\n :no */ :yes", "/* :no\n :no */ $1", ("yes",)),
        ("(:a,:b_2)", "($1,$2)", ("a", "b_2")),
    ],
)
def test_named_parameters_are_numbered(sql: str, expected: str, names: tuple[str, ...]) -> None:
    assert numbered(sql) == (expected, names)


async def test_a_commit_is_synced_whatever_the_database_says(
    store_url: str, postgres_server: PostgresServer
) -> None:
    connection = await asyncpg.connect(store_url)
    name = await connection.fetchval("SELECT current_database()")
    await connection.close()
    await postgres_server.run(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = PostgresDatabase(store_url)
    await store.open()

    async def setting(tx: Transaction) -> object:
        return await tx.fetch_one("SHOW synchronous_commit")

    assert await store.write(setting) == ("on",)
    await store.close()
    await postgres_server.run(f"ALTER DATABASE {name} RESET synchronous_commit")


async def test_a_server_that_is_killed_is_a_temporary_failure_until_it_is_back(
    own_server: PostgresServer,
) -> None:
    """Hazard 19: DB down → 4xx, readiness says so, and it recovers without a restart."""
    store = PostgresDatabase(own_server.url(await own_server.empty_database()))
    await store.open()
    topics: list[str] = []
    heard = asyncio.Event()

    def hear(topic: str) -> None:
        topics.append(topic)
        heard.set()

    await store.listen(hear)
    await store.write(keep, b"before")
    assert await store.read(count) == 1

    own_server.kill()
    for _ in range(2):
        with pytest.raises(TemporaryFailure):
            await store.write(keep, b"meanwhile")
        with pytest.raises(TemporaryFailure):
            await store.read(count)
        with pytest.raises(TemporaryFailure):
            await store.read_quick(count)
    with pytest.raises(TemporaryFailure):
        await store.ping()

    own_server.start()
    await store.ping()
    await store.write(keep, b"after")
    assert await asyncio.gather(*[store.read(count) for _ in range(8)]) == [2] * 8
    async with asyncio.timeout(30):
        while not heard.is_set():
            store.notify("queue")
            await asyncio.sleep(0.05)
    assert set(topics) == {"queue"}
    await store.close()


async def test_a_server_that_is_away_at_start_is_a_reason_not_a_hang(tmp_path: Path) -> None:
    with pytest.raises(TemporaryFailure):
        await PostgresDatabase(f"postgresql://postgres@/none?host={tmp_path}").open()


@pytest.mark.parametrize(
    ("user", "name", "reason"),
    [
        ("postgres", "no_such", 'database "no_such" does not exist'),
        ("nobody", "template1", 'role "nobody" does not exist'),
        ("guest", "template1", "permission denied for schema public"),
    ],
)
async def test_whoever_starts_it_hears_why_the_server_lets_it_not_in(
    postgres_server: PostgresServer, guest: str, user: str, name: str, reason: str
) -> None:
    url = postgres_server.url(name).replace("postgres@", f"{user}@")
    with pytest.raises(TemporaryFailure, match=reason):
        await PostgresDatabase(url).open()


@pytest.fixture
async def guest(postgres_server: PostgresServer) -> AsyncIterator[str]:
    """A user who may log in and nothing more."""
    await postgres_server.run("CREATE ROLE guest LOGIN")
    yield "guest"
    await postgres_server.run("DROP ROLE guest")


async def test_a_login_or_a_database_that_is_away_for_a_while_is_a_temporary_failure(
    store_url: str, postgres_server: PostgresServer
) -> None:
    """A password is changed; a copy of the database is put in its place."""
    name = store_url.partition("@/")[2].partition("?")[0]
    stop = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    )
    still = f"SELECT count(*) FROM ({stop}) AS stopped"
    store = PostgresDatabase(store_url, readers=1)
    await store.open()
    for number, (away, back) in enumerate(
        (
            ("ALTER ROLE postgres NOLOGIN", "ALTER ROLE postgres LOGIN"),
            (f"ALTER DATABASE {name} RENAME TO away", f"ALTER DATABASE away RENAME TO {name}"),
        )
    ):
        administrator = await asyncpg.connect(postgres_server.url())
        await administrator.execute(stop)
        async with asyncio.timeout(20):
            while await administrator.fetchval(still):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await administrator.execute(away)
        try:
            for _ in range(2):
                with pytest.raises(TemporaryFailure):
                    await store.write(keep, b"meanwhile")
                with pytest.raises(TemporaryFailure):
                    await store.read(count)
        finally:
            await administrator.execute(back)
            await administrator.close()
        await store.write(keep, b"after")
        assert await store.read(count) == number + 1
    await store.close()


async def test_a_writer_that_found_a_standby_looks_for_the_primary(
    store_url: str, postgres_server: PostgresServer
) -> None:
    """After a failover the name of the server may lead to the wrong one for a while."""
    name = store_url.partition("@/")[2].partition("?")[0]
    await postgres_server.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store = PostgresDatabase(store_url)
    await store.open()
    refused = [store.write(keep, b"one"), store.write(keep, b"another")]
    for one in refused:
        with pytest.raises(TemporaryFailure):
            await one
    await postgres_server.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await store.ping()
    await store.write(keep, b"after")
    assert await store.read(count) == 1
    await store.close()


async def test_a_connection_that_is_cut_amid_a_group_undoes_it_whole(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    async def end_the_writer(tx: Transaction) -> None:
        await keep(tx, b"undone")
        row = await tx.fetch_one("SELECT pg_backend_pid()")
        assert row is not None
        await other.write(terminate, row[0])
        await tx.fetch_one("SELECT 1")

    async def terminate(tx: Transaction, process_id: int) -> None:
        await tx.fetch_one("SELECT pg_terminate_backend(:pid, 5000)", {"pid": process_id})

    first, second = database.write(keep, b"undone"), database.write(end_the_writer)
    with pytest.raises(TemporaryFailure):
        await first
    with pytest.raises(TemporaryFailure):
        await second
    await database.write(keep, b"kept")
    assert await database.read(count) == 1


async def test_a_full_disk_refuses_mail_and_takes_it_again_when_there_is_room(
    postgres_server: PostgresServer, small_disk: MakeDisk
) -> None:
    """Hazard 19: ENOSPC on write → 4xx, and recovery without restart."""
    disk = small_disk(40)
    space = disk / "space"
    space.mkdir()
    for folder in (disk, *list(disk.parents)[:-2]):
        folder.chmod(0o755)
    owner = pwd.getpwuid(postgres_server.folder.stat().st_uid)
    os.chown(space, owner.pw_uid, owner.pw_gid)
    filler = disk / "filler"
    filler.write_bytes(bytes(15_000_000))
    await postgres_server.run(f"CREATE TABLESPACE small LOCATION '{space}'")
    await postgres_server.run("CREATE DATABASE full_disk TABLESPACE small")
    store = PostgresDatabase(postgres_server.url("full_disk"))
    try:
        await store.open()
        await store.write(keep, b"before")
        assert await store.read(count) == 1  # a reader's connection is open before the disk fills
        with pytest.raises(StorageFull):
            await store.write(keep, os.urandom(30_000_000))
        assert await store.read(count) == 1
        filler.unlink()
        await store.write(keep, os.urandom(1_000_000))
        assert await store.read(count) == 2
    finally:
        # A server with pages that it cannot write would fail every test after this one.
        filler.unlink(missing_ok=True)
        await store.close()
        await postgres_server.run("DROP DATABASE full_disk WITH (FORCE)")
        await postgres_server.run("DROP TABLESPACE small")


async def test_a_lock_that_another_holds_too_long_is_a_temporary_failure(
    database: PostgresDatabase, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(set_setting, "x")
    monkeypatch.setitem(postgres.SETTINGS, "lock_timeout", "50ms")
    impatient = PostgresDatabase(store_url)
    await impatient.open()
    connection = await asyncpg.connect(store_url)
    async with connection.transaction():
        await connection.execute("UPDATE settings SET version = 9")
        blocked, free = impatient.write(set_setting, "x"), impatient.write(set_setting, "y")
        with pytest.raises(TemporaryFailure):
            await blocked
        assert await free == 1
    await connection.close()
    assert await impatient.write(set_setting, "x") == 1
    await impatient.close()


SENT = """
INSERT INTO submissions (queue_id, address, reverse_path, content_id, size, door, message_id,
                         from_address, subject, listed, created_at)
VALUES ('sent', 'ann@a.test', '', :content_id, 6, '', '', '', '', 0, 1)
"""
COPY = """
INSERT INTO sending_messages (submission_id, queue_id, account, username, sender, subject, fields,
                              size, client_ip, created_at, archived_content_id)
VALUES (7, 'copied', '', '', '', '', '', 6, '', 1, :content_id)
"""


class Between:
    """A transaction of one process; the other one does something behind its first look."""

    dialect: Dialect = "postgresql"

    def __init__(self, tx: Transaction, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._tx = tx
        self._meanwhile: Callable[[], Awaitable[object]] | None = meanwhile

    async def fetch_all(self, sql: str, params: Params = NO_PARAMS) -> Sequence[Row]:
        found = await self._tx.fetch_all(sql, params)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None and sql.lstrip().startswith("SELECT"):
            await meanwhile()
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


async def by_owner(tx: Transaction, message_id: int) -> None:
    await messages.remove(tx, "ann@a.test", [message_id])


async def by_emptying(tx: Transaction, message_id: int) -> None:
    await messages.remove_oldest(tx, "ann@a.test", limit=1)


async def by_cleanup(tx: Transaction, message_id: int) -> None:
    await cleaning.remove_mail(tx, [message_id], old=None, before=0)


async def by_purge(tx: Transaction, message_id: int) -> None:
    await submissions.purge(tx, limit=10)


async def by_purge_of_copies(tx: Transaction, message_id: int) -> None:
    await sending_messages.purge(tx, before=10, limit=10)


@pytest.mark.parametrize(
    "remove", [by_owner, by_emptying, by_cleanup, by_purge, by_purge_of_copies]
)
async def test_what_two_processes_remove_at_once_gives_up_its_content_once(
    database: PostgresDatabase,
    other: PostgresDatabase,
    remove: Callable[[Transaction, int], Awaitable[None]],
) -> None:
    """The other ones that share it still read it."""

    async def put(tx: Transaction) -> list[int]:
        ids = await messages.add(
            tx,
            addresses=["ann@a.test", "bob@a.test"],
            reverse_path="",
            content=b"shared",
            now=1,
        )
        await tx.execute(SENT, {"content_id": 1})
        await tx.execute(COPY, {"content_id": 1})
        await contents.keep(tx, 1, uses=2)
        return ids

    async def both(tx: Transaction, message_id: int) -> None:
        def meanwhile() -> Awaitable[None]:
            return other.write(remove, message_id)  # type: ignore[arg-type]

        await remove(cast(Transaction, Between(tx, meanwhile)), message_id)

    async def uses(tx: Transaction) -> Sequence[Row]:
        return await tx.fetch_all("SELECT uses FROM contents")

    first, _ = await database.write(put)
    assert await database.read(uses) == [(4,)]
    await database.write(both, first)
    assert await database.read(uses) == [(3,)]


async def test_two_processes_that_stand_in_each_others_way_both_get_through(
    database: PostgresDatabase, other: PostgresDatabase
) -> None:
    """A deadlock costs one of them a second run, not an answer."""
    meet = {"x": asyncio.Event(), "y": asyncio.Event()}

    async def set_both(tx: Transaction, first: str, second: str) -> None:
        await set_setting(tx, first)
        meet[first].set()
        await meet[second].wait()
        await set_setting(tx, second)

    await asyncio.gather(
        database.write(set_both, "x", "y"),
        other.write(set_both, "y", "x"),
    )

    async def versions(tx: Transaction) -> list[int]:
        return [row[0] for row in await tx.fetch_all("SELECT version FROM settings")]

    assert await database.read(versions) == [2, 2]


async def test_too_many_connections_are_a_temporary_failure(
    store_url: str, postgres_server: PostgresServer
) -> None:
    await postgres_server.run("CREATE ROLE crowded LOGIN CONNECTION LIMIT 1")
    connection = await asyncpg.connect(store_url)
    await connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO crowded")
    store = PostgresDatabase(store_url.replace("postgres@", "crowded@"))
    await store.open()
    with pytest.raises(TemporaryFailure) as refused:
        await store.read(count)
    assert isinstance(refused.value.__cause__, asyncpg.TooManyConnectionsError)
    await store.close()
    await connection.execute("DROP OWNED BY crowded")
    await connection.close()
    await postgres_server.run("DROP ROLE crowded")


async def test_a_read_without_end_is_ended(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "READ_SECONDS", 1)
    store = PostgresDatabase(store_url)
    await store.open()

    async def wait(tx: Transaction) -> None:
        await tx.fetch_one("SELECT CAST(pg_sleep(100) AS TEXT)")

    for read in (store.read, store.read_quick):
        with pytest.raises(TemporaryFailure):
            await read(wait)
    assert await store.read(count) == 0
    await store.close()


async def test_all_readers_away_is_a_temporary_failure(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lending, "READ_SECONDS", 0.05)
    store = PostgresDatabase(store_url, readers=1)
    await store.open()
    go_on = asyncio.Event()

    async def hold(tx: Transaction) -> None:
        await go_on.wait()

    holder = asyncio.create_task(store.read(hold))
    await asyncio.sleep(0)
    with pytest.raises(TemporaryFailure, match="too much"):
        await store.read(count)
    go_on.set()
    await holder
    assert await store.read(count) == 0
    await store.close()


async def test_signals_reach_other_processes_and_survive_a_lost_connection(
    database: PostgresDatabase, other: PostgresDatabase, postgres_server: PostgresServer
) -> None:
    here, there = Signals(), Signals()
    for store, signals in ((database, here), (other, there)):
        await store.listen(signals.arrived)
        signals.send_abroad(store.notify)
    with there.watch("mailbox:ann@a.test") as watch, here.watch("queue") as back:
        here.notify("mailbox:ann@a.test")
        assert await watch.wait(10)
        there.notify("queue")
        assert await back.wait(10)
        await postgres_server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE query LIKE '%pg_notify%' AND pid <> pg_backend_pid()"
        )
        for _ in range(100):
            here.notify("mailbox:ann@a.test")
            if await watch.wait(0.1):
                break
        else:
            pytest.fail("no signal came after the connections were cut")


async def test_topics_too_long_or_too_many_are_dropped_not_kept(
    database: PostgresDatabase,
) -> None:
    heard: list[str] = []
    done = asyncio.Event()

    def hear(topic: str) -> None:
        heard.append(topic)
        if topic == "last":
            done.set()

    await database.listen(hear)
    database.notify("x" * 9000)
    for _ in range(5):
        database.notify("same")
    database.notify("last")
    async with asyncio.timeout(10):
        await done.wait()
    assert heard == ["same", "last"]
