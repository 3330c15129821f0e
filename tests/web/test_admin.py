"""/admin: addresses, mails, settings, statistics, test hooks (mailbox-api §3.6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, LETTER, Site

pytestmark = pytest.mark.anyio

ADDRESS = {
    "id", "name", "source_meta", "created_at", "updated_at", "mail_count", "send_count",
}  # fmt: skip

# body, status, address or text
OPENING: list[tuple[dict[str, Any], int, str]] = [
    ({"name": "ann"}, 200, "ann@inbox.test"),
    ({"name": "ann", "enablePrefix": True}, 200, "tmpann@inbox.test"),
    ({"name": "ann", "domain": "second.test"}, 200, "ann@second.test"),
    ({}, 400, "Required field is missing"),
    ({"name": ""}, 400, "Required field is missing"),
    ({"name": "x" * 31}, 400, "Failed to create address: Name is too long (max 30)"),
    ({"name": "ann", "domain": "no.test"}, 400, "Failed to create address: Invalid domain"),
]


@pytest.mark.parametrize(("body", "status", "result"), OPENING)
async def test_the_administrator_opens_addresses(
    site_with: SiteWith, body: dict[str, Any], status: int, result: str
) -> None:
    async with site_with(prefix="tmp", enable_user_create_email=False, max_address_len=2) as site:
        answer = await site.http.post("/admin/new_address", json=body, headers=ADMIN)
        assert answer.status_code == status
        if status != 200:
            assert answer.text == result
            return
        assert set(answer.json()) == {"jwt", "address", "password", "address_id"}
        assert answer.json()["address"] == result
        rows = await site.http.get("/admin/address?limit=1&offset=0", headers=ADMIN)
        assert rows.json()["results"][0]["source_meta"] == "admin"


async def test_addresses_are_listed_found_and_sorted(site: Site) -> None:
    for name in ("ann", "bob", "cat"):
        await site.open(name)
    for _ in range(2):
        await site.arrive("bob@inbox.test")

    async def names(query: str) -> list[str]:
        answer = await site.http.get(f"/admin/address?limit=20&offset=0{query}", headers=ADMIN)
        assert answer.status_code == 200, answer.text
        for row in answer.json()["results"]:
            assert set(row) == ADDRESS
        return [row["name"].partition("@")[0] for row in answer.json()["results"]]

    assert await names("") == ["cat", "bob", "ann"]
    assert await names("&sort_order=ascend") == ["ann", "bob", "cat"]
    assert await names("&sort_by=name&sort_order=ascend") == ["ann", "bob", "cat"]
    assert (await names("&sort_by=mail_count"))[0] == "bob"
    for column in ("id", "created_at", "updated_at", "source_meta", "send_count", "password", "1;"):
        assert len(await names(f"&sort_by={column}")) == 3
    assert await names("&query=BOB@") == ["bob"]
    assert await names("&query=%25") == []
    page = await site.http.get("/admin/address?limit=1&offset=1", headers=ADMIN)
    assert page.json()["count"] == 0


async def test_a_token_for_any_address(site: Site) -> None:
    ann = await site.open()
    answer = await site.http.get(f"/admin/show_password/{ann.address_id}", headers=ADMIN)
    token = {"Authorization": f"Bearer {answer.json()['jwt']}"}
    settings = await site.http.get("/api/settings", headers=token)
    assert settings.json()["address"] == ann.address
    for unknown in ("999", "x"):
        answer = await site.http.get(f"/admin/show_password/{unknown}", headers=ADMIN)
        assert (answer.status_code, answer.text) == (400, "Address not found")


async def test_passwords_are_reset(site: Site) -> None:
    ann = await site.open()
    digest = "a" * 64
    path = f"/admin/address/{ann.address_id}/reset_password"
    answer = await site.http.post(path, json={"password": digest}, headers=ADMIN)
    assert answer.json() == {"success": True}
    login = {"email": ann.address, "password": digest}
    assert (await site.http.post("/api/address_login", json=login)).status_code == 200
    answer = await site.http.post(path, json={}, headers=ADMIN)
    assert (answer.status_code, answer.text) == (400, "New password is required")


async def test_mails_of_everybody_and_of_nobody(site: Site) -> None:
    ann = await site.open()
    mine = await site.arrive(ann.address)
    unknown = await site.arrive("nobody@inbox.test")

    async def ids(path: str) -> list[int]:
        answer = await site.http.get(path, headers=ADMIN)
        return [row["id"] for row in answer.json()["results"]]

    assert await ids("/admin/mails?limit=20&offset=0") == [unknown, mine]
    assert await ids("/admin/mails?limit=20&offset=0&address=ann@inbox.test") == [mine]
    assert await ids("/admin/mails?limit=20&offset=0&address=ann") == []
    assert await ids("/admin/mails_unknow?limit=20&offset=0") == [unknown]
    one = await site.http.get(f"/admin/mails/{unknown}", headers=ADMIN)
    assert one.json()["address"] == "nobody@inbox.test"
    await site.http.delete(f"/admin/mails/{unknown}", headers=ADMIN)
    assert await ids("/admin/mails?limit=20&offset=0") == [mine]
    await site.http.delete(f"/admin/clear_inbox/{ann.address_id}", headers=ADMIN)
    assert await ids("/admin/mails?limit=20&offset=0") == []


async def test_closing_and_emptying_by_id(site_with: SiteWith) -> None:
    async with site_with(enable_user_delete_email=False) as site:
        ann = await site.open()
        await site.arrive()
        letter = {"to_mail": "bob@far.example", "subject": "s", "content": "c"}
        await site.http.post("/api/send_mail", json=letter, headers=ann.auth)
        path = f"/admin/clear_sent_items/{ann.address_id}"
        assert (await site.http.delete(path, headers=ADMIN)).json() == {"success": True}
        sent = await site.http.get("/api/sent", headers=ann.auth)
        assert sent.json()["count"] == 0
        path = f"/admin/delete_address/{ann.address_id}"
        assert (await site.http.delete(path, headers=ADMIN)).json() == {"success": True}
        assert (await site.http.get("/api/inbox", headers=ann.auth)).status_code == 401
        mails = await site.http.get("/admin/mails?limit=20&offset=0", headers=ADMIN)
        assert mails.json()["count"] == 0


async def test_statistics_have_the_keys_of_the_contract(site: Site) -> None:
    ann = await site.open()
    await site.arrive()
    letter = {"to_mail": "bob@far.example", "subject": "s", "content": "c"}
    await site.http.post("/api/send_mail", json=letter, headers=ann.auth)
    answer = await site.http.get("/admin/statistics", headers=ADMIN)
    assert answer.json() == {
        "mailCount": 1,
        "addressCount": 1,
        "activeAddressCount7days": 1,
        "activeAddressCount30days": 1,
        "userCount": 0,
        "sendMailCount": 1,
    }


LISTS: dict[str, Any] = {"blockList": [], "sendBlockList": [], "verifiedAddressList": []}
EMPTY = {
    **LISTS,
    "fromBlockList": [],
    "noLimitSendAddressList": [],
    "emailRuleSettings": {},
    "addressCreationSettings": {},
    "addressCreationSubdomainMatchStatus": {
        "envConfigured": False,
        "envEnabled": False,
        "effectiveEnabled": False,
    },
    "sendMailLimitConfig": None,
}


async def test_account_settings_are_shown_and_replaced(site_with: SiteWith) -> None:
    async with site_with(outbound="direct") as site:
        shown = await site.http.get("/admin/account_settings", headers=ADMIN)
        assert shown.json() == EMPTY
        change: dict[str, Any] = {
            "blockList": ["root"],
            "sendBlockList": ["@bad.example"],
            "verifiedAddressList": ["me@far.example"],
            "fromBlockList": ["spam@"],
            "noLimitSendAddressList": ["vip@inbox.test"],
            "emailRuleSettings": {
                "blockReceiveUnknowAddressEmail": True,
                "emailForwardingList": [],
            },
            "addressCreationSettings": {"enableSubdomainMatch": True},
            "sendMailLimitConfig": {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": 5},
        }
        answer = await site.http.post("/admin/account_settings", json=change, headers=ADMIN)
        assert answer.json() == {"success": True}
        shown = (await site.http.get("/admin/account_settings", headers=ADMIN)).json()
        limits = {
            "dailyEnabled": True,
            "monthlyEnabled": False,
            "dailyLimit": 5,
            "monthlyLimit": None,
        }
        match = {
            "envConfigured": False,
            "envEnabled": False,
            "storedEnabled": True,
            "effectiveEnabled": True,
        }
        assert shown == change | {
            "sendMailLimitConfig": limits,
            "addressCreationSubdomainMatchStatus": match,
        }
        # Lists are replaced; what is absent is emptied or stays, as the contract says.
        answer = await site.http.post("/admin/account_settings", json=LISTS, headers=ADMIN)
        shown = (await site.http.get("/admin/account_settings", headers=ADMIN)).json()
        assert shown["noLimitSendAddressList"] == []
        assert shown["emailRuleSettings"] == {}
        assert shown["fromBlockList"] == ["spam@"]
        assert shown["addressCreationSettings"] == {"enableSubdomainMatch": True}
        assert shown["sendMailLimitConfig"] == limits
        cleared = LISTS | {"addressCreationSettings": {"enableSubdomainMatch": None}}
        await site.http.post("/admin/account_settings", json=cleared, headers=ADMIN)
        shown = (await site.http.get("/admin/account_settings", headers=ADMIN)).json()
        assert shown["addressCreationSettings"] == {}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"blockList": None}, "Invalid input"),
    ({"sendBlockList": None}, "Invalid input"),
    ({"verifiedAddressList": None}, "Invalid input"),
    ({"blockList": "x"}, "Invalid input"),
    ({"blockList": [1]}, "Invalid input"),
    ({"blockList": ["x"] * 10_001}, "Invalid input"),
    ({"addressCreationSettings": None}, "Invalid input"),
    ({"addressCreationSettings": []}, "Invalid input"),
    ({"addressCreationSettings": {"enableSubdomainMatch": "x"}}, "Invalid input"),
    ({"verifiedAddressList": ["me@far.example"]}, "Please enable SEND_MAIL first"),
    ({"sendMailLimitConfig": []}, "Invalid input"),
    ({"sendMailLimitConfig": {}}, "Invalid input"),
    (
        {"sendMailLimitConfig": {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": -2}},
        "Invalid input",
    ),
    (
        {"sendMailLimitConfig": {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": 1.5}},
        "Invalid input",
    ),
    (
        {
            "sendMailLimitConfig": {
                "dailyEnabled": True,
                "monthlyEnabled": False,
                "dailyLimit": 1e30,
            }
        },
        "Invalid input",
    ),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
async def test_account_settings_that_are_wrong_change_nothing(
    site: Site, change: dict[str, Any], words: str
) -> None:
    body = LISTS | {"blockList": ["new"]} | change
    answer = await site.http.post("/admin/account_settings", json=body, headers=ADMIN)
    assert (answer.status_code, answer.text) == (400, words)
    shown = await site.http.get("/admin/account_settings", headers=ADMIN)
    assert shown.json() == EMPTY


async def test_rules_that_nest_for_ever_are_refused(site: Site) -> None:
    """Hazard 36."""
    deep: Any = {}
    for _ in range(100):
        deep = {"x": deep}
    body = LISTS | {"emailRuleSettings": deep}
    answer = await site.http.post("/admin/account_settings", json=body, headers=ADMIN)
    assert (answer.status_code, answer.text) == (400, "Invalid input")


async def test_the_test_hooks_put_mail_into_mailboxes(site: Site) -> None:
    ann = await site.open()
    raw = LETTER.decode()
    seed = {"address": ann.address, "raw": raw, "source": "s@far.example"}
    answer = await site.http.post("/admin/test/seed_mail", json=seed, headers=ADMIN)
    assert answer.json() == {"success": True}
    page = (await site.http.get("/api/mails?limit=1&offset=0", headers=ann.auth)).json()
    assert page["results"][0]["raw"] == raw
    assert page["results"][0]["source"] == "s@far.example"
    assert page["results"][0]["message_id"] == "<one@ferry.example>"
    arrival = {"from": "s@far.example", "to": ann.address, "raw": raw}
    answer = await site.http.post("/admin/test/receive_mail", json=arrival, headers=ADMIN)
    assert answer.json() == {"success": True, "replyCalled": False, "forwardedTo": []}
    rules = LISTS | {
        "fromBlockList": ["spam@"],
        "emailRuleSettings": {"blockReceiveUnknowAddressEmail": True},
    }
    await site.http.post("/admin/account_settings", json=rules, headers=ADMIN)
    for change, words in (
        ({"from": "spam@far.example"}, "Reject from address"),
        ({"to": "nobody@inbox.test"}, "Unknown address"),
    ):
        answer = await site.http.post(
            "/admin/test/receive_mail", json=arrival | change, headers=ADMIN
        )
        assert answer.json() == {
            "success": False,
            "replyCalled": False,
            "forwardedTo": [],
            "rejected": words,
        }


async def test_a_full_mailbox_is_told_by_the_test_hook_in_its_own_form(
    site_with: SiteWith,
) -> None:
    """mailbox-api §15, 9."""
    async with site_with(mailbox_max_mails=1) as site:
        ann = await site.open()
        arrival = {"from": "s@far.example", "to": ann.address, "raw": LETTER.decode()}
        answers = [
            (await site.http.post("/admin/test/receive_mail", json=arrival, headers=ADMIN)).json()
            for _ in range(2)
        ]
        assert [one["success"] for one in answers] == [True, False]
        assert answers[1]["rejected"] == "The mailbox is full, try again later"


HOOKS: list[tuple[str, dict[str, Any], str]] = [
    ("seed_mail", {}, "address and raw are required"),
    ("seed_mail", {"address": "a@inbox.test"}, "address and raw are required"),
    ("seed_mail", {"address": "a@inbox.test", "raw": "x" * 1_000_001}, "raw content too large"),
    (
        "seed_mail",
        {"address": "a@inbox.test", "raw": "x", "message_id": "x" * 256},
        "message_id too long",
    ),
    ("receive_mail", {}, "from, to and raw are required"),
    (
        "receive_mail",
        {"from": "a@b.example", "to": "a@inbox.test"},
        "from, to and raw are required",
    ),
    (
        "receive_mail",
        {"from": "a@b.example", "to": " ", "raw": "x"},
        "from, to and raw are required",
    ),
]


@pytest.mark.parametrize(("hook", "body", "words"), HOOKS)
async def test_test_hooks_say_what_is_missing(
    site: Site, hook: str, body: dict[str, Any], words: str
) -> None:
    answer = await site.http.post(f"/admin/test/{hook}", json=body, headers=ADMIN)
    assert (answer.status_code, answer.text) == (400, words)


async def test_a_report_that_lands_in_no_mailbox_is_received(site_with: SiteWith) -> None:
    async with site_with(feedback_address="reports@inbox.test") as site:
        arrival = {"from": "a@b.example", "to": "reports@inbox.test", "raw": "x"}
        answer = await site.http.post("/admin/test/receive_mail", json=arrival, headers=ADMIN)
        assert answer.json() == {"success": True, "replyCalled": False, "forwardedTo": []}


async def test_test_hooks_are_not_there_outside_of_tests(site_with: SiteWith) -> None:
    async with site_with(e2e_test_mode=False) as site:
        for hook in ("seed_mail", "receive_mail"):
            answer = await site.http.post(f"/admin/test/{hook}", content=b"{", headers=ADMIN)
            assert (answer.status_code, answer.text) == (404, "Not available")
