"""An open POP3 door, and Ann's mailbox behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from mailbox_service.services.authenticating import Opened
from mailbox_service.storage.sqlite import SqliteDatabase
from smtp_proxy.pop3 import Pop3Door
from tests.databases import AnyDatabase
from tests.imap.conftest import (
    anyio_backend,
    certificate,
    client_tls,
    quick_database,
    server_tls,
)
from tests.imap.house import House, Talk, listening

__all__ = ["anyio_backend", "certificate", "client_tls", "quick_database", "server_tls"]


@dataclass
class Site:
    """Where a client finds Ann's mailbox."""

    house: House
    door: Pop3Door
    port: int
    ann: Opened

    async def talk(self) -> Talk:
        """A client of Ann's, logged in."""
        talk = await Talk.begin(self.port)
        talk.send(f"USER ann\r\nPASS {self.ann.jwt}\r\n".encode())
        answers = [await talk.line() for _ in range(3)]
        assert all(answer.startswith(b"+OK") for answer in answers), answers
        return talk


async def site_on(database: AnyDatabase, **settings: object) -> AsyncIterator[Site]:
    house = House(database, **settings)
    ann = await house.open()
    door = Pop3Door(house.mail_access, hostname="x.test")
    async with listening(door) as port:
        yield Site(house, door, port, ann)


@pytest.fixture
async def site(quick_database: SqliteDatabase) -> AsyncIterator[Site]:
    """Ann's mailbox behind a POP3 door."""
    async for one in site_on(quick_database):
        yield one


@pytest.fixture
async def any_site(database: AnyDatabase) -> AsyncIterator[Site]:
    """The same on each engine."""
    async for one in site_on(database):
        yield one
