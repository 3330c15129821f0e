"""Load a service, kill it at a random moment, start it again, many times; then count.

Each client keeps a list of what was acknowledged. A message whose acknowledgement never came
may be there or not, but never twice; one that was acknowledged is there exactly once.

`MAILBOX_TEST_KILLS` says how often (100 by default; `make crash` says 1,000).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import smtplib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.crash.forking import forking
from tests.journeys.running import RunningService

# The moment of a kill, in seconds after the doors opened. Early enough that a hundred kills
# fit into a test run, spread enough that every stage of a transaction is hit.
KILL_AFTER = (0.02, 0.35)
CLIENTS = 3
KILLS = int(os.environ.get("MAILBOX_TEST_KILLS", "100"))
HALVES = 2  # experiments that share them
SIZES = (200, 4_000, 60_000)


@dataclass
class Book:
    """What was tried, and what was acknowledged."""

    tried: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, name: str) -> None:
        with self.lock:
            self.tried.add(name)

    def end(self, name: str) -> None:
        with self.lock:
            self.acknowledged.add(name)


def letter(sender: str, name: str, size: int) -> bytes:
    body = b"x" * 70 + b"\r\n"
    head = f"From: <{sender}>\r\nSubject: {name}\r\n\r\n".encode()
    return head + body * max(1, (size - len(head)) // len(body))


class Client(threading.Thread):
    """One client that goes on until the service is gone."""

    def __init__(self, one: Callable[[Client], Iterable[str]], book: Book, label: str) -> None:
        super().__init__(name=label, daemon=True)
        self.book = book
        self.number = 0
        self._one = one

    def next_name(self) -> str:
        self.number += 1
        name = f"{self.name}-{self.number}"
        self.book.begin(name)
        return name

    def run(self) -> None:
        with contextlib.suppress(OSError, smtplib.SMTPException, http.client.HTTPException):
            for name in self._one(self):
                self.book.end(name)


@dataclass
class Load:
    """Clients on every door of a service."""

    service: RunningService
    sender: str
    token: str
    inbound: str
    news: str
    key: str
    received: Book = field(default_factory=Book)
    submitted: Book = field(default_factory=Book)
    lettered: Book = field(default_factory=Book)
    opened: Book = field(default_factory=Book)
    random: random.Random = field(default_factory=lambda: random.Random(20))

    def receiving(self, client: Client) -> Iterable[str]:
        with self.service.smtp() as smtp:
            while True:
                name = client.next_name()
                content = letter("ann@sender.example", name, random.choice(SIZES))
                smtp.sendmail("ann@sender.example", [self.inbound], content)
                yield name

    def submitting(self, client: Client) -> Iterable[str]:
        with self.service.submission(self.token) as smtp:
            while True:
                name = client.next_name()
                content = letter(self.sender, name, random.choice(SIZES))
                smtp.sendmail(self.sender, ["held@elsewhere.example"], content)
                yield name

    def posting(self, client: Client) -> Iterable[str]:
        with self.http() as connection:
            while True:
                name = client.next_name()
                draft = {"to_mail": "held@elsewhere.example", "subject": name, "content": "text"}
                if post(connection, "/api/send_mail", draft, self.token) == 200:
                    yield name

    def lettering(self, client: Client) -> Iterable[str]:
        """The sending API, each request in one piece: what takes its short way."""
        key = f"X-Smtp2go-Api-Key: {self.key}"
        with self.line() as connection:
            while True:
                name = client.next_name()
                text = "x" * random.choice(SIZES)
                body = {"sender": self.news, "to": ["held@elsewhere.example"], "subject": name}
                letter = {**body, "text_body": text}
                if in_one_piece(connection, "/v3/email/send", letter, key) == 200:
                    yield name

    def opening(self, client: Client) -> Iterable[str]:
        """Addresses, each request in one piece: what takes its short way."""
        with self.line() as connection:
            while True:
                name = client.next_name()
                wish = {"name": name.replace("-", "")}
                if in_one_piece(connection, "/api/new_address", wish) == 200:
                    yield name

    def line(self) -> contextlib.closing[socket.socket]:
        """A connection that is spoken to in octets."""
        address = ("127.0.0.1", self.service.http_port)
        return contextlib.closing(socket.create_connection(address, 30))

    def http(self) -> contextlib.closing[http.client.HTTPConnection]:
        """A connection that is closed also when the service dies on the other side."""
        return contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.service.http_port, timeout=30)
        )

    def round(self, number: int) -> None:
        """Start, load, kill."""
        self.service.start()
        clients = [
            Client(work, book, f"{label}-{number}-{index}")
            for label, work, book in (
                ("receive", self.receiving, self.received),
                ("submit", self.submitting, self.submitted),
                ("post", self.posting, self.submitted),
                ("letter", self.lettering, self.lettered),
                ("open", self.opening, self.opened),
            )
            for index in range(CLIENTS if label in ("receive", "letter") else 1)
        ]
        for client in clients:
            client.start()
        time.sleep(self.random.uniform(*KILL_AFTER))
        self.service.kill()
        for client in clients:
            client.join(30)
            assert not client.is_alive()


def in_one_piece(connection: socket.socket, path: str, body: object, *fields: str) -> int:
    """Post JSON as most programs do, head and body together; the status."""
    octets = json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: x", *fields, f"Content-Length: {len(octets)}", "", ""]
    connection.sendall("\r\n".join(head).encode() + octets)
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    answer.read()
    assert answer.status in (200, 503), answer.status
    return answer.status


def post(connection: http.client.HTTPConnection, path: str, body: object, token: str = "") -> int:
    """Post JSON on a kept connection; the status."""
    connection.request(
        "POST", path, json.dumps(body), {"Authorization": f"Bearer {token}"} if token else {}
    )
    answer = connection.getresponse()
    answer.read()
    assert answer.status in (200, 503), answer.status
    return answer.status


def all_pages(service: RunningService, path: str, key: str, token: str) -> Counter[str]:
    """How often each subject is in a list of ours, page by page."""
    found: Counter[str] = Counter()
    before = ""
    while True:
        page = service.get(f"{path}?limit=100{before}", token=token).json()
        found.update(row[key] for row in page["results"])
        if page["next_before_id"] is None:
            return found
        before = f"&before_id={page['next_before_id']}"


def check(book: Book, found: Counter[str], what: str) -> None:
    """Acknowledged: there. Tried: not twice. Never tried: not there."""
    missing = book.acknowledged - found.keys()
    assert not missing, f"{what}: acknowledged and lost: {sorted(missing)[:5]} of {len(missing)}"
    twice = [name for name, count in found.items() if count > 1]
    assert not twice, f"{what}: there twice: {twice[:5]}"
    assert found.keys() <= book.tried, f"{what}: never sent: {list(found.keys() - book.tried)[:5]}"


def kill_many_times(folder: Path, kills: int) -> Load:
    """The whole experiment; returns what was counted, all of it checked."""
    service = RunningService(folder, {"default_send_balance": 10_000_000, "sending_rate": 0})
    service.start()
    sender, token = service.open_address("sender")
    inbound, inbound_token = service.open_address("inbound")
    news, news_token = service.open_address("news")
    key = json.loads(service.command("apikey", "new").stdout)["api_key"]
    service.stop()
    load = Load(service, sender, token, inbound, news, key)
    # The start behind the last kill is one from nothing again, and the one that is looked at.
    with forking(service):
        for number in range(kills):
            load.round(number)
    service.start()
    try:
        check(load.received, all_pages(service, "/api/inbox", "subject", inbound_token), "received")
        check(load.submitted, all_pages(service, "/api/sent", "subject", token), "submitted")
        check(load.lettered, all_pages(service, "/api/sent", "subject", news_token), "letters")
        opened: Counter[str] = Counter()
        offset = 0
        while True:
            path = f"/admin/address?limit=100&offset={offset}&sort_by=id"
            rows = service.get(path, admin=True).json()["results"]
            opened.update(row["name"].partition("@")[0] for row in rows)
            offset += len(rows)
            if not rows:
                break
        lost = {name.replace("-", "") for name in load.opened.acknowledged} - opened.keys()
        assert not lost, f"opened and lost: {sorted(lost)[:5]}"
        balance = service.get("/api/settings", token=token).json()["send_balance"]
        sent = sum(all_pages(service, "/api/sent", "subject", token).values())
        assert balance == 10_000_000 - sent, "an allowance is charged with its message, or neither"
        assert service.stop() == 0
    finally:
        service.kill()
    return load


def run_half(folder: Path) -> None:
    """One of the two experiments."""
    load = kill_many_times(folder, KILLS // HALVES)
    # The experiment has to have bitten: mail was stored in most rounds, some of it cut off.
    assert len(load.received.acknowledged) > KILLS // HALVES
    assert len(load.submitted.acknowledged) > KILLS // HALVES // 2
    assert load.received.tried - load.received.acknowledged, "no kill hit a message under way"
