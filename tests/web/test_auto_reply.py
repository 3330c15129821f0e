"""Automatic replies over HTTP, and the hook that hands mail to the whole of reception:
mailbox-api §3.3, §3.6, §9.14, row by row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Mailbox, Site

pytestmark = pytest.mark.anyio

AWAY = {"subject": "Away", "message": "Back on Monday.", "enabled": True, "source_prefix": "",
        "name": "Ann"}  # fmt: skip
DISABLED = "Auto reply is disabled"


async def save(site: Site, owner: Mailbox, value: Any, **headers: str) -> tuple[int, str]:
    got = await site.http.post("/api/auto_reply", json=value, headers={**owner.auth, **headers})
    return got.status_code, got.text


async def saved(site: Site, owner: Mailbox) -> Any:
    return (await site.http.get("/api/auto_reply", headers=owner.auth)).json()


async def test_where_it_is_off_that_is_said_to_whoever_proves_an_address(
    site_with: SiteWith,
) -> None:
    async with site_with(enable_auto_reply=False) as site:
        ann = await site.open()
        for method in ("GET", "POST"):
            got = await site.http.request(method, "/api/auto_reply", headers=ann.auth)
            assert (got.status_code, got.text) == (403, DISABLED)
            assert (await site.http.request(method, "/api/auto_reply")).status_code == 401


async def test_what_is_saved_is_returned_and_replaced(site: Site) -> None:
    ann, bob = await site.open("ann"), await site.open("bob")
    assert await saved(site, ann) == {}
    assert await save(site, ann, {"auto_reply": AWAY}) == (200, '{"success":true}')
    assert await saved(site, ann) == AWAY
    changed = {**AWAY, "subject": "Üç", "enabled": False, "source_prefix": "/x/"}
    await save(site, ann, {"auto_reply": changed})
    assert await saved(site, ann) == changed
    assert await saved(site, bob) == {}


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"subject": ""}, 400, "Invalid subject or message"),
        ({"message": ""}, 400, "Invalid subject or message"),
        ({"message": None}, 400, "Invalid subject or message"),
        ({"subject": "", "enabled": False}, 200, '{"success":true}'),
        ({"message": "", "subject": "", "enabled": False}, 200, '{"success":true}'),
        ({"subject": "x" * 255, "message": "y" * 255}, 200, '{"success":true}'),
        ({"subject": "x" * 256}, 400, "Subject or message is too long"),
        ({"message": "x" * 256}, 400, "Subject or message is too long"),
        ({"message": "x" * 256, "enabled": False}, 400, "Subject or message is too long"),
        ({"message": "😀" * 128}, 400, "Subject or message is too long"),
        ({"enabled": 1}, 200, '{"success":true}'),
        ({"subject": 5}, 500, "TypeError "),
    ],
)
async def test_the_checks_of_an_answer(
    site: Site, change: dict[str, Any], status: int, words: str
) -> None:
    ann = await site.open()
    found = await save(site, ann, {"auto_reply": {**AWAY, **change}})
    assert (found[0], found[1][: len(words)]) == (status, words)


async def test_missing_keys_are_empty(site: Site) -> None:
    ann = await site.open()
    assert (await save(site, ann, {"auto_reply": {"enabled": False}}))[0] == 200
    assert await saved(site, ann) == {
        "subject": "", "message": "", "enabled": False, "source_prefix": "", "name": "",
    }  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"auto_reply": None}, {"auto_reply": 5}, [], "x"])
async def test_a_body_without_an_answer_is_an_uncaught_failure(site: Site, body: Any) -> None:
    ann = await site.open()
    status, words = await save(site, ann, body)
    assert (status, words.split()[0]) == (500, "TypeError")


async def test_refusals_come_in_chinese_too(site: Site) -> None:
    ann = await site.open()
    found = await save(site, ann, {"auto_reply": {**AWAY, "subject": ""}}, **{"x-lang": "zh"})
    assert found == (400, "无效的主题或内容")


# The test hook.

PLAIN = "From: Bob <bob@far.example>\r\nTo: ann@inbox.test\r\nSubject: Hi\r\n\r\nHello.\r\n"


async def receive(site: Site, raw: str = PLAIN, **changes: str) -> dict[str, Any]:
    arrival = {"from": "bob@far.example", "to": "ann@inbox.test", "raw": raw, **changes}
    got = await site.http.post("/admin/test/receive_mail", json=arrival, headers=ADMIN)
    assert got.status_code == 200, got.text
    return dict(got.json())


@pytest.mark.parametrize(
    ("source_prefix", "fields", "called"),
    [
        ("", "", True),
        ("bob@", "", True),
        ("carol@", "", False),
        (r"/@far\.example$/", "", True),
        ("/@near/", "", False),
        ("/[/", "", False),
        ("", "Message-ID: <1@far.example>\r\n", True),
        ("", "Auto-Submitted: auto-replied\r\n", False),
        ("", "Auto-Submitted: no\r\n", True),
        ("", "Precedence: bulk\r\n", False),
        ("", "List-Id: <l.far.example>\r\n", False),
    ],
)
async def test_the_hook_says_whether_an_answer_goes_out(
    site: Site, source_prefix: str, fields: str, called: bool
) -> None:
    ann = await site.open()
    await save(site, ann, {"auto_reply": {**AWAY, "source_prefix": source_prefix}})
    found = await receive(site, fields + PLAIN)
    assert found == {"success": True, "replyCalled": called, "forwardedTo": []}


async def test_the_hook_says_where_a_mail_goes_on_to(site_with: SiteWith) -> None:
    rules = [{"domains": ["inbox.test"], "forward": "rule@far.example"}]
    async with site_with(
        forward_address_list=["all@far.example"], subdomain_forward_address_list=rules
    ) as site:
        stored = {
            "blockList": [], "sendBlockList": [], "verifiedAddressList": [],
            "emailRuleSettings": {
                "emailForwardingList": [
                    {"domains": [], "forward": "stored@far.example", "sourcePatterns": ["^BOB@"]},
                    {"domains": [], "forward": "not@far.example", "sourcePatterns": ["^carol@"]},
                ]
            },
        }  # fmt: skip
        got = await site.http.post("/admin/account_settings", json=stored, headers=ADMIN)
        assert got.status_code == 200
        found = await receive(site)
        assert found["forwardedTo"] == ["all@far.example", "rule@far.example", "stored@far.example"]
        assert not found["replyCalled"]


@pytest.mark.parametrize(
    ("settings", "raw", "rejected"),
    [
        ({"black_list": "bob@"}, PLAIN, "Reject from address"),
        ({"junk_mail_force_pass_list": ["spf"]}, PLAIN, "Junk mail"),
        ({"junk_mail_check_list": [" SPF "]}, "Received-SPF: fail x\r\n" + PLAIN, "Junk mail"),
        ({"junk_mail_check_list": ["spf"]}, "Received-SPF: neutral x\r\n" + PLAIN, None),
        ({"junk_mail_check_list": ["spf"]}, PLAIN, None),
    ],
)
async def test_the_hook_says_why_a_mail_is_refused(
    site_with: SiteWith, settings: dict[str, Any], raw: str, rejected: str | None
) -> None:
    async with site_with(enable_check_junk_mail=True, **settings) as site:
        found = await receive(site, raw)
        assert found.get("rejected") == rejected
        assert found["success"] is (rejected is None)


async def test_a_seeded_mail_has_no_consequences(site_with: SiteWith) -> None:
    async with site_with(forward_address_list=["all@far.example"]) as site:
        seed = {"address": "ann@inbox.test", "raw": PLAIN, "source": "bob@far.example"}
        await site.http.post("/admin/test/seed_mail", json=seed, headers=ADMIN)
        fate = await site.parts.reacting.react_to(1)
        assert not fate


@pytest.mark.parametrize(
    ("result", "kept"),
    [
        ({"type": "auth_code", "result": "1234", "result_text": "your code"}, True),
        ({"type": "auth_code", "result": "", "result_text": ""}, False),
        ({"type": "none", "result": "x", "result_text": ""}, False),
        ({"type": "strange", "result": "x", "result_text": ""}, False),
    ],
)
async def test_the_hook_takes_the_answer_of_a_model(
    site: Site, result: dict[str, str], kept: bool
) -> None:
    """§3.6, §9.9: it becomes the metadata of the stored mail."""
    ann = await site.open()
    arrival = {"from": "bob@far.example", "to": ann.address, "raw": PLAIN}
    await site.http.post(
        "/admin/test/receive_mail", json={**arrival, "ai_extract_result": result}, headers=ADMIN
    )
    page = await site.http.get("/api/mails?limit=1&offset=0", headers=ann.auth)
    metadata = page.json()["results"][0]["metadata"]
    assert (json.loads(metadata)["ai_extract"] if metadata else None) == (result if kept else None)
