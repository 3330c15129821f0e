"""Attachments that are named by an address: fetched once a day, kept in between (§2.3)."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Protocol
from weakref import WeakValueDictionary

from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.storage import fetched_files
from mailbox_service.storage.database import Database

KEPT_MICROS = 24 * 3_600 * 1_000_000


class Fetched(Protocol):
    """A file and what its server calls it."""

    @property
    def media_type(self) -> str: ...
    @property
    def content(self) -> bytes: ...


class FileSource(Protocol):
    """The way out to files (`outbound`)."""

    async def fetch(self, url: str, *, most: int) -> Fetched:
        """The file at an address; NotFetched when it does not come."""
        ...


class Fetching:
    """Fetches files, each once at a time."""

    def __init__(
        self, database: Database, source: FileSource, *, most: int, clock: Clock = now_micros
    ) -> None:
        self._database = database
        self._source = source
        self._most = most
        self._clock = clock
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def file(self, url: str) -> tuple[str, bytes]:
        """Media type and bytes of the file at an address. Raises NotFetched."""
        digest = hashlib.sha256(url.encode(errors="replace")).hexdigest()
        lock = self._fetching.setdefault(digest, asyncio.Lock())
        async with lock:
            now = self._clock()
            kept = await self._database.read(fetched_files.get, digest, after=now - KEPT_MICROS)
            if kept is not None:
                return kept
            found = await self._source.fetch(url, most=self._most)
            await self._database.write(
                fetched_files.put,
                digest,
                media_type=found.media_type,
                content=found.content,
                now=now,
            )
            return found.media_type, found.content
