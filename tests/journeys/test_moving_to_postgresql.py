"""`mailbox migrate-store`: a service in a file becomes the same service on PostgreSQL."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import asyncpg  # type: ignore[import-untyped]
import pytest

from tests.databases import PostgresServer
from tests.journeys.running import RunningService

NUMBERS = count(1)
MAILS = 40
ODD = b"Subject: =?utf-8?q?=00_z=C3=BCrich?=\r\n\r\n\xff\xfe octets of no charset\r\n"


@pytest.fixture
def target(postgres_server: PostgresServer) -> str:
    """A database with nothing in it, not even tables."""
    name = f"moved_{next(NUMBERS)}"
    asyncio.run(postgres_server.run(f"CREATE DATABASE {name}"))
    return postgres_server.url(name)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A service that has an address, some mails, two deleted, one waiting; and is stopped."""
    service = RunningService(tmp_path_factory.mktemp("service"))
    service.start()
    address, token = service.open_address("ann")
    with service.smtp() as client:
        for number in range(MAILS):
            letter = f"Subject: number {number}\r\n\r\nbody\r\n".encode()
            client.sendmail("ann@sender.example", [address], letter)
    for _ in range(3):
        service.deliver(address, ODD)
    newest = service.get("/api/inbox?limit=2", token=token).json()["results"]
    for row in newest:  # their ids must not come back
        assert service.call("DELETE", f"/api/mails/{row['id']}", token=token).status == 200
    draft = {"to_mail": "bob@elsewhere.example", "subject": "waits", "content": "x"}
    assert service.post("/api/send_mail", draft, token=token).status == 200
    service.stop()
    yield service
    service.kill()


@contextmanager
def on(service: RunningService, url: str) -> Iterator[None]:
    """The service with the same settings and another store."""
    settings = service.config_file.read_text()
    service.config_file.write_text(f'{settings}database_url = "{url}"\n')
    service.start()
    try:
        yield
    finally:
        service.stop()
        service.config_file.write_text(settings)


def everything(service: RunningService, token: str) -> tuple[list[object], list[bytes], object]:
    page = service.get("/api/inbox?limit=100", token=token).json()["results"]
    raw = [service.raw(token, row["id"]) for row in page]
    sent = service.get("/api/sendbox?limit=20&offset=0", token=token).json()
    return [(row["id"], row["subject"], row["created_at"]) for row in page], raw, sent


def test_the_service_goes_on_where_it_was(stopped: RunningService, target: str) -> None:
    service = stopped
    service.start()
    token = service.post(
        "/admin/new_address", {"name": "bea", "domain": "x.test"}, admin=True
    ).json()["jwt"]
    address = service.get("/api/settings", token=token).json()["address"]
    service.deliver(address, ODD)
    last = service.wait_for_mail(token)["id"]
    ann = service.get("/admin/address?limit=1&offset=0&query=ann", admin=True).json()["results"][0]
    ann_token = service.get(f"/admin/show_password/{ann['id']}", admin=True).json()["jwt"]
    before = everything(service, ann_token)
    busy = service.command("migrate-store", target)
    assert (busy.returncode, "stop it first" in busy.stderr) == (1, True), busy.stderr
    service.kill()  # what its log holds still is moved too
    done = service.command("migrate-store", target)
    assert done.returncode == 0, done.stderr
    assert "messages" in done.stderr
    assert f'database_url = "{target}"' in done.stdout
    with on(service, target):
        assert everything(service, ann_token) == before
        assert len(before[1]) == MAILS + 1
        service.deliver(address, ODD)
        assert service.wait_for_mail(token, after_id=last)["id"] > last
        assert "bob@elsewhere.example" in service.command("queue", "list").stdout


def test_a_database_in_which_there_is_something_is_left_alone(
    stopped: RunningService, target: str
) -> None:
    assert stopped.command("migrate-store", target).returncode == 0
    again = stopped.command("migrate-store", target)
    assert again.returncode == 1
    assert "nothing was moved: the database is not empty" in again.stderr
    assert len(again.stderr.splitlines()) == 1


def test_a_move_that_fails_leaves_the_database_empty(stopped: RunningService, target: str) -> None:
    """A value that only SQLite takes, in a table that is late in the row."""
    store = sqlite3.connect(stopped.folder / "data" / "mailbox.db", isolation_level=None)
    size = store.execute("SELECT size FROM submissions").fetchone()
    store.execute("UPDATE submissions SET size = 'large'")
    failed = stopped.command("migrate-store", target)
    store.execute("UPDATE submissions SET size = ?", size)
    store.close()
    assert failed.returncode == 1
    assert "nothing was moved: the database refused" in failed.stderr
    assert "Traceback" not in failed.stderr

    async def rows() -> int:
        connection = await asyncpg.connect(target)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM messages"))
        finally:
            await connection.close()

    assert asyncio.run(rows()) == 0
