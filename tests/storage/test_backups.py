"""Copies of a data folder: made under load, refused where they would be none."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailbox_service.storage import backups
from mailbox_service.storage.backups import BackupFailed, back_up

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_a_backup_during_writes_holds_all_that_was_acknowledged_before(tmp_path: Path) -> None:
    """Hazard 26: a backup under load is one consistent state."""
    data, target = tmp_path / "data", tmp_path / "backups"
    data.mkdir()
    (data / "mailbox.toml").write_text('jwt_secret = "kept"\n')
    store = data / "mailbox.db"
    acknowledged, stop, enough = [0], threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(store, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute(
                "CREATE TABLE mail (id INTEGER PRIMARY KEY, part INTEGER, content BLOB)"
            )
            number = 0
            while not stop.is_set() and number < 100_000:
                number += 1
                connection.execute("BEGIN IMMEDIATE")
                for part in (1, 2):
                    connection.execute(
                        "INSERT INTO mail (part, content) VALUES (?, zeroblob(4096))", [part]
                    )
                connection.execute("COMMIT")
                acknowledged[0] = number
                if number == 50:
                    enough.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert enough.wait(30)
        before = acknowledged[0]
        made = back_up(data, target, NOON)
    finally:
        stop.set()
        writer.join()
    (folder,) = target.iterdir()
    assert folder == made
    assert sorted(file.name for file in folder.iterdir()) == ["mailbox.db", "mailbox.toml"]
    assert folder.stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(folder / "mailbox.db")) as copy:
        first, second = (
            copy.execute("SELECT count(*) FROM mail WHERE part = ?", [part]).fetchone()[0]
            for part in (1, 2)
        )
    assert first == second >= before


def test_a_backup_inside_the_data_or_of_a_damaged_store_is_none(tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "backups"
    data.mkdir()
    with pytest.raises(BackupFailed, match="inside the data"):
        back_up(data, data / "copies", NOON)
    assert list(data.iterdir()) == []
    (data / "mailbox.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    with pytest.raises(BackupFailed, match=r"mailbox\.db"):
        back_up(data, target, NOON)
    assert [file.name for file in target.iterdir() if file.suffix != ".part"] == []


def test_files_that_go_while_a_backup_looks_at_them_do_not_hinder_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attachment is deleted; the service stops, and with it the log of its store goes."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "attachment").write_bytes(b"file")
    connection = sqlite3.connect(data / "mailbox.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE mail (id INTEGER PRIMARY KEY)")
    assert (data / "mailbox.db-wal").is_file()
    look = backups.is_sqlite

    def look_after_they_went(file: Path) -> bool:
        connection.close()
        (data / "attachment").unlink(missing_ok=True)
        return look(file)

    monkeypatch.setattr(backups, "is_sqlite", look_after_they_went)
    made = back_up(data, tmp_path / "backups", NOON)
    assert [file.name for file in made.iterdir()] == ["mailbox.db"]
