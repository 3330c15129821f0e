"""A submission door elsewhere hands its mail over by HTTP (`smtp-proxy --service URL`)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailbox_service.core import errors
from mailbox_service.core.envelope import Envelope, Peer
from smtp_proxy.remote import RemoteService
from tests.web.conftest import SiteWith
from tests.web.site import LETTER, Mailbox, Site, serving

pytestmark = pytest.mark.anyio

PEER = Peer("192.0.2.7", 4711, "me.test")


def letter(sender: str) -> bytes:
    return LETTER.replace(b"Ferrybank <no-reply@ferry.example>", sender.encode())


async def submit(site: Site, ann: Mailbox, content: bytes, **changes: Any) -> Any:
    headers = {
        "X-Reverse-Path": json.dumps(ann.address),
        "X-Recipients": json.dumps(["bob@far.example", "carol@far.example"]),
        "X-Envelope": json.dumps({"smtputf8": False, "eight_bit": True}),
        "X-Peer": json.dumps({"ip": "192.0.2.7", "port": 1, "helo": "me.test"}),
        "Content-Type": "message/rfc822",
        **ann.auth,
        **changes,
    }
    return await site.http.post("/external/api/smtp/submit", content=content, headers=headers)


async def test_the_other_end_logs_in_and_submits_a_whole_message(site: Site) -> None:
    ann = await site.open()
    content = letter(ann.address) + b"\xff\x00 octets stay octets\r\n"
    async with serving(site) as (host, port):
        remote = RemoteService(f"http://{host}:{port}")
        try:
            for username, password in (("jwt", ann.jwt), (ann.address, ann.password or "")):
                principal = await remote.authenticate(username, password, PEER)
                assert principal.address == ann.address
                envelope = Envelope(ann.address, ("bob@far.example", "hidden@far.example"))
                receipt = await remote.submit(principal, envelope, content, PEER)
                assert len(receipt.queue_id) == 26
            with pytest.raises(errors.BadCredential):
                await remote.authenticate("jwt", ann.jwt + "x", PEER)
            with pytest.raises(errors.MailError) as refused:
                await remote.submit(
                    principal, Envelope(ann.address, ("a@b.example",)), letter("x@y.example"), PEER
                )
            assert "sender address" in refused.value.detail
        finally:
            await remote.close()
    rows = (await site.http.get("/api/sent", headers=ann.auth)).json()
    assert rows["count"] == 2
    raw = await site.http.get(f"/api/sent/{rows['results'][0]['id']}/raw", headers=ann.auth)
    assert raw.content.endswith(b"\xff\x00 octets stay octets\r\n")
    assert b"hidden@" not in raw.content


async def added(site: Site, path: str, fields: dict[str, Any]) -> Any:
    """What a call of the sending API gives."""
    made = await site.parts.sending_api.api_keys.make(description="tests")
    answer = await site.http.post(f"/v3/{path}", json={**fields, "api_key": made.api_key})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def test_credentials_of_the_sending_api_submit_by_the_other_end(site: Site) -> None:
    """An SMTP user and an API key log in there as they do at the service's own door."""
    user = (await added(site, "users/smtp/add", {"username": "shop-1"}))["results"][0]
    (key,) = await added(site, "api_keys/add", {"description": "door"})
    async with serving(site) as (host, port):
        remote = RemoteService(f"http://{host}:{port}")
        try:
            for username, password in (
                ("shop-1", user["email_password"]),
                ("anything", key["api_key"]),
            ):
                principal = await remote.authenticate(username, password, PEER)
                envelope = Envelope("shop@inbox.test", ("bob@far.example", "hidden@far.example"))
                receipt = await remote.submit(principal, envelope, letter("shop@inbox.test"), PEER)
                assert len(receipt.queue_id) == 26
                with pytest.raises(errors.SenderRefused):
                    await remote.submit(principal, envelope, letter("eve@else.example"), PEER)
            with pytest.raises(errors.BadCredential):
                await remote.authenticate("shop-1", "wrong password", PEER)
            found = await added(site, "activity/search", {"event_types": ["processed"]})
            assert {one["username"] for one in found["events"]} == {"shop-1", key["username"]}
        finally:
            await remote.close()


