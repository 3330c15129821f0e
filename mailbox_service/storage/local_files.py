"""Saved attachments in a folder of the data directory. Blocking: for a thread.

A file is written beside its place and moved there when it is whole and on the disk, so that a
crash leaves the one before or the new one, never a half.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mailbox_service.core.attachment_keys import disk_name, folder_of, key_of
from mailbox_service.core.errors import NotFound, StorageFull
from mailbox_service.core.object_store import StoredObject

# Files of one address; as many as one list of an object store has.
MOST_FILES = 1_000
# What must stay free for mail, which comes first.
LEAST_FREE_OCTETS = 256 << 20
UNFINISHED = "unfinished"


class LocalFiles:
    """The attachments that addresses saved, each in a folder of its address."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _folder(self, address: str) -> Path:
        return self._root / folder_of(address)

    def _place(self, address: str, key: str) -> Path:
        return self._folder(address) / disk_name(key)

    def listed(self, address: str) -> list[StoredObject]:
        """What an address saved, by name."""
        found = sorted(self._all(self._folder(address)), key=lambda one: one.key)
        return found[:MOST_FILES]

    def _all(self, folder: Path) -> Iterator[StoredObject]:
        for parent, _, names in os.walk(folder):
            for name in names:
                path = Path(parent, name)
                key = key_of(path.relative_to(folder).as_posix())
                try:
                    facts = path.stat()
                except FileNotFoundError:
                    continue  # deleted since
                if key is not None:
                    yield StoredObject(key, facts.st_size, facts.st_mtime_ns // 1_000)

    def begin(self) -> tuple[Path, BinaryIO]:
        """A new file beside its place. Raises StorageFull."""
        folder = self._root / UNFINISHED
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < LEAST_FREE_OCTETS:
            raise StorageFull("There is no room to store this now.")
        path = folder / secrets.token_hex(16)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return path, os.fdopen(descriptor, "wb")

    def finish(self, path: Path, stream: BinaryIO, address: str, key: str) -> None:
        """Put a file into its place once its bytes are on the disk."""
        stream.flush()
        os.fsync(stream.fileno())
        stream.close()
        place = self._place(address, key)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.replace(place)
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def give_up(self, path: Path, stream: BinaryIO) -> None:
        """Forget a file that did not become whole."""
        stream.close()
        path.unlink(missing_ok=True)

    def opened(self, address: str, key: str) -> BinaryIO:
        """A saved file for reading. Raises NotFound."""
        try:
            return self._place(address, key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise NotFound("There is no such attachment") from None

    def remove(self, address: str, key: str) -> None:
        """Delete a file, if it is there."""
        place = self._place(address, key)
        place.unlink(missing_ok=True)

    def clear_unfinished(self) -> None:
        """Forget what a crash left behind; only while nobody writes."""
        folder = self._root / UNFINISHED
        if folder.is_dir():
            for path in folder.iterdir():
                path.unlink(missing_ok=True)
