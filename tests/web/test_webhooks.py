"""The webhook routes, row by row of mailbox-api §1.4, §1.6, §3.3 and §3.6."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site
from tests.webhook_receiver import Receiver, answer, receiving

pytestmark = pytest.mark.anyio

DEFAULT = {
    "enabled": False,
    "url": "",
    "method": "POST",
    "headers": '{\n  "Content-Type": "application/json"\n}',
    "body": json.dumps(
        {
            name: f"${{{name}}}"
            for name in (
                *("id", "url", "from", "to", "subject", "raw", "parsedText", "parsedHtml"),
                *("aiExtractType", "aiExtractResult", "aiExtractResultText"),
            )
        },
        indent=2,
    ),
}
NOT_ENABLED = "Webhook is not enabled, please contact the administrator"
NOT_ALLOWED = "Webhook settings is not allowed for this user"
PATHS = [
    ("GET", "/api/webhook/settings"),
    ("POST", "/api/webhook/settings"),
    ("POST", "/api/webhook/test"),
    ("GET", "/api/webhook/posts"),
    ("GET", "/api/webhook/secret"),
    ("GET", "/admin/webhook/settings"),
    ("POST", "/admin/webhook/settings"),
    ("GET", "/admin/mail_webhook/settings"),
    ("POST", "/admin/mail_webhook/settings"),
    ("POST", "/admin/mail_webhook/test"),
    ("GET", "/admin/mail_webhook/posts"),
]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.mark.parametrize(("method", "path"), [*PATHS, ("GET", "/api/webhook/nope")])
async def test_where_webhooks_are_off_that_is_said_before_who_you_are(
    site_with: SiteWith, method: str, path: str
) -> None:
    """§1.4: step 6 comes before the secret and the credential."""
    async with site_with(enable_webhook=False, jwt_secret="") as site:
        got = await site.http.request(method, path)
        assert (got.status_code, got.text) == (403, NOT_ENABLED)
        assert got.headers["content-type"] == "text/plain; charset=UTF-8"


async def test_the_site_password_is_asked_for_first(site_with: SiteWith) -> None:
    """§1.4: step 4 comes before step 6."""
    async with site_with(enable_webhook=False, passwords=["x"]) as site:
        assert (await site.http.get("/api/webhook/settings")).status_code == 401


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_where_they_are_on_a_credential_is_asked_for(
    site: Site, method: str, path: str
) -> None:
    assert (await site.http.request(method, path)).status_code == 401


async def test_never_saved_settings_are_the_default(site: Site) -> None:
    ann = await site.open()
    got = await site.http.get("/api/webhook/settings", headers=ann.auth)
    assert (got.status_code, got.json()) == (200, DEFAULT)
    got = await site.http.get("/admin/mail_webhook/settings", headers=ADMIN)
    assert got.json() == DEFAULT
    got = await site.http.get("/admin/webhook/settings", headers=ADMIN)
    assert got.json() == {"enableAllowList": False, "allowList": []}


@pytest.mark.parametrize(
    "value",
    [
        {**DEFAULT, "enabled": True, "url": "http://h.test/"},
        {"enabled": True},
        {"url": 5, "more": {"a": [1, None, True, "ü\u0000\u2028"]}},
        {"headers": {"A": "b"}, "body": None},
        [1, 2],
        "text",
        {},
    ],
)
async def test_what_is_posted_is_returned_as_it_was(site: Site, value: Any) -> None:
    """§1.6: stored and returned verbatim, unvalidated."""
    ann = await site.open()
    for path, headers in (
        ("/api/webhook/settings", ann.auth),
        ("/admin/mail_webhook/settings", ADMIN),
        ("/admin/webhook/settings", ADMIN),
    ):
        saved = await site.http.post(path, json=value, headers=headers)
        assert (saved.status_code, saved.json()) == (200, {"success": True})
        got = (await site.http.get(path, headers=headers)).json()
        assert got == value
        if path == "/admin/webhook/settings":  # a list of nonsense must not lock anybody out
            await site.http.post(path, json={"enableAllowList": False}, headers=headers)


@pytest.mark.parametrize("value", [b"null", b"false", b"0", b'""'])
async def test_what_javascript_calls_false_is_the_default(site: Site, value: bytes) -> None:
    ann = await site.open()
    await site.http.post("/api/webhook/settings", content=value, headers=ann.auth)
    assert (await site.http.get("/api/webhook/settings", headers=ann.auth)).json() == DEFAULT


@pytest.mark.parametrize("body", [b"", b"{", b"x", b"[" * 5_000])
@pytest.mark.parametrize("path", [path for method, path in PATHS if method == "POST"])
async def test_what_is_no_json_is_an_uncaught_failure(site: Site, path: str, body: bytes) -> None:
    ann = await site.open()
    got = await site.http.post(path, content=body, headers={**ann.auth, **ADMIN})
    assert got.status_code in (400, 500)
    assert got.status_code == 400 or got.text.startswith("SyntaxError ")


async def test_the_allow_list_lets_in_and_keeps_out(site: Site) -> None:
    ann, bob = await site.open("ann"), await site.open("bob")
    allowed = {"enableAllowList": True, "allowList": ["ann@inbox.test"]}
    await site.http.post("/admin/webhook/settings", json=allowed, headers=ADMIN)
    for method, path in PATHS[:2]:
        got = await site.http.request(method, path, headers=ann.auth, json={})
        assert got.status_code == 200
        got = await site.http.request(method, path, headers=bob.auth, json={})
        assert (got.status_code, got.text) == (403, NOT_ALLOWED)
    got = await site.http.get(PATHS[0][1], headers={**bob.auth, "x-lang": "zh"})
    assert got.text == "此用户不允许设置 Webhook"
    await site.http.post("/admin/webhook/settings", json={**allowed, "enableAllowList": False},
                         headers=ADMIN)  # fmt: skip
    assert (await site.http.get(PATHS[0][1], headers=bob.auth)).status_code == 200


async def test_the_test_call_does_not_ask_the_allow_list(site: Site, receiver: Receiver) -> None:
    ann = await site.open()
    await site.http.post("/admin/webhook/settings", json={"enableAllowList": True, "allowList": []},
                         headers=ADMIN)  # fmt: skip
    got = await site.http.post("/api/webhook/test", json=hook(receiver), headers=ann.auth)
    assert (got.status_code, got.json()) == (200, {"success": True})


def hook(receiver: Receiver, body: str = "${to}|${subject}", **changes: Any) -> dict[str, Any]:
    return {"enabled": True, "url": receiver.url, "method": "POST", "headers": "{}", "body": body,
            **changes}  # fmt: skip


TESTS = [("/api/webhook/test", "ann@inbox.test"), ("/admin/mail_webhook/test", "admin@test.com")]


@pytest.mark.parametrize(("path", "recipient"), TESTS)
async def test_the_test_call_has_values_of_its_own(
    site: Site, receiver: Receiver, path: str, recipient: str
) -> None:
    ann = await site.open()
    await site.http.post(path, json=hook(receiver), headers={**ann.auth, **ADMIN})
    assert receiver.got[0].text == f"{recipient}|test subject"
    await site.arrive(ann.address)
    await site.http.post(path, json=hook(receiver), headers={**ann.auth, **ADMIN})
    assert receiver.got[1].text == f"{recipient}|Your code"


@pytest.mark.parametrize(("path", "recipient"), TESTS)
@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({}, 400, "send webhook error: 404 Nothing Here"),
        ({"headers": "{"}, 500, "SyntaxError "),
        ({"headers": "[]"}, 500, "TypeError "),
        ({"headers": '{"A": "x\\r\\nB: y"}'}, 500, "TypeError "),
        ({"url": ""}, 500, "TypeError Invalid URL"),
        ({"url": "file:///etc/passwd"}, 500, "TypeError Invalid URL"),
        ({"url": "http://127.0.0.1:1/"}, 500, "TypeError fetch failed"),
        ({"url": "http://h.invalid/"}, 500, "TypeError fetch failed"),
        ({"method": "TRACE"}, 500, "TypeError "),
    ],
)
async def test_the_test_call_says_what_went_wrong(
    site: Site, receiver: Receiver, path: str, recipient: str,
    change: dict[str, Any], status: int, words: str,
) -> None:  # fmt: skip
    ann = await site.open()
    receiver.answers = [answer(404, "Nothing Here")]
    got = await site.http.post(path, json=hook(receiver, **change), headers={**ann.auth, **ADMIN})
    assert (got.status_code, got.text[: len(words)]) == (status, words)


async def test_the_test_call_reaches_no_private_address_unless_allowed(
    site_with: SiteWith, receiver: Receiver
) -> None:
    """Hazard 40."""
    async with site_with(webhook_private_addresses=False) as site:
        ann = await site.open()
        got = await site.http.post("/api/webhook/test", json=hook(receiver), headers=ann.auth)
    assert (got.status_code, got.text) == (
        500, "TypeError fetch failed: the host has no public address"
    )  # fmt: skip
    assert receiver.connections == 0


async def test_a_mail_is_posted_and_the_log_says_so(site: Site, receiver: Receiver) -> None:
    ann, bob = await site.open("ann"), await site.open("bob")
    await site.http.post("/api/webhook/settings", json=hook(receiver), headers=ann.auth)
    number = await site.arrive(ann.address)
    await site.parts.reacting.react_to(number)
    receiver.answers = [answer(503, "Busy", b"later")]
    await site.parts.notifying.start_some()
    await site.parts.notifying.settled()
    (row,) = (await site.http.get("/api/webhook/posts", headers=ann.auth)).json()["results"]
    assert row["mail_id"] == number
    assert (row["state"], row["status"], row["reason"]) == ("waiting", 503, "Busy")
    assert (row["answer"], row["to"], row["attempts"]) == ("later", ann.address, 1)
    none = (await site.http.get("/api/webhook/posts", headers=bob.auth)).json()
    assert none == {"results": [], "next_before_id": None}
    page = await site.http.get("/api/webhook/posts?limit=1", headers=ann.auth)
    assert page.json()["next_before_id"] == row["id"]
    for query in ("limit=0", "limit=x", "before_id=x"):
        got = await site.http.get(f"/api/webhook/posts?{query}", headers=ann.auth)
        assert got.status_code == 400


async def test_each_mailbox_sees_its_own_secret(site_with: SiteWith) -> None:
    async with site_with(webhook_secret="a secret of the service") as site:
        ann, bob = await site.open("ann"), await site.open("bob")
        secrets = {
            (await site.http.get("/api/webhook/secret", headers=one.auth)).json()["secret"]
            for one in (ann, bob)
        }
    assert len(secrets) == 2
    assert all(secret.startswith("whsec_") for secret in secrets)


async def test_settings_have_a_size(site: Site) -> None:
    """Hazard 36."""
    ann = await site.open()
    got = await site.http.post(
        "/api/webhook/settings", json={"body": "x" * 300_000}, headers=ann.auth
    )
    assert got.status_code == 413


@pytest.mark.parametrize(("path", "recipient"), TESTS)
async def test_the_test_call_says_which_conditions_the_mail_does_not_meet(
    site: Site, receiver: Receiver, path: str, recipient: str
) -> None:
    """It is posted all the same; without conditions the answer is that of the contract."""
    ann = await site.open()
    await site.arrive(ann.address)
    for conditions, found in (
        ({}, None),
        ({"recipients": ["ann@*"]}, []),
        (
            {"senders": ["*@far.test"], "has_attachment": True},
            ["senders", "has_attachment"],
        ),
        ({"verdicts": {"dmarc": ["pass"]}}, ["verdicts.dmarc"]),
    ):
        value = hook(receiver, conditions=conditions)
        got = await site.http.post(path, json=value, headers={**ann.auth, **ADMIN})
        told = {} if found is None else {"conditions": {"met": not found, "unmet": found}}
        assert (got.status_code, got.json()) == (200, {"success": True, **told})
    value = hook(receiver, conditions={"sender": ["*"]})
    got = await site.http.post(path, json=value, headers={**ann.auth, **ADMIN})
    (reason,) = got.json()["conditions"]["unmet"]
    assert reason.startswith("conditions: ")
    assert len(receiver.got) == 5
