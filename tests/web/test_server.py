"""The HTTP server against hostile peers, on real sockets (hazards 3 and 36)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re

import psutil
import pytest

from mailbox_service.web import server
from mailbox_service.web.exchange import Exchange
from mailbox_service.web.front import Front
from tests.web.site import Site, serving

pytestmark = pytest.mark.anyio

Where = tuple[str, int]


async def talk(where: Where, *pieces: bytes) -> bytes:
    """Send pieces, and read until the server closes."""
    reader, writer = await asyncio.open_connection(*where)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


async def test_a_request_is_answered_and_the_connection_kept(site: Site) -> None:
    async with serving(site) as where:
        answer = await talk(
            where,
            b"GET /health_check HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /health_check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        )
        assert answer.count(b"HTTP/1.1 200 OK") == 2
        assert b"server:" not in answer.lower()


async def flood(where: Where, start: bytes, more: bytes) -> int:
    """Send more and more until the server hangs up; how many octets it took."""
    _, writer = await asyncio.open_connection(*where)
    writer.write(start)
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 128 << 20:
            writer.write(more)
            sent += len(more)
            await writer.drain()
    writer.close()
    return sent


async def test_a_head_without_an_end_is_cut_off(site: Site) -> None:
    """Hazard 36: one endless header line, many lines, one endless request line."""
    async with serving(site) as where:
        memory = psutil.Process().memory_info().rss
        for start, more in (
            (b"GET / HTTP/1.1\r\nX: ", b"x" * 65_536),
            (b"GET / HTTP/1.1\r\n", b"X: y\r\n" * 10_000),
            (b"GET /", b"x" * 65_536),
        ):
            assert await flood(where, start, more) < 64 << 20
        assert psutil.Process().memory_info().rss - memory < 32 << 20


async def test_a_head_that_is_too_large_is_told_so(site: Site) -> None:
    """Hazard 36."""
    async with serving(site) as where:
        answer = await talk(where, b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
        assert answer.startswith(b"HTTP/1.1 431 ")
        answer = await talk(
            where, b"GET /health_check HTTP/1.1\r\nX: " + b"x" * 60_000 + b"\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert b"The header fields are too large" in answer


async def test_a_large_body_behind_a_small_head_is_no_large_head(site: Site) -> None:
    ann = await site.open()
    body = b'{"to_mail":"a@b.example","subject":"s","content":"' + b"x" * 300_000 + b'"}'
    head = (
        "POST /api/send_mail HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: Bearer {ann.jwt}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    async with serving(site) as where:
        assert (await talk(where, head + body)).startswith(b"HTTP/1.1 200 ")
        pieces = [body[at : at + 7_000] for at in range(0, len(body), 7_000)]
        assert (await talk(where, head, *pieces)).startswith(b"HTTP/1.1 200 ")


async def test_whoever_says_nothing_is_hung_up_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 3, on this door: before a head, within one, and between requests."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    async with serving(site) as where:
        assert await talk(where) == b""
        assert await talk(where, b"GET / HT") == b""
        assert await talk(where, b"GET / HTTP/1.1\r\nX: y\r\n") == b""
        answer = await talk(where, b"GET /health_check HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /he")
        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_trickle_of_header_octets_buys_no_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 3, on this door."""
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.3)
    async with serving(site) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        ended = asyncio.create_task(reader.read())
        async with asyncio.timeout(10):
            while not ended.done():
                writer.write(b"x")
                await asyncio.wait({ended}, timeout=0.05)
        assert ended.result() == b""
        writer.close()


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,  # a TLS greeting
        b"EHLO me.example\r\nMAIL FROM:<a@b.example>\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nX : y\r\n\r\n",
        b"\x00" * 100,
    ],
)
async def test_what_is_no_http_is_answered_400_and_closed(site: Site, octets: bytes) -> None:
    async with serving(site) as where:
        answer = await talk(where, octets)
        assert answer.startswith(b"HTTP/1.1 400 ")


async def test_requests_that_come_before_the_answers_are_answered_in_their_order(
    site: Site,
) -> None:
    ann = await site.open()
    owner = f"Host: x\r\nAuthorization: Bearer {ann.jwt}\r\n".encode()
    async with serving(site) as where:
        answers = await talk(
            where,
            b"GET /api/settings HTTP/1.1\r\n" + owner + b"\r\n"
            b"GET /health_check HTTP/1.1\r\nHost: x\r\n\r\n"
            b"HEAD /api/settings HTTP/1.1\r\n" + owner + b"\r\n"
            b"GET /api/no-such-route HTTP/1.1\r\nConnection: close\r\n" + owner + b"\r\n",
        )
    assert re.findall(rb"HTTP/1\.1 (\d+) ", answers) == [b"200", b"200", b"200", b"404"]
    assert answers.count(b'"send_balance"') == 1  # HEAD has no body
    assert answers.endswith(b"\r\n\r\nNot Found")


async def test_a_client_that_waits_to_be_asked_for_its_body_is_asked(site: Site) -> None:
    """RFC 9110 §10.1.1."""
    async with serving(site) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(
            b"POST /api/new_address HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\nContent-Length: 14\r\n\r\n"
        )
        async with asyncio.timeout(10):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b'{"name":"bob"}')
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        writer.close()


async def test_whoever_asks_for_another_protocol_is_answered_in_this_one(site: Site) -> None:
    async with serving(site) as where:
        answer = await talk(
            where,
            b"GET /health_check HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\n"
            b"Upgrade: websocket\r\n\r\n",
        )
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("target", ["/health_check?a=b%20c", "/health%5Fcheck", "/health_check#x"])
async def test_a_target_is_taken_apart_once_and_means_the_same_ever_after(
    site: Site, target: str
) -> None:
    async with serving(site) as where:
        request = f"GET {target} HTTP/1.1\r\nHost: x\r\n"
        again = await talk(
            where, f"{request}\r\n".encode() * 2, f"{request}Connection: close\r\n\r\n".encode()
        )
    assert again.count(b"HTTP/1.1 200 OK") == 3


async def test_an_application_that_breaks_is_answered_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(front: Front, scope: object, receive: object, send: object) -> None:
        raise RuntimeError("of this test")

    async def silent(front: Front, scope: object, receive: object, send: object) -> None:
        return

    for handle in (broken, silent):
        with monkeypatch.context() as patch:
            patch.setattr(Front, "__call__", handle)
            async with serving(site) as where:
                answer = await talk(where, b"GET /health_check HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"of this test" not in answer


async def test_a_request_leaves_nothing_for_the_collector(site: Site) -> None:
    """A request that is tied to itself stays until the collector runs, which then takes longer
    than the request did."""
    ann = await site.open()
    async with serving(site) as where:
        reader, writer = await asyncio.open_connection(*where)
        asked = (
            b"GET /api/mails?limit=20&offset=0 HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Bearer " + ann.jwt.encode() + b"\r\n\r\n"
        )

        async def ask(times: int) -> None:
            for _ in range(times):
                writer.write(asked)
                async with asyncio.timeout(10):
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert head.startswith(b"HTTP/1.1 200 ")
                    await reader.readexactly(len(b'{"results":[],"count":0}'))

        gc.disable()
        try:
            await ask(3)
            gc.collect()
            await ask(20)
            # What only the collector would end is kept for us to see. Some exchanges live on: the
            # connection has its last one, each thread of the store the one that it answered last.
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            left = [one for one in gc.garbage if isinstance(one, Exchange)]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
            writer.close()
        assert left == []
