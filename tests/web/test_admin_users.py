"""Accounts and roles for administrators, row by row of mailbox-api §3.6 and §8.4."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.config import Role
from tests.web.conftest import SiteWith
from tests.web.people import digest, rules, sign_up
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

ANN = "ann@home.example"
CHINESE = {**ADMIN, "x-lang": "zh"}
DOMAINS = 'VerifyMailSender domain must be in [\n  "inbox.test",\n  "second.test"\n]'
DONE = (200, '{"success":true}')


async def post(site: Site, path: str, body: Any, **headers: str) -> tuple[int, str]:
    got = await site.http.post(path, json=body, headers={**ADMIN, **headers})
    return got.status_code, got.text


# what is posted, and what is shown afterwards
SETTINGS = [
    ({}, {"maxAddressCount": 5}),
    (
        {"enable": True, "enableMailVerify": True, "verifyMailSender": "a@INBOX.test",
         "enableMailAllowList": True, "mailAllowList": ["x.test", "y.test"], "maxAddressCount": 0,
         "enableEmailCheckRegex": True, "emailCheckRegex": "^a"},
        None,
    ),
    ({"enable": False, "more": 1, "oauth2": []}, {"enable": False, "maxAddressCount": 5}),
    ({"maxAddressCount": -1}, {"maxAddressCount": 5}),
    ({"maxAddressCount": "many"}, {"maxAddressCount": 5}),
    ({"maxAddressCount": None}, {"maxAddressCount": 5}),
    ({"maxAddressCount": True}, {"maxAddressCount": 5}),
    ({"maxAddressCount": 1e9}, {"maxAddressCount": 1e9}),
    ({"mailAllowList": []}, {"mailAllowList": [], "maxAddressCount": 5}),
    ({"mailAllowList": "x", "enable": "yes", "emailCheckRegex": 5}, {"maxAddressCount": 5}),
    ({"verifyMailSender": "a@far.example"},
     {"verifyMailSender": "a@far.example", "maxAddressCount": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("value", "shown"), SETTINGS)
async def test_the_rules_about_accounts(site: Site, value: Any, shown: Any) -> None:
    got = await site.http.get("/admin/user_settings", headers=ADMIN)
    assert got.json() == {"maxAddressCount": 5}
    await rules(site, enable=True, emailCheckRegex="before")
    assert await post(site, "/admin/user_settings", value) == DONE
    got = await site.http.get("/admin/user_settings", headers=ADMIN)
    assert (got.status_code, got.json()) == (200, value if shown is None else shown)


@pytest.mark.parametrize(
    ("value", "words", "chinese"),
    [
        (
            {"enableMailVerify": True},
            "Verify mail sender address is not set, please contact the administrator",
            "未设置验证邮件",
        ),
        ({"enableMailVerify": True, "verifyMailSender": "a@far.example"}, DOMAINS, "验证邮件"),
        ({"enableMailVerify": True, "verifyMailSender": "nonsense"}, DOMAINS, "验证邮件"),
        ({"enableMailVerify": True, "verifyMailSender": "a@x.inbox.test"}, DOMAINS, "验证邮件"),
    ],
)
async def test_codes_need_a_sender_of_ours(
    site: Site, value: Any, words: str, chinese: str
) -> None:
    assert await post(site, "/admin/user_settings", value) == (400, words)
    status, text = await post(site, "/admin/user_settings", value, **{"x-lang": "zh"})
    assert (status, text[: len(chinese)]) == (400, chinese)
    got = await site.http.get("/admin/user_settings", headers=ADMIN)
    assert got.json() == {"maxAddressCount": 5}


@pytest.mark.parametrize(
    ("body", "status", "words", "chinese"),
    [
        ({}, 400, "Invalid email or password", "邮箱或密码错误"),
        ({"email": ANN}, 400, "Invalid email or password", "邮箱或密码错误"),
        ({"password": "x"}, 400, "Invalid email or password", "邮箱或密码错误"),
        ({"email": "a\n@b", "password": "x"}, 400, "Invalid email or password", "邮箱或密码错误"),
        (
            {"email": ANN, "password": "x" * 101}, 500,
            "Failed to register: Invalid password", "注册失败: Invalid password",
        ),
        (
            {"email": "old@home.example", "password": "x"}, 400,
            "User already exists, please login", "用户已存在，请登录",
        ),
    ],
)  # fmt: skip
async def test_an_account_that_is_not_opened(
    site: Site, body: Any, status: int, words: str, chinese: str
) -> None:
    await sign_up(site, "old@home.example")
    assert await post(site, "/admin/users", body) == (status, words)
    assert await post(site, "/admin/users", body, **{"x-lang": "zh"}) == (status, chinese)


async def test_accounts_are_listed_and_found(site_with: SiteWith) -> None:
    async with site_with(user_roles=[Role(role="vip")]) as site:
        ann = await sign_up(site)
        bob = await sign_up(site, "Bob@home.example", role="vip")
        box = await site.open("ann")
        await site.http.post("/user_api/bind_address", headers=ann.both(box))
        got = await site.http.get("/admin/users?limit=20&offset=0", headers=ADMIN)
        rows = got.json()["results"]
        assert got.json()["count"] == 2
        assert rows[1] == {
            "id": ann.id, "user_email": ANN, "role_text": None, "address_count": 1,
            "created_at": rows[1]["created_at"], "updated_at": rows[1]["updated_at"],
        }  # fmt: skip
        assert (rows[0]["id"], rows[0]["role_text"], rows[0]["address_count"]) == (bob.id, "vip", 0)
        assert "secret" not in got.text
        assert "argon2" not in got.text
        for query, shown, count in (
            ("limit=20&offset=0&query=bob", [bob.id], 1),
            ("limit=20&offset=0&query=HOME", [bob.id, ann.id], 2),
            ("limit=20&offset=0&query=%25", [], 0),
            ("limit=20&offset=0&query=_", [], 0),
            ("limit=1&offset=1", [ann.id], 0),
        ):
            got = await site.http.get(f"/admin/users?{query}", headers=ADMIN)
            assert [row["id"] for row in got.json()["results"]] == shown, query
            assert got.json()["count"] == count
        for query, words in (("offset=0", "Invalid limit"), ("limit=20", "Invalid offset")):
            got = await site.http.get(f"/admin/users?{query}", headers=ADMIN)
            assert (got.status_code, got.text) == (400, words)
        got = await site.http.get("/admin/statistics", headers=ADMIN)
        assert got.json()["userCount"] == 2


async def test_a_deleted_account_leaves_nothing_to_whoever_comes_after(
    site_with: SiteWith,
) -> None:
    """§3.6: role and bindings go too, and ids never return."""
    async with site_with(user_roles=[Role(role="vip")]) as site:
        ann = await sign_up(site, role="vip")
        box = await site.open("ann")
        await site.http.post("/user_api/bind_address", headers=ann.both(box))
        for path in (f"/admin/users/{ann.id}", f"/admin/users/{ann.id}", "/admin/users/x"):
            got = await site.http.delete(path, headers=ADMIN)
            assert (got.status_code, got.json()) == (200, {"success": True})
        again = await sign_up(site)
        assert again.id > ann.id
        got = await site.http.get("/user_api/settings", headers=again.auth)
        assert got.json()["user_role"] is None
        got = await site.http.get("/user_api/bind_address", headers=again.auth)
        assert got.json() == {"results": [], "count": 0}
        assert (await site.http.get("/api/inbox", headers=box.auth)).status_code == 200


async def test_a_password_that_is_reset(site: Site) -> None:
    ann = await sign_up(site)
    path = f"/admin/users/{ann.id}/reset_password"
    for body in ({}, {"password": ""}, {"password": "x" * 101}):
        assert await post(site, path, body) == (500, "Failed to update password: Invalid password")
        assert await post(site, path, body, **{"x-lang": "zh"}) == (
            500, "更新密码失败: Invalid password"
        )  # fmt: skip
    assert await post(site, path, {"password": digest("new")}) == DONE
    assert await post(site, "/admin/users/999/reset_password", {"password": "x"}) == DONE
    for password, status in (("secret", 400), ("new", 200)):
        body = {"email": ann.email, "password": digest(password)}
        assert (await site.http.post("/user_api/login", json=body)).status_code == status


async def test_roles(site_with: SiteWith) -> None:
    roles = [Role(role="vip", domains=["second.test"], prefix=""), Role(role="plain")]
    async with site_with(user_roles=roles) as site:
        got = await site.http.get("/admin/user_roles", headers=ADMIN)
        assert got.json() == [
            {"role": "vip", "domains": ["second.test"], "prefix": ""},
            {"role": "plain", "domains": None, "prefix": None},
        ]
        ann = await sign_up(site)
        for body, status, words in (
            ({}, 400, "Invalid user_id"),
            ({"user_id": 0, "role_text": "vip"}, 400, "Invalid user_id"),
            ({"user_id": 999, "role_text": "vip"}, 400, "Invalid user_id"),
            ({"user_id": "x", "role_text": "vip"}, 400, "Invalid user_id"),
            ({"user_id": ann.id, "role_text": "nope"}, 400, "Invalid role_text"),
            ({"user_id": ann.id, "role_text": "vip"}, *DONE),
            ({"user_id": str(ann.id), "role_text": "plain"}, *DONE),
            ({"user_id": ann.id, "role_text": ""}, *DONE),
            ({"user_id": ann.id}, *DONE),
            ({"user_id": 999, "role_text": ""}, *DONE),
        ):
            assert await post(site, "/admin/user_roles", body) == (status, words), body
            got = await site.http.get("/admin/users?limit=1&offset=0", headers=ADMIN)
            expected = {DONE: body.get("role_text") or None}.get((status, words))
            assert got.json()["results"][0]["role_text"] == expected


async def test_no_roles_are_an_empty_list(site: Site) -> None:
    assert (await site.http.get("/admin/user_roles", headers=ADMIN)).json() == []


@pytest.mark.parametrize(
    ("configs", "shown"),
    [
        ({"vip": {"maxAddressCount": 3}}, {"vip": {"maxAddressCount": 3}}),
        ({"vip": {"maxAddressCount": 0}, "x": {}}, {"vip": {"maxAddressCount": 0}, "x": {}}),
        ({"vip": {"maxAddressCount": "3", "more": 1}}, {"vip": {}}),
        (
            {"vip": {"sendLimitDay": 5, "sendLimitMonth": -1, "maxAddressCount": 2}},
            {"vip": {"sendLimitDay": 5, "sendLimitMonth": -1, "maxAddressCount": 2}},
        ),
        ({"vip": None, "x": 5}, {"vip": {}, "x": {}}),
        ({}, {}),
        ({"vip": {"maxAddressCount": -1}}, None),
        ({"vip": {"maxAddressCount": 1}, "x": {"maxAddressCount": -0.5}}, None),
        ([], None),
        ("x", None),
        (None, None),
    ],
)
async def test_the_limits_of_roles(site: Site, configs: Any, shown: Any) -> None:
    got = await site.http.get("/admin/role_address_config", headers=ADMIN)
    assert got.json() == {"configs": {}}
    answer = await post(site, "/admin/role_address_config", {"configs": configs})
    assert answer == ((400, "Invalid maxAddressCount") if shown is None else DONE)
    got = await site.http.get("/admin/role_address_config", headers=ADMIN)
    assert got.json() == {"configs": shown or {}}


async def test_a_wrong_limit_of_sending_is_named(site: Site) -> None:
    body = {"configs": {"vip": {"sendLimitDay": 0.5}}}
    answer = await post(site, "/admin/role_address_config", body)
    assert answer == (400, "Invalid input: sendLimitDay")


async def test_a_limit_of_a_role_is_refused_in_the_words_of_the_server(
    site_with: SiteWith,
) -> None:
    async with site_with(user_roles=[Role(role="vip")], default_send_balance=9) as site:
        body = {"configs": {"vip": {"sendLimitDay": 2}}}
        assert await post(site, "/admin/role_address_config", body) == DONE
        ann = await sign_up(site, role="vip")
        boxes = [await site.open(name) for name in ("one", "two", "nobodys")]
        for box in boxes[:2]:
            bound = await site.http.post("/user_api/bind_address", headers=ann.both(box))
            assert bound.status_code == 200, bound.text
        answers: list[str] = []
        letter = {"to_mail": "bob@far.example", "subject": "Hello", "content": "How are you?"}
        for box in (*boxes, *boxes):
            got = await site.http.post("/api/send_mail", json=letter, headers=box.auth)
            answers.append("sent" if got.status_code == 200 else f"{got.status_code} {got.text}")
        refused = "400 Failed to send mail Server daily send quota has been reached"
        assert answers == ["sent", "sent", "sent", refused, refused, "sent"]


async def test_the_addresses_of_an_account(site: Site) -> None:
    ann, box = await sign_up(site), await site.open("ann")
    await site.http.post("/user_api/bind_address", headers=ann.both(box))
    path = "/admin/users/bind_address"
    got = await site.http.get(f"{path}/{ann.id}", headers=ADMIN)
    theirs = await site.http.get("/user_api/bind_address", headers=ann.auth)
    assert got.json() == {"results": theirs.json()["results"]}
    for other in ("999", "x"):
        got = await site.http.get(f"{path}/{other}", headers=ADMIN)
        assert got.json() == {"results": []}


async def test_an_administrator_binds_by_id_or_by_text(site_with: SiteWith) -> None:
    path = "/admin/users/bind_address"
    async with site_with(user_roles=[Role(role="vip")]) as site:
        await rules(site, maxAddressCount=2)
        configs = {"configs": {"vip": {"maxAddressCount": 9}}}
        await post(site, "/admin/role_address_config", configs)
        ann = await sign_up(site, role="vip")
        bob = await sign_up(site, "bob@home.example")
        one, two, three = [await site.open(name) for name in ("a1", "a2", "a3")]
        for body, status, words in (
            ({}, 400, "No address or user token"),
            ({"user_id": ann.id}, 400, "No address or user token"),
            ({"address_id": one.address_id}, 400, "No address or user token"),
            ({"user_id": ann.id, "address_id": 999}, 400, "Address not found"),
            ({"user_id": ann.id, "address": "nope@inbox.test"}, 400, "Address not found"),
            ({"user_id": ann.id, "address": "nonsense"}, 400, "Address not found"),
            ({"user_id": 999, "address_id": one.address_id}, 400, "User not found"),
            ({"user_email": "x", "address_id": one.address_id}, 400, "User not found"),
            ({"user_email": "a\0", "address_id": one.address_id}, 400, "Invalid input"),
            ({"user_id": ann.id, "address_id": one.address_id}, *DONE),
            ({"user_email": ANN, "address": one.address}, *DONE),
            ({"user_email": ANN, "address": "A2@inbox.test"}, *DONE),
            ({"user_id": bob.id, "address_id": one.address_id}, 400,
             "Address is already binded, please unbind first"),
            ({"user_id": ann.id, "address_id": three.address_id}, 400,
             "Max address count reached"),
        ):  # fmt: skip
            assert await post(site, path, body) == (status, words), body
        got = await site.http.get(f"{path}/{ann.id}", headers=ADMIN)
        assert [row["name"] for row in got.json()["results"]] == [two.address, one.address]
        got = await site.http.post(path, json={}, headers=CHINESE)
        assert got.text == "缺少地址令牌或用户令牌"
