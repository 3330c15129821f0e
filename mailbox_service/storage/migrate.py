"""Bring the schema of a store up to date, once, at start.

SQLAlchemy and Alembic cost most of a second to import, so they are imported only when there is
something to do; the engines find out with their own drivers. They also cost some 25 MB for as
long as a process lives, so the steps of a store in a file run in a process of their own.
"""

from __future__ import annotations

import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailbox_service.storage import locks

if TYPE_CHECKING:
    import sqlalchemy

FOLDER = Path(__file__).parent / "migrations"

# How long a process that starts waits for another one that migrates the same store.
PATIENCE_SECONDS = 600


class SchemaTooNew(Exception):
    """The store was written by a newer release than this one."""


def newest() -> str:
    """The revision that this release needs: the last file of the folder."""
    return max(known())


def known() -> set[str]:
    """The revisions that this release has the steps for."""
    return {file.stem for file in (FOLDER / "versions").glob("[0-9]*.py")}


def is_due(current: str | None) -> bool:
    """Whether a store at a revision (None: an empty one) needs steps. Raises SchemaTooNew."""
    if current is not None and current not in known():
        raise SchemaTooNew(
            f"This store has schema {current}, and this release knows {newest()} at most: "
            "install the newer release again, or restore a backup from before the upgrade."
        )
    return current != newest()


def upgrade_sqlite(path: Path) -> None:
    """Create or upgrade the store in a file, whole or not at all. Raises SchemaTooNew, or what
    the engine raises."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_SECONDS)
    try:
        if not is_due(_sqlite_revision(connection)):
            return
    finally:
        connection.close()
    if "sqlalchemy" in sys.modules:
        run_sqlite_steps(path)
    else:
        run_sqlite_steps_apart(path)


def run_sqlite_steps_apart(path: Path) -> None:
    """Run the steps in a process of their own, and raise here what it raises there."""
    command = (sys.executable, "-m", "mailbox_service.storage.migrations", str(path))
    # Its standard error is ours: a traceback that nobody expected is for the operator.
    done = subprocess.run(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False
    )
    if done.returncode == 0:
        return
    if done.stdout:
        raise pickle.loads(done.stdout)  # noqa: S301 # from our own `migrations/__main__.py`
    raise OSError(f"The schema could not be brought up to date: exit status {done.returncode}")


def run_sqlite_steps(path: Path) -> None:
    """The steps that the store in a file lacks, in this process."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_SECONDS)
    try:
        from sqlalchemy import NullPool, create_engine
        from sqlalchemy.exc import DBAPIError

        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=NullPool)
        try:
            with engine.connect() as outer:
                # The driver would begin no transaction for a CREATE TABLE. IMMEDIATE: of two
                # processes that start at once, one waits here and then finds the work done.
                outer.exec_driver_sql("BEGIN IMMEDIATE")
                if is_due(_sqlite_revision(connection)):
                    run_steps(outer)
                outer.commit()
        except DBAPIError as error:
            raise error.orig or error from None
    finally:
        connection.close()


def _sqlite_revision(connection: sqlite3.Connection) -> str | None:
    tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
    if tables.fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


async def upgrade_postgres(connect: Callable[[], Awaitable[Any]]) -> None:
    """Create or upgrade the store that `connect` (an asyncpg connection) reaches, whole or
    not at all. Raises SchemaTooNew, or what the engine raises."""
    connection = await connect()
    try:
        if not is_due(await _postgres_revision(connection)):
            return
    finally:
        await connection.close()
    from sqlalchemy.exc import DBAPIError

    try:
        await _run_postgres_steps(connect)
    except DBAPIError as error:
        # The library wraps it twice.
        raise (error.orig and error.orig.__cause__) or error.orig or error from None


async def _run_postgres_steps(connect: Callable[[], Awaitable[Any]]) -> None:
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.begin() as outer:
        await outer.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE_SECONDS}s'"))
        await outer.execute(text("SET LOCAL statement_timeout = 0"))
        await outer.execute(text(f"SELECT pg_advisory_xact_lock({locks.SCHEMA})"))
        exists = await outer.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        current = None
        if exists:
            current = await outer.scalar(text("SELECT version_num FROM alembic_version"))
        if is_due(current):
            await outer.run_sync(run_steps)


async def _postgres_revision(connection: Any) -> str | None:
    if not await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        return None
    revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    return revision


def run_steps(connection: sqlalchemy.Connection) -> None:
    """Run the steps that the store behind a connection lacks, in its open transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
