"""A mail arrives by SMTP, and a moment later the mailbox tells where it came from: the whole
service, with a name server of ours. And the proof of work that visitors may be asked for."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import altcha

from mailbox_service.core.dkim import Signer, dns_record, generate_key, sign
from tests.journeys.running import running
from tests.nameserver import NameServer, serving

KEY = generate_key("rsa")
RECORDS = {
    ("sender.example", "TXT"): ['"v=spf1 ip4:127.0.0.0/8 -all"'],
    ("evil.example", "TXT"): ['"v=spf1 -all"'],
    ("_dmarc.sender.example", "TXT"): ['"v=DMARC1; p=reject"'],
}


@contextmanager
def name_server() -> Iterator[NameServer]:
    """A name server in a thread of its own."""
    record = dns_record(KEY)
    key = " ".join(f'"{record[at : at + 250]}"' for at in range(0, len(record), 250))
    server = NameServer(records={**RECORDS, ("sel._domainkey.sender.example", "TXT"): [key]})
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        async with serving(server):
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(30)
        loop.close()


def test_the_verdicts_of_arrived_mail(tmp_path: Path) -> None:
    letter = b"From: Ann <ann@sender.example>\r\nSubject: Hello\r\n\r\nText.\r\n"
    signed = sign(letter, [Signer("sender.example", "sel", KEY)], int(time.time()))
    with name_server() as server:
        for service in running(tmp_path, verify_origin=True, name_servers=[server.address]):
            address, token = service.open_address()
            service.deliver(address, signed, "ann@sender.example")
            service.deliver(f"{address.partition('@')[0]}+tag@x.test", letter, "eve@evil.example")
            deadline = time.monotonic() + 60
            while True:
                rows = service.get("/api/inbox", token=token).json()["results"]
                if len(rows) == 2 and all(row["verdicts"] for row in rows):
                    break
                assert time.monotonic() < deadline, service.log
                time.sleep(0.05)
            forged, honest = rows
            assert honest["verdicts"] == {
                "spf": "pass",
                "dkim": "pass",
                "dmarc": "pass",
                "arc": "none",
            }
            assert forged["verdicts"] == {
                "spf": "fail",
                "dkim": "none",
                "dmarc": "fail",
                "arc": "none",
            }
            path = f"/api/mails/{honest['id']}/authentication"
            told = service.get(path, token=token).json()["authentication_results"]
            assert told.startswith("x.test; spf=pass smtp.mailfrom=ann@sender.example; dkim=pass ")


def test_a_visitor_works_for_an_address(tmp_path: Path) -> None:
    for service in running(tmp_path, enable_altcha=True, altcha_cost=1):
        assert service.post("/api/new_address", {}).status == 400
        challenge = altcha.Challenge.from_dict(service.get("/open_api/altcha").json())
        solution = altcha.solve_challenge(challenge)
        assert solution is not None
        proof = altcha.Payload(challenge, solution).to_dict()
        body = {"cf_token": base64.b64encode(json.dumps(proof).encode()).decode()}
        assert service.post("/api/new_address", body).status == 200
        assert service.post("/api/new_address", body).status == 400
