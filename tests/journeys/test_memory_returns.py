"""What a service has after very large messages is what it had before them (sending-api §1.1)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.journeys.running import RunningService, running

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is given back on Linux"
)

MIB = 1 << 20
# At rest the service has some 80 MB. What stays is caches, which are looked after from 32 MB on.
BOUND = 150 * MIB
# A look every ten seconds; a machine that has much to do is given more.
SECONDS = 150.0
LINE = b"y" * 76 + b"\r\n"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    yield from running(tmp_path, sending_rate=0)


def process_of(service: RunningService) -> psutil.Process:
    assert service.process is not None
    return psutil.Process(service.process.pid)


def most(process: psutil.Process) -> int:
    """The most memory that a process ever had."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = [one for one in status.splitlines() if one.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


def wait_until_small(service: RunningService) -> None:
    process, deadline = process_of(service), time.monotonic() + SECONDS
    while (size := process.memory_info().rss) > BOUND:
        assert time.monotonic() < deadline, f"{size / MIB:.0f} MB are left"
        time.sleep(0.5)


def test_large_calls_leave_nothing_behind(service: RunningService) -> None:
    made = service.command("apikey", "new")
    key = {"X-Smtp2go-Api-Key": str(json.loads(made.stdout)["api_key"])}
    letter = {"sender": "ann@x.test", "to": ["bob@x.test"], "subject": "s", "text_body": "t"}
    blob = base64.b64encode(b"x" * (36 * MIB)).decode()
    large = {**letter, "attachments": [{"filename": "a.bin", "fileblob": blob}]}
    batch = [{**letter, "text_body": "word " * 8_000}] * 1_000
    written = b"From: ann@x.test\r\nTo: bob@x.test\r\nSubject: s\r\n\r\n" + LINE * 600_000
    calls = (
        ("email/send", json.dumps(large).encode()),
        ("email/mime", json.dumps({"mime_email": base64.b64encode(written).decode()}).encode()),
        ("email/batch", json.dumps({"emails": batch}).encode()),
    )
    for path, body in calls:
        for _ in range(2):
            answer = service.post(f"/v3/{path}", body, headers=key)
            assert answer.status == 200, answer.text
    assert most(process_of(service)) > BOUND, "these calls were not large"
    wait_until_small(service)
    again = service.post("/v3/email/send", letter, headers=key)
    assert again.status == 200


def test_large_mail_that_arrives_and_is_read_leaves_nothing_behind(
    service: RunningService,
) -> None:
    address, token = service.open_address()
    content = b"From: ann@q.test\r\nTo: b@x.test\r\nSubject: s\r\n\r\n" + LINE * 670_000
    last = 0
    for _ in range(2):
        service.deliver(address, content)
        last = int(service.wait_for_mail(token, last)["id"])
    # Stored with trace fields before it.
    assert service.raw(token, last).endswith(LINE * 1000)
    assert service.get(f"/api/mail/{last}", token=token).status == 200
    assert most(process_of(service)) > BOUND, "these mails were not large"
    wait_until_small(service)
    assert service.raw(token, last).endswith(LINE * 1000)
