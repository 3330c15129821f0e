"""The real process: an address with a lifetime goes by itself, with its mail."""

from __future__ import annotations

import time
from pathlib import Path

from tests.journeys.running import running

DEADLINE_SECONDS = 60.0


def test_an_address_with_a_lifetime_goes_by_itself(tmp_path: Path) -> None:
    for service in running(tmp_path):
        opened = service.post("/api/new_address", {"name": "brief", "expires_in": 3}).json()
        kept, _ = service.open_address("kept")
        for recipient in (opened["address"], kept):
            service.deliver(recipient, b"Subject: hello\r\n\r\nx\r\n")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            rows = service.get("/admin/address?limit=9&offset=0", admin=True).json()["results"]
            mails = service.get("/admin/mails?limit=9&offset=0", admin=True).json()["results"]
            if [row["name"] for row in rows] == [kept] and len(mails) == 1:
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert [mail["address"] for mail in mails] == [kept]
        assert service.get("/api/inbox", token=opened["jwt"]).status == 401
        service.wait_for_log("addresses-ended count=1")
