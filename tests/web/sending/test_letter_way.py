"""The short way of letters on real sockets: what it takes, what it leaves, and that nobody sees a
difference."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.services import queueing
from mailbox_service.web.exchange import Exchange, ShortWay
from mailbox_service.web.sending.letter_way import LETTERS_TARGET
from tests.web.answered import Answered, heard
from tests.web.sending.conftest import LETTER, Api, serving_api
from tests.web.site import serving, until

pytestmark = pytest.mark.anyio


class Line:
    """A connection to the site, and which of its requests went the short way."""

    def __init__(self, api: Api, taken: list[bool], where: tuple[str, int]) -> None:
        self.api = api
        self.taken = taken
        self.where = where

    def request(self, fields: Any = LETTER, *more: str, key: str = "") -> bytes:
        """The octets of a request that ends its connection."""
        body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        head = [
            "POST /v3/email/send HTTP/1.1",
            "Host: mail.test",
            f"X-Smtp2go-Api-Key: {key or self.api.key}",
            "Connection: close",
            *more,
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*head, "", ""]).encode() + body

    async def ask(self, *pieces: bytes) -> Answered:
        """Send pieces one after the other, and read until the server closes."""
        return Answered(await heard(self.where, *pieces))


@asynccontextmanager
async def line_to(api: Api) -> AsyncIterator[Line]:
    """A site on a socket, whose short way tells what it took."""
    ways: dict[bytes, ShortWay] = api.site.app.state.short_ways
    taken: list[bool] = []
    real = ways[LETTERS_TARGET]

    def watched(exchange: Exchange) -> bool:
        taken.append(real(exchange))
        return taken[-1]

    ways[LETTERS_TARGET] = watched
    async with serving(api.site) as where:
        line = Line(api, taken, where)
        await line.ask(line.request())  # from now on the key is known
        taken.clear()
        yield line
    ways[LETTERS_TARGET] = real


@pytest.fixture
async def line(api: Api) -> AsyncIterator[Line]:
    async with line_to(api) as opened:
        yield opened


async def test_a_plain_letter_goes_the_short_way_and_is_delivered(line: Line) -> None:
    told = await line.ask(line.request({**LETTER, "subject": "Short"}))
    assert line.taken == [True]
    assert told.status == 200
    assert told.told["data"]["succeeded"] == 1
    await line.api.deliver()
    contents = await line.api.received()
    assert b"Subject: Short\r\n" in contents[-1]
    events = await line.api.events(only_latest=False)
    assert events.count(("processed", "bob@inbox.test")) == 2


async def test_both_ways_answer_with_the_same_fields(line: Line) -> None:
    """The usual way is taken for a request whose body comes behind its head."""
    whole = line.request()
    short, usual = await line.ask(whole), await line.ask(whole[:-5], whole[-5:])
    assert line.taken == [True]
    assert short.fields.keys() == usual.fields.keys()
    own = {"date", "x-request-id", "x-ratelimit-reset"}
    for name in short.fields.keys() - own:
        assert short.fields[name] == usual.fields[name], name
    assert short.told["request_id"] == short.fields["x-request-id"]
    assert short.told["data"].keys() == usual.told["data"].keys()
    assert len(short.body) == len(usual.body)


@pytest.mark.parametrize(
    ("fields", "more", "status"),
    [
        (LETTER, ("Idempotency-Key: one",), 200),
        ({**LETTER, "fastaccept": True}, (), 200),
        ({**LETTER, "custom_headers": [{"header": "X-A", "value": "b"}]}, (), 200),
        ({**LETTER, "schedule": "2020-01-01T00:00:00Z"}, (), 400),
        ({**LETTER, "to": ["nobody"]}, (), 400),
        ({**LETTER, "sender": "eve@elsewhere.example"}, (), 400),
        (b"{", (), 400),
        (b"", (), 400),
        (LETTER, ("Expect: 100-continue",), None),
        (LETTER, tuple(f"X-{number}: y" for number in range(40)), 200),
        (LETTER, tuple(f"X-{number}: y" for number in range(120)), 431),
        (LETTER, ("X-A: " + "x" * 60_000,), 431),
        (LETTER, ("X-A: b", "X-A: c"), 200),
    ],
)
async def test_what_is_unusual_goes_the_usual_way(
    line: Line, fields: Any, more: tuple[str, ...], status: int | None
) -> None:
    if status is None:  # it is told to go on first
        reader, writer = await asyncio.open_connection(*line.where)
        writer.write(line.request(fields, *more))
        async with asyncio.timeout(30):
            octets = await reader.read()
        writer.close()
        assert octets.startswith(b"HTTP/1.1 100 ")
        assert b"HTTP/1.1 200 OK" in octets
    elif status == 431:
        reader, writer = await asyncio.open_connection(*line.where)
        writer.write(line.request(fields, *more))
        async with asyncio.timeout(30):
            assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
        writer.close()
    else:
        assert (await line.ask(line.request(fields, *more))).status == status
    assert True not in line.taken


async def test_a_wrong_key_and_another_method_go_the_usual_way(line: Line) -> None:
    assert (await line.ask(line.request(key="api-" + "0" * 32))).status == 401
    assert (await line.ask(line.request(key="api-ü"))).status == 401
    assert (await line.ask(line.request().replace(b"POST", b"PUT"))).status == 405
    assert True not in line.taken


async def test_a_key_that_was_removed_proves_nobody_at_once(line: Line) -> None:
    (made,) = await line.api.data("api_keys/add", {"endpoints": ["/email/send"]})
    key = made["api_key"]
    statuses = [(await line.ask(line.request(key=key))).status for _ in range(2)]
    assert (statuses, line.taken) == ([200, 200], [False, True])
    await line.api.data("api_keys/remove", {"id": key})
    assert (await line.ask(line.request(key=key))).status == 401


async def test_a_key_without_the_permission_is_told_so(line: Line) -> None:
    (made,) = await line.api.data("api_keys/add", {"endpoints": ["/email/search"]})
    for _ in range(2):
        assert (await line.ask(line.request(key=made["api_key"]))).status == 403
    assert True not in line.taken


async def test_requests_that_come_at_once_are_answered_in_their_order(line: Line) -> None:
    several = [line.request().replace(b"Connection: close\r\n", b"")] * 3
    reader, writer = await asyncio.open_connection(*line.where)
    writer.write(b"".join(several) + line.request(key="api-" + "0" * 32))
    async with asyncio.timeout(30):
        octets = await reader.read()
    writer.close()
    assert octets.count(b"HTTP/1.1 200 OK") == 3
    assert octets.rindex(b"HTTP/1.1 200 OK") < octets.index(b"HTTP/1.1 401 ")


async def test_a_connection_is_used_again_after_the_short_way(line: Line) -> None:
    reader, writer = await asyncio.open_connection(*line.where)
    for _ in range(3):
        writer.write(line.request().replace(b"Connection: close\r\n", b""))
        async with asyncio.timeout(30):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            await reader.readuntil(b"}}")
    writer.close()
    assert line.taken == [True] * 3


async def test_rates_are_counted_on_both_ways_together(tmp_path: Path) -> None:
    async with serving_api(tmp_path, sending_rate=4) as api, line_to(api) as line:
        whole = line.request()
        first, second = await line.ask(whole), await line.ask(whole[:-5], whole[-5:])
        third, fourth = await line.ask(whole), await line.ask(whole)
        left = [one.fields["x-ratelimit-remaining"] for one in (first, second, third)]
        assert left == ["2", "1", "0"]
        assert [one.status for one in (first, second, third, fourth)] == [200, 200, 200, 429]
        assert line.taken == [True, True, False]


async def test_what_goes_wrong_at_the_disk_is_told_as_on_the_usual_way(
    line: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(*_: Any) -> None:
        raise TemporaryFailure("no room")

    whole = line.request()
    monkeypatch.setattr(queueing, "accept", full)
    with caplog.at_level(logging.CRITICAL, "mailbox.storage"):
        short, usual = await line.ask(whole), await line.ask(whole[:-5], whole[-5:])
    assert line.taken == [True]
    assert short.status == usual.status == 503
    assert short.told["data"] == usual.told["data"]
    assert short.fields.keys() == usual.fields.keys()
    monkeypatch.undo()
    assert (await line.ask(whole)).status == 200


async def test_a_client_that_leaves_takes_nothing_back(line: Line) -> None:
    _, writer = await asyncio.open_connection(*line.where)
    writer.write(line.request())
    await writer.drain()
    writer.transport.abort()
    assert (await line.ask(line.request())).status == 200
    await until(lambda: len(line.taken) >= 1)
    await line.api.deliver()
    # The first one made the key known; of the aborted one some octets may never have come.
    assert len(await line.api.received()) >= 2


async def test_where_each_request_is_logged_the_usual_way_logs_it(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "mailbox.web"):
        assert (await line.ask(line.request())).status == 200
    assert line.taken == [False]
    assert any("path=/v3/email/send status=200" in one.getMessage() for one in caplog.records)
