"""The whole service as its users run it: a process of its own, real sockets, real files."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import smtplib
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from functools import cache
from pathlib import Path
from typing import IO, Any

# Far beyond what either takes, on a machine that does twenty other things.
START_SECONDS = 120.0
STOP_SECONDS = 60.0
ADMIN_PASSWORD = "admin password of the journeys"
SETTINGS: dict[str, Any] = {
    "domains": ["x.test", "y.test"],
    "jwt_secret": "a secret of the journeys, long enough to be one",
    "admin_passwords": [ADMIN_PASSWORD],
    "default_send_balance": 100_000,
    "enable_user_create_email": True,
    "enable_user_delete_email": True,
    "enable_address_password": True,
    "create_address_default_domain_first": True,
    "verify_origin": False,  # no journey asks name servers of the world
    "imap_listen": "",
    "pop3_listen": "",
}


# Below the ports that a system gives to connections by itself, 32,768 and up at Linux: while a
# service is killed and not started again, its port must not become somebody else's. Each process
# of a test run has ports of its own, and another run most likely begins elsewhere among them.
FIRST_PORT, PORTS_EACH, PROCESSES = 12_000, 2_500, 8
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
_ports = itertools.count(random.randrange(PORTS_EACH))


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses now, and that nobody is given who does not ask for
    them."""
    ports: list[int] = []
    for number in itertools.islice(_ports, PORTS_EACH):
        port = FIRST_PORT + _process * PORTS_EACH + number % PORTS_EACH
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError("no port is free")


@cache
def empty_store() -> Path:
    """A store with its tables and nothing in them, to be copied: making the tables takes a second
    at every first start, and is tried by tests of its own."""
    from mailbox_service.storage import migrate
    from mailbox_service.storage.sqlite_units import PRAGMAS

    folder = Path(tempfile.mkdtemp(prefix="empty-store-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "mailbox.db"
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    connection.close()
    migrate.upgrade_sqlite(path)
    return path


@dataclass
class Answer:
    """What the HTTP door said."""

    status: int
    headers: Message[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class RunningService:
    """A service in a folder. It can be stopped, killed and started again on the same ports."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    roles: str = ""  # all of them

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.http_port, self.submission_port, self.reception_port = free_ports(3)
        self.config_file = self.folder / "settings.toml"
        self.log_file = self.folder / "service.log"
        chosen = {
            **SETTINGS,
            "data_dir": str(self.folder / "data"),
            "http_listen": f"127.0.0.1:{self.http_port}",
            "submission_listen": f"127.0.0.1:{self.submission_port}",
            "reception_listen": f"127.0.0.1:{self.reception_port}",
            **self.settings,
        }
        self.config_file.write_text(
            "".join(f"{name} = {json.dumps(value)}\n" for name, value in chosen.items())
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def environment(self) -> dict[str, str]:
        """Ours without settings of whoever runs the tests."""
        return {name: value for name, value in os.environ.items() if "MAILBOX_" not in name}

    def begin(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """A process that serves, as yet without doors."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "mailbox_service", "serve"),
                *("--config", self.config_file),
                *(("--roles", self.roles) if self.roles else ()),
            ],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=self.environment(),
        )

    def start(self, *, wait: bool = True) -> None:
        store = self.folder / "data" / "mailbox.db"
        if not (store.parent.exists() or self.settings.keys() & {"database_url", "data_dir"}):
            store.parent.mkdir(mode=0o700)
            shutil.copyfile(empty_store(), store)
        with self.log_file.open("ab") as log:
            self.process = self.begin(log)
        if wait:
            self.wait_until_ready()

    def wait_for_log(self, text: str, seconds: float = 60.0) -> None:
        """Wait for something in the log, whose lines come a moment after what they tell of."""
        deadline = time.monotonic() + seconds
        while text not in self.log:
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the service ended at start:\n{self.log}"
            try:
                if self.get("/health_check").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise AssertionError(f"the service did not start:\n{self.log}")

    def stop(self) -> int:
        """SIGTERM, and wait for the end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the service did not stop:\n{self.log[-4000:]}") from None

    def kill(self) -> None:
        """SIGKILL: as bad as it gets short of the power."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `mailbox …` with this service's settings."""
        return subprocess.run(
            [sys.executable, "-m", "mailbox_service", *arguments, "--config", self.config_file],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            env=self.environment(),
        )

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str = "",
        admin: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call the API."""
        request = urllib.request.Request(self.url + path, method=method)
        if body is not None:
            request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        if admin:
            request.add_header("x-admin-auth", ADMIN_PASSWORD)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=70) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())

    def get(self, path: str, **options: Any) -> Answer:
        return self.call("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> Answer:
        return self.call("POST", path, {} if body is None else body, **options)

    def open_address(self, name: str | None = None) -> tuple[str, str]:
        """Open an address; itself and its token."""
        answer = self.post("/api/new_address", {} if name is None else {"name": name})
        assert answer.status == 200, answer.text
        opened = answer.json()
        return opened["address"], opened["jwt"]

    def smtp(self) -> smtplib.SMTP:
        """A connection to the reception door."""
        return smtplib.SMTP("127.0.0.1", self.reception_port, "client.test", timeout=30)

    def submission(self, token: str) -> smtplib.SMTP:
        """A logged-in connection to the submission door."""
        client = smtplib.SMTP("127.0.0.1", self.submission_port, "client.test", timeout=30)
        try:
            client.login("jwt", token)
        except smtplib.SMTPException:
            client.close()
            raise
        return client

    def deliver(self, recipient: str, content: bytes, sender: str = "ann@sender.example") -> None:
        """Have a mail arrive from outside."""
        with self.smtp() as client:
            client.sendmail(sender, [recipient], content)

    def wait_for_mail(self, token: str, after_id: int = 0, **filters: str) -> dict[str, Any]:
        """The first mail behind an id, waiting for it."""
        query = "".join(f"&{name}={value}" for name, value in filters.items())
        answer = self.get(f"/api/mails/wait?timeout=30&after_id={after_id}{query}", token=token)
        assert answer.status == 200, answer.text
        mail = answer.json()["mail"]
        assert mail is not None, "no mail came"
        return dict(mail)

    def raw(self, token: str, mail_id: int) -> bytes:
        """A mail as it is stored."""
        answer = self.get(f"/api/mails/{mail_id}/raw", token=token)
        assert answer.status == 200, answer.text
        return answer.body


def running(folder: Path, **settings: Any) -> Iterator[RunningService]:
    """A started service that is ended whatever happens."""
    service = RunningService(folder, settings)
    try:
        service.start()
    except BaseException:
        service.kill()
        raise
    try:
        yield service
    finally:
        if service.process is not None and service.process.poll() is None:
            service.stop()
