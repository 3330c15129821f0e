"""Copies of a data directory, made while the service runs, and put back while it does not.

An SQLite file is copied by SQLite's own backup, in one step: one consistent state, and writers go
on meanwhile. Everything else is copied before it: what was acknowledged and is in no table yet
is in the log of arriving mail beside the store, or else in the tables by then. A copy is checked
and on the disk before it gets its name.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from mailbox_service.storage.connect import FILE_NAME

HEADER = b"SQLite format 3\0"
BUSY_SECONDS = 30.0  # for a lock; the service holds none for so long
# Of the process, not of the data; and what an unfinished upload left.
LEFT_OUT = frozenset(("lock", "unfinished"))


class BackupFailed(Exception):
    """No copy was made, or none was put back; the text says why."""


def is_sqlite(file: Path) -> bool:
    """Whether a file is an SQLite database, by its first octets; one that is gone is none."""
    try:
        with file.open("rb") as stream:
            return stream.read(len(HEADER)) == HEADER
    except FileNotFoundError:
        return False


def copy_database(source: Path, target: Path) -> None:
    """Copy one database in one step, and check the copy. Raises BackupFailed."""
    uri = f"{source.absolute().as_uri()}?mode=rw"  # a reader of the log writes its index
    try:
        with (
            closing(sqlite3.connect(uri, BUSY_SECONDS, uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            target.chmod(0o600)
            old.backup(new)
            new.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
    except sqlite3.Error as error:
        raise BackupFailed(f"{source}: {error}") from None
    check_database(target)


def check_database(file: Path) -> None:
    """Read a database from end to end. Raises BackupFailed when it is damaged."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as opened:
            (verdict,) = opened.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise BackupFailed(f"{file}: {error}") from None
    if verdict != "ok":
        raise BackupFailed(f"{file}: {verdict}")


def back_up(data: Path, target: Path, now: datetime) -> Path:
    """Copy a data directory into a new folder below `target`; the folder. Raises BackupFailed."""
    if target.resolve().is_relative_to(data.resolve()):
        raise BackupFailed(f"{target}: a backup inside the data that it copies")
    final = target / f"mailbox-{now:%Y%m%dT%H%M%SZ}"
    part = final.with_suffix(".part")
    try:
        part.mkdir(mode=0o700, parents=True)
        copy_folder(data, part)
        part.rename(final)
    except OSError as error:
        raise BackupFailed(f"{error.filename or target}: {error.strerror}") from None
    return final


def copy_folder(data: Path, target: Path) -> None:
    """Copy every file, databases last. Raises BackupFailed, OSError."""
    files = [
        file
        for file in sorted(data.rglob("*"))
        if file.is_file()
        and not file.is_symlink()
        and not LEFT_OUT & set(file.relative_to(data).parts)
    ]
    databases = [file for file in files if is_sqlite(file)]
    # A database's log and shared memory are part of it; SQLite copies what they hold.
    skipped = {Path(f"{file}{suffix}") for file in databases for suffix in ("-wal", "-shm")}
    for file in sorted(files, key=databases.__contains__):
        if file in skipped:
            continue
        copy = target / file.relative_to(data)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file in databases:
            copy_database(file, copy)
        else:
            try:
                shutil.copy2(file, copy)
            except FileNotFoundError:
                continue  # an attachment that was deleted since, or the log of a store that closed
        with copy.open("rb") as stream:
            os.fsync(stream.fileno())


def restore(
    backup: Path, data: Path, now: datetime, *, store: str | Path = FILE_NAME
) -> Path | None:
    """Put a copy in the place of a data directory that nobody uses; where what was there is now,
    None when nothing was. `store` is where in the directory the database lies. Raises
    BackupFailed; then everything is as before."""
    if not (backup / store).is_file() or not is_sqlite(backup / store):
        raise BackupFailed(f"{backup}: no backup: there is no {store} in it")
    if backup.suffix == ".part":
        raise BackupFailed(f"{backup}: a backup that was not finished")
    check_database(backup / store)
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    new = data.with_name(f"{data.name}.restoring-{stamp}")
    old = data.with_name(f"{data.name}.before-{stamp}")
    try:
        new.mkdir(mode=0o700, parents=True)
        copy_folder(backup, new)
        aside = data.exists()
        if aside:
            data.rename(old)
        new.rename(data)
    except OSError as error:
        shutil.rmtree(new, ignore_errors=True)
        if not data.exists() and old.exists():
            old.rename(data)
        raise BackupFailed(f"{error.filename or data}: {error.strerror}") from None
    except BackupFailed:
        shutil.rmtree(new, ignore_errors=True)
        raise
    return old if aside else None