@pytest.mark.parametrize("change", ["blocked", "another password", "removed", "another place"])
async def test_a_login_that_no_longer_holds_submits_no_more(site: Site, change: str) -> None:
    user = (await added(site, "users/smtp/add", {"username": "shop-1"}))["results"][0]
    async with serving(site) as (host, port):
        remote = RemoteService(f"http://{host}:{port}")
        try:
            principal = await remote.authenticate("shop-1", user["email_password"], PEER)
            changes: dict[str, tuple[str, dict[str, Any]]] = {
                "blocked": ("users/smtp/edit", {"username": "shop-1", "disabled": True}),
                "another password": (
                    "users/smtp/edit", {"username": "shop-1", "password": "another one"}),
                "removed": ("users/smtp/remove", {"username": "shop-1"}),
                "another place": (
                    "users/smtp/edit", {"username": "shop-1", "allowed_ips": ["192.0.2.99"]}),
            }  # fmt: skip
            await added(site, *changes[change])
            envelope = Envelope("shop@inbox.test", ("bob@far.example",))
            with pytest.raises((errors.BadCredential, errors.NotYours)):
                await remote.submit(principal, envelope, letter("shop@inbox.test"), PEER)
        finally:
            await remote.close()


async def test_a_login_of_the_sending_api_opens_no_mailbox(site: Site) -> None:
    """Hazard 38: its token is good for submitting alone, and only while its time lasts."""
    user = (await added(site, "users/smtp/add", {"username": "shop-1"}))["results"][0]
    login = {"username": "shop-1", "password": user["email_password"]}
    told = (await site.http.post("/external/api/smtp/authenticate", json=login)).json()
    assert told["kind"] == "credential"
    for path in ("/api/mails?limit=10&offset=0", "/api/settings"):
        answer = await site.http.get(path, headers={"Authorization": f"Bearer {told['token']}"})
        assert answer.status_code in (400, 401)  # a list says that the token names no address
    authenticating = site.parts.authenticating
    said = authenticating.signed_claims(told["token"])
    late = authenticating.sign({**said, "exp": 1})
    headers = {"Authorization": f"Bearer {late}", "X-Reverse-Path": '"shop@inbox.test"',
               "X-Recipients": '["bob@far.example"]'}  # fmt: skip
    answer = await site.http.post("/external/api/smtp/submit", content=b"x", headers=headers)
    assert answer.status_code == 401


# what is changed, status, enhanced status
REFUSED: list[tuple[dict[str, str], int, str]] = [
    ({"X-Reverse-Path": '"bob@inbox.test"'}, 403, "5.7.1"),
    ({"X-Reverse-Path": '""'}, 403, "5.7.1"),
    ({"X-Reverse-Path": '"no address"'}, 400, "5.1.3"),
    ({"X-Reverse-Path": "not json"}, 400, "5.5.4"),
    ({"X-Recipients": "[]"}, 400, "5.5.4"),
    ({"X-Recipients": '"a@b.example"'}, 400, "5.5.4"),
    ({"X-Recipients": '["no address"]'}, 400, "5.1.3"),
    ({"X-Recipients": json.dumps(["a@b.example"] * 101)}, 400, "5.5.4"),
    ({"X-Envelope": "{"}, 400, "5.5.4"),
    ({"Authorization": "Bearer x"}, 401, "5.7.8"),
]


@pytest.mark.parametrize(("changes", "status", "enhanced"), REFUSED)
async def test_a_refusal_tells_its_kind_by_the_enhanced_status(
    site: Site, changes: dict[str, str], status: int, enhanced: str
) -> None:
    ann = await site.open()
    answer = await submit(site, ann, letter(ann.address), **changes)
    assert (answer.status_code, answer.headers["x-enhanced-status"]) == (status, enhanced)
    assert answer.headers["content-type"].startswith("text/plain")


async def test_a_message_that_is_too_large_is_told_so(site_with: SiteWith) -> None:
    async with site_with(max_message_size=65_536) as site:
        ann = await site.open()
        answer = await submit(site, ann, letter(ann.address) + b"x" * 66_000)
        assert (answer.status_code, answer.headers["x-enhanced-status"]) == (413, "5.3.4")
        answer = await submit(site, ann, letter(ann.address) + b"x" * (2 << 20))
        assert answer.status_code == 413


async def test_guesses_are_counted_by_the_caller_unless_it_is_a_trusted_proxy(
    site_with: SiteWith,
) -> None:
    """Hazards 10 and 47: whom X-Peer names counts only from a proxy of ours."""
    for trusted, locked in (([], True), (["198.51.100.7"], False)):
        async with (
            site_with(trusted_proxies=trusted) as site,
            site.client("198.51.100.7") as proxy,
        ):
            for number in range(15):
                answer = await proxy.post(
                    "/external/api/smtp/authenticate",
                    json={"username": "jwt", "password": "eyJ.x.y"},
                    headers={"X-Peer": json.dumps({"ip": f"203.0.{number}.1"})},
                )
            assert answer.status_code == (429 if locked else 401), trusted
