"""The schema: every step in order, once, by one process, whole or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from mailbox_service.storage import migrate
from mailbox_service.storage.connect import connect
from mailbox_service.storage.database import Transaction
from tests.databases import Engine, PostgresServer

pytestmark = pytest.mark.anyio

OPEN = """
import asyncio, sys
from pathlib import Path
from mailbox_service.storage.connect import connect

async def main():
    store = connect(sys.argv[1], Path())
    if "wait" in sys.argv:
        print("ready", flush=True)
        sys.stdin.readline()
    await store.open()
    await store.ping()
    await store.close()

asyncio.run(main())
print(",".join(name for name in ("alembic", "sqlalchemy", "asyncpg") if name in sys.modules))
"""


@pytest.fixture
async def new_url(
    engine: Engine, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """The URL of a store in which nothing is yet."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path}/new.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    await server.run("CREATE DATABASE new_store")
    yield server.url("new_store")
    await server.run("DROP DATABASE new_store WITH (FORCE)")


async def revision(tx: Transaction) -> str:
    row = await tx.fetch_one("SELECT version_num FROM alembic_version")
    assert row is not None
    return str(row[0])


async def set_revision(tx: Transaction, to: str) -> None:
    await tx.execute("UPDATE alembic_version SET version_num = :to", {"to": to})


async def test_a_new_store_gets_every_step(new_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        store = connect(new_url, tmp_path)
        await store.open()
        assert await store.read(revision) == migrate.newest()
        await store.close()


def test_the_names_of_the_files_are_the_order_of_the_steps() -> None:
    """`migrate.newest` reads the folder, Alembic the chain in the files: they must agree."""
    config = Config()
    config.set_main_option("script_location", str(migrate.FOLDER))
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert list(reversed(steps)) == sorted(migrate.known())


async def test_the_second_start_imports_nothing_that_migrates(
    store_url: str, engine: Engine
) -> None:
    """Alembic and SQLAlchemy cost a second."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", OPEN, store_url],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == {"sqlite": "", "postgresql": "asyncpg"}[engine]


def start_together(number: int, url: str) -> list[subprocess.Popen[str]]:
    """Processes that open the same store in the same moment."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPEN, url, "wait"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(number)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


async def test_three_processes_may_open_a_new_store_at_once(new_url: str, tmp_path: Path) -> None:
    processes = start_together(3, new_url)
    for process in processes:
        _, trouble = await asyncio.to_thread(process.communicate, timeout=60)
        assert trouble == ""
        assert process.returncode == 0
    store = connect(new_url, tmp_path)
    await store.open()
    assert await store.read(revision) == migrate.newest()
    await store.close()


async def test_a_store_of_a_newer_release_is_refused_and_left_as_it_is(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 25: a downgrade refuses cleanly."""
    store = connect(store_url, tmp_path)
    await store.open()
    await store.write(set_revision, "9999_future")
    await store.close()
    older = connect(store_url, tmp_path)
    with pytest.raises(migrate.SchemaTooNew, match=r"schema 9999_future.*install the newer"):
        await older.open()
    await older.close()
    monkeypatch.setattr(migrate, "is_due", lambda current: False)
    newer = connect(store_url, tmp_path)
    await newer.open()
    assert await newer.read(revision) == "9999_future"
    await newer.write(set_revision, migrate.newest())  # the next test gets the same store
    await newer.close()


async def test_nor_does_the_first_start_of_a_store_in_a_file(tmp_path: Path) -> None:
    """They would stay in memory, some 25 MB, for as long as the service runs."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", OPEN, f"sqlite:///{tmp_path / 'new.db'}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize("upgrade", [migrate.run_sqlite_steps, migrate.run_sqlite_steps_apart])
def test_a_step_that_fails_leaves_nothing_behind(
    tmp_path: Path, upgrade: Callable[[Path], None]
) -> None:
    """SQLite too: a half-made schema would stop every later start."""
    path = tmp_path / "mailbox.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE cursors (mine TEXT)")
    with pytest.raises(sqlite3.OperationalError, match="cursors already exists"):
        upgrade(path)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    assert tables == [("cursors",)]
    connection.execute("DROP TABLE cursors")
    connection.close()
    upgrade(path)


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("", "mailbox.db"),
        ("sqlite:///other.db", "other.db"),
        ("sqlite:////var/lib/mailbox/m.db", "/var/lib/mailbox/m.db"),
    ],
)
def test_a_url_names_a_file(url: str, file: str, tmp_path: Path) -> None:
    assert getattr(connect(url, tmp_path), "path", None) == tmp_path / file


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_url_names_a_server(scheme: str, tmp_path: Path) -> None:
    url = f"{scheme}://mail:secret@db.test/mail"
    assert getattr(connect(url, tmp_path), "url", None) == url


@pytest.mark.parametrize(
    "url", ["mysql://root:secret@db/mail", "mailbox.db", "sqlite://", "sqlite:///", "postgresql:x"]
)
def test_any_other_url_is_refused_with_one_line_and_no_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^database_url: ") as refused:
        connect(url, tmp_path)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
