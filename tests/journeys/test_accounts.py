"""Accounts in the running service: the way in by a mailed code, and kills while addresses change
hands."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running import ADMIN_PASSWORD, RunningService

ADMIN = {"x-admin-auth": ADMIN_PASSWORD}
SECRET = hashlib.sha256(b"secret").hexdigest()
ADDRESSES = 6
KILLS = 3
# Hand-overs that must have been answered between two kills.
BETWEEN_KILLS = 15


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    running = RunningService(tmp_path / "service")
    running.start()
    yield running
    running.kill()


def ask(service: RunningService, path: str, body: Any = None, **headers: str) -> Any:
    """Ask the service; a body makes it a POST. Raises OSError and what is not 200."""
    request = urllib.request.Request(
        service.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


def test_somebody_registers_with_the_code_that_came_by_mail(service: RunningService) -> None:
    box = ask(service, "/api/new_address", {"name": "ann", "domain": "x.test"})
    settings = {"enable": True, "enableMailVerify": True, "verifyMailSender": "noreply@x.test"}
    ask(service, "/admin/user_settings", settings, **ADMIN)
    ask(service, "/user_api/verify_code", {"email": box["address"]})
    auth = {"Authorization": f"Bearer {box['jwt']}"}
    mail = ask(service, "/api/mails/wait?timeout=30&after_id=0", **auth)["mail"]
    assert mail["from_name"] == "Temp Mail Verify"
    assert mail["subject"] == "Temp Mail Verify code"
    found = re.fullmatch(r"Your verify code is (\d{6})\s*", mail["text"])
    assert found
    assert mail["code"] == found[1]
    account = {"email": box["address"], "password": SECRET, "code": found[1]}
    assert ask(service, "/user_api/register", account) == {"success": True}
    token = ask(service, "/user_api/login", account)["jwt"]
    assert ask(service, "/user_api/bind_address", {}, x_user_token=token, **auth)["success"]
    service.kill()
    service.start()
    assert ask(service, "/user_api/settings", x_user_token=token)["user_email"] == box["address"]
    inbox = ask(service, "/user_api/mails?limit=20&offset=0", x_user_token=token)
    assert [row["id"] for row in inbox["results"]] == [mail["id"]]
    with pytest.raises(urllib.error.HTTPError) as refused:  # the code was used, kill or not
        ask(service, "/user_api/register", account)
    assert refused.value.read() == b"Invalid verify code"


class Hands:
    """Two accounts that hand their addresses to and fro for as long as they are let."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.emails = ("ann@home.example", "bob@home.example")
        self.tokens = tuple(self._sign_up(email) for email in self.emails)
        self.names = set()
        for number in range(ADDRESSES):
            box = ask(service, "/api/new_address", {"name": f"box{number}", "domain": "x.test"})
            headers = {"Authorization": f"Bearer {box['jwt']}", "x-user-token": self.tokens[0]}
            ask(service, "/user_api/bind_address", {}, **headers)
            self.names.add(box["address"])
        self.answered = 0
        self._stop = threading.Event()

    def _sign_up(self, email: str) -> str:
        ask(self.service, "/admin/users", {"email": email, "password": SECRET}, **ADMIN)
        token: str = ask(self.service, "/user_api/login", {"email": email, "password": SECRET})[
            "jwt"
        ]
        return token

    def held(self, who: int) -> dict[str, int]:
        """The addresses of one account, by name."""
        page = ask(self.service, "/user_api/bind_address?limit=100", x_user_token=self.tokens[who])
        return {row["name"]: row["id"] for row in page["results"]}

    def go_on(self) -> None:
        """Hand over until told to stop; what a kill cuts off is tried again."""
        while not self._stop.is_set():
            try:
                for who in (0, 1):
                    for address_id in list(self.held(who).values())[: ADDRESSES // 2]:
                        body = {
                            "address_id": address_id,
                            "target_user_email": self.emails[1 - who],
                        }
                        ask(
                            self.service,
                            "/user_api/transfer_address",
                            body,
                            x_user_token=self.tokens[who],
                        )
                        self.answered += 1
            except urllib.error.HTTPError as error:
                # A hand-over whose answer was cut off had happened: its old id is gone.
                if error.code not in (400, 503):
                    raise
            except (OSError, HTTPException):
                time.sleep(0.05)

    def stop(self) -> None:
        self._stop.set()


def test_kills_while_addresses_change_hands_lose_none_and_double_none(
    service: RunningService,
) -> None:
    """Before and after every kill each address is open once and belongs to one account."""
    ask(service, "/admin/user_settings", {"maxAddressCount": 0}, **ADMIN)
    hands = Hands(service)
    worker = threading.Thread(target=hands.go_on)
    worker.start()
    try:
        for _ in range(KILLS):
            reached, deadline = hands.answered + BETWEEN_KILLS, time.monotonic() + 60
            while hands.answered < reached:
                assert time.monotonic() < deadline
                assert worker.is_alive()
                time.sleep(0.005)
            service.kill()
            service.start()
    finally:
        hands.stop()
        worker.join(60)
    ann, bob = hands.held(0), hands.held(1)
    assert not set(ann) & set(bob)
    assert {*ann, *bob} == hands.names
    listed = ask(service, "/admin/address?limit=100&offset=0", **ADMIN)["results"]
    assert {row["name"]: row["id"] for row in listed} == {**ann, **bob}
