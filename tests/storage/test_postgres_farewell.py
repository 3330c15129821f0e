"""A server that ends a connection says so first, and closes it a moment later."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg  # type: ignore[import-untyped]
import pytest

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.storage import notices
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.notices import Notices
from mailbox_service.storage.postgres import PostgresDatabase, connect

SOCKET = ".s.PGSQL.5432"
FIELDS = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0"
FAREWELL = b"E" + (4 + len(FIELDS)).to_bytes(4, "big") + FIELDS


class SlowCloser:
    """Stands between the service and its server; may say farewell without closing."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.arrived: asyncio.Queue[None] = asyncio.Queue()
        """One for each connection."""

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Begin to carry one connection to the server, and its answers back."""
        self._tasks.add(asyncio.create_task(self._carry_both(reader, writer)))
        self.arrived.put_nowait(None)

    async def _carry_both(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(self._server)
        self._clients.add(writer)
        ways = [carry(reader, to_server), carry(from_server, writer)]
        try:
            await asyncio.gather(*ways)
        finally:
            self._clients.discard(writer)
            for side in (writer, to_server):
                side.transport.abort()

    def say_farewell(self) -> None:
        """Tell every client that its connection ends, and leave it open."""
        for client in self._clients:
            client.write(FAREWELL)

    async def close(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction until it ends; the other side is told of the end."""
    with suppress(OSError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
        writer.write_eof()


@pytest.fixture
def engine() -> str:
    return "postgresql"


@pytest.fixture
async def closer(store_url: str) -> AsyncIterator[tuple[SlowCloser, str]]:
    """The relay before the test's store, and the URL that leads through it."""
    parts = urlsplit(store_url)
    closer = SlowCloser(Path(parse_qs(parts.query)["host"][0], SOCKET))
    with tempfile.TemporaryDirectory(prefix="mailbox-test-", dir="/tmp") as folder:
        server = await asyncio.start_unix_server(closer.take, Path(folder, SOCKET))
        async with server:
            yield closer, f"postgresql://postgres@{parts.path}?host={folder}"
            await closer.close()


async def look(tx: Transaction) -> int:
    row = await tx.fetch_one("SELECT 1")
    assert row is not None
    return int(row[0])


async def test_signals_come_back_when_the_server_said_farewell_and_has_not_closed_yet(
    closer: tuple[SlowCloser, str],
) -> None:
    relay, url = closer
    heard: asyncio.Queue[str] = asyncio.Queue()
    signals = Notices(lambda: connect(url))
    async with asyncio.timeout(20):
        await signals.listen(heard.put_nowait)
        await relay.arrived.get()
        signals.send("first")
        assert await heard.get() == "first"
        await asyncio.sleep(0.1)  # no statement is under way any more
        relay.say_farewell()
        await asyncio.sleep(0.1)  # it has arrived, and wakes nobody who only listens
        signals.send("lost")
        await relay.arrived.get()
        signals.send("queue")
        assert await heard.get() == "queue"
    await signals.close()


async def test_signals_come_back_after_an_error_that_nobody_foresaw(
    store_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notices, "PAUSE_SECONDS", 0.05)
    heard = asyncio.Event()
    failures = [KeyError("unforeseen")]

    async def fails_once() -> asyncpg.Connection:
        if failures:
            raise failures.pop()
        return await connect(store_url)

    signals = Notices(fails_once)
    async with asyncio.timeout(20):
        await signals.listen(lambda topic: heard.set())
        signals.send("queue")
        await heard.wait()
    await signals.close()
    assert "signals-interrupted error=KeyError" in caplog.text


async def test_reads_and_writes_after_a_farewell_are_refused_as_temporary_then_served(
    closer: tuple[SlowCloser, str],
) -> None:
    relay, url = closer
    store = PostgresDatabase(url, readers=1)
    await store.open()
    assert await store.read(look) == await store.write(look) == 1
    relay.say_farewell()
    await asyncio.sleep(0.1)
    for use in (store.read, store.write, store.read_quick):
        with suppress(TemporaryFailure):
            await use(look)
        assert await use(look) == 1
    await store.close()


async def test_a_statement_after_a_farewell_is_an_error_of_the_client_library(
    closer: tuple[SlowCloser, str],
) -> None:
    """Should this end, one kind of error less needs a remedy."""
    relay, url = closer
    connection = await connect(url)
    relay.say_farewell()
    await asyncio.sleep(0.1)
    with pytest.raises(asyncpg.InternalClientError):
        await connection.execute("SELECT 1")
    connection.terminate()
