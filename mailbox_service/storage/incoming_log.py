"""The log of arriving mail: written and synced before mail is accepted, read after a crash.

Two files beside the store take turns. Records are appended to one; once it is long, and all that
the other holds is in the tables, the other is begun anew from its first octet. To write over
what a file already holds is the cheapest thing that can be synced to a disk, and files that take
turns do not grow for ever.

A record is a header and a payload of two pieces, of which the second is long: it has a checksum of
its own, since the tables need that too. Numbers only grow, so what is left of an older turn
behind the newest record has a smaller number, and what a crash tore has a wrong checksum: reading
a file ends at either. Nothing here is safe to call from two threads.
"""

from __future__ import annotations

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailbox_service.storage.syncing import fdatasync

# Magic, number, the lengths of both pieces, the checksums of both.
HEADER = struct.Struct("<4sQIIII")
MAGIC = b"MBX2"
# What a store was left with by a program of before: length and checksum of the whole payload.
FORMER = struct.Struct("<4sQII")
FORMER_MAGIC = b"MBX1"
# A file that is longer gives way to the other: long enough that turns are rare, short enough
# to be no burden on a small disk.
TURN_OCTETS = 16 << 20


# A record's octets in two pieces, so that the large one need not be copied to be put behind the
# other.
Payload = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Written:
    """Where records were written: the file to be synced, their place, the number of the first, and
    the checksums of their second pieces."""

    file: int
    offset: int
    first: int
    checksums: list[int]


class IncomingLog:
    """Two files that hold accepted mail until it is in the tables."""

    def __init__(self, store: Path) -> None:
        self._paths = [store.with_name(f"{store.name}-incoming-{n}") for n in range(2)]
        self._aside = store.with_name(f"{store.name}-incoming-refused")
        self._files: list[int] = []
        self._current = 0
        self._offset = 0
        self._last = [0, 0]
        """The number of the newest record in each file."""
        self._number = 0

    @property
    def file(self) -> int:
        """One of the files."""
        return self._files[0]

    def open(self, settled: int) -> list[tuple[int, bytes]] | None:
        """Take the files: numbers and payloads of the records above `settled`, in order. None
        when another process has them. Raises OSError."""
        self._files = [
            os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for path in self._paths
        ]
        try:
            fcntl.flock(self._files[0], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close()
            return None
        found = {number: data for path in self._paths for number, data in records(path)}
        self._number = max([settled, *found])
        return sorted((number, data) for number, data in found.items() if number > settled)

    def number_above(self, settled: int) -> None:
        """Give no number up to this one to a record."""
        self._number = max(self._number, settled)

    def begin(self) -> None:
        """Start with empty files, when all that was found is in the tables. Raises OSError."""
        for file in self._files:
            os.ftruncate(file, 0)
            fdatasync(file)
        sync_folder(self._paths[0].parent)

    def wants_turn(self, settled: int) -> bool:
        """Whether the other file should be begun anew; `settled`: all records up to this number
        are in the tables for good."""
        return self._offset > TURN_OCTETS and self._last[1 - self._current] <= settled

    def turn(self) -> None:
        """Begin the other file anew. Nothing may be on its way to the disk, since `take_back`
        knows one file."""
        self._current = 1 - self._current
        self._offset = 0

    def write(self, payloads: Sequence[Payload]) -> Written:
        """Write records behind all others; they count once their file is synced. Raises OSError:
        none of them is there."""
        # A write that fails may leave records behind of which nobody was told. The next ones
        # are written over them, and have higher numbers than any of theirs.
        first = self._number + 1
        self._number += len(payloads)
        pieces: list[bytes] = []
        checksums = []
        for number, payload in enumerate(payloads, first):
            check = zlib.crc32(payload[1])
            checksums.append(check)
            pieces += (header(number, payload, check), *payload)
        data = b"".join(pieces)
        file, offset = self._files[self._current], self._offset
        write_at(file, data, offset)
        self._offset += len(data)
        self._last[self._current] = self._number
        return Written(file, offset, first, checksums)

    def take_back(self, written: Written) -> None:
        """Records that could not be synced, and all behind them, count for nothing."""
        self._offset = written.offset

    def put_aside(self, payload: Payload) -> None:
        """Keep a record that the tables did not take in a file for people to look at. Raises
        OSError."""
        with self._aside.open("ab") as file:
            file.write(b"".join((header(1, payload, zlib.crc32(payload[1])), *payload)))
            file.flush()
            fdatasync(file.fileno())

    def close(self, *, emptied: bool) -> None:
        """Give the files back; `emptied`: all that they hold is in the tables."""
        if emptied and self._files:
            self.begin()
        self._close()

    def _close(self) -> None:
        while self._files:
            os.close(self._files.pop())


def write_at(file: int, data: bytes, offset: int) -> None:
    """Write all of it. Raises OSError."""
    done = os.pwrite(file, data, offset)
    while done < len(data):  # the disk is about to be full, and the next call says so
        done += os.pwrite(file, memoryview(data)[done:], offset + done)


def header(number: int, payload: Payload, check: int) -> bytes:
    """What stands before a payload whose second piece has this checksum."""
    head, octets = payload
    return HEADER.pack(MAGIC, number, len(head), len(octets), checksum(number, head, check), check)


def checksum(number: int, head: bytes, check: int) -> int:
    """Of number, first piece and the checksum of the second: a payload under another's number, or
    with another's octets, is no record."""
    return zlib.crc32(head, (number ^ check) & 0xFFFFFFFF)


def records(path: Path) -> Iterator[tuple[int, bytes]]:
    """The records of a file, up to where its newest turn ends. Raises OSError."""
    data = path.read_bytes()
    at = before = 0
    while (found := record_at(data, at)) is not None:
        number, start, end = found
        if number <= before:
            return
        yield number, data[start:end]
        before, at = number, end


def record_at(data: bytes, at: int) -> tuple[int, int, int] | None:
    """The number of the record at an octet, and where its payload begins and ends; None where no
    whole one is."""
    if data[at : at + len(MAGIC)] == FORMER_MAGIC:
        return former_record_at(data, at)
    start = at + HEADER.size
    if start > len(data):
        return None
    magic, number, head, octets, first, second = HEADER.unpack_from(data, at)
    middle, end = start + head, start + head + octets
    if magic != MAGIC or end > len(data) or zlib.crc32(data[middle:end]) != second:
        return None
    return (number, start, end) if checksum(number, data[start:middle], second) == first else None


def former_record_at(data: bytes, at: int) -> tuple[int, int, int] | None:
    """The same of a record that a program of before has written."""
    start = at + FORMER.size
    if start > len(data):
        return None
    _, number, length, check = FORMER.unpack_from(data, at)
    end = start + length
    if end > len(data) or zlib.crc32(data[start:end], number & 0xFFFFFFFF) != check:
        return None
    return number, start, end


def sync_folder(folder: Path) -> None:
    """Make sure that new names in a folder survive a power cut. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
