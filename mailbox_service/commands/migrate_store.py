"""`mailbox migrate-store`: from the file to PostgreSQL, when one machine is not enough."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailbox_service.commands.backup import sqlite_file
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.core.errors import MailError
from mailbox_service.storage.connect import connect
from mailbox_service.storage.migrate import SchemaTooNew
from mailbox_service.storage.ownership import Ownership
from mailbox_service.storage.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from mailbox_service.storage.engine_move import Moved

PASSWORD = re.compile(r"(://[^:@/]*):[^@/]*@")
AFTERWARDS = """Everything is in the database, counted and compared: {rows} rows of {tables} tables.
Set this, and start the service; keep the other files of {data}:

    database_url = "{url}"

{file} is as it was. The service does not read it any more; when you are content, remove it."""


@click.command("migrate-store")
@click.argument("target", metavar="DATABASE_URL")
@with_configuration
def migrate_store(target: str, config_file: Path | None, data: Path | None) -> None:
    """Move the store out of its file into the empty PostgreSQL database at DATABASE_URL.

    Ids, tokens and the queue stay as they are. Refuses while a service runs; the file is only
    read. A password belongs into PGPASSWORD or ~/.pgpass: arguments are seen by everybody on
    this machine.
    """
    config = loaded(config_file, data, make=False).config
    folder = Path(config.data_dir)
    try:
        database = connect(target, folder)
    except ValueError as error:
        fail(str(error))
    if isinstance(database, SqliteDatabase):
        fail("DATABASE_URL: a store moves to postgresql://user@host/name")
    if sqlite_file(config) is None:
        fail("database_url: this store is PostgreSQL already; pg_dump and pg_restore move it")
    store = connect(config.database_url, folder)
    assert isinstance(store, SqliteDatabase)
    if not store.path.is_file():
        fail(f"{store.path}: there is no store")
    ownership = Ownership(folder)
    try:
        ownership.take()
    except OSError as error:
        fail(f"{error}; stop it first.")
    try:
        asyncio.run(move(store, target))
    finally:
        ownership.release()


async def move(store: SqliteDatabase, url: str) -> None:
    """Bring the file up to date, move it, and say what to do next."""
    from mailbox_service.storage import engine_move  # asyncpg is an extra

    try:
        # The schema is brought up to date, and mail that was answered is taken into the tables.
        await store.open()
        await store.close()
        moved = await engine_move.move(store.path, url, tell)
    except (MailError, SchemaTooNew, engine_move.MoveFailed) as error:
        fail(f"nothing was moved: {error}")
    click.echo(
        AFTERWARDS.format(
            rows=sum(one.rows for one in moved),
            tables=len(moved),
            data=store.path.parent,
            url=PASSWORD.sub(r"\1:PASSWORD@", url),
            file=store.path,
        )
    )


def tell(moved: Moved) -> None:
    """Show a table that is over."""
    click.echo(f"  {moved.rows:>12,}  {moved.table}", err=True)
