"""When something is wrong with the machine: nothing accepted is lost, senders are asked to come
back, the service says that it is not ready, and it recovers without a restart. Hazards 5, 19."""

from __future__ import annotations

import os
import smtplib
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.journeys.running import RunningService, running
from tests.programs import need

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
MIB = 1 << 20
PATIENCE_SECONDS = 60.0
# More than the rest of the small disk: when it goes, the log of SQLite may be copied into its file
# and leave room all the same.
FILLER = 14 * MIB


def letter(subject: str, size: int = 0) -> bytes:
    line = b"x" * 76 + b"\r\n"
    return f"Subject: {subject}\r\n\r\n".encode() + line * (1 + size // len(line))


def deliver(service: RunningService, recipient: str, content: bytes) -> tuple[int, bytes]:
    """The reply to a mail as a whole."""
    with service.smtp() as smtp:
        smtp.ehlo()
        for code, text in (smtp.mail("ann@sender.example"), smtp.rcpt(recipient)):
            if code != 250:
                return code, text
        try:
            return smtp.data(content)
        except smtplib.SMTPDataError as refused:  # the reply to DATA itself
            said = refused.smtp_error
            return refused.smtp_code, said if isinstance(said, bytes) else said.encode()


def subjects(service: RunningService, token: str) -> list[str]:
    page = service.get("/api/inbox?limit=100", token=token).json()
    return sorted(row["subject"] for row in page["results"])


def wait_for_health(service: RunningService, status: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (seen := health_of(service)) != status:
        assert time.monotonic() < deadline, f"/health_check still says {seen}, not {status}"
        time.sleep(0.05)


def health_of(service: RunningService) -> int | None:
    """The status of /health_check; None when the door had no place for the question."""
    try:
        return service.get("/health_check").status
    except OSError:
        return None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", folder], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run([need("umount"), folder], check=True)


@linux
def test_a_full_disk_asks_senders_to_come_back_and_is_over_when_there_is_room(
    tmp_path: Path, small_disk: Path
) -> None:
    """Hazard 19: ENOSPC on write, on every door; recovery without a restart."""
    filler = small_disk / "filler"
    filler.write_bytes(bytes(FILLER))
    for service in running(tmp_path / "service", data_dir=str(small_disk / "data")):
        address, token = service.open_address()
        accepted = []
        for number in range(200):
            code, text = deliver(service, address, letter(f"number {number}", 300_000))
            if code != 250:
                break
            accepted.append(f"number {number}")
        assert (code, text.split()[0]) == (452, b"4.3.1"), text
        assert accepted
        draft = {"to_mail": "bob@elsewhere.example", "subject": "s", "content": "x" * 300_000}
        refused = service.post("/api/send_mail", draft, token=token)
        assert refused.status == 503, refused.text
        assert "disk" not in refused.text.lower() or "full" in refused.text.lower()
        with (
            service.submission(token) as smtp,
            pytest.raises(smtplib.SMTPDataError) as not_now,
        ):
            smtp.sendmail(address, ["bob@elsewhere.example"], letter("too much", 300_000))
        assert not_now.value.smtp_code in (451, 452)
        if service.get("/health_check").status == 200:
            # SQLite's files may still have room for a little; who is ready takes mail.
            assert deliver(service, address, letter("a little"))[0] == 250
            accepted.append("a little")
        assert subjects(service, token) == sorted(accepted), (
            "what was accepted is readable meanwhile"
        )
        filler.unlink()
        wait_for_health(service, 200)
        assert deliver(service, address, letter("room again"))[0] == 250
        assert service.post("/api/send_mail", draft, token=token).status == 200
        assert subjects(service, token) == sorted([*accepted, "room again"])
        assert "Traceback" not in service.log


def test_a_store_locked_by_another_program_still_takes_mail_and_refuses_the_rest_for_now(
    tmp_path: Path,
) -> None:
    """Hazard 19: the database is locked. Mail of common size goes into the log of arriving mail."""
    for service in running(tmp_path):
        address, token = service.open_address()
        assert deliver(service, address, letter("before"))[0] == 250
        assert subjects(service, token) == ["before"]
        other = sqlite3.connect(tmp_path / "data" / "mailbox.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor() as at_once:  # each waits for its seconds
            large = at_once.submit(deliver, service, address, letter("large", 300_000))
            opened = at_once.submit(service.post, "/api/new_address", {"name": "late"})
            assert deliver(service, address, letter("meanwhile"))[0] == 250
            code, text = large.result()
            assert (code, text.split()[0]) == (451, b"4.3.0"), text
            assert opened.result().status == 503
        assert service.get("/health_check").status == 503
        assert subjects(service, token) == ["before"], "reading goes on"
        other.execute("ROLLBACK")
        other.close()
        wait_for_health(service, 200)
        assert deliver(service, address, letter("after"))[0] == 250
        assert subjects(service, token) == ["after", "before", "meanwhile"]


@linux
def test_a_process_without_file_descriptors_recovers_when_there_are_some(tmp_path: Path) -> None:
    """Hazard 19: EMFILE."""
    for service in running(tmp_path):
        assert service.process is not None
        address, token = service.open_address()
        used = psutil.Process(service.process.pid).num_fds()
        subprocess.run(
            [need("prlimit"), "--pid", str(service.process.pid), f"--nofile={used + 20}:4096"],
            check=True,
        )
        with ExitStack() as open_sockets:
            for port in (service.reception_port, service.submission_port, service.http_port) * 15:
                open_sockets.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            time.sleep(0.3)  # it meets the limit, over and over
        wait_for_health(service, 200)
        assert deliver(service, address, letter("after"))[0] == 250
        assert service.wait_for_mail(token)["subject"] == "after"
        assert len(service.log) < MIB, "trouble that lasts does not fill the log"


@linux
def test_thousands_of_idle_connections_leave_the_doors_working(tmp_path: Path) -> None:
    """Hazard 5, against the whole service."""
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    many = min(2_000, soft // 3)
    for service in running(tmp_path):
        assert service.process is not None
        address, token = service.open_address()
        process = psutil.Process(service.process.pid)
        before = process.memory_info().rss
        with ExitStack() as open_sockets:
            idle = [
                open_sockets.enter_context(socket.create_connection(("127.0.0.1", port), 30))
                for port in [service.reception_port] * many + [service.http_port] * (many // 4)
            ]
            for one in idle[:many]:
                assert one.recv(4) == b"220 "
            started = time.monotonic()
            assert deliver(service, address, letter("through the crowd"))[0] == 250
            assert service.wait_for_mail(token)["subject"] == "through the crowd"
            assert time.monotonic() - started < 10
            grown = process.memory_info().rss - before
            assert grown < many * 40_000, f"{grown / many:.0f} octets an idle connection"
        assert service.stop() == 0


def test_a_damaged_content_is_told_and_harms_nothing_else(tmp_path: Path) -> None:
    """Hazard 22, against the whole service: a truncated blob."""
    service = RunningService(tmp_path)
    service.start()
    try:
        address, token = service.open_address()
        for subject in ("whole", "damaged", "behind"):
            assert deliver(service, address, letter(subject))[0] == 250
        service.wait_for_mail(token, subject="behind")
        assert service.stop() == 0
        store = sqlite3.connect(tmp_path / "data" / "mailbox.db")
        with store:
            changed = store.execute(
                "UPDATE contents SET bytes = substr(bytes, 1, 40) WHERE id ="
                " (SELECT content_id FROM messages ORDER BY id LIMIT 1 OFFSET 1)"
            )
            assert changed.rowcount == 1
        store.close()
        service.start()
        page = service.get("/api/inbox", token=token).json()
        assert [row["subject"] for row in page["results"]][::2] == ["behind", "whole"]
        ids = [row["id"] for row in page["results"]]
        assert b"whole" in service.raw(token, ids[2])
        assert service.get(f"/api/mails/{ids[1]}/raw", token=token).status >= 400
        listed = service.get("/api/mails?limit=10&offset=0", token=token).json()
        assert listed["count"] == 3
        assert "content-damaged" in service.log
    finally:
        service.kill()


def test_the_folder_of_the_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    service = RunningService(tmp_path)
    service.start()
    try:
        folder = tmp_path / "data"
        for path in (folder, *folder.iterdir()):
            assert not os.stat(path).st_mode & 0o077, path
    finally:
        service.kill()
