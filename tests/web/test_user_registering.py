"""Open an account and come back to it, row by row of mailbox-api §3.5."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from mailbox_service.config import Role
from mailbox_service.core.stored import Excerpt
from tests.web.conftest import SiteWith
from tests.web.people import access_token, digest, rules, sign_up
from tests.web.site import ADMIN, Site

pytestmark = pytest.mark.anyio

SENDER = "noreply@inbox.test"
MAILED = {"enable": True, "enableMailVerify": True, "verifyMailSender": SENDER}
LISTED = {"enableMailAllowList": True, "mailAllowList": ["home.example", "Second.test"]}
# JavaScript's JSON.stringify(list, null, 2)
IN_LIST = 'User mail domain must be in this list [\n  "home.example",\n  "Second.test"\n]'
PATTERN = {"enableEmailCheckRegex": True, "emailCheckRegex": r"^\w+@"}
ANN = "ann@home.example"
GOOD = {"email": ANN, "password": digest("secret")}


async def mailed_code(site: Site, address: str) -> str:
    """Deliver what is due, and read the newest code of a mailbox of ours."""
    await site.parts.delivering.deliver_due()
    page = await site.parts.reading.page(address, Excerpt(1))
    content = await site.parts.reading.content(address, page.messages[0].id)
    assert content is not None
    found = re.search(rb"Your verify code is (\d{6})\r\n", content[1])
    assert found
    return found[1].decode()


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, {}),
        ({"enable": True}, {"enable": True}),
        ({"enable": False}, {"enable": False}),
        (MAILED, {"enable": True, "enableMailVerify": True}),
    ],
)
async def test_the_open_settings(
    site: Site, settings: dict[str, Any], shown: dict[str, bool]
) -> None:
    if settings:
        await rules(site, **settings)
    got = await site.http.get("/user_api/open_settings")
    assert (got.status_code, got.json()) == (200, {**shown, "oauth2ClientIDs": []})


async def test_the_open_settings_show_no_secret_of_a_provider(site: Site) -> None:
    provider = {"name": "Hub", "clientID": "c1", "clientSecret": "hidden", "icon": "<svg/>"}
    plain = {"name": "Plain", "clientID": "c2", "clientSecret": "hidden"}
    await site.parts.administering.change({"oauth2_settings": [provider, plain]})
    got = await site.http.get("/user_api/open_settings")
    assert got.json()["oauth2ClientIDs"] == [
        {"clientID": "c1", "name": "Hub", "icon": "<svg/>"},
        {"clientID": "c2", "name": "Plain"},
    ]


# settings, body, status, text, text in Chinese: the order of checks is that of the rows.
REGISTER = [
    ({}, {}, 403, "User registration is disabled, please contact the administrator", "用户注册"),
    ({"enable": True}, {}, 400, "Invalid email or password", "邮箱或密码错误"),
    ({"enable": True}, {"email": ANN}, 400, "Invalid email or password", "邮箱"),
    ({"enable": True}, {"password": "x"}, 400, "Invalid email or password", "邮箱"),
    ({"enable": True}, {**GOOD, "email": "x" * 300}, 400, "Invalid email or password", "邮箱"),
    ({"enable": True}, {**GOOD, "email": "a\0@b"}, 400, "Invalid email or password", "邮箱"),
    ({"enable": True}, {**GOOD, "password": "x" * 101}, 500, "Error Invalid password", "Error "),
    (MAILED, {**GOOD, "password": "x" * 101}, 500, "Error Invalid password", "Error "),
    (MAILED, GOOD, 400, "Invalid verify code", "验证码无效"),
    (MAILED, {**GOOD, "code": "123456"}, 400, "Invalid verify code", "验证码无效"),
    ({"enable": True, **LISTED}, {**GOOD, "email": "a@far.example"}, 400, IN_LIST, "用户邮箱域名"),
    ({"enable": True, **LISTED}, {**GOOD, "email": "home.example"}, 200, '{"success":true}', ""),
    ({"enable": True, **LISTED}, {**GOOD, "email": "a@SECOND.Test "}, 200, '{"success":true}', ""),
    ({"enable": True, **LISTED}, {**GOOD, "email": "a@home.example@x"}, 400, IN_LIST, "用户邮箱"),
    (
        {"enable": True, **PATTERN}, {**GOOD, "email": "ann-b@home.example"}, 400,
        r"Email address format does not match the required pattern: /^\w+@/", "邮箱地址格式",
    ),
    ({"enable": True, **LISTED, **PATTERN}, {**GOOD, "email": "a-b@far"}, 400, IN_LIST, "用户"),
    ({"enable": True, **PATTERN, "emailCheckRegex": "("}, GOOD, 200, '{"success":true}', ""),
    ({"enable": True, **LISTED, "mailAllowList": []}, GOOD, 400,
     "User mail domain must be in this list []", "用户"),
    ({"enable": True}, GOOD, 200, '{"success":true}', ""),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "body", "status", "words", "chinese"), REGISTER)
async def test_registering(
    site: Site, settings: dict[str, Any], body: Any, status: int, words: str, chinese: str
) -> None:
    if settings:
        await rules(site, **settings)
    got = await site.http.post("/user_api/register", json=body, headers={"x-lang": "zh"})
    assert (got.status_code, got.text[: len(chinese)]) == (status, chinese)
    if status == 200:
        return
    got = await site.http.post("/user_api/register", json=body)
    assert (got.status_code, got.text) == (status, words)


async def test_without_codes_an_account_is_opened_once(site: Site) -> None:
    await rules(site, enable=True)
    assert (await site.http.post("/user_api/register", json=GOOD)).json() == {"success": True}
    got = await site.http.post("/user_api/register", json=GOOD)
    assert (got.status_code, got.text) == (400, "User already exists, please login")
    # The e-mail is kept as it was typed.
    other = {**GOOD, "email": "Ann@home.example"}
    assert (await site.http.post("/user_api/register", json=other)).status_code == 200


async def test_a_code_opens_the_account_and_later_resets_its_password(
    site_with: SiteWith,
) -> None:
    """The way back in is the same call; a code works once."""
    async with site_with(user_roles=[Role(role="vip")], user_default_role="vip") as site:
        box = await site.open("ann")
        await rules(site, **MAILED)
        for password in ("first", "second"):
            got = await site.http.post("/user_api/verify_code", json={"email": box.address})
            assert (got.status_code, got.json()) == (200, {"success": True, "expirationTtl": 300})
            code = await mailed_code(site, box.address)
            body = {"email": box.address, "password": digest(password), "code": code}
            got = await site.http.post("/user_api/register", json=body)
            assert (got.status_code, got.json()) == (200, {"success": True})
            got = await site.http.post("/user_api/register", json=body)
            assert (got.status_code, got.text) == (400, "Invalid verify code")
        account = await site.parts.accounts.find_by_email(box.address)
        assert account is not None
        assert account.role == "vip"
        login = {"email": box.address, "password": digest("first")}
        assert (await site.http.post("/user_api/login", json=login)).status_code == 400
        login["password"] = digest("second")
        assert (await site.http.post("/user_api/login", json=login)).status_code == 200


async def test_a_default_role_that_is_none_is_told_and_the_account_is_there(
    site_with: SiteWith,
) -> None:
    async with site_with(user_default_role="gone") as site:
        box = await site.open("ann")
        await rules(site, **MAILED)
        await site.http.post("/user_api/verify_code", json={"email": box.address})
        body = {**GOOD, "email": box.address, "code": await mailed_code(site, box.address)}
        got = await site.http.post("/user_api/register", json=body)
        assert (got.status_code, got.text) == (
            500, "Invalid user default role, please contact the administrator"
        )  # fmt: skip
        assert await site.parts.accounts.find_by_email(box.address) is not None


async def test_a_code_may_come_as_a_number(site: Site) -> None:
    box = await site.open("ann")
    await rules(site, **MAILED)
    await site.http.post("/user_api/verify_code", json={"email": box.address})
    code = int(await mailed_code(site, box.address))
    body = {**GOOD, "email": box.address, "code": code}
    assert (await site.http.post("/user_api/register", json=body)).status_code == 200


# settings, e-mail, status, text
CODES = [
    (LISTED, "a@far.example", 400, IN_LIST),
    ({**LISTED, **PATTERN}, "a-b@home.example", 400,
     r"Email address format does not match the required pattern: /^\w+@/"),
    ({}, ANN, 400, "Verify mail sender address is not set, please contact the administrator"),
    ({"verifyMailSender": SENDER}, ANN, 200, '{"success":true,"expirationTtl":300}'),
    ({"verifyMailSender": SENDER}, "", 500,
     "Failed to send verify code: Invalid recipient address"),
    ({"verifyMailSender": SENDER}, None, 500,
     "Failed to send verify code: Invalid recipient address"),
    ({"verifyMailSender": SENDER}, "a@b,c@d", 500,
     "Failed to send verify code: Invalid recipient address"),
    ({"verifyMailSender": "x@far.example"}, ANN, 500,
     "Failed to send verify code: Invalid domain"),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "email", "status", "words"), CODES)
async def test_asking_for_a_code(
    site: Site, settings: dict[str, Any], email: str | None, status: int, words: str
) -> None:
    """§3.5: in the order of its checks, and whether or not registration is on."""
    await rules(site, **settings)
    got = await site.http.post("/user_api/verify_code", json={"email": email})
    assert (got.status_code, got.text) == (status, words)
    # What was not sent does not count: the next request gets the same answer.
    if status != 200:
        got = await site.http.post("/user_api/verify_code", json={"email": email})
        assert (got.status_code, got.text) == (status, words)


async def test_a_code_that_is_alive_is_not_sent_again(site: Site) -> None:
    await rules(site, **MAILED)
    asked = await asyncio.gather(
        *(site.http.post("/user_api/verify_code", json={"email": ANN}) for _ in range(5))
    )
    assert sorted(got.status_code for got in asked) == [200, 400, 400, 400, 400]
    refused = next(got for got in asked if got.status_code == 400)
    assert refused.text == "Code already sent, please wait"


async def test_a_code_costs_its_sender_nothing_and_shows_in_no_sent_box(site: Site) -> None:
    """The sender's mailbox may be anybody's who opened it; codes are for their recipients."""
    await rules(site, **MAILED)
    box = await site.open("noreply")
    await site.http.post("/user_api/verify_code", json={"email": ANN})
    got = await site.http.get("/api/settings", headers=box.auth)
    assert got.json() == {"address": SENDER, "send_balance": 10}
    for path in ("/api/sendbox?limit=20&offset=0", "/api/sent"):
        got = await site.http.get(path, headers=box.auth)
        assert got.json()["count"] == 0
        assert "verify code" not in got.text


async def test_a_code_takes_five_tries(site: Site) -> None:
    box = await site.open("ann")
    await rules(site, **MAILED)
    await site.http.post("/user_api/verify_code", json={"email": box.address})
    code = await mailed_code(site, box.address)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    tries = await asyncio.gather(
        *(
            site.http.post("/user_api/register", json={**GOOD, "email": box.address, "code": wrong})
            for _ in range(5)
        )
    )
    assert {got.status_code for got in tries} == {400}
    got = await site.http.post(
        "/user_api/register", json={**GOOD, "email": box.address, "code": code}
    )
    assert (got.status_code, got.text) == (400, "Invalid verify code")


async def test_the_right_code_does_not_pass_the_list(site: Site) -> None:
    """The list may have changed since the code was mailed; the code is kept."""
    box = await site.open("ann")
    await rules(site, **MAILED)
    await site.http.post("/user_api/verify_code", json={"email": box.address})
    body = {**GOOD, "email": box.address, "code": await mailed_code(site, box.address)}
    await rules(site, **MAILED, **LISTED)
    got = await site.http.post("/user_api/register", json=body)
    assert (got.status_code, got.text) == (400, IN_LIST)
    await rules(site, **MAILED)
    assert (await site.http.post("/user_api/register", json=body)).status_code == 200


# body, status, text, text in Chinese
LOGINS = [
    ({}, 400, "Invalid email or password", "邮箱或密码错误"),
    ({"email": ANN}, 400, "Invalid email or password", "邮箱或密码错误"),
    ({"email": ANN, "password": ""}, 400, "Invalid email or password", "邮箱或密码错误"),
    ({"email": "bob@home.example", "password": "x"}, 400, "User not found", "用户不存在"),
    ({"email": "Ann@home.example", "password": "x"}, 400, "User not found", "用户不存在"),
    ({"email": "a\0", "password": "x"}, 400, "User not found", "用户不存在"),
    ({"email": ANN, "password": "secret"}, 400, "Invalid email or password", "邮箱或密码错误"),
    ({"email": ANN, "password": digest("x")}, 400, "Invalid email or password", "邮箱或密码错误"),
]


@pytest.mark.parametrize(("body", "status", "words", "chinese"), LOGINS)
async def test_a_login_that_is_refused(
    site: Site, body: Any, status: int, words: str, chinese: str
) -> None:
    await sign_up(site)
    for headers, expected in (({}, words), ({"x-lang": "zh"}, chinese)):
        got = await site.http.post("/user_api/login", json=body, headers=headers)
        assert (got.status_code, got.text) == (status, expected)


async def test_an_account_without_password_is_not_logged_in_to(site: Site) -> None:
    await site.parts.accounts.ensure(ANN, source="provider")
    got = await site.http.post("/user_api/login", json=GOOD)
    assert (got.status_code, got.text) == (400, "User not found")


async def test_guesses_are_slowed(site: Site) -> None:
    """Hazard 47: ten wrong passwords a minute from one client."""
    await sign_up(site)
    client = site.client("192.0.2.9")
    async with client:
        for _ in range(10):
            got = await client.post("/user_api/login", json={**GOOD, "password": digest("x")})
            assert got.status_code == 400
        got = await client.post("/user_api/login", json=GOOD)
        assert got.status_code == 429
        assert int(got.headers["retry-after"]) > 0
    assert (await site.http.post("/user_api/login", json=GOOD)).status_code == 200


async def test_human_verification_is_asked_where_the_contract_says(site_with: SiteWith) -> None:
    """§2.4: at codes and at registrations without them; at logins only where it is global."""
    keys = {"cf_turnstile_site_key": "k", "cf_turnstile_secret_key": "s"}
    failed = (400, "Human verification check failed")
    async with site_with(**keys) as site:
        await rules(site, enable=True, verifyMailSender=SENDER)
        got = await site.http.post("/user_api/verify_code", json={"email": ANN})
        assert (got.status_code, got.text) == failed
        got = await site.http.post("/user_api/register", json=GOOD)
        assert (got.status_code, got.text) == failed
        await rules(site, **MAILED)
        got = await site.http.post("/user_api/register", json=GOOD)
        assert got.text == "Invalid verify code"
        got = await site.http.post("/user_api/login", json=GOOD)
        assert got.text == "User not found"
    async with site_with(**keys, enable_global_turnstile_check=True) as site:
        got = await site.http.post("/user_api/login", json=GOOD)
        assert (got.status_code, got.text) == failed
        got = await site.http.post("/user_api/login", json={})
        assert got.text == "Invalid email or password"


ROLES = [Role(role="vip", domains=["second.test"], prefix="vip"), Role(role="chief")]
VIP = {"role": "vip", "domains": ["second.test"], "prefix": "vip"}


async def test_the_settings_of_an_account(site_with: SiteWith) -> None:
    async with site_with(user_roles=ROLES) as site:
        ann = await sign_up(site)
        got = (await site.http.get("/user_api/settings", headers=ann.auth)).json()
        assert got["exp"] - got["iat"] == 30 * 86_400
        assert got == {
            "user_email": ANN, "user_id": ann.id, "iat": got["iat"], "exp": got["exp"],
            "access_token": None, "new_user_token": None, "user_role": None,
        }  # fmt: skip
        bob = await sign_up(site, "bob@home.example", role="vip")
        got = (await site.http.get("/user_api/settings", headers=bob.auth)).json()
        assert got["user_role"] == VIP
        assert "is_admin" not in got
        claims = site.parts.authenticating.signed_claims(got["access_token"])
        assert claims["exp"] - claims["iat"] == 3600
        assert claims == {
            "user_email": bob.email, "user_id": bob.id, "user_role": "vip",
            "iat": claims["iat"], "exp": claims["exp"],
        }  # fmt: skip


async def test_who_is_an_administrator_is_told_where_there_is_such_a_role(
    site_with: SiteWith,
) -> None:
    async with site_with(user_roles=ROLES, admin_user_role="chief") as site:
        ann = await sign_up(site)
        bob = await sign_up(site, "bob@home.example", role="chief")
        for person, chief in ((ann, False), (bob, True)):
            got = await site.http.get("/user_api/settings", headers=person.auth)
            assert got.json()["is_admin"] is chief
        account = await site.parts.accounts.by_id(ann.id)
        assert account is not None
        await site.parts.database.write(give_old_role, ann.id)
        got = (await site.http.get("/user_api/settings", headers=ann.auth)).json()
        assert "user_role" not in got  # no longer configured
        assert (got["access_token"], got["is_admin"]) == (None, False)


async def give_old_role(tx: Any, user_id: int) -> None:
    await tx.execute("UPDATE users SET role = 'old' WHERE id = :id", {"id": user_id})


async def test_a_token_that_ends_soon_is_renewed(site: Site) -> None:
    ann = await sign_up(site)
    claims = site.parts.authenticating.signed_claims(ann.token)
    for left, renewed in ((8 * 86_400, False), (6 * 86_400, True), (60, True)):
        token = site.parts.authenticating.sign({**claims, "exp": claims["iat"] + left})
        got = await site.http.get("/user_api/settings", headers={"x-user-token": token})
        new = got.json()["new_user_token"]
        assert (new is not None) is renewed
        if new:
            got = await site.http.get("/user_api/settings", headers={"x-user-token": new})
            assert got.status_code == 200


async def test_a_deleted_account_is_told_so(site: Site) -> None:
    ann = await sign_up(site)
    await site.http.delete(f"/admin/users/{ann.id}", headers=ADMIN)
    got = await site.http.get("/user_api/settings", headers=ann.auth)
    assert (got.status_code, got.text) == (400, "User not found")
    got = await site.http.get("/user_api/settings", headers={**ann.auth, "x-lang": "zh"})
    assert got.text == "用户不存在"


async def test_the_role_of_administrators_opens_their_routes(site_with: SiteWith) -> None:
    """§2.2: by the access token alone, for an hour, and no longer than the account has it."""
    async with site_with(user_roles=ROLES, admin_user_role="chief") as site:
        ann = await sign_up(site, role="chief")
        bob = await sign_up(site, "bob@home.example", role="vip")
        token = await access_token(site, ann) or ""
        other = await access_token(site, bob) or ""
        sign, claims = site.parts.authenticating.sign, site.parts.authenticating.signed_claims
        chief = claims(token)
        not_admin = "Your user role is not admin, no access to visit this page"
        ended = "Your access token has expired, please refresh the page"
        needed = "You need to provide the admin password to access this page"
        without = {name: value for name, value in chief.items() if name != "exp"}
        for shown, status, words in (
            (token, 200, ""),
            (other, 401, not_admin),
            (ann.token, 401, not_admin),
            (sign({**chief, "exp": chief["iat"] - 1}), 401, ended),
            (sign(without), 401, ended),
            ("nonsense", 401, needed),
            (token[:-2], 401, needed),
        ):
            got = await site.http.get("/admin/statistics", headers={"x-user-access-token": shown})
            assert (got.status_code, got.text[: len(words)]) == (status, words), shown
            got = await site.http.get(
                "/admin/statistics", headers={"x-user-access-token": shown, **ADMIN}
            )
            assert got.status_code == 200  # the password comes first
        got = await site.http.get(
            "/admin/statistics", headers={"x-user-access-token": other, "x-lang": "zh"}
        )
        assert got.text == "您的用户角色不是管理员，无权访问此页面"
        await site.http.post(
            "/admin/user_roles", json={"user_id": ann.id, "role_text": "vip"}, headers=ADMIN
        )
        got = await site.http.get("/admin/statistics", headers={"x-user-access-token": token})
        assert (got.status_code, got.text) == (401, not_admin)
        await site.http.delete(f"/admin/users/{ann.id}", headers=ADMIN)
        got = await site.http.get("/admin/statistics", headers={"x-user-access-token": token})
        assert (got.status_code, got.text) == (401, not_admin)


async def test_without_such_a_role_an_access_token_opens_nothing(site_with: SiteWith) -> None:
    async with site_with(user_roles=ROLES) as site:
        ann = await sign_up(site, role="chief")
        headers = {"x-user-access-token": await access_token(site, ann) or ""}
        assert (await site.http.get("/admin/statistics", headers=headers)).status_code == 401
