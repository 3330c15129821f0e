"""Attachments that owners save beside their mail (mailbox-api §3.3): in a bucket that speaks S3,
or in a folder of ours behind signed addresses of the same kind.

What an address saved is nobody's once it closes: it is removed before whoever opens the name next
sees any of it, and a worker removes the rest.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import os
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from mailbox_service.config import Config
from mailbox_service.core.attachment_keys import checked
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import (
    BadCredential,
    BadRequest,
    MailError,
    MessageTooBig,
    QuotaReached,
    TemporaryFailure,
)
from mailbox_service.core.object_store import StoredObject
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.storage import abandoned_files, addresses
from mailbox_service.storage.database import Database
from mailbox_service.storage.local_files import MOST_FILES, LocalFiles

log = logging.getLogger("mailbox.files")

FOLDER = "attachments"
# Where our own signed addresses lead, behind whatever name the service has.
LOCAL_PATH = "/files/attachment"
# Given to the disk in one go; a thread for each small piece of the network costs more than it.
PIECE = 262_144
# A ticket of ours has some 1,500 characters with the longest name and address.
LONGEST_TICKET = 4_096
LOOK_SECONDS = 60.0
BATCH = 20
# Lists of a thousand files each that a closed address may have left.
MOST_ROUNDS = 100


class NoStore(Exception):
    """Attachments have no place here: nothing is configured."""


class RemoteStore(Protocol):
    """A bucket elsewhere."""

    def url(self, method: str, key: str, *, seconds: int) -> str:
        """An address under which anybody may PUT or GET one object for `seconds`."""
        ...

    async def listed(self, prefix: str) -> list[StoredObject]:
        """The objects whose names begin so. Raises TemporaryFailure."""
        ...

    async def remove(self, key: str) -> None:
        """Delete an object, if it is there. Raises TemporaryFailure."""
        ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a signed address of ours allows: one method on one file, until it ends."""

    method: str
    address: str
    key: str


