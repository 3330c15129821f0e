"""The event stream over a real socket (hazard 39)."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.types import Message

from mailbox_service.web.mailbox import events
from tests.web.people import sign_up
from tests.web.site import Mailbox, Site, serving, until

pytestmark = pytest.mark.anyio


class Stream:
    """One reader of events."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def frame(self) -> dict[str, str]:
        """The next frame with its fields; comments are under the empty name."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line and fields:
                    return fields
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        return fields

    async def event(self) -> tuple[str, Any, str]:
        """The next event: its name, its data, its id."""
        while True:
            fields = await self.frame()
            if "event" in fields:
                return fields["event"], json.loads(fields["data"]), fields["id"]


@asynccontextmanager
async def reading(
    where: tuple[str, int], mailbox: Mailbox, last: str = "", **headers: str
) -> AsyncIterator[Stream]:
    """Read the events of a mailbox."""
    if last:
        headers["Last-Event-ID"] = last
    async with (
        httpx2.AsyncClient(base_url=f"http://{where[0]}:{where[1]}", timeout=20) as client,
        client.stream("GET", "/api/events", headers={**mailbox.auth, **headers}) as answer,
    ):
        assert answer.status_code == 200
        yield Stream(answer)


async def test_what_happens_to_a_mailbox_arrives_by_itself(site: Site) -> None:
    ann = await site.open()
    async with serving(site) as where, reading(where, ann) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-store"
        assert stream.answer.headers["access-control-allow-origin"] == "*"
        assert (await stream.frame())["retry"] == "3000"
        mail_id = await site.arrive()
        name, data, position = await stream.event()
        assert (name, data["id"], data["code"]) == ("mail", mail_id, "482913")
        assert re.fullmatch(r"\d+-\d+", position)
        await site.http.patch(f"/api/mails/{mail_id}", json={"seen": True}, headers=ann.auth)
        name, data, _ = await stream.event()
        assert (name, data) == ("flags", {"ids": [mail_id], "seen": True})
        letter = {"to_mail": "bob@far.example", "subject": "s", "content": "c"}
        sent = (await site.http.post("/api/send_mail", json=letter, headers=ann.auth)).json()
        name, data, _ = await stream.event()
        assert name == "sent"
        assert data == {
            "id": sent["id"],
            "queue_id": sent["queue_id"],
            "state": "held",
            "recipient": "bob@far.example",
            "recipient_state": "held",
            "last_reply": None,
        }
        await site.http.delete(f"/api/mails/{mail_id}", headers=ann.auth)
        name, data, _ = await stream.event()
        assert (name, data) == ("deleted", {"ids": [mail_id]})


async def test_a_stream_goes_on_where_it_stopped(site: Site) -> None:
    ann = await site.open()
    async with serving(site) as where:
        async with reading(where, ann) as stream:
            first = await site.arrive()
            _, data, position = await stream.event()
            assert data["id"] == first
        missed = [await site.arrive() for _ in range(3)]
        async with reading(where, ann, last=position) as stream:
            assert [(await stream.event())[1]["id"] for _ in missed] == missed
        async with reading(where, ann, last="nonsense\x00".strip("\x00")) as stream:
            await stream.frame()
            latest = await site.arrive()
            assert (await stream.event())[1]["id"] == latest


async def test_a_stream_is_of_one_mailbox(site: Site) -> None:
    ann, bob = await site.open("ann"), await site.open("bob")
    async with serving(site) as where, reading(where, ann) as stream:
        await stream.frame()
        await site.arrive(bob.address)
        mine = await site.arrive(ann.address)
        assert (await stream.event())[1]["id"] == mine


async def test_a_stream_wants_its_token_in_the_header(site: Site) -> None:
    """Hazard 39: nothing in the address opens it."""
    ann = await site.open()
    for query in (f"?token={ann.jwt}", f"?jwt={ann.jwt}", f"?authorization=Bearer%20{ann.jwt}"):
        assert (await site.http.get(f"/api/events{query}")).status_code == 401


async def test_head_of_a_stream_ends(site: Site) -> None:
    ann = await site.open()
    answer = await site.http.head("/api/events", headers=ann.auth)
    assert answer.status_code == 200
    assert site.app.state.streams.open == 0


async def test_one_mailbox_has_twenty_streams(site: Site) -> None:
    """Hazard 39."""
    ann, bob = await site.open("ann"), await site.open("bob")
    async with serving(site) as where:
        readers = [asyncio.create_task(asyncio.open_connection(*where)) for _ in range(21)]
        streams = [await reader for reader in readers]
        for number, (_, writer) in enumerate(streams):
            writer.write(request(ann))
            if number == 19:
                await until(lambda: site.app.state.streams.open == 20)
        status = await streams[20][0].readline()
        assert status == b"HTTP/1.1 429 Too Many Requests\r\n"
        async with reading(where, bob) as stream:
            await stream.frame()
        for _, writer in streams:
            writer.close()
        await until(lambda: site.app.state.streams.open == 0)


async def test_a_wait_whose_client_has_gone_holds_no_place(site: Site) -> None:
    """Hazard 39: a client with a time limit of its own asks again, as often as it likes."""
    ann = await site.open("ann")
    async with serving(site) as where:
        writers = [(await asyncio.open_connection(*where))[1] for _ in range(20)]
        for writer in writers:
            writer.write(request(ann, "/api/mails/wait?timeout=60"))
        await until(lambda: site.app.state.streams.open == 20)
        answer = await site.http.get("/api/mails/wait?timeout=0", headers=ann.auth)
        assert answer.status_code == 429
        for writer in writers:
            writer.close()
        await until(lambda: site.app.state.streams.open == 0, seconds=30)
        answer = await site.http.get("/api/mails/wait?timeout=0", headers=ann.auth)
        assert answer.json() == {"mail": None}


def request(mailbox: Mailbox, path: str = "/api/events") -> bytes:
    """A request by hand: for the stream, unless another path is named."""
    token = mailbox.auth["Authorization"]
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode()


async def test_a_reader_that_does_not_read_holds_up_nobody(site: Site) -> None:
    """Hazard 39: what it does not take waits in the table, not in memory."""
    ann = await site.open()
    async with serving(site) as where:
        _, stuck = await asyncio.open_connection(*where)
        stuck.write(request(ann))
        await until(lambda: site.app.state.streams.open == 1)
        stuck.transport.pause_reading()  # type: ignore[attr-defined]
        async with reading(where, ann) as stream:
            await stream.frame()
            ids = [await site.arrive() for _ in range(20)]
            assert [(await stream.event())[1]["id"] for _ in ids] == ids
        stuck.close()


async def test_a_reader_that_takes_nothing_is_dropped(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 39."""
    monkeypatch.setattr(events, "SEND_SECONDS", 0.05)
    ann = await site.open()
    never = asyncio.Event()

    async def receive() -> Message:
        await never.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await never.wait()

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/events",
        "raw_path": b"/api/events",
        "query_string": b"",
        "headers": [(b"authorization", ann.auth["Authorization"].encode())],
        "client": ("127.0.0.1", 1),
        "state": {},
    }
    async with asyncio.timeout(10):
        await site.app(scope, receive, send)
    assert site.app.state.streams.open == 0


