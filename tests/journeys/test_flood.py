"""Thousands of mails while the service is killed and started again: none of those acknowledged
is missing, none is there twice, all are octet for octet what was sent. Hazard 20.

`MAILBOX_TEST_FLOOD` says how many (3,000 by default).
"""

from __future__ import annotations

import http.client
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

from tests.crash.killing import all_pages
from tests.journeys.flooding import Flood, letter
from tests.journeys.running import RunningService, running
from tests.journeys.tap import behind_trace
from tests.programs import need

MAILS = int(os.environ.get("MAILBOX_TEST_FLOOD", "3000"))
KILLS = 4
NOISE = 2_000  # mails of smtp-source from one start to the next kill, at most
LIMIT_SECONDS = 120 + MAILS / 100


def noise(service: RunningService, recipient: str) -> subprocess.Popen[bytes]:
    """Postfix's own load beside ours, until the service dies under it."""
    return subprocess.Popen(
        [
            *(need("smtp-source"), "-s", "4", "-l", "4000", "-m", str(NOISE)),
            *("-f", "noise@sender.example", "-t", recipient),
            f"inet:127.0.0.1:{service.reception_port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def raws(service: RunningService, token: str, ids: list[int]) -> dict[int, bytes]:
    """The stored octets of many mails, over one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", service.http_port, timeout=30)
    found = {}
    for mail_id in ids:
        connection.request(
            "GET", f"/api/mails/{mail_id}/raw", headers={"Authorization": f"Bearer {token}"}
        )
        answer = connection.getresponse()
        found[mail_id] = answer.read()
        assert answer.status == 200, found[mail_id]
    connection.close()
    return found


def test_a_flood_survives_kills(tmp_path: Path) -> None:
    """Hazard 20, with every octet looked at."""
    for service in running(tmp_path):
        boxes = dict(service.open_address(name) for name in ("one", "two", "three"))
        noisy, noisy_token = service.open_address("noise")
        flood = Flood(service.reception_port, list(boxes), MAILS)
        source = noise(service, noisy)
        flood.start()
        limit = time.monotonic() + LIMIT_SECONDS
        for kill in range(1, KILLS + 1):
            while len(flood.acknowledged) < kill * MAILS // (KILLS + 1):
                assert flood.running
                assert time.monotonic() < limit, f"{len(flood.acknowledged)} in all"
                time.sleep(0.005)
            service.kill()
            source.wait(30)
            service.start()
            source = noise(service, noisy)
        while flood.running:
            assert time.monotonic() < limit, f"{len(flood.acknowledged)} in all"
            time.sleep(0.02)
        source.terminate()
        source.wait(30)
        assert len(flood.acknowledged) >= MAILS
        assert flood.cut_off, "no kill hit a connection"
        count_everything(service, flood, boxes, noisy_token)


def count_everything(
    service: RunningService, flood: Flood, boxes: dict[str, str], noisy_token: str
) -> None:
    """Every box against what was acknowledged, by list, by raw download, by statistics."""
    total = 0
    for box, token in boxes.items():
        ids = all_pages(service, "/api/inbox", "id", token)
        subjects = all_pages(service, "/api/inbox", "subject", token)
        expected = {f"flood-{n}" for n in flood.acknowledged if box in flood.recipients(n)}
        possible = {f"flood-{n}" for n in flood.tried if box in flood.recipients(n)}
        assert not expected - subjects.keys(), "acknowledged and lost"
        assert not subjects.keys() - possible, "never sent"
        assert max(subjects.values()) == 1, "there twice"
        stored = Counter(
            behind_trace(raw) for raw in raws(service, token, [int(i) for i in ids]).values()
        )
        assert stored == Counter(letter(int(name.rpartition("-")[2])) for name in subjects)
        page = service.get("/api/mails?limit=1&offset=0", token=token).json()
        assert page["count"] == len(ids)
        total += len(ids)
    # The last of the noise may be on its way in still, after its sender was ended.
    limit = time.monotonic() + 60
    while True:
        noisy = sum(all_pages(service, "/api/inbox", "id", noisy_token).values())
        counted = service.get("/admin/statistics", admin=True).json()["mailCount"]
        if counted == total + noisy:
            break
        assert time.monotonic() < limit, (counted, total, noisy)
        time.sleep(0.05)
