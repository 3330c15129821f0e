"""Opening an address, coming back, leaving: mailbox-api §3.2, §3.3 and §4 as tables of cases."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, ADMIN_PASSWORD, SITE_PASSWORD, Site

pytestmark = pytest.mark.anyio


def digest(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()


# body, status, address or text
OPENING: list[tuple[dict[str, Any], int, str]] = [
    ({"name": "ann"}, 200, "ann@inbox.test"),
    ({"name": " ann "}, 200, "ann@inbox.test"),
    ({"name": "a.n+n_-n"}, 200, "annn@inbox.test"),
    ({"name": "MyName"}, 200, "yame@inbox.test"),
    ({"name": "ann", "domain": "second.test"}, 200, "ann@second.test"),
    ({"name": "ann", "domain": " SECOND.test "}, 200, "ann@second.test"),
    ({"name": "ann", "domain": None, "cf_token": None}, 200, "ann@inbox.test"),
    ({"name": "ann", "enableRandomSubdomain": False}, 200, "ann@inbox.test"),
    ({"name": "ann", "unknown": [1, {"x": None}]}, 200, "ann@inbox.test"),
    ({"name": "ann", "domain": "foreign.test"}, 400, "Failed to create address: Invalid domain"),
    ({"name": "ann", "domain": "x.inbox.test"}, 400, "Failed to create address: Invalid domain"),
    (
        {"name": "ann", "enableRandomSubdomain": True},
        400,
        "Failed to create address: Random subdomain is not enabled for this domain",
    ),
    (
        {"name": "ann", "enableRandomSubdomain": "true"},
        400,
        "Failed to create address: Random subdomain is not enabled for this domain",
    ),
    ({"name": "ABC"}, 400, "Failed to create address: Name is too short (min 1)"),
    ({"name": "x" * 31}, 400, "Failed to create address: Name is too long (max 30)"),
]


@pytest.mark.parametrize(("body", "status", "result"), OPENING)
async def test_opening_an_address(
    site: Site, body: dict[str, Any], status: int, result: str
) -> None:
    answer = await site.http.post("/api/new_address", json=body)
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.text == result
        return
    opened = answer.json()
    assert set(opened) == {"jwt", "address", "password", "address_id"}
    assert opened["address"] == result
    assert re.fullmatch("[a-z0-9]{8}", opened["password"])
    assert isinstance(opened["address_id"], int)
    settings = await site.http.get(
        "/api/settings", headers={"Authorization": f"Bearer {opened['jwt']}"}
    )
    assert settings.json() == {"address": result, "send_balance": 10}


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": None}])
async def test_without_a_wish_the_name_is_ours(site: Site, body: dict[str, Any]) -> None:
    answer = await site.http.post("/api/new_address", json=body)
    assert re.fullmatch(r"[a-z0-9]{10,30}@inbox\.test", answer.json()["address"])


async def test_a_name_can_be_had_once(site: Site) -> None:
    await site.open("ann")
    answer = await site.http.post("/api/new_address", json={"name": "ann"})
    assert (answer.status_code, answer.text) == (
        400,
        "Failed to create address: Address already exists",
    )
    chinese = await site.http.post(
        "/api/new_address", json={"name": "ann"}, headers={"x-lang": "zh"}
    )
    assert not chinese.text.isascii()


# settings, body, status, text
CLOSED: list[tuple[dict[str, Any], int, str]] = [
    (
        {"enable_user_create_email": False},
        403,
        "New address is disabled, please contact the administrator",
    ),
    (
        {"disable_anonymous_user_create_email": True, "enable_user_create_email": False},
        403,
        "New address for anonymous user is disabled, please contact the administrator",
    ),
]


@pytest.mark.parametrize(("settings", "status", "words"), CLOSED)
async def test_visitors_open_addresses_only_where_they_may(
    site_with: SiteWith, settings: dict[str, Any], status: int, words: str
) -> None:
    async with site_with(**settings) as site:
        answer = await site.http.post("/api/new_address", json={"name": "ann"})
        assert (answer.status_code, answer.text) == (status, words)


async def test_a_blocked_name_is_told_bare_when_it_is_blocked_as_typed(site: Site) -> None:
    change = {"blockList": ["admin"], "sendBlockList": [], "verifiedAddressList": []}
    await site.http.post("/admin/account_settings", json=change, headers=ADMIN)
    answer = await site.http.post("/api/new_address", json={"name": "my-admin"})
    assert (answer.status_code, answer.text) == (400, "Name[my-admin]is blocked")
    answer = await site.http.post("/api/new_address", json={"name": "ad.min"})
    assert answer.text == "Failed to create address: Name[admin]is blocked"
    answer = await site.http.post("/admin/new_address", json={"name": "admin"}, headers=ADMIN)
    assert answer.json()["address"] == "admin@inbox.test"


async def test_a_random_subdomain_where_it_is_allowed(site_with: SiteWith) -> None:
    async with site_with(random_subdomain_domains=["inbox.test"]) as site:
        wish = {"name": "ann", "domain": "inbox.test", "enableRandomSubdomain": "true"}
        answer = await site.http.post("/api/new_address", json=wish)
        assert re.fullmatch(r"ann@[a-z0-9]{8}\.inbox\.test", answer.json()["address"])


async def test_without_passwords_an_address_has_none(site_with: SiteWith) -> None:
    async with site_with(enable_address_password=False) as site:
        opened = (await site.http.post("/api/new_address", json={})).json()
        assert opened["password"] is None
        login = {"email": opened["address"], "password": digest("x")}
        answer = await site.http.post("/api/address_login", json=login)
        assert (answer.status_code, answer.text) == (403, "Password login is disabled")
        answer = await site.http.post(
            "/api/address_change_password",
            json={"new_password": digest("x")},
            headers={"Authorization": f"Bearer {opened['jwt']}"},
        )
        assert (answer.status_code, answer.text) == (403, "Password change is disabled")


async def test_the_source_of_an_address_is_the_client(site: Site) -> None:
    async with site.client("198.51.100.7") as far:
        await far.post("/api/new_address", json={"name": "far"})
    listed = await site.http.get("/admin/address?limit=1&offset=0&query=far", headers=ADMIN)
    assert listed.json()["results"][0]["source_meta"] == "198.51.100.7"


async def test_coming_back_by_password(site: Site) -> None:
    ann = await site.open()
    assert ann.password
    answer = await site.http.post(
        "/api/address_login", json={"email": ann.address, "password": digest(ann.password)}
    )
    assert set(answer.json()) == {"jwt", "address"}
    assert answer.json()["address"] == ann.address
    token = {"Authorization": f"Bearer {answer.json()['jwt']}"}
    assert (await site.http.get("/api/settings", headers=token)).status_code == 200


# body, status, text
LOGINS: list[tuple[dict[str, Any], int, str]] = [
    ({}, 400, "Email and password are required"),
    ({"email": "ann@inbox.test"}, 400, "Email and password are required"),
    ({"email": "", "password": "x"}, 400, "Email and password are required"),
    ({"email": "nobody@inbox.test", "password": "x"}, 404, "Address not found"),
    ({"email": "no address", "password": "x"}, 404, "Address not found"),
    ({"email": "ann@inbox.test", "password": digest("x")}, 401, "Invalid email or password"),
    ({"email": "ann@inbox.test", "password": "PLAIN"}, 401, "Invalid email or password"),
]


@pytest.mark.parametrize(("body", "status", "words"), LOGINS)
async def test_a_login_that_proves_nothing(
    site: Site, body: dict[str, Any], status: int, words: str
) -> None:
    ann = await site.open()
    body = {name: ann.password if value == "PLAIN" else value for name, value in body.items()}
    answer = await site.http.post("/api/address_login", json=body)
    assert (answer.status_code, answer.text) == (status, words)


async def test_changing_the_password(site: Site) -> None:
    ann = await site.open()
    answer = await site.http.post(
        "/api/address_change_password", json={"new_password": digest("new")}, headers=ann.auth
    )
    assert answer.json() == {"success": True}
    for password, status in ((digest("new"), 200), (digest(ann.password or ""), 401)):
        login = {"email": ann.address, "password": password}
        assert (await site.http.post("/api/address_login", json=login)).status_code == status
    for body in ({}, {"new_password": ""}, {"new_password": None}):
        answer = await site.http.post("/api/address_change_password", json=body, headers=ann.auth)
        assert (answer.status_code, answer.text) == (400, "New password is required")


async def test_leaving_takes_everything_along(site: Site) -> None:
    ann = await site.open()
    await site.arrive()
    letter = {"to_mail": "bob@far.example", "subject": "s", "content": "c"}
    await site.http.post("/api/send_mail", json=letter, headers=ann.auth)
    assert (await site.http.delete("/api/delete_address", headers=ann.auth)).json() == {
        "success": True
    }
    answer = await site.http.get("/api/settings", headers=ann.auth)
    assert (answer.status_code, answer.text) == (400, "Invalid address")
    assert (await site.http.delete("/api/delete_address", headers=ann.auth)).status_code == 200
    again = await site.open()
    for path in ("/api/mails", "/api/sendbox"):
        answer = await site.http.get(f"{path}?limit=20&offset=0", headers=again.auth)
        assert answer.json() == {"results": [], "count": 0}


async def test_what_owners_may_not_delete(site_with: SiteWith) -> None:
    async with site_with(enable_user_delete_email=False) as site:
        ann = await site.open()
        mail_id = await site.arrive()
        words = "User delete address/email is disabled, please contact the administrator"
        for path in (
            f"/api/mails/{mail_id}",
            "/api/clear_inbox",
            "/api/clear_sent_items",
            "/api/sendbox/1",
        ):
            answer = await site.http.delete(path, headers=ann.auth)
            assert (answer.status_code, answer.text) == (403, words)
        answer = await site.http.delete("/api/delete_address", headers=ann.auth)
        assert (answer.status_code, answer.text) == (500, f"Error {words}")


SITE_KEYS = {
    "announcement", "alwaysShowAnnouncement", "prefix", "addressRegex", "minAddressLen",
    "maxAddressLen", "defaultDomains", "domains", "randomSubdomainDomains", "domainLabels",
    "needAuth", "enableUserCreateEmail", "disableAnonymousUserCreateEmail",
    "disableCustomAddressName", "enableUserDeleteEmail", "enableAutoReply", "enableIndexAbout",
    "enableWebhook", "enableAddressPassword", "enableAgentEmailInfo",
    "disableAdminPasswordCheck", "isS3Enabled", "enableSendMail", "version", "showGithub",
    "showGithubForUser", "smtpImapProxyConfig", "statusUrl", "enableGlobalTurnstileCheck",
}  # fmt: skip


async def test_the_open_settings_have_the_keys_of_the_contract(site_with: SiteWith) -> None:
    async with site_with(enable_owner_forwarding=False) as site:
        found = (await site.http.get("/open_api/settings")).json()
        assert set(found) == SITE_KEYS
        assert found["domains"] == found["defaultDomains"] == ["inbox.test", "second.test"]
        assert re.fullmatch(r"v\d+\.\d+\.\d+", found["version"])
        assert found["smtpImapProxyConfig"] == {
            "smtp": {"host": "inbox.test", "port": 8025, "starttls": False},
            "imap": {"host": "inbox.test", "port": 11143, "starttls": False},
        }
        assert found["needAuth"] is False
        assert found["enableSendMail"] is True
    texts: dict[str, Any] = {
        "title": "T",
        "admin_contact": "me",
        "copyright": "c",
        "cf_turnstile_site_key": "k",
    }
    texts["repository_url"] = "https://code.example/mailbox"
    texts["enable_owner_forwarding"] = False
    async with site_with(passwords=[SITE_PASSWORD], domains=["UP.test"], **texts) as site:
        found = (await site.http.get("/open_api/settings")).json()
        assert set(found) - SITE_KEYS == {
            "title", "adminContact", "copyright", "cfTurnstileSiteKey", "repositoryUrl"
        }  # fmt: skip
        assert found["domains"] == ["up.test"]
        assert found["needAuth"] is True
        shown = {"x-custom-auth": SITE_PASSWORD}
        found = (await site.http.get("/open_api/settings", headers=shown)).json()
        assert found["needAuth"] is False
    async with site_with(disable_show_github=True, **texts) as site:
        found = (await site.http.get("/open_api/settings")).json()
        assert (found["showGithub"], "repositoryUrl" in found) == (False, False)


SITE_WORDS = "You have enabled the private site password, please provide the password"
ADMIN_WORDS = "You need to provide the admin password to access this page"


async def test_the_logins_that_only_test_a_secret(site_with: SiteWith) -> None:
    async with site_with(passwords=[SITE_PASSWORD]) as site:
        for route, key, right, words in (
            ("site_login", "password", digest(SITE_PASSWORD), SITE_WORDS),
            ("admin_login", "password", digest(ADMIN_PASSWORD), ADMIN_WORDS),
        ):
            answer = await site.http.post(f"/open_api/{route}", json={key: right})
            assert answer.json() == {"success": True}
            for wrong in ("", None, "x", SITE_PASSWORD, ADMIN_PASSWORD, right.upper()):
                answer = await site.http.post(f"/open_api/{route}", json={key: wrong})
                assert (answer.status_code, answer.text) == (401, words)
    async with site_with() as site:
        answer = await site.http.post("/open_api/site_login", json={"password": digest("")})
        assert (answer.status_code, answer.text) == (401, SITE_WORDS)
        ann = await site.open()
        answer = await site.http.post("/open_api/credential_login", json={"credential": ann.jwt})
        assert answer.json() == {"success": True}
        for wrong in ("", None, "x", ann.jwt + "x"):
            answer = await site.http.post("/open_api/credential_login", json={"credential": wrong})
            assert (answer.status_code, answer.text) == (401, "Invalid address credential")


async def test_a_token_that_opens_nothing_any_more_is_no_credential(site: Site) -> None:
    """Revoked, or its address is closed: what every other route says of it (mailbox-api §2.1)."""
    ann, bob = await site.open("ann"), await site.open("bob")
    answer = await site.http.post("/api/revoke_tokens", headers=ann.auth)
    assert answer.status_code == 200, answer.text
    await site.parts.registering.close(bob.address_id, bob.address)
    for ended in (ann.jwt, bob.jwt):
        told = await site.http.post("/open_api/credential_login", json={"credential": ended})
        assert (told.status_code, told.text) == (401, "Invalid address credential")
    told = await site.http.post(
        "/open_api/credential_login", json={"credential": answer.json()["jwt"]}
    )
    assert told.json() == {"success": True}


class Turnstile:
    """Says yes to one token, and remembers whom it was asked about."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def is_human(self, token: str, client_ip: str) -> bool:
        self.asked.append((token, client_ip))
        return token == "human"


