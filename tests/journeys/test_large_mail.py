"""The limits of size of the sending API, against the real process (sending-api §1.1; acceptance 4):
the built message counts, and many large calls at once do not fill the machine."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.journeys.running import Answer, RunningService, running

LIMIT = 50 << 20
# Base64 of a file goes in lines of 57 octets, 78 when they are written (RFC 2045 §6.8).
LINE, WRITTEN = 57, 78
LETTER = {"sender": "ann@x.test", "to": ["bob@x.test"], "subject": "s", "text_body": "t"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    yield from running(tmp_path_factory.mktemp("large"), sending_rate=0)


@pytest.fixture(scope="module")
def key(service: RunningService) -> dict[str, str]:
    made = service.command("apikey", "new")
    return {"X-Smtp2go-Api-Key": str(json.loads(made.stdout)["api_key"])}


def post(service: RunningService, key: dict[str, str], path: str, fields: Any) -> Answer:
    return service.post(f"/v3/{path}", fields, headers=key)


def with_file(lines: int) -> dict[str, Any]:
    """A letter with a file of so many lines of base64."""
    file = {"filename": "a.bin", "fileblob": base64.b64encode(b"x" * LINE * lines).decode()}
    return {**LETTER, "attachments": [file]}


def built_size(service: RunningService, key: dict[str, str], email_id: str) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        fields = {"search_email_id": email_id, "event_types": ["processed"]}
        found = post(service, key, "activity/search", fields).json()["data"]["events"]
        if found:
            return int(found[0]["byte_size"])
        time.sleep(0.05)
    raise AssertionError("the message is not there")


def test_a_built_message_of_50_mb_is_taken_and_a_line_more_is_not(
    service: RunningService, key: dict[str, str]
) -> None:
    small = post(service, key, "email/send", with_file(1)).json()["data"]
    around = built_size(service, key, small["email_id"]) - WRITTEN
    lines = (LIMIT - around) // WRITTEN
    taken = post(service, key, "email/send", with_file(lines))
    assert taken.status == 200, taken.text
    size = built_size(service, key, taken.json()["data"]["email_id"])
    assert LIMIT - WRITTEN < size <= LIMIT
    refused = post(service, key, "email/send", with_file(lines + 1))
    assert refused.status == 413
    assert refused.json()["data"]["error_code"] == "E_ApiResponseCodes.API_EXCEPTION"


@pytest.mark.parametrize(("octets", "status"), [(LIMIT, 200), (LIMIT + 1, 413)])
def test_a_written_message_of_50_mb_to_the_octet(
    service: RunningService, key: dict[str, str], octets: int, status: int
) -> None:
    head = (
        b"From: ann@x.test\r\nTo: bob@x.test\r\nSubject: s\r\n"
        b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <large@x.test>\r\n\r\n"
    )
    line = b"y" * 76 + b"\r\n"
    body = line * ((octets - len(head)) // len(line))
    content = head + body + b"z" * (octets - len(head) - len(body))
    assert len(content) == octets
    mime = base64.b64encode(content).decode()
    answer = post(service, key, "email/mime", {"mime_email": mime})
    assert answer.status == status, answer.text


@pytest.mark.parametrize(
    ("path", "octets"), [("email/send", (70 << 20) + 1), ("webhook/add", (1 << 20) + 1)]
)
def test_a_body_that_is_too_large_is_refused_unread(
    service: RunningService, key: dict[str, str], path: str, octets: int
) -> None:
    fields = b'{"x":"' + b"a" * (octets - 8) + b'"}'
    assert len(fields) == octets
    try:
        answer = service.post(f"/v3/{path}", fields, headers=key)
    except OSError:  # the answer came while the rest was on its way, and the connection is closed
        return
    assert answer.status == 413
    assert answer.json()["data"]["error_code"] == "E_ApiResponseCodes.API_EXCEPTION"


def peak(process: psutil.Process) -> int:
    """The most memory that a process ever had, in octets (Linux)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = [one for one in status.splitlines() if one.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")
def test_of_eight_large_calls_at_once_two_are_worked_on(tmp_path: Path) -> None:
    """Acceptance 4: what waits for its turn is held once, and is not composed."""
    for service in running(tmp_path, sending_rate=0):
        eight_at_once(service)


def eight_at_once(service: RunningService) -> None:
    made = service.command("apikey", "new")
    key = {"X-Smtp2go-Api-Key": str(json.loads(made.stdout)["api_key"])}
    # Held for another domain, so that nothing but the calls takes memory.
    fields = json.dumps({**with_file(10_000_000 // LINE), "to": ["bob@far.example"]}).encode()
    assert service.process is not None
    process = psutil.Process(service.process.pid)
    before = peak(process)

    def send(_: int) -> int:
        return post(service, key, "email/send", fields).status

    with ThreadPoolExecutor(8) as callers:
        assert list(callers.map(send, range(8))) == [200] * 8
    grown = peak(process) - before
    # Each body is held twice while its pieces are joined, and a call that is worked on takes a
    # dozen times its size with what the libraries copy. Eight of those would be a hundred.
    assert grown < (8 * 2 + 2 * 12) * len(fields), grown / len(fields)
