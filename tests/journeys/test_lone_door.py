"""`smtp-proxy --service URL` in front of a running service: the submission door alone."""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import os
import re
import select
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.journeys.running import RunningService, running

START_SECONDS = 120.0


class LoneDoor:
    """A running smtp-proxy."""

    def __init__(self, url: str, log_file: Path) -> None:
        self.log_file = log_file
        with log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "smtp_proxy", "--service", url),
                    *("--listen", "127.0.0.1:0", "--hostname", "door.test"),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={name: value for name, value in os.environ.items() if "MAILBOX_" not in name},
            )
        assert self.process.stdout is not None
        said = ""
        if select.select([self.process.stdout], [], [], START_SECONDS)[0]:
            said = self.process.stdout.readline()
        match = re.match(r"listening on 127\.0\.0\.1:(\d+), handing mail to (\S+)", said)
        if match is None:
            self.stop()
        assert match is not None, f"it does not start: {said}"
        self.port = int(match[1])

    def login(self, user: str, password: str) -> smtplib.SMTP:
        client = smtplib.SMTP("127.0.0.1", self.port, "client.test", timeout=60)
        try:
            client.login(user, password)
        except smtplib.SMTPException:
            client.close()
            raise
        return client

    def stop(self) -> int:
        self.process.terminate()
        status = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.fixture(scope="module")
def door(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneDoor]:
    """The door in front of the service of this module."""
    opened = LoneDoor(service.url, tmp_path_factory.mktemp("door") / "log")
    yield opened
    assert opened.stop() == 0


def test_credentials_of_the_sending_api_log_in(service: RunningService, door: LoneDoor) -> None:
    """SMTP users and API keys, not only addresses."""
    made = service.command("apikey", "new", "--name", "door")
    key = json.loads(made.stdout)["api_key"]
    header = {"X-Smtp2go-Api-Key": key}
    added = service.post("/v3/users/smtp/add", {"username": "behind-door"}, headers=header)
    password = added.json()["data"]["results"][0]["email_password"]
    address, token = service.open_address()
    for username, secret in (("behind-door", password), ("whatever", key)):
        message = EmailMessage()
        message["From"], message["To"] = "shop@x.test", address
        message["Subject"] = f"By {username}"
        message.set_content("words")
        with door.login(username, secret) as client:
            client.send_message(message)
            message.replace_header("From", "eve@else.example")
            with pytest.raises(smtplib.SMTPException):
                client.send_message(message)
        mail = service.wait_for_mail(token, subject=f"By%20{username}")
        assert mail["from_address"] == "shop@x.test"
    with pytest.raises(smtplib.SMTPAuthenticationError):
        door.login("behind-door", "wrong password")


def test_a_message_stays_whole(service: RunningService, door: LoneDoor) -> None:
    """Attachments, Bcc, many recipients, and every octet."""
    address, token = service.open_address()
    boxes = [service.open_address() for _ in range(12)]
    hidden, hidden_token = service.open_address()
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = f"Ann <{address}>"
    message["To"] = ", ".join(box for box, _ in boxes)
    message["Subject"] = "Ganz, in einem Stück 你好"
    message["Message-ID"], message["Date"] = "<whole@door.test>", "Sat, 21 Nov 2026 10:00:00 +0000"
    message.set_content("Text\n.\n..\n")
    message.add_alternative("<p>HTML</p>", subtype="html")
    files = [os.urandom(size) for size in (10, 100_000, 3_000_000)]
    for number, content in enumerate(files):
        message.add_attachment(content, "application", "x-thing", filename=f"file {number}.bin")
    with door.login("jwt", token) as smtp:
        refused = smtp.sendmail(address, [box for box, _ in boxes] + [hidden], message.as_bytes())
    assert refused == {}
    for _, box_token in [*boxes, (hidden, hidden_token)]:
        mail = service.wait_for_mail(box_token)
        raw = service.raw(box_token, mail["id"])
        assert raw.endswith(message.as_bytes())
        assert hidden.encode() not in raw.partition(b"From: Ann")[2]
    opened = service.get(f"/api/inbox/{mail['id']}", token=hidden_token).json()
    assert [part["filename"] for part in opened["attachments"]] == [
        f"file {number}.bin" for number in range(3)
    ]
    for index, content in enumerate(files):
        path = f"/api/mails/{mail['id']}/attachments/{index}"
        assert service.get(path, token=hidden_token).body == content
    sent = service.get("/api/sent", token=token).json()["results"]
    assert [len(row["recipients"]) for row in sent] == [13]


def test_an_address_logs_in_with_its_own_password(service: RunningService, door: LoneDoor) -> None:
    opened = service.post("/api/new_address", {}).json()
    with door.login(opened["address"], opened["password"]) as smtp:
        smtp.sendmail(opened["address"], [opened["address"]], "Subject: Own\n\nText.")
    assert service.wait_for_mail(opened["jwt"])["subject"] == "Own"


def test_refusals_of_the_service_are_those_of_the_door(
    service: RunningService, door: LoneDoor
) -> None:
    address, token = service.open_address()
    with pytest.raises(smtplib.SMTPAuthenticationError) as wrong:
        door.login("jwt", token[:-3] + "xyz")
    assert wrong.value.smtp_code == 535
    with door.login("jwt", token) as smtp:
        with pytest.raises(smtplib.SMTPResponseException) as foreign:
            smtp.sendmail(address, [address], "From: <other@y.test>\n\nText.")
        assert foreign.value.smtp_code == 553
        assert b"5.7.1" in _octets(foreign.value.smtp_error)
    with smtplib.SMTP("127.0.0.1", door.port, "client.test", timeout=30) as smtp:
        smtp.ehlo()
        assert smtp.mail(address)[0] == 530, "nothing without a login"


def test_a_service_that_is_away_is_a_temporary_failure(tmp_path: Path) -> None:
    for service in running(tmp_path / "service"):
        address, token = service.open_address()
        door = LoneDoor(service.url, tmp_path / "log")
        with door.login("jwt", token) as smtp:
            service.kill()
            with pytest.raises(smtplib.SMTPResponseException) as away:
                smtp.sendmail(address, [address], "Subject: Away\n\nText.")
            assert away.value.smtp_code == 451
            with pytest.raises(smtplib.SMTPException) as no_login:
                door.login("jwt", token)
            assert getattr(no_login.value, "smtp_code", 0) in (451, 454)
            service.start()
            deadline = time.monotonic() + 30
            while True:
                assert time.monotonic() < deadline
                with contextlib.suppress(smtplib.SMTPResponseException):
                    smtp.sendmail(address, [address], "Subject: Back\n\nText.")
                    break
        assert service.wait_for_mail(token)["subject"] == "Back"
        assert door.stop() == 0
        log = door.log_file.read_text()
        assert token not in log
        assert "Traceback" not in log


def _octets(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()
