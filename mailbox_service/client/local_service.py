"""A service of one's own for the time of a test run: a process on loopback, in a new folder."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60.0
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.05
DOMAIN = "mailbox.test"


@dataclass(frozen=True, slots=True)
class LocalService:
    """Where a service is. The application under test sends to `smtp_port` of `host` without login,
    as to any mail server; addresses in `domain` exist there once they were opened."""

    url: str
    host: str = "127.0.0.1"
    smtp_port: int = 0
    domain: str = ""


@contextmanager
def running_service(folder: Path) -> Iterator[LocalService]:
    """Start a service in a folder, and end it. Raises RuntimeError when it does not start."""
    http, smtp = free_ports(2)
    settings = {
        "data_dir": str(folder / "data"),
        "domains": [DOMAIN],
        "jwt_secret": secrets.token_urlsafe(32),
        "admin_passwords": [secrets.token_urlsafe(16)],
        "enable_user_create_email": True,
        "enable_user_delete_email": True,
        "default_send_balance": 100_000,
        "verify_origin": False,
        "http_listen": f"127.0.0.1:{http}",
        "reception_listen": f"127.0.0.1:{smtp}",
        "submission_listen": "",
        "imap_listen": "",
        "pop3_listen": "",
    }
    file = folder / "mailbox.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    file.chmod(0o600)
    log = folder / "service.log"
    # Settings of whoever runs the tests are not those of this service.
    environment = {key: value for key, value in os.environ.items() if "MAILBOX_" not in key}
    with log.open("wb") as written:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "mailbox_service", "serve", "--config", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=written,
            env=environment,
        )
    try:
        found = LocalService(f"http://127.0.0.1:{http}", smtp_port=smtp, domain=DOMAIN)
        wait_until_ready(found.url, process, log)
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the service answers. Raises RuntimeError with the end of its log."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health_check", timeout=5):  # noqa: S310
                return
        except (OSError, urllib.error.URLError):
            time.sleep(LOOK_SECONDS)
    raise RuntimeError(f"the mailbox service did not start:\n{log.read_text()[-2_000:]}")


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(opened.getsockname()[1]) for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