async def test_streams_end_at_once_when_the_service_stops(site: Site) -> None:
    """Hazard 56, on this door: an open stream does not hold up the stop."""
    ann = await site.open()
    async with serving(site) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(request(ann))
        await until(lambda: site.app.state.streams.open == 1)
        waiting = asyncio.create_task(site.http.get("/api/mails/wait?timeout=60", headers=ann.auth))
        await until(lambda: site.app.state.streams.open == 2)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 5
    assert (await waiting).json() == {"mail": None}
    assert (await reader.read()).endswith(b"0\r\n\r\n")
    writer.close()
    answer = await site.http.get("/api/events", headers=ann.auth)
    assert answer.status_code == 429


@pytest.mark.parametrize("how", ["handed over", "closed", "revoked"])
async def test_a_stream_ends_with_the_address_and_tells_nothing_of_the_next_owner(
    site: Site, how: str
) -> None:
    """Hazard 38: an address that was closed or handed over is somebody else's, and a token that
    was revoked is nobody's."""
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    box = await site.open("box")
    async with serving(site) as where, reading(where, box) as stream:
        await stream.frame()
        if how == "closed":
            await site.http.delete("/api/delete_address", headers=box.auth)
            await site.open("box")
        elif how == "revoked":
            got = await site.http.post("/api/revoke_tokens", headers=box.auth)
            assert got.status_code == 200
        else:
            await site.http.post("/user_api/bind_address", headers=ann.both(box))
            body = {"address_id": box.address_id, "target_user_email": bob.email}
            got = await site.http.post("/user_api/transfer_address", json=body, headers=ann.auth)
            assert got.status_code == 200
        await site.arrive(box.address)
        while frame := await stream.frame():
            assert "event" not in frame


async def test_a_wait_ends_with_the_address(site: Site) -> None:
    ann, bob = await sign_up(site), await sign_up(site, "bob@home.example")
    box = await site.open("box")
    await site.http.post("/user_api/bind_address", headers=ann.both(box))
    waiting = asyncio.create_task(site.http.get("/api/mails/wait?timeout=30", headers=box.auth))
    await until(lambda: site.app.state.streams.open == 1)
    body = {"address_id": box.address_id, "target_user_email": bob.email}
    await site.http.post("/user_api/transfer_address", json=body, headers=ann.auth)
    await site.arrive(box.address)
    got = await waiting
    assert (got.status_code, got.text) == (401, "Invalid address credential")
