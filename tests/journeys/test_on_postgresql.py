"""The main job of the whole service on PostgreSQL: the server that PyPI brings, an empty database,
the service as its users start it. Storage has a suite of its own over both engines; here is what a
process does with it: tables at the first start, every door, a crash of ours, a crash of theirs."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.databases import PostgresServer
from tests.journeys.running import RunningService, running
from tests.journeys.test_trouble import deliver, letter, subjects, wait_for_health

MAILS = 100


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[RunningService]:
    """On a database in which there is nothing."""
    asyncio.run(postgres_server.run("CREATE DATABASE main_job"))
    folder = tmp_path_factory.mktemp("service")
    yield from running(folder, database_url=postgres_server.url("main_job"))


def test_mail_comes_in_and_goes_out_through_every_door(service: RunningService) -> None:
    address, token = service.open_address()
    other, others_token = service.open_address()
    service.deliver(address, letter("from outside"))
    assert service.wait_for_mail(token)["subject"] == "from outside"
    with service.submission(token) as smtp:
        assert smtp.sendmail(address, [other, "bob@elsewhere.example"], letter("by smtp")) == {}
    draft = {"to_mail": other, "subject": "by http", "content": "It works."}
    assert service.post("/api/send_mail", draft, token=token).status == 200
    first = service.wait_for_mail(others_token)
    second = service.wait_for_mail(others_token, after_id=first["id"])
    assert {first["subject"], second["subject"]} == {"by smtp", "by http"}
    sent = service.get("/api/sendbox?limit=20&offset=0", token=token).json()
    assert sent["count"] == 2
    assert service.get("/api/sendbox?limit=20&offset=0", token=others_token).json()["count"] == 0
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        service.submission("wrong")
    assert refused.value.smtp_code == 535


def test_everything_that_was_answered_is_there_once_after_a_kill(service: RunningService) -> None:
    address, token = service.open_address()
    with service.smtp() as client:
        for number in range(MAILS):
            client.sendmail("ann@sender.example", [address], letter(f"number {number}"))
        service.kill()
        client.close()
    service.start()
    assert subjects(service, token) == sorted(f"number {number}" for number in range(MAILS))


def test_a_database_server_that_crashes_asks_senders_to_come_back(
    service: RunningService, postgres_server: PostgresServer
) -> None:
    """Hazard 19: the database is down, and up again; the service is not restarted."""
    address, token = service.open_address()
    assert deliver(service, address, letter("before"))[0] == 250
    postgres_server.kill()
    code, text = deliver(service, address, letter("meanwhile"))
    assert (code, text.split()[0]) == (451, b"4.3.0"), text
    assert service.post("/api/new_address", {"name": "late"}).status == 503
    assert service.get("/health_check").status == 503
    postgres_server.start()
    wait_for_health(service, 200)
    assert deliver(service, address, letter("after"))[0] == 250
    assert subjects(service, token) == ["after", "before"]
    assert "Traceback" not in service.log


def test_two_processes_share_the_work(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """One has the page and submission, the other takes mail in and sends it out; what the one
    does wakes the other."""
    asyncio.run(postgres_server.run("CREATE DATABASE shared_work"))
    settings = {"database_url": postgres_server.url("shared_work")}
    front = RunningService(tmp_path / "front", settings, roles="web,submission")
    back = RunningService(tmp_path / "back", settings, roles="reception,delivery,housekeeping")
    front.start()
    back.start(wait=False)
    try:
        back.wait_for_log("service started")
        address, token = front.open_address()
        other, others_token = front.open_address()
        with ThreadPoolExecutor(1) as beside:
            waiting = beside.submit(front.wait_for_mail, token)
            back.deliver(address, letter("in"))
            assert waiting.result()["subject"] == "in"
        with front.submission(token) as smtp:
            smtp.sendmail(address, [other], letter("across"))
        assert front.wait_for_mail(others_token)["subject"] == "across"
        with pytest.raises(ConnectionRefusedError):
            front.smtp()
        with pytest.raises(URLError):
            back.get("/health_check")
        back.kill()
        with front.submission(token) as smtp:
            smtp.sendmail(address, [other], letter("later"))
        back.start(wait=False)
        assert front.wait_for_mail(others_token, subject="later")
    finally:
        back.kill()
        front.kill()
