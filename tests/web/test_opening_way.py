"""The short way of new addresses on real sockets: what it takes, what it leaves, and that nobody
sees a difference."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mailbox_service.core.errors import MailError, NameTaken, StorageFull
from mailbox_service.services import openings
from mailbox_service.web.exchange import Exchange
from mailbox_service.web.mailbox.opening_way import TARGET, OpeningWay
from tests.web.answered import Answered, heard
from tests.web.conftest import SiteWith
from tests.web.site import SITE_PASSWORD, Site, serving

pytestmark = pytest.mark.anyio


class Line:
    """Connections to a site, and which requests on them went the short way."""

    def __init__(self, site: Site, where: tuple[str, int]) -> None:
        self.site = site
        self.taken: list[bool] = []
        self._where = where

    def request(self, wish: Any, *more: str, method: str = "POST") -> bytes:
        """The octets of a request that ends its connection."""
        body = wish if isinstance(wish, bytes) else json.dumps(wish).encode()
        head = [f"{method} /api/new_address HTTP/1.1", "Host: mail.test", "Connection: close"]
        return "\r\n".join([*head, *more, f"Content-Length: {len(body)}", "", ""]).encode() + body

    async def ask(self, *pieces: bytes) -> Answered:
        """Send pieces one after the other; the answer."""
        return Answered(await self.hear(*pieces))

    async def hear(self, *pieces: bytes) -> bytes:
        """Send pieces one after the other, and read until the server closes."""
        return await heard(self._where, *pieces)


@asynccontextmanager
async def line_to(site: Site) -> AsyncIterator[Line]:
    """A site on a socket, whose short way tells what it took."""
    ways = site.app.state.short_ways
    real: OpeningWay = ways[TARGET]
    async with serving(site) as where:
        line = Line(site, where)

        def watched(exchange: Exchange) -> bool:
            line.taken.append(real(exchange))
            return line.taken[-1]

        ways[TARGET] = watched
        yield line
        ways[TARGET] = real


@pytest.fixture
async def line(site: Site) -> AsyncIterator[Line]:
    async with line_to(site) as opened:
        yield opened


@pytest.mark.parametrize(
    "wish", [{}, {"name": "bob"}, {"name": "eve", "domain": "second.test"}, {"name": ""}]
)
async def test_a_plain_wish_goes_the_short_way(line: Line, wish: dict[str, str]) -> None:
    answer = await line.ask(line.request(wish))
    assert line.taken == [True]
    assert answer.status == 200
    name, domain = answer.told["address"].split("@")
    assert name == wish.get("name") or (not wish.get("name") and len(name) == 13)
    assert domain == wish.get("domain", "inbox.test")
    assert len(answer.told["password"]) == 8
    settings = await line.site.http.get(
        "/api/settings", headers={"Authorization": f"Bearer {answer.told['jwt']}"}
    )
    assert settings.json()["address"] == answer.told["address"]


async def test_both_ways_answer_with_the_same_fields(line: Line) -> None:
    """The usual way is taken for a request whose body comes behind its head."""
    whole = line.request({"name": "ann"})
    short = await line.ask(whole)
    whole = line.request({"name": "bea"})
    usual = await line.ask(whole[:-5], whole[-5:])
    assert line.taken == [True]
    assert short.fields.keys() == usual.fields.keys()
    for name in short.fields.keys() - {"date", "x-request-id"}:
        assert short.fields[name] == usual.fields[name], name
    assert short.fields["x-request-id"] != usual.fields["x-request-id"]
    assert list(short.told) == list(usual.told)
    assert short.told["address_id"] < usual.told["address_id"]


@pytest.mark.parametrize(
    ("wish", "more", "status"),
    [
        (b"", (), 500),
        (b"{", (), 500),
        (b"\xff", (), 500),
        ([], (), 500),
        ({"name": 7}, (), 500),
        ({"name": "x" * 31}, (), 400),
        ({"name": "bob", "domain": "elsewhere.test"}, (), 400),
        ({"enableRandomSubdomain": True}, (), 400),
        ({"expires_in": "soon"}, (), 400),
        ({"expires_in": 3600}, (), 200),
        ({"name": "bob", "more": "x" * 2_000}, (), 200),
        ({}, ("x-user-token: nobody's",), 200),
        ({}, ("X-A: b", "X-A: c"), 200),
        ({}, tuple(f"X-{number}: y" for number in range(40)), 200),
        ({}, tuple(f"X-{number}: y" for number in range(120)), 431),
        ({}, ("X-A: " + "x" * 60_000,), 431),
    ],
)
async def test_what_is_unusual_goes_the_usual_way(
    line: Line, wish: Any, more: tuple[str, ...], status: int
) -> None:
    assert (await line.ask(line.request(wish, *more))).status == status
    assert True not in line.taken


async def test_another_method_goes_the_usual_way(line: Line) -> None:
    assert (await line.ask(line.request({}, method="PUT"))).status == 404
    assert True not in line.taken


async def test_a_name_that_is_taken_is_refused_in_the_usual_words(line: Line) -> None:
    answers = await asyncio.gather(*(line.ask(line.request({"name": "bob"})) for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400]
    refused = next(answer for answer in answers if answer.status == 400)
    assert refused.body == b"Failed to create address: Address already exists"
    assert line.taken == [True] * 4


async def test_when_a_name_of_our_choosing_is_taken_another_one_is_chosen(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = openings.open_each

    async def taken(tx: Any, wanted: Any) -> list[int | MailError]:
        monkeypatch.setattr(openings, "open_each", real)
        return [NameTaken("Address already exists") for _ in wanted]

    monkeypatch.setattr(openings, "open_each", taken)
    answer = await line.ask(line.request({}))
    assert (answer.status, line.taken) == (200, [True])


@pytest.mark.parametrize(
    ("error", "status"), [(StorageFull("There is no room."), 503), (RuntimeError("a bug"), 500)]
)
async def test_trouble_of_the_disk_is_told_in_the_usual_words(
    line: Line, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def failing(tx: Any, wanted: Any) -> list[int | MailError]:
        raise error

    monkeypatch.setattr(openings, "open_each", failing)
    answer = await line.ask(line.request({"name": "bob"}))
    monkeypatch.undo()
    assert (answer.status, line.taken) == (status, [True])
    assert b"a bug" not in answer.body
    assert (await line.ask(line.request({"name": "bob"}))).status == 200


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"enable_user_create_email": False}, 403),
        ({"disable_anonymous_user_create_email": True}, 403),
        ({"passwords": [SITE_PASSWORD]}, 401),
        ({"rate_limit_requests": 1}, 200),
        ({"jwt_secret": ""}, 400),
        ({"enable_altcha": True}, 400),
    ],
)
async def test_where_not_everybody_may_open_addresses_the_doors_judge(
    site_with: SiteWith, settings: dict[str, Any], status: int
) -> None:
    async with site_with(**settings) as site, line_to(site) as line:
        assert (await line.ask(line.request({}))).status == status
        assert line.taken == [False]


async def test_several_on_one_connection_are_answered_in_their_order(line: Line) -> None:
    going = line.request({"name": "first"}).replace(b"Connection: close\r\n", b"")
    heard = await line.hear(going + line.request({"name": "second"}))
    assert heard.index(b"first@inbox.test") < heard.index(b"second@inbox.test")
