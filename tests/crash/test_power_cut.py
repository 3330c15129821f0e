"""Hazard 21: after a power cut, everything that was answered is there.

A process stores mail while every write and sync of its files is recorded. From the record we
build the disk as it would be had the power gone after this or that step: what was synced is
there, and of what was not synced all, nothing, or any part down to single sectors. Each such
disk must open, be whole, and hold every message whose commit was answered before.
"""

from __future__ import annotations

import random
import sqlite3
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailbox_service.storage import incoming, incoming_log, migrate
from tests.programs import need

HERE = Path(__file__).parent

# Stores 240 messages from twelve callers, closes in the middle, and says which are answered by
# a line in a file that is recorded with the rest. The log is short, so that it is copied into
# the database and begun anew many times.
STORE_MAIL = """
import asyncio, os, random, sys, zlib
from pathlib import Path
from mailbox_service.storage import contents, incoming_log, sqlite
from mailbox_service.storage.messages import NewMessage

folder, synchronous = Path(sys.argv[1]), sys.argv[2]
sqlite.PRAGMAS += ("PRAGMA wal_autocheckpoint = 30", f"PRAGMA synchronous = {synchronous}")
incoming_log.TURN_OCTETS = 20_000
answers = os.open(folder / "answers", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sizes = random.Random(21)

async def caller(store, number):
    for _ in range(10):
        content = os.urandom(sizes.choice((50, 700, 4000, 9000)))
        if number % 3 == 0:
            await store.write(add, content)
        elif number % 3 == 1:
            await store.write_quick(add, content)
        else:
            await store.keep(NewMessage(("ann@x.test",), "", content, 1), None)
        os.write(answers, b"%d\\n" % zlib.crc32(content))

async def add(tx, content):
    return await contents.add(tx, content, uses=1)

async def main():
    for _ in range(2):
        store = sqlite.SqliteDatabase(folder / "mailbox.db")
        await store.open()
        await asyncio.gather(*[caller(store, number) for number in range(12)])
        await store.close()

asyncio.run(main())
"""

SECTOR = 512  # a disk writes this much whole or not at all
CUTS = 250
HEAD = struct.Struct("<cHqq")


@dataclass(frozen=True, slots=True)
class Step:
    """One recorded operation on one file."""

    operation: str
    path: str
    offset: int
    data: bytes


@dataclass(slots=True)
class File:
    """A file on the simulated disk: what is safe, and the steps that no sync has covered."""

    safe: bytearray = field(default_factory=bytearray)
    named: bool = False
    """Its entry in the folder is safe too."""
    unsafe: list[Step] = field(default_factory=list)


class Disk:
    """The files of one folder, between steps and syncs."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._files = {
            str(path): File(bytearray(path.read_bytes()), named=True) for path in folder.iterdir()
        }

    def take(self, step: Step) -> None:
        """Let one step happen."""
        if step.path == self._folder:
            for file in self._files.values():
                file.named = True
        elif step.operation == "u":
            # SQLite removes its log only when all of it is in the database and synced; that
            # the removal itself may be undone is covered by the cut just before.
            self._files.pop(step.path, None)
        elif step.operation == "s":
            file = self._files.setdefault(step.path, File())
            for earlier in file.unsafe:
                apply(earlier, file.safe)
            file.unsafe.clear()
        else:
            self._files.setdefault(step.path, File()).unsafe.append(step)

    def after_a_cut(self, survives: str, chance: random.Random) -> Iterator[tuple[str, bytes]]:
        """The files as they are found afterwards. Of what was not synced, `survives` says
        whether "all", "nothing" or "some" of it reached the disk."""
        for path, file in self._files.items():
            if not file.named and survives == "nothing":
                continue
            content = bytearray(file.safe)
            for step in file.unsafe:
                if survives == "all":
                    apply(step, content)
                elif survives == "some":
                    for part in torn(step, chance):
                        apply(part, content)
            yield Path(path).name, bytes(content)


def apply(step: Step, content: bytearray) -> None:
    """Write or truncate."""
    if step.operation == "t":
        del content[step.offset :]
    if len(content) < step.offset:
        content.extend(bytes(step.offset - len(content)))
    content[step.offset : step.offset + len(step.data)] = step.data


def torn(step: Step, chance: random.Random) -> Iterator[Step]:
    """Those sectors of a step that happened to be written."""
    if step.operation == "t":
        if chance.random() < 0.5:
            yield step
        return
    at = 0
    while at < len(step.data):
        end = at + SECTOR - (step.offset + at) % SECTOR
        if chance.random() < 0.5:
            yield Step("w", step.path, step.offset + at, step.data[at:end])
        at = end


def read_record(path: Path) -> Iterator[Step]:
    """The steps in the recorder's file."""
    record = path.read_bytes()
    at = 0
    while at < len(record):
        operation, path_size, offset, data_size = HEAD.unpack_from(record, at)
        at += HEAD.size
        name = record[at : at + path_size].decode()
        at += path_size
        yield Step(operation.decode(), name, offset, record[at : at + data_size])
        at += data_size