class Files:
    """Lists, signs, deletes; takes and gives the files of the folder."""

    def __init__(
        self,
        database: Database,
        config: Config,
        remote: RemoteStore | None,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._remote = remote
        self._local = LocalFiles(Path(config.data_dir) / FOLDER)
        self._is_open = remote is not None or config.local_attachments
        self._seconds = config.s3_url_expires if config.s3_url_expires > 0 else 360
        self._largest = config.max_message_size
        self._quota = config.attachment_quota
        self._key = hashlib.sha256(b"mailbox file key\0" + config.jwt_secret.encode()).digest()
        self._clock = clock
        self._forgetting = asyncio.Lock()

    def _check_open(self) -> None:
        if not self._is_open:
            raise NoStore

    async def listed(self, address: str) -> list[str]:
        """The names of what an address saved. Raises NoStore, TemporaryFailure."""
        self._check_open()
        await self._forget_abandoned(address)
        return [one.key for one in await self._all(address)]

    async def _all(self, address: str) -> list[StoredObject]:
        if self._remote is None:
            return await asyncio.to_thread(self._local.listed, address)
        prefix = f"{address}/"
        return [
            StoredObject(one.key.removeprefix(prefix), one.size, one.modified_at)
            for one in await self._remote.listed(prefix)
            if one.key.startswith(prefix) and one.key != prefix
        ]

    async def url(self, owner: Principal, method: str, key: object, *, base: str) -> str:
        """A signed address for one file: PUT to save, GET to fetch. `base` is where clients
        reach this service. Raises NoStore, BadRequest, TemporaryFailure."""
        self._check_open()
        name = checked(key)
        await self._forget_abandoned(owner.address)
        if self._remote is not None:
            return self._remote.url(method, f"{owner.address}/{name}", seconds=self._seconds)
        return f"{base}{LOCAL_PATH}?ticket={self._ticket(owner, method, name)}"

    async def delete(self, address: str, key: object) -> None:
        """Delete a file, if it is there. Raises NoStore, BadRequest, TemporaryFailure."""
        self._check_open()
        name = checked(key)
        await self._remove(address, name)

    async def _remove(self, address: str, key: str) -> None:
        if self._remote is None:
            await asyncio.to_thread(self._local.remove, address, key)
        else:
            await self._remote.remove(f"{address}/{key}")

    # Signed addresses of our own

    def _ticket(self, owner: Principal, method: str, key: str) -> str:
        ends = self._clock() // 1_000_000 + self._seconds
        words = json.dumps([method, owner.address, owner.address_id, key, ends], ensure_ascii=False)
        octets = words.encode()
        parts = (octets, hmac.digest(self._key, octets, "sha256"))
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)

    async def proved(self, text: str, method: str) -> Ticket:
        """What a ticket allows. Raises BadCredential for one that is not ours, has ended, is for
        something else, or whose address has closed."""
        refusal = BadCredential("The link is not valid any more")
        if not self._is_open or self._remote is not None or len(text) > LONGEST_TICKET:
            raise refusal
        try:
            octets, shown = (
                base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
                for part in text.split(".")
            )
        except (binascii.Error, ValueError):
            raise refusal from None
        if not hmac.compare_digest(shown, hmac.digest(self._key, octets, "sha256")):
            raise refusal
        allowed, address, address_id, key, ends = json.loads(octets)
        if allowed != method or ends < self._clock() // 1_000_000:
            raise refusal
        row = await self._database.read_quick(addresses.by_id, address_id)
        if row is None or row.address != address:
            raise refusal
        await self._forget_abandoned(address)
        return Ticket(method, address, key)

    async def save(self, ticket: Ticket, chunks: AsyncIterator[bytes]) -> None:
        """Save a file as it comes in. Raises MessageTooBig, QuotaReached, StorageFull; then
        whatever was there before is still there."""
        held = await asyncio.to_thread(self._local.listed, ticket.address)
        others = [one for one in held if one.key != ticket.key]
        if len(others) >= MOST_FILES:
            raise QuotaReached(f"This address has {MOST_FILES} attachments already")
        room = self._quota - sum(one.size for one in others)
        path, stream = await asyncio.to_thread(self._local.begin)
        try:
            await self._write(stream, chunks, room)
            await asyncio.to_thread(self._local.finish, path, stream, ticket.address, ticket.key)
        except BaseException:
            self._local.give_up(path, stream)
            raise

    async def _write(self, stream: BinaryIO, chunks: AsyncIterator[bytes], room: int) -> None:
        size = 0
        waiting = bytearray()
        async for chunk in chunks:
            size += len(chunk)
            if size > self._largest:
                raise MessageTooBig(f"The attachment is larger than {self._largest} octets")
            if size > room:
                raise QuotaReached(f"Attachments of one address take {self._quota} octets at most")
            waiting += chunk
            if len(waiting) >= PIECE:
                await asyncio.to_thread(stream.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(stream.write, bytes(waiting))

    async def load(self, ticket: Ticket) -> tuple[int, AsyncGenerator[bytes]]:
        """The size of a file and its bytes, piece by piece. Raises NotFound at once."""
        stream = await asyncio.to_thread(self._local.opened, ticket.address, ticket.key)
        size = os.fstat(stream.fileno()).st_size
        pieces = pieces_of(stream)
        # Begun here, so that it closes its file whatever becomes of it.
        await anext(pieces)
        return size, pieces

    # What is nobody's

    async def _forget_abandoned(self, address: str) -> None:
        """Remove what a former owner of the name left. Raises TemporaryFailure."""
        if await self._database.read_quick(abandoned_files.owner, address) is None:
            return
        async with self._forgetting:
            for _ in range(MOST_ROUNDS):
                # Asked again each time: another process may be done, and a new owner have files.
                former = await self._database.read(abandoned_files.owner, address)
                if former is None:
                    return
                found = await self._all(address)
                for one in found:
                    await self._remove(address, one.key)
                if not found:
                    await self._database.write(abandoned_files.done, address, address_id=former)
        raise TemporaryFailure("The attachments of a former owner could not be removed.")

    async def run(self) -> None:
        """Remove what closed addresses left, until cancelled."""
        if self._is_open and self._remote is None:
            await asyncio.to_thread(self._local.clear_unfinished)
        while True:
            try:
                await self.remove_some()
            except (MailError, OSError) as error:
                log.warning("files-not-removed reason=%s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def remove_some(self) -> None:
        """Remove what some closed addresses left. Raises TemporaryFailure."""
        if not self._is_open:
            await self._database.write(abandoned_files.forget_all)
            return
        for address in await self._database.read(abandoned_files.some, limit=BATCH):
            await self._forget_abandoned(address)


async def pieces_of(stream: BinaryIO) -> AsyncGenerator[bytes]:
    """An open file piece by piece, behind one that is empty; closed at the end."""
    try:
        yield b""
        while piece := await asyncio.to_thread(stream.read, PIECE):
            yield piece
    finally:
        stream.close()


def base_url(scheme: str, host: str) -> str:
    """Where a client reached this service, as it said so itself. Raises BadRequest."""
    if not host or any(char in host for char in "/\\?#@ \t") or not host.isprintable():
        raise BadRequest("The Host header is missing")
    return f"{scheme}://{host}"
