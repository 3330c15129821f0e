"""What the sending API has beside it, in the real process and through `kill -9`: mail through a
server of the caller's, short messages, a bounce that comes in by the reception door."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.running import RunningService
from tests.nexthop import NextHop
from tests.nexthop import running as running_hop
from tests.web.sending.test_returns import notice
from tests.webhook_receiver import receiving

pytestmark = pytest.mark.anyio

COUNT = 10


@asynccontextmanager
async def started(folder: Path, **settings: Any) -> AsyncIterator[RunningService]:
    service = RunningService(folder, settings)
    await asyncio.to_thread(service.start)
    try:
        yield service
    finally:
        await asyncio.to_thread(service.kill)


async def ask(
    service: RunningService, key: str, path: str, fields: object, method: str = "POST"
) -> Any:
    answer = await asyncio.to_thread(
        service.call, method, path, fields, headers={"X-Smtp2go-Api-Key": key}
    )
    assert answer.status == 200, answer.text
    return answer.json()


def report(service: RunningService, address: str, content: bytes) -> None:
    """A bounce, by the reception door."""
    with service.smtp() as client:
        client.sendmail("", [address], content)


async def test_what_was_taken_is_done_after_a_kill(tmp_path: Path) -> None:
    async with running_hop(NextHop()) as hop, receiving() as gateway:
        settings = {
            "outbound": "relay",
            "relay_url": f"smtp://127.0.0.1:{hop.port}",
            "smtp_private_hosts": ["127.0.0.1"],
            "sms_gateway": "http",
            "sms_url": f"http://127.0.0.1:{gateway.port}/send",
            "sms_private_addresses": True,
        }
        async with started(tmp_path, **settings) as service:
            made = await asyncio.to_thread(service.command, "apikey", "new")
            key = json.loads(made.stdout)["api_key"]
            connection = {
                "host": "127.0.0.1",
                "port": hop.port,
                "use_tls": False,
                "from_address": "shop@own.test",
            }
            await ask(service, key, "/smtp-connections/default", connection, "PUT")
            letter = {
                "sender": "a@x.test",
                "to": ["bob@far.test"],
                "subject": "s",
                "text_body": "t",
            }
            await ask(service, key, "/v3/email/send", letter)
            await hop.wait_for(1)
            path = hop.taken[0].reverse_path
            assert path.startswith("bounce+")
            for number in range(COUNT):
                mail = {"to": "bob@far.test", "subject": f"Own {number}", "text": "t"}
                await ask(service, key, "/send-email", mail)
                text = {"destination": ["+491701234567"], "content": f"Text {number}"}
                await ask(service, key, "/v3/sms/send", text)
            await asyncio.to_thread(report, service, path, notice("bob@far.test"))
            await asyncio.to_thread(service.kill)
            await asyncio.to_thread(service.start)
            await until_all(service, key, hop, gateway)


async def until_all(service: RunningService, key: str, hop: NextHop, gateway: Any) -> None:
    """Until every mail, every text and the bounce are through; each at least once."""
    subjects = {f"Subject: Own {number}".encode() for number in range(COUNT)}
    texts = {f"Text {number}" for number in range(COUNT)}
    async with asyncio.timeout(60):
        while True:
            sent = b"\n".join(one.content for one in hop.taken)
            told = " ".join(one.text for one in gateway.got)
            found = (await ask(service, key, "/v3/suppression/view", {}))["data"]["results"]
            if (
                all(subject in sent for subject in subjects)
                and all(text in told for text in texts)
                and [one["email_address"] for one in found] == ["bob@far.test"]
            ):
                return
            await asyncio.sleep(0.05)


async def test_the_reception_door_takes_only_return_paths_that_are_ours(tmp_path: Path) -> None:
    """Hazards 11 and 53."""
    async with started(tmp_path) as service:

        def refused() -> int:
            with service.smtp() as client:
                client.helo("mx.far.test")
                client.mail("")
                code, _ = client.rcpt(
                    "bounce+01arz3ndektsv4rrffq69g5fav52dcl5lik2ip7avxp6aa@far.test"
                )
                return code

        assert await asyncio.to_thread(refused) == 550
