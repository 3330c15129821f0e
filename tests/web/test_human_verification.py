"""Proofs of a human: Turnstile, asked over HTTP at a stand-in, and ALTCHA, really worked out."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import altcha
import pytest

from mailbox_service.services.human_verification import CHALLENGE_SECONDS, HumanVerification
from mailbox_service.storage import solved_challenges
from tests.databases import AnyDatabase
from tests.services.parts import Clock, Mailboxes
from tests.web.conftest import SiteWith
from tests.web.site import Site
from tests.webhook_receiver import Receiver, receiving

pytestmark = pytest.mark.anyio

NOT_HUMAN = (400, "Human verification check failed")
SECRET = "0x-secret"


def said(body: bytes, status: str = "200 OK") -> bytes:
    """An answer of the verifier."""
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body


@asynccontextmanager
async def asking(site_with: SiteWith, **settings: Any) -> AsyncIterator[Site]:
    """A site that verifies as the running service does."""
    async with site_with(**settings) as made:
        site = Site(made.config, made.parts, Path("no-page"), made.parts.human_verification)
        async with site.http:
            yield site
        await made.parts.humans_out.close()


async def opening(site: Site, token: str | None) -> tuple[int, str]:
    answer = await site.http.post("/api/new_address", json={"cf_token": token})
    return answer.status_code, answer.text if answer.status_code != 200 else ""


# Turnstile


@pytest.mark.parametrize(
    ("answer", "human"),
    [
        (said(b'{"success": true, "hostname": "x"}'), True),
        (said(b'{"success": false, "error-codes": ["invalid-input-response"]}'), False),
        (said(b'{"success": "true"}'), False),
        (said(b'{"success": 1}'), False),
        (said(b"{}"), False),
        (said(b"[]"), False),
        (said(b"true"), False),
        (said(b"not JSON"), False),
        (said(b"[" * 2_000), False),
        (said(b""), False),
        (said(b'{"success": true}', "500 Internal Server Error"), False),
        (said(b'{"success": true}', "302 Found"), False),
        (b"nonsense\r\n\r\n", False),
        (b"", False),
    ],
)
async def test_only_a_plain_yes_of_the_verifier_counts(
    site_with: SiteWith, answer: bytes, human: bool
) -> None:
    async with receiving() as server:
        server.answers.append(answer)
        keys = turnstile(server)
        async with asking(site_with, **keys) as site:
            expected = (200, "") if human else NOT_HUMAN
            assert await opening(site, "a token & more") == expected
        [got] = server.got
        assert got.method == "POST"
        assert got.headers["content-type"] == "application/x-www-form-urlencoded"
        assert parse_qs(got.text) == {
            "secret": [SECRET],
            "response": ["a token & more"],
            "remoteip": ["127.0.0.1"],
        }


def turnstile(server: Receiver) -> dict[str, Any]:
    return {
        "cf_turnstile_site_key": "public",
        "cf_turnstile_secret_key": SECRET,
        "cf_turnstile_url": f"http://127.0.0.1:{server.port}/siteverify",
    }


@pytest.mark.parametrize("token", [None, "", "x" * 3_000])
async def test_nobody_is_asked_about_no_token(site_with: SiteWith, token: str | None) -> None:
    async with receiving() as server, asking(site_with, **turnstile(server)) as site:
        assert await opening(site, token) == NOT_HUMAN
        assert server.got == []


async def test_a_verifier_that_is_away_lets_nobody_in(
    site_with: SiteWith, caplog: pytest.LogCaptureFixture
) -> None:
    async with receiving() as server:
        keys = turnstile(server)
    async with asking(site_with, **keys) as site:
        assert await opening(site, "human") == NOT_HUMAN
    assert "turnstile-unreachable" in caplog.text
    assert SECRET not in caplog.text


async def test_it_is_asked_where_the_contract_asks(site_with: SiteWith) -> None:
    """mailbox-api §2.4: always, or only where the site wants it at logins too."""
    async with receiving() as server:
        for everywhere in (False, True):
            keys = turnstile(server) | {"enable_global_turnstile_check": everywhere}
            async with asking(site_with, **keys) as site:
                for path, body in (
                    ("/open_api/site_login", {"password": "x"}),
                    ("/open_api/admin_login", {"password": "x"}),
                    ("/open_api/credential_login", {"credential": "x"}),
                    ("/api/address_login", {"email": "a@inbox.test", "password": "x"}),
                ):
                    server.got.clear()
                    server.answers[:] = [said(b'{"success": false}')]
                    answer = await site.http.post(path, json={**body, "cf_token": "robot"})
                    assert (answer.text == NOT_HUMAN[1]) is everywhere, path
                    assert len(server.got) == int(everywhere)
                settings = (await site.http.get("/open_api/settings")).json()
                assert settings["cfTurnstileSiteKey"] == "public"
                assert settings["enableGlobalTurnstileCheck"] is everywhere
                assert "enableAltcha" not in settings


# ALTCHA

ALTCHA = {"enable_altcha": True, "altcha_cost": 1}


async def solved(site: Site) -> str:
    answer = await site.http.get("/open_api/altcha")
    assert answer.status_code == 200, answer.text
    return payload(answer.json())


def payload(told: dict[str, Any], **changes: Any) -> str:
    """What the widget sends for a challenge."""
    challenge = altcha.Challenge.from_dict(told)
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    made = altcha.Payload(challenge, solution).to_dict()
    return base64.b64encode(json.dumps(made | changes).encode()).decode()


async def test_a_solved_challenge_opens_one_address(site_with: SiteWith) -> None:
    async with asking(site_with, **ALTCHA) as site:
        settings = (await site.http.get("/open_api/settings")).json()
        assert settings["enableAltcha"] is True
        assert settings["enableGlobalTurnstileCheck"] is False
        token = await solved(site)
        assert await opening(site, token) == (200, "")
        assert await opening(site, token) == NOT_HUMAN, "a solution counts once"
        assert await opening(site, await solved(site)) == (200, "")


async def test_what_is_no_solution_opens_nothing(site_with: SiteWith) -> None:
    async with asking(site_with, **ALTCHA) as site:
        told = (await site.http.get("/open_api/altcha")).json()
        foreign = altcha.create_challenge("PBKDF2/SHA-256", 1, hmac_secret="another key").to_dict()
        unsigned = altcha.create_challenge("PBKDF2/SHA-256", 1).to_dict()
        easier = json.loads(json.dumps(told))
        easier["parameters"]["keyPrefix"] = ""
        later = json.loads(json.dumps(told))
        later["parameters"]["expiresAt"] += 10_000
        for token in (
            None,
            "",
            "human",
            base64.b64encode(b"{}").decode(),
            base64.b64encode(b'{"challenge": {}, "solution": {}}').decode(),
            base64.b64encode(b'{"challenge": {"parameters": [], "signature": 1}}').decode(),
            payload(told, solution={"counter": -1, "derivedKey": "00"}),
            payload(told, solution={"counter": 10**30, "derivedKey": "00"}),
            payload(told, solution={"counter": "1", "derivedKey": "00"}),
            payload(told, solution=None),
            payload(foreign),
            payload(unsigned),
            payload(easier),
            payload(later),
        ):
            assert await opening(site, token) == NOT_HUMAN, token
        assert await opening(site, payload(told)) == (200, ""), "nothing above used it up"


async def test_without_the_setting_there_is_no_challenge(site_with: SiteWith) -> None:
    async with asking(site_with) as site:
        answer = await site.http.get("/open_api/altcha")
        assert (answer.status_code, answer.text) == (404, "Not Found")


async def test_both_ways_stand_side_by_side(site_with: SiteWith) -> None:
    async with receiving() as server, asking(site_with, **ALTCHA, **turnstile(server)) as site:
        assert await opening(site, await solved(site)) == (200, "")
        assert server.got == [], "nobody else hears of it"
        server.answers.append(said(b'{"success": true}'))
        assert await opening(site, "a token of Turnstile") == (200, "")
        assert len(server.got) == 1


class Nobody:
    """No request is expected."""

    async def post(self, request: Any) -> Any:
        raise AssertionError(request)


async def test_a_solution_counts_once_in_all_processes_and_not_for_ever(
    database: AnyDatabase,
) -> None:
    config = Mailboxes(database, **ALTCHA).config
    clock = Clock()
    clock.now = int(time.time()) * 1_000_000
    here, there = (HumanVerification(database, config, Nobody(), clock=clock) for _ in range(2))
    told = here.challenge()
    assert told is not None
    token = payload(told)
    assert await here.is_human(token, "") is True
    assert await there.is_human(token, "") is False
    clock.now -= (CHALLENGE_SECONDS + 10) * 1_000_000
    old = here.challenge()
    assert old is not None
    assert await there.is_human(payload(old), "") is False


async def test_what_was_used_up_is_forgotten_when_it_counts_no_more(database: AnyDatabase) -> None:
    use = solved_challenges.use_once
    assert await database.write(use, "one", now=1, expires_at=10) is True
    assert await database.write(use, "one", now=5, expires_at=10) is False
    assert await database.write(use, "two", now=11, expires_at=20) is True
    assert await database.write(use, "one", now=11, expires_at=20) is True
