"""Files with mail in them, read piece by piece: never a whole one in memory."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from mailbox_service.core import mbox
from mailbox_service.core.file_kinds import HEAD, Kind, kind_of
from mailbox_service.core.transfer import BadMail, MovedMail, crlf, from_json

CHUNK = 1 << 20
# A line of JSON with a mail of 85 MiB in it, were every octet written in six.
LONGEST_LINE = 1 << 29
_GZIP = b"\x1f\x8b"

# Called with the octets of the file that were read since the last call.
Advance = Callable[[int], object]


class BadFile(Exception):
    """A file that cannot be read as what it is said to be; the text names it and says why."""


class Counted(io.RawIOBase):
    """A file that tells how far it was read."""

    def __init__(self, stream: io.FileIO, advance: Advance) -> None:
        self._stream = stream
        self._advance = advance

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: object) -> int:
        """As of any file."""
        count = self._stream.readinto(buffer) or 0  # type: ignore[arg-type]
        self._advance(count)
        return count


def ignored(_: int) -> None:
    """Nobody wants to know how far a file was read."""


@contextmanager
def opened(path: Path, advance: Advance = ignored) -> Iterator[BinaryIO]:
    """A file open for reading; one that is compressed with gzip is read through it. Raises
    BadFile, also for trouble that comes while it is read."""
    try:
        with path.open("rb", buffering=0) as raw:
            stream = io.BufferedReader(Counted(raw, advance), CHUNK)
            if stream.peek(2)[:2] == _GZIP:
                with gzip.GzipFile(fileobj=stream) as inner:
                    yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, inner), CHUNK))
            else:
                yield stream
    except (OSError, EOFError, zlib.error) as error:
        raise BadFile(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def kind_of_file(path: Path) -> Kind:
    """What a file holds. Raises BadFile when it is nothing that can be imported."""
    with opened(path) as stream:
        kind = kind_of(stream.read(HEAD))
    if kind is None:
        raise BadFile(f"{path}: neither mbox, message, JSON lines, SQL nor JSON keys")
    return kind


def files_in(paths: tuple[Path, ...]) -> list[Path]:
    """The files that are meant: those named, and for a folder the messages in it, by name."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.glob("*.eml")) if path.is_dir() else [path]
    return found


def mails_of(path: Path, kind: Kind, advance: Advance = ignored) -> Iterator[MovedMail]:
    """The mails in a file. Raises BadFile where it ends to make sense."""
    with opened(path, advance) as stream:
        if kind == "eml":
            content = stream.read(mbox.LARGEST + 1)
            if len(content) > mbox.LARGEST:
                raise BadFile(f"{path}: larger than {mbox.LARGEST} octets")
            yield MovedMail(crlf(content))
            return
        lines = iter(partial(stream.readline, LONGEST_LINE), b"")
        try:
            yield from mbox.messages(lines) if kind == "mbox" else json_mails(lines)
        except (ValueError, BadMail) as error:
            raise BadFile(f"{path}: {error}") from None


def json_mails(lines: Iterator[bytes]) -> Iterator[MovedMail]:
    """The mails in JSON lines. Raises BadMail with the number of the line."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield from_json(line)
        except BadMail as error:
            raise BadMail(f"line {number}: {error}") from None


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """A file in pieces."""
    return iter(partial(stream.read, CHUNK), b"")
