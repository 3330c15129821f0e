"""How the service ends: with everything accepted on disk, in time, with a status that supervisors
understand; and how it refuses to start. Hazard 56."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import time
from pathlib import Path

import pytest

from tests.crash.killing import all_pages
from tests.journeys.flooding import Flood
from tests.journeys.running import RunningService, running

GRACE_SECONDS = 8.0  # service.GRACE_SECONDS, which containers and systemd wait for


def test_a_stop_under_load_keeps_everything_acknowledged(tmp_path: Path) -> None:
    """Hazard 56: SIGTERM under load ends within its grace with 0; all acknowledged is there."""
    service = RunningService(tmp_path)
    service.start()
    try:
        boxes = dict(service.open_address(name) for name in ("one", "two"))
        flood = Flood(service.reception_port, list(boxes), wanted=1_000_000)
        flood.start()
        while len(flood.acknowledged) < 200:
            assert flood.running
            time.sleep(0.005)
        started = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - started < GRACE_SECONDS - 2, "it waited for the end of the grace"
        flood.wanted = 0
        while flood.running:
            time.sleep(0.01)
        service.start()
        for box, token in boxes.items():
            found = all_pages(service, "/api/inbox", "subject", token)
            expected = {f"flood-{n}" for n in flood.acknowledged if box in flood.recipients(n)}
            assert not expected - found.keys(), "acknowledged and lost"
            assert max(found.values()) == 1, "there twice"
        assert "Traceback" not in service.log
    finally:
        service.kill()


def a_transaction_that_hangs(service: RunningService) -> smtplib.SMTP:
    client = service.smtp()
    client.ehlo()
    client.mail("ann@sender.example")
    client.rcpt("bob@x.test")
    assert client.docmd("DATA")[0] == 354
    client.send(b"Subject: never ends\r\n\r\n")
    return client


def connection_refused(service: RunningService) -> bool:
    """Without waiting for a greeting, so that it is known as soon as it is true."""
    try:
        socket.create_connection(("127.0.0.1", service.reception_port), timeout=30).close()
    except OSError:
        return True
    return False


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Hazard 56: SIGTERM twice, while a transaction would hold up the stop."""
    for service in running(tmp_path):
        assert service.process is not None
        hanging = a_transaction_that_hangs(service)
        service.process.send_signal(signal.SIGTERM)
        while not connection_refused(service):
            pass
        assert service.process.poll() is None, "it waits for the transaction"
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(GRACE_SECONDS - 2) == -signal.SIGKILL
        hanging.close()
        service.start()
        assert service.get("/api/mails?limit=1&offset=0").status == 401


def test_an_interrupt_is_a_stop(tmp_path: Path) -> None:
    """What Ctrl-C does."""
    for service in running(tmp_path):
        assert service.process is not None
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(20) == 0
        assert "Traceback" not in service.log


UNSAFE = [
    ({"http_listen": "0.0.0.0:1", "disable_admin_password_check": True}, "disable_admin_password"),
    ({"http_listen": "0.0.0.0:1", "e2e_test_mode": True}, "e2e_test_mode: not while"),
    ({"http_listen": "0.0.0.0:1", "jwt_secret": "short"}, "jwt_secret: too short"),
    ({"http_listen": "[::]:1", "jwt_secret": "changeme"}, "jwt_secret: a known default"),
    ({"tls_cert": "cert.pem"}, "tls_cert and tls_key: set both"),
    ({"submissions_listen": "127.0.0.1:1"}, "submissions_listen: needs tls_cert"),
    ({"outbound": "relay"}, "relay_url: outbound = relay needs it"),
    ({"outbound": "relay", "relay_url": "gopher://x"}, "relay_url: begins"),
    ({"domains": ["no domain"]}, "domains: 'no domain' is not a domain"),
    ({"http_listen": "everywhere"}, "http_listen: expected host:port"),
    ({"databse_url": "x"}, "did you mean 'database_url'?"),
    ({"database_url": "oracle://x"}, "database_url: 'oracle' is no engine"),
    ({"max_message_size": "huge"}, "max_message_size: expected"),
    ({"name_servers": ["not an address"]}, "name_servers: "),
]


@pytest.mark.parametrize(("settings", "reason"), UNSAFE, ids=[reason for _, reason in UNSAFE])
def test_an_unsafe_or_wrong_configuration_does_not_start(
    tmp_path: Path, settings: dict[str, object], reason: str
) -> None:
    """Hazard 56: one line says why."""
    refused = RunningService(tmp_path, dict(settings)).command("serve")
    assert refused.returncode == 1
    assert reason in refused.stderr
    assert refused.stderr.startswith("mailbox: ")
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert refused.stdout == ""


def test_a_key_that_others_may_read_does_not_start(tmp_path: Path) -> None:
    """Hazard 56: a world-readable key."""
    key = tmp_path / "key.pem"
    key.write_text("a key")
    key.chmod(0o644)
    settings = {"tls_cert": str(key), "tls_key": str(key)}
    refused = RunningService(tmp_path / "service", dict(settings)).command("serve")
    assert refused.returncode == 1
    assert "run chmod 600" in refused.stderr
    key.chmod(0o600)
    refused = RunningService(tmp_path / "service", dict(settings)).command("serve")
    assert refused.returncode == 1
    assert "tls_cert, tls_key: cannot be used" in refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    for service in running(tmp_path / "first"):
        settings = {"http_listen": f"127.0.0.1:{service.http_port}"}
        refused = RunningService(tmp_path / "second", dict(settings)).command("serve")
        assert refused.returncode == 1
        assert refused.stderr.splitlines()[-1].startswith(
            f"mailbox: http_listen: cannot listen on 127.0.0.1:{service.http_port}"
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    refused = RunningService(tmp_path / "s", {"data_dir": str(folder / "data")}).command("serve")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
