"""A new user's first minutes: one command, no configuration, and the lines it prints work."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running import free_ports

START_SECONDS = 120.0


@dataclass
class NewUser:
    """Somebody with a folder and a shell. Only the ports are not the usual ones, which others
    on the machine may use."""

    data: Path
    ports: list[int]
    output: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if "MAILBOX_" not in name}
        names = ("HTTP", "SUBMISSION", "RECEPTION")
        doors = {
            f"MAILBOX_{name}_LISTEN": f"127.0.0.1:{port}"
            for name, port in zip(names, self.ports, strict=True)
        }
        return {**own, **doors, "MAILBOX_IMAP_LISTEN": "", "MAILBOX_POP3_LISTEN": ""}

    def mailbox(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`mailbox …`"""
        return subprocess.run(
            [sys.executable, "-m", "mailbox_service", *arguments, "--data", self.data],
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment,
        )

    def serve(self) -> str:
        """`mailbox serve` until it says that it runs; what it said."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mailbox_service", "serve", "--data", self.data],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**self.environment, "PYTHONUNBUFFERED": "1"},
            )
        deadline = time.monotonic() + START_SECONDS
        while "Mailbox Service is running" not in (said := self.output.read_text()):
            assert self.process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.02)
        return said

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(20) == 0

    def get(self, path: str, token: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[0]}{path}", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=40) as answer:
            return json.load(answer)


@pytest.fixture
def user(tmp_path: Path) -> Iterator[NewUser]:
    """Somebody new; what they started is stopped."""
    somebody = NewUser(tmp_path / "data", free_ports(3), tmp_path / "output")
    yield somebody
    somebody.stop()


def test_the_first_start_explains_itself_and_its_lines_send_a_mail(user: NewUser) -> None:
    said = user.serve()
    page = re.search(r"^ +Page +(\S+)$", said, re.MULTILINE)
    password = re.search(r"^ +Admin password +(\S+)$", said, re.MULTILINE)
    assert page is not None
    assert password is not None
    assert page[1] == f"http://127.0.0.1:{user.ports[0]}"
    assert len(password[1]) >= 16
    file = user.data / "mailbox.toml"
    assert str(file) in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(user.data.stat().st_mode) == 0o700

    lines = said[said.index("import smtplib") : said.index("  Read it there:")]
    assert f'("127.0.0.1", {user.ports[1]})' in lines
    pasted = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(lines)], capture_output=True, text=True, timeout=60
    )
    assert pasted.returncode == 0, pasted.stderr
    link = re.search(r"Read it there: +(\S+)/\?jwt=(\S+)", said)
    assert link is not None
    mail = user.get("/api/mails/wait?timeout=30&after_id=0", link[2])["mail"]
    assert (mail["subject"], mail["text"].strip()) == ("Hello", "It works.")
    with urllib.request.urlopen(f"{link[1]}/?jwt={link[2]}", timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/html")
    request = urllib.request.Request(
        f"{page[1]}/admin/statistics", headers={"x-admin-auth": password[1]}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert json.load(answer)["mailCount"] == 1

    user.stop()
    written = file.read_bytes()
    again = user.serve()
    assert "Admin password" not in again, "secrets are shown once"
    assert file.read_bytes() == written
    assert user.get("/api/inbox", link[2])["count"] == 1, "the token of the first start is good"


def test_commands_work_while_the_service_runs_and_while_it_does_not(user: NewUser) -> None:
    before = user.mailbox("address", "new", "--name", "early")
    assert before.returncode == 0, before.stderr
    early = json.loads(before.stdout)
    assert early["address"] == "early@mailbox.localhost"
    down = user.mailbox("health")
    assert down.returncode == 1
    assert down.stderr.startswith("mailbox: ")
    check = user.mailbox("check")
    assert "is free; nothing listens there now" in check.stdout
    assert check.returncode == 0, check.stdout

    user.serve()
    up = user.mailbox("health")
    assert (up.returncode, up.stdout.strip()) == (0, "OK"), up.stderr
    assert user.get("/api/settings", early["jwt"])["address"] == early["address"]
    late = user.mailbox("address", "new")
    assert late.returncode == 0, late.stderr
    opened = json.loads(late.stdout)
    assert user.get("/api/settings", opened["jwt"])["address"] == opened["address"]
    taken = user.mailbox("address", "new", "--name", "early")
    assert taken.returncode == 1
    assert taken.stderr.startswith("mailbox: ")
    check = user.mailbox("check")
    assert check.returncode == 0, check.stdout
    assert check.stdout.count(" answers") == 3
    queue = user.mailbox("queue", "list")
    assert queue.stdout.strip() == "Nothing waits."


def test_two_services_on_one_folder_are_not_possible(user: NewUser) -> None:
    user.serve()
    ports = user.ports
    user.ports = free_ports(3)
    second = user.mailbox("serve")
    assert second.returncode == 1
    assert second.stderr == f"mailbox: data_dir: another service runs on {user.data} already\n"
    user.ports = ports
    assert user.mailbox("health").returncode == 0