KEYS = {"cf_turnstile_site_key": "public", "cf_turnstile_secret_key": "secret"}
NOT_HUMAN = (400, "Human verification check failed")


async def test_opening_an_address_asks_for_a_human_where_both_keys_are_set(
    site_with: SiteWith,
) -> None:
    turnstile = Turnstile()
    async with site_with(verifying=turnstile, **KEYS) as site:
        for token in (None, "", "robot", "x" * 3_000):
            answer = await site.http.post("/api/new_address", json={"cf_token": token})
            assert (answer.status_code, answer.text) == NOT_HUMAN
        answer = await site.http.post("/api/new_address", json={"cf_token": "human"})
        assert answer.status_code == 200
        assert turnstile.asked == [("robot", "127.0.0.1"), ("human", "127.0.0.1")]
        login = {"email": "nobody@inbox.test", "password": "x"}
        assert (await site.http.post("/api/address_login", json=login)).status_code == 404
    async with site_with(verifying=turnstile, cf_turnstile_site_key="public") as site:
        assert (await site.http.post("/api/new_address", json={})).status_code == 200


async def test_logins_ask_too_where_the_site_wants_it_everywhere(site_with: SiteWith) -> None:
    settings = {**KEYS, "enable_global_turnstile_check": True}
    async with site_with(verifying=Turnstile(), **settings) as site:
        for path, body in (
            ("/open_api/site_login", {"password": "x"}),
            ("/open_api/admin_login", {"password": digest(ADMIN_PASSWORD)}),
            ("/open_api/credential_login", {"credential": "x"}),
            ("/api/address_login", {"email": "a@inbox.test", "password": "x"}),
        ):
            answer = await site.http.post(path, json=body)
            assert (answer.status_code, answer.text) == NOT_HUMAN
            answer = await site.http.post(path, json=body | {"cf_token": "human"})
            assert answer.text != NOT_HUMAN[1]


async def test_a_wish_for_human_verification_is_never_skipped(site_with: SiteWith) -> None:
    async with site_with(**KEYS) as site:
        answer = await site.http.post("/api/new_address", json={"cf_token": "human"})
        assert (answer.status_code, answer.text) == NOT_HUMAN
