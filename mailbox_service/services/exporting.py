"""A mailbox as a file: mbox, JSON lines, or single messages in a ZIP."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial
from typing import Literal

from mailbox_service.core import mbox
from mailbox_service.core.stored import Excerpt, StoredMessage
from mailbox_service.core.transfer import MovedMail, as_json
from mailbox_service.services.clock import as_datetime
from mailbox_service.services.reading import content_or_none
from mailbox_service.storage import message_lists
from mailbox_service.storage.database import Database

Format = Literal["mbox", "eml", "jsonl"]
FORMATS: tuple[Format, ...] = ("mbox", "eml", "jsonl")
# What each becomes as a file, and how it is announced.
EXTENSIONS: dict[Format, str] = {"mbox": "mbox", "eml": "zip", "jsonl": "jsonl"}
MEDIA_TYPES: dict[Format, str] = {
    "mbox": "application/mbox",  # RFC 4155
    "eml": "application/zip",
    "jsonl": "application/x-ndjson",
}
# Rows listed in one go; contents are read one by one, so one of them at a time is in memory.
LISTED = 200
# Dates before this cannot be written into a ZIP.
EARLIEST_IN_ZIP = (1980, 1, 1, 0, 0, 0)


class Exporting:
    """Reads whole mailboxes, oldest mail first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def mails(self, address: str) -> AsyncIterator[tuple[StoredMessage, bytes]]:
        """Every mail of a mailbox with its bytes, oldest first. What arrives meanwhile is given
        too; what is deleted meanwhile is not."""
        last = 0
        while page := await self._database.read(
            message_lists.page, address, Excerpt(LISTED, after_id=last)
        ):
            for message in page:
                last = message.id
                content = await self._database.read(content_or_none, message)
                if content is not None:
                    yield message, content

    async def stream(self, address: str, form: Format) -> AsyncIterator[bytes]:
        """A mailbox as one file, piece by piece."""
        if form == "eml":
            async for piece in self._zipped(address):
                yield piece
            return
        async for message, content in self.mails(address):
            if form == "mbox":
                yield await asyncio.to_thread(mbox.written, moved(message, content))
            else:
                yield await asyncio.to_thread(json_line, message, content)

    async def _zipped(self, address: str) -> AsyncIterator[bytes]:
        pieces = Pieces()
        # The directory at the end is all that is held.
        archive = zipfile.ZipFile(pieces, "w")
        # Deflated at the level that costs least.
        add = partial(archive.writestr, compress_type=zipfile.ZIP_DEFLATED, compresslevel=1)
        try:
            async for message, content in self.mails(address):
                await asyncio.to_thread(add, entry_of(message), content)
                yield pieces.taken()
        finally:
            archive.close()
        yield pieces.taken()


class Pieces(io.RawIOBase):
    """What was written since it was last taken: a file that only grows and is never held."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        """It is for writing alone; a ZIP is then written without going back."""
        return True

    def write(self, octets: object) -> int:
        """Take some octets."""
        piece = bytes(memoryview(octets))  # type: ignore[arg-type]
        self._written += piece
        return len(piece)

    def taken(self) -> bytes:
        """The octets that came since the last time."""
        piece = bytes(self._written)
        self._written.clear()
        return piece


def moved(message: StoredMessage, content: bytes) -> MovedMail:
    """A stored mail as it leaves."""
    return MovedMail(
        content,
        message.address,
        message.reverse_path,
        message.received_at,
        message.flags,
        message.metadata,
    )


def json_line(message: StoredMessage, content: bytes) -> bytes:
    """One line of a JSON export."""
    created_at = as_datetime(message.received_at).strftime("%Y-%m-%d %H:%M:%S")
    return as_json(moved(message, content), mail_id=message.id, created_at=created_at) + b"\n"


def entry_of(message: StoredMessage) -> zipfile.ZipInfo:
    """The name and date of a mail in a ZIP: the name is ours, the date UTC."""
    entry = zipfile.ZipInfo(file_name(message), zip_date(as_datetime(message.received_at)))
    entry.external_attr = 0o600 << 16
    return entry


def file_name(message: StoredMessage) -> str:
    """What a mail is called as a file: never a word of its sender's (hazard 30)."""
    return f"{message.id}.eml"


def zip_date(moment: datetime) -> tuple[int, int, int, int, int, int]:
    """A date as a ZIP can hold it: from 1980 to 2107."""
    parts = moment.timetuple()[:6]
    return max(EARLIEST_IN_ZIP, min(parts, (2107, 12, 31, 23, 59, 58)))
