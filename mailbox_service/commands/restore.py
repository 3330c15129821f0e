"""`mailbox restore`: put a backup back."""

from __future__ import annotations

from pathlib import Path

import click

from mailbox_service.commands.backup import sqlite_file
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.config import Config
from mailbox_service.first_run import FILE_NAME as SETTINGS
from mailbox_service.services.clock import as_datetime, now_micros
from mailbox_service.storage.backups import BackupFailed
from mailbox_service.storage.backups import restore as put_back
from mailbox_service.storage.ownership import Ownership

POSTGRES = """This store is PostgreSQL, which has its own copies. Stop the service, then type:

    createdb mailbox
    pg_restore --exit-on-error --no-owner --dbname mailbox mailbox.dump"""

AFTERWARDS = """Before you start the service: mail that was sent since the backup is in its queue
again; look through `mailbox queue list`, and drop what has gone out."""


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@with_configuration
def restore(folder: Path, config_file: Path | None, data: Path | None) -> None:
    """Put the backup in FOLDER in the place of the data folder, which is moved aside.

    Refuses while a service runs. The backup itself stays as it is.
    """
    config = configuration(folder, config_file, data)
    store = sqlite_file(config)
    if store is None:
        click.echo(POSTGRES, err=True)
        raise SystemExit(1)
    # Where it really is: a name that leads to another disk stays, and so does the disk.
    place = Path(config.data_dir).resolve()
    ownership = Ownership(place)
    try:
        if place.exists():
            ownership.take()
        aside = put_back(folder, place, as_datetime(now_micros()), store=store)
    except OSError as error:
        fail(f"{error}; stop it first.")
    except BackupFailed as error:
        fail(f"nothing was restored: {error}")
    finally:
        ownership.release()
    if aside is not None:
        click.echo(f"What was there is in {aside}")
    click.echo(f"{place} is the backup now. {AFTERWARDS}")


def configuration(folder: Path, config_file: Path | None, data: Path | None) -> Config:
    """The settings of this call; on a new machine those in the backup, for the folder named."""
    is_new = config_file is None and data is not None and not (data / SETTINGS).exists()
    if is_new and (folder / SETTINGS).exists():
        return loaded(folder / SETTINGS, data, make=False).config
    return loaded(config_file, data, make=False).config
