"""An open IMAP door, and Ann's mailbox behind it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailbox_service.services.authenticating import Opened
from mailbox_service.storage.sqlite import SqliteDatabase
from smtp_proxy.imap.door import ImapDoor
from tests.databases import AnyDatabase
from tests.imap.house import House, Talk, listening
from tests.smtp.conftest import certificate, client_tls, server_tls

__all__ = ["certificate", "client_tls", "server_tls"]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The service runs on uvloop; what touches transports closely is tested on asyncio too."""
    return "asyncio", {"use_uvloop": True}


@dataclass
class Site:
    """Where a client finds Ann's mailbox."""

    house: House
    door: ImapDoor
    port: int
    ann: Opened

    async def talk(self, *, select: str = "") -> Talk:
        """A client of Ann's, logged in, with a mailbox selected if wanted."""
        talk = await Talk.begin(self.port)
        await talk.line()
        answer = await talk.command(f"LOGIN ann {self.ann.jwt}")
        assert answer[-1].startswith(b"a OK"), answer
        if select:
            answer = await talk.command(f"SELECT {select}")
            assert answer[-1].startswith(b"a OK"), answer
        return talk


async def site_on(database: AnyDatabase, **settings: object) -> AsyncIterator[Site]:
    house = House(database, **settings)
    ann = await house.open()
    door = ImapDoor(house.mail_access, hostname="x.test")
    async with listening(door) as port:
        yield Site(house, door, port, ann)


@pytest.fixture
async def quick_database(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """A store for tests of the conversation, where the engine does not matter."""
    path = tmp_path / "quick.db"
    shutil.copy(sqlite_template, path)
    store = SqliteDatabase(path)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def site(quick_database: SqliteDatabase) -> AsyncIterator[Site]:
    """Ann's mailbox behind an IMAP door."""
    async for one in site_on(quick_database):
        yield one


@pytest.fixture
async def any_site(database: AnyDatabase) -> AsyncIterator[Site]:
    """The same on each engine."""
    async for one in site_on(database):
        yield one
