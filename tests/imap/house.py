"""Mailboxes with doors for mail clients: the real services on a store, behind real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mailbox_service.services.authenticating import Opened
from mailbox_service.services.mail_access import MailAccess
from mailbox_service.storage.database import Transaction
from smtp_proxy.client_door import ClientDoor
from tests.databases import AnyDatabase
from tests.services.posting import Post

ANN = "ann@x.test"


def letter(subject: str = "Hello", text: str = "How are you?", **fields: str) -> bytes:
    """A plain letter; underscores in the names of fields are hyphens."""
    named = {"From": "Bob <bob@sender.example>", "To": ANN, "Subject": subject, **fields}
    header = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
    return f"{header}\r\n{text}\r\n".encode()


class House(Post):
    """Ann has an address, and clients may read her mail."""

    def __init__(self, database: AnyDatabase, **settings: Any) -> None:
        super().__init__(database, **{"enable_user_delete_email": True, **settings})
        self.mail_access = MailAccess(
            database, self.config, self.authenticating, self.signals, clock=self.clock
        )

    async def open(self, name: str = "ann") -> Opened:
        """Open an address."""
        return await self.registering.open_by_admin(
            name=name, domain="x.test", with_prefix=False, random_subdomain=False
        )

    async def deliver(self, *subjects: str, to: str = ANN) -> list[int]:
        """Have letters arrive; their ids."""
        return [(await self.receive(to, content=letter(subject)))[0] for subject in subjects]

    async def flags(self, message_id: int) -> int:
        """The stored flags of a message."""

        async def unit(tx: Transaction) -> int:
            row = await tx.fetch_one(
                "SELECT flags FROM messages WHERE id = :id", {"id": message_id}
            )
            assert row is not None
            return int(row[0])

        return await self.database.read(unit)


@asynccontextmanager
async def listening(door: ClientDoor, *, implicit_tls: bool = False) -> AsyncIterator[int]:
    """A door that is open; its port."""
    await door.start("127.0.0.1", 0, implicit_tls=implicit_tls)
    try:
        yield door.address[1]
    finally:
        await door.close(0.0)


class Talk:
    """A client that types what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def begin(cls, port: int, **options: Any) -> Talk:
        """Connect; the greeting is read by `line`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24, **options)
        return cls(reader, writer)

    async def line(self) -> bytes:
        """The next line without its end; empty at the end of the connection."""
        async with asyncio.timeout(10):
            return (await self.reader.readline()).removesuffix(b"\r\n")

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def command(self, text: str | bytes, tag: bytes = b"a") -> list[bytes]:
        """Send one IMAP command; every line up to its tagged answer."""
        octets = text.encode() if isinstance(text, str) else text
        self.send(tag + b" " + octets + b"\r\n")
        return await self.answered(tag)

    async def answered(self, tag: bytes = b"a") -> list[bytes]:
        """Every line up to the tagged answer, or to the end of the connection."""
        lines: list[bytes] = []
        while True:
            line = await self.line()
            lines.append(line)
            if line.startswith(tag + b" ") or (not line and self.reader.at_eof()):
                return lines

    async def rest(self) -> bytes:
        """All that comes until the connection ends."""
        async with asyncio.timeout(10):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
