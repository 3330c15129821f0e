"""A service that is killed while mail has consequences: each forward and each automatic reply
happens once, and each webhook post under one id."""

from __future__ import annotations

import contextlib
import json
import random
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.crash.forking import forking
from tests.http_server import HttpServer
from tests.journeys.running import RunningService

ROUNDS = 8
MAILS_A_ROUND = 6
SETTLE_SECONDS = 60.0
SETTINGS: dict[str, Any] = {
    "enable_webhook": True,
    "enable_auto_reply": True,
    "webhook_private_addresses": True,
    # As a text that holds JSON (mailbox-api §7.1): TOML writes objects in another way.
    "subdomain_forward_address_list": '[{"domains": ["x.test"], "forward": "archive@y.test"}]',
}


class Hooks(HttpServer):
    """A receiver in threads: what came, by subject, with the ids that it came under."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HookHandler)
        self.ids: dict[str, set[str]] = {}


class HookHandler(BaseHTTPRequestHandler):
    server: Hooks

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:
            return  # killed amid the request: whoever posts again posts all of it
        subject = body.decode()
        self.server.ids.setdefault(subject, set()).add(self.headers["webhook-id"])
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Not to the console."""


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    with Hooks() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def subjects(service: RunningService, address: str = "") -> Counter[str]:
    """How often each subject is stored, in one mailbox or in all."""
    found: Counter[str] = Counter()
    offset = 0
    query = f"&address={address}" if address else ""
    while True:
        page = service.get(f"/admin/mails?limit=100&offset={offset}{query}", admin=True)
        rows = page.json()["results"]
        for row in rows:
            head = row["raw"].partition("\r\n\r\n")[0]
            found[head.partition("\r\nSubject: ")[2].partition("\r\n")[0]] += 1
        if len(rows) < 100:
            return found
        offset += 100


def test_a_service_killed_between_mail_and_its_consequences_makes_each_once(
    tmp_path: Path, hooks: Hooks
) -> None:
    service = RunningService(tmp_path, SETTINGS)
    service.start()
    bob, token = service.open_address("bob")
    url = f"http://127.0.0.1:{hooks.server_port}/"
    hook = {"enabled": True, "url": url, "method": "POST", "headers": "{}", "body": "${subject}"}
    assert service.post("/api/webhook/settings", hook, token=token).status == 200
    reply = {"subject": "re", "message": "Back on Monday.", "enabled": True}
    assert service.post("/api/auto_reply", {"auto_reply": reply}, token=token).status == 200
    service.stop()

    moment = random.Random(41)
    acknowledged: list[int] = []
    with forking(service):
        for number in range(ROUNDS):
            service.start()
            with contextlib.suppress(OSError, smtplib.SMTPException), service.smtp() as smtp:
                for index in range(MAILS_A_ROUND):
                    mail = number * MAILS_A_ROUND + index
                    letter = f"Message-ID: <{mail}@y.test>\r\nSubject: n{mail}\r\n\r\nx\r\n"
                    smtp.sendmail(f"s{mail}@y.test", [bob], letter)
                    acknowledged.append(mail)
                    if index == MAILS_A_ROUND - 1:
                        time.sleep(moment.uniform(0.0, 0.15))
                        service.kill()
    service.kill()
    assert len(acknowledged) == ROUNDS * MAILS_A_ROUND

    service.start()
    try:
        expected = {f"n{mail}": 1 for mail in acknowledged}
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            archive = subjects(service, "archive@y.test")
            replies = subjects(service)["re"]
            posts = service.get("/api/webhook/posts?limit=100", token=token).json()["results"]
            states = Counter(post["state"] for post in posts)
            if (archive, replies, states["delivered"]) == (expected, *[len(expected)] * 2):
                break
            time.sleep(0.1)
        assert archive == expected
        assert replies == len(expected)
        assert hooks.ids.keys() == expected.keys()
        assert {len(ids) for ids in hooks.ids.values()} == {1}
        assert states == {"delivered": len(expected)}
        assert json.dumps(posts).count(url) == len(expected)
        assert service.stop() == 0
    finally:
        service.kill()
