#!/usr/bin/env python3
"""Copy a data directory while the service runs: backup.py DATA TARGET.

Makes TARGET/mailbox-<UTC time>/ with every file of DATA. An SQLite file is copied by SQLite's
own backup, which is one consistent state; with the log of arriving mail beside it, it holds all
mail that was acknowledged before the copy began.
The copy is checked before it gets its name, so a folder without `.part` is a good backup. It
holds the mails and the secrets: it is readable by its owner only.

Needs Python 3.11 and nothing else. Restore: stop the service, put the folder in DATA's place.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

SQLITE_HEADER = b"SQLite format 3\0"
BUSY_LIMIT = 30  # seconds to wait for a lock; the service holds none for so long


def is_sqlite(file: Path) -> bool:
    """True for an SQLite database, by its first octets."""
    with file.open("rb") as stream:
        return stream.read(len(SQLITE_HEADER)) == SQLITE_HEADER


def copy_database(source: Path, target: Path) -> None:
    """Copy one database in one step, and check the copy. Raises sqlite3.Error."""
    with (
        closing(
            sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", BUSY_LIMIT, uri=True)
        ) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
        (verdict,) = new.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"{target}: {verdict}")


def backup(data: Path, target: Path, now: datetime) -> Path:
    """Copy `data` into a new folder of `target`; the folder's path."""
    final = target / f"mailbox-{now:%Y%m%dT%H%M%SZ}"
    part = final.with_suffix(".part")
    part.mkdir(mode=0o700, parents=True)
    files = [file for file in sorted(data.rglob("*")) if file.is_file() and not file.is_symlink()]
    databases = [file for file in files if is_sqlite(file)]
    # A database's log and shared memory are part of it; SQLite has copied what they held.
    skipped = {Path(f"{file}{suffix}") for file in databases for suffix in ("-wal", "-shm")}
    # The databases last: mail that was acknowledged but is in no table yet is in the log of
    # arriving mail beside them, or else in the tables by then.
    for file in sorted(files, key=databases.__contains__):
        if file in skipped:
            continue
        copy = part / file.relative_to(data)
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file in databases:
            copy_database(file, copy)
            copy.chmod(0o600)
        else:
            shutil.copy2(file, copy)
        with copy.open("rb") as stream:
            os.fsync(stream.fileno())
    part.rename(final)
    return final


def main() -> int:
    """`backup.py DATA TARGET`; prints the folder it made."""
    if len(sys.argv) != 3:
        print("usage: backup.py DATA TARGET", file=sys.stderr)
        return 2
    data, target = Path(sys.argv[1]), Path(sys.argv[2])
    if not data.is_dir():
        print(f"{data}: there is no such folder", file=sys.stderr)
        return 1
    if target.resolve().is_relative_to(data.resolve()):
        print(f"{target}: a backup inside the data it copies", file=sys.stderr)
        return 1
    os.umask(0o077)
    try:
        print(backup(data, target, datetime.now(UTC)))
    except (OSError, sqlite3.Error) as error:
        print(f"no backup was made: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