def record(tmp_path: Path, synchronous: str) -> tuple[Disk, list[Step]]:
    """Have mail stored under the recorder: the disk before it, and all that was done to it."""
    library = tmp_path / "recorder.so"
    subprocess.run(
        [need("gcc"), "-shared", "-fPIC", "-O1", "-o", library, HERE / "recorder.c", "-ldl"],
        check=True,
    )
    folder = tmp_path / "store"
    folder.mkdir()
    migrate.upgrade_sqlite(folder / "mailbox.db")
    disk = Disk(folder)
    subprocess.run(
        [sys.executable, "-c", STORE_MAIL, folder, synchronous],
        env={
            "LD_PRELOAD": str(library),
            "RECORD_FOLDER": str(folder),
            "RECORD_LOG": f"{tmp_path}/log",
        },
        check=True,
        timeout=60,
    )
    steps = [step for step in read_record(tmp_path / "log") if not step.path.endswith("-shm")]
    return disk, steps


def lost_after_cuts(disk: Disk, steps: list[Step], image: Path) -> list[str]:
    """Cut the power at many places; what is wrong with the store after each."""
    image.mkdir()
    chance = random.Random(2026)
    cuts = set(chance.sample(range(len(steps)), CUTS))
    answered: set[int] = set()
    wrong = []
    for number, step in enumerate(steps):
        if step.path.endswith("answers"):
            answered.add(int(step.data))
        else:
            disk.take(step)
        if number in cuts:
            for survives in ("all", "nothing", "some"):
                for name, content in disk.after_a_cut(survives, chance):
                    (image / name).write_bytes(content)
                wrong += [f"step {number}, {survives}: {what}" for what in look(image, answered)]
                for left in image.iterdir():
                    left.unlink()
    assert len(answered) == 240
    return wrong


def look(image: Path, answered: set[int]) -> Iterator[str]:
    """What is wrong with the store in a folder."""
    connection = sqlite3.connect(image / "mailbox.db")
    try:
        connection.execute("PRAGMA synchronous = OFF")  # the image itself needs no care
        if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            yield "damaged"
        found = {
            checksum
            for checksum, content in connection.execute("SELECT checksum, bytes FROM contents")
            if zlib.crc32(content) == checksum
        }
        position = "SELECT max(position) FROM cursors WHERE name = 'incoming'"
        settled = connection.execute(position).fetchone()[0] or 0
        for log in image.glob("*-incoming-?"):
            for number, payload in incoming_log.records(log):
                if number > settled:
                    found.add(zlib.crc32(incoming.message_of(payload).content))
        if answered - found:
            yield f"{len(answered - found)} answered messages are gone"
    except sqlite3.Error as error:
        yield str(error)
    finally:
        connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="recording needs LD_PRELOAD")
def test_what_was_answered_survives_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    disk, steps = record(tmp_path, "FULL")
    assert sum(step.operation == "s" for step in steps) > 50
    assert lost_after_cuts(disk, steps, tmp_path / "image") == []


@pytest.mark.skipif(sys.platform != "linux", reason="recording needs LD_PRELOAD")
def test_the_simulation_finds_the_loss_when_commits_are_not_synced(tmp_path: Path) -> None:
    disk, steps = record(tmp_path, "NORMAL")
    wrong = lost_after_cuts(disk, steps, tmp_path / "image")
    assert any("nothing: " in what and "are gone" in what for what in wrong)
    assert not any("damaged" in what for what in wrong)
