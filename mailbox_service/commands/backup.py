"""`mailbox backup`: a copy of everything, while the service runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.config import Config
from mailbox_service.services.clock import as_datetime, now_micros
from mailbox_service.services.first_steps import LAST_BACKUP
from mailbox_service.storage.backups import BackupFailed, back_up
from mailbox_service.storage.connect import connect
from mailbox_service.storage.sqlite import SqliteDatabase

POSTGRES = """This store is PostgreSQL, which makes its own copies. Type:

    pg_dump --format=custom --file mailbox.dump "$MAILBOX_DATABASE_URL"

and keep your settings and the folder {data} beside it."""


@click.command()
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@with_configuration
def backup(target: Path, config_file: Path | None, data: Path | None) -> None:
    """Copy the data folder into a new folder below TARGET; prints its name.

    The service may run. The copy is one consistent state, checked, with all mail that was
    acknowledged before. It holds everybody's mail and the secrets: it is for your eyes alone.
    """
    config = loaded(config_file, data, make=False).config
    if sqlite_file(config) is None:
        click.echo(POSTGRES.format(data=config.data_dir), err=True)
        raise SystemExit(1)
    try:
        made = back_up(Path(config.data_dir), target, as_datetime(now_micros()))
    except BackupFailed as error:
        fail(f"no backup was made: {error}")
    click.echo(made)
    # Not in the store, which a newer program must not touch before its upgrade.
    with suppress(OSError):
        (Path(config.data_dir) / LAST_BACKUP).write_text(f"{made.name}\n")


def sqlite_file(config: Config) -> Path | None:
    """Where in the data folder the store lies; None when it is no file. One elsewhere ends the
    program."""
    folder = Path(config.data_dir)
    try:
        store = connect(config.database_url, folder)
    except ValueError as error:
        fail(str(error))
    if not isinstance(store, SqliteDatabase):
        return None
    path = store.path.resolve()
    if not path.is_relative_to(folder.resolve()):
        fail(f"database_url: {store.path} is not in {folder}; copy it with sqlite3's .backup")
    return path.relative_to(folder.resolve())
