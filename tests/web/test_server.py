"""The HTTP server against hostile peers, on real sockets (hazards 3 and 36)."""

from __future__ import annotations

import asyncio
import contextlib

import psutil
import pytest

from mailbox_service.web import server
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
