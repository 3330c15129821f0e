"""Sign-in at a provider, row by row of mailbox-api §3.5 and §3.6. The provider is a simulator:
a receiver on loopback that answers as such providers do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from mailbox_service.config import Role
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, Site, running_site
from tests.webhook_receiver import Receiver, answer, receiving

pytestmark = pytest.mark.anyio

NOT_SET = "Oauth2 client ID is not set, please contact the administrator"
MISSING = "Oauth2 client ID or code is missing"
NO_TOKEN = "Failed to get access token from Oauth2 provider"
NO_PROFILE = "Failed to get user info from Oauth2 provider"
NO_EMAIL = "Failed to get user email from Oauth2 provider"
SETTINGS = "/admin/user_oauth2_settings"
CALLBACK = "/user_api/oauth2/callback"


def ok(value: Any) -> bytes:
    body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    return answer(200, "OK", body)


TOKEN, PROFILE = {"access_token": "t-1", "token_type": "bearer"}, {"email": "ann@home.example"}


@pytest.fixture
async def provider() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def site(tmp_path: Any) -> AsyncIterator[Site]:
    async with running_site(tmp_path, oauth2_private_addresses=True) as running:
        yield running


def entry(provider: Receiver | None = None, **changes: Any) -> dict[str, Any]:
    base = f"http://127.0.0.1:{provider.port if provider else 1}"
    return {
        "name": "Hub",
        "icon": "<svg/>",
        "clientID": "id-1",
        "clientSecret": "shh",
        "authorizationURL": "https://hub.example/authorize",
        "accessTokenURL": f"{base}/token",
        "accessTokenFormat": "json",
        "userInfoURL": f"{base}/user",
        "redirectURL": "https://mail.example/user/oauth2/callback",
        "userEmailKey": "email",
        "scope": "user:email",
        **changes,
    }


async def save(site: Site, *providers: Any) -> None:
    got = await site.http.post(SETTINGS, json=list(providers), headers=ADMIN)
    assert (got.status_code, got.json()) == (200, {"success": True}), got.text


async def call_back(site: Site, **more: Any) -> Any:
    return await site.http.post(CALLBACK, json={"clientID": "id-1", "code": "c-1", **more})


# --- §3.6, settings ----------------------------------------------------------------------------


async def test_settings_are_returned_as_they_were_posted(site: Site) -> None:
    got = await site.http.get(SETTINGS, headers=ADMIN)
    assert (got.status_code, got.json()) == (200, [])
    providers = [
        entry(),
        entry(name="Two", clientID="id-2", more={"x": [1]}, logoutURL="https://x"),
    ]
    await save(site, *providers)
    got = await site.http.get(SETTINGS, headers=ADMIN)
    assert got.json() == providers
    await save(site)
    assert (await site.http.get(SETTINGS, headers=ADMIN)).json() == []


@pytest.mark.parametrize(
    "field",
    [
        *("name", "clientID", "clientSecret", "authorizationURL", "accessTokenURL"),
        *("accessTokenFormat", "userInfoURL", "redirectURL", "userEmailKey", "scope"),
    ],
)
async def test_each_needed_field_is_needed(site: Site, field: str) -> None:
    await save(site, entry())
    wrong = {**entry(), field: ""}
    got = await site.http.post(SETTINGS, json=[entry(), wrong], headers=ADMIN)
    assert (got.status_code, got.text) == (400, f"{wrong['name']} is missing required fields")
    assert (await site.http.get(SETTINGS, headers=ADMIN)).json() == [entry()]


async def test_an_allow_list_that_is_on_is_needed(site: Site) -> None:
    wrong = entry(enableMailAllowList=True, mailAllowList=[])
    got = await site.http.post(SETTINGS, json=[wrong], headers=ADMIN)
    assert (got.status_code, got.text) == (400, "Hub is missing mail allow list")


@pytest.mark.parametrize("value", [b"{}", b'"x"', b"[1]", b"null"])
async def test_settings_are_a_list(site: Site, value: bytes) -> None:
    got = await site.http.post(SETTINGS, content=value, headers=ADMIN)
    assert got.status_code == 500
    assert got.text.startswith("TypeError ")


async def test_settings_are_the_administrators(site: Site) -> None:
    for method in ("GET", "POST"):
        assert (await site.http.request(method, SETTINGS, json=[])).status_code == 401


# --- §3.5, login_url ---------------------------------------------------------------------------


async def test_the_login_url_is_that_of_the_provider(site: Site) -> None:
    await save(site, entry(scope="openid email"))
    got = await site.http.get("/user_api/oauth2/login_url?clientID=id-1&state=s%201")
    assert got.status_code == 200
    assert got.json() == {
        "url": "https://hub.example/authorize?client_id=id-1&response_type=code"
        "&redirect_uri=https://mail.example/user/oauth2/callback&scope=openid%20email&state=s%201"
    }


@pytest.mark.parametrize("query", ["", "?clientID=", "?clientID=nope&state=s", "?state=s"])
async def test_an_unknown_provider_has_no_login_url(site: Site, query: str) -> None:
    await save(site, entry())
    got = await site.http.get(f"/user_api/oauth2/login_url{query}")
    assert (got.status_code, got.text) == (400, NOT_SET)
    got = await site.http.get(f"/user_api/oauth2/login_url{query}", headers={"x-lang": "zh"})
    assert got.text == "未设置 Oauth2 客户端 ID，请联系管理员"


# --- §3.5, callback ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, MISSING),
        ({"clientID": "id-1"}, MISSING),
        ({"code": "c"}, MISSING),
        ({"clientID": "id-1", "code": ""}, MISSING),
        ({"clientID": "nope", "code": "c"}, NOT_SET),
    ],
)
async def test_a_callback_names_provider_and_code(
    site: Site, body: dict[str, Any], text: str
) -> None:
    await save(site, entry())
    got = await site.http.post(CALLBACK, json=body)
    assert (got.status_code, got.text) == (400, text)


async def test_whoever_comes_back_is_signed_in(site: Site, provider: Receiver) -> None:
    provider.answers = [ok(TOKEN), ok({**PROFILE, "name": "Ann"})]
    await save(site, entry(provider))
    got = await call_back(site)
    assert got.status_code == 200, got.text
    assert set(got.json()) == {"jwt"}
    proved = await site.parts.accounts.principal_of(got.json()["jwt"])
    assert proved.email == "ann@home.example"
    asked, looked = provider.got
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["accept"] == "application/json"
    assert json.loads(asked.body) == {
        "code": "c-1",
        "client_id": "id-1",
        "client_secret": "shh",
        "grant_type": "authorization_code",
        "redirect_uri": "https://mail.example/user/oauth2/callback",
    }
    assert (looked.method, looked.path) == ("GET", "/user")
    assert looked.headers["authorization"] == "bearer t-1"
    assert looked.headers["accept"] == "application/json"
    assert looked.headers["user-agent"]


async def test_the_same_person_keeps_the_same_account(site: Site, provider: Receiver) -> None:
    await save(site, entry(provider))
    found = set()
    for _ in range(2):
        provider.answers = [ok(TOKEN), ok(PROFILE)]
        proved = await site.parts.accounts.principal_of((await call_back(site)).json()["jwt"])
        found.add(proved.user_id)
    assert len(found) == 1


async def test_an_account_of_a_provider_has_no_password(site: Site, provider: Receiver) -> None:
    """§3.5: password `''`; nobody logs in with the empty one."""
    provider.answers = [ok(TOKEN), ok(PROFILE)]
    await save(site, entry(provider))
    await call_back(site)
    account = await site.parts.accounts.find_by_email("ann@home.example")
    assert account is not None
    assert account.password_hash is None


async def test_a_form_is_sent_and_read_where_the_provider_wants_it(
    site: Site, provider: Receiver
) -> None:
    provider.answers = [ok("access_token=t-1&scope=user"), ok(PROFILE)]
    await save(site, entry(provider, accessTokenFormat="urlencoded"))
    assert (await call_back(site, code="a&b=c")).status_code == 200
    asked, looked = provider.got
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.text)["code"] == ["a&b=c"]
    assert looked.headers["authorization"] == "Bearer t-1"


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ([answer(401, "No", b'{"access_token": "t"}')], NO_TOKEN),
        ([answer(302, "Found", b"", "Location: http://127.0.0.1/\r\n")], NO_TOKEN),
        ([ok({"error": "bad_verification_code"})], NO_TOKEN),
        ([ok("<html>")], NO_TOKEN),
        ([ok({"access_token": "a\r\nX-Evil: 1"})], NO_TOKEN),
        ([ok({"access_token": "t", "pad": "x" * 70_000})], NO_TOKEN),
        ([ok(TOKEN), answer(500, "Oops")], NO_PROFILE),
        ([ok(TOKEN), ok("<html>")], NO_PROFILE),
        ([ok(TOKEN), ok({"email": None})], NO_EMAIL),
        ([ok(TOKEN), ok({"email": "  "})], NO_EMAIL),
        ([ok(TOKEN), ok({})], NO_EMAIL),
    ],
)
async def test_what_a_provider_does_wrong_is_told(
    site: Site, provider: Receiver, answers: list[bytes], text: str
) -> None:
    """Hazard 40: nothing is followed, and no more is read than fits."""
    provider.answers = answers
    await save(site, entry(provider))
    got = await call_back(site)
    assert (got.status_code, got.text) == (400, text)


async def test_a_provider_that_is_away_is_told(site: Site) -> None:
    await save(site, entry())
    got = await call_back(site)
    assert (got.status_code, got.text) == (400, NO_TOKEN)


async def test_an_address_is_found_by_path_and_rewritten(site: Site, provider: Receiver) -> None:
    profile = {"emails": [{"value": "no", "primary": False}, {"value": " ann ", "primary": True}]}
    provider.answers = [ok(TOKEN), ok(profile)]
    rule = {
        "userEmailKey": "$.emails[?(@.primary==true)].value",
        "enableEmailFormat": True,
        "userEmailFormat": "^(.+)$",
        "userEmailReplace": "$1@linux.do",
    }
    await save(site, entry(provider, **rule))
    assert (await call_back(site)).status_code == 200
    assert await site.parts.accounts.find_by_email("ann@linux.do") is not None


async def test_the_allow_list_is_that_of_the_provider(site: Site, provider: Receiver) -> None:
    await save(site, entry(provider, enableMailAllowList=True, mailAllowList=["HOME.example"]))
    provider.answers = [ok(TOKEN), ok(PROFILE)]
    assert (await call_back(site)).status_code == 200
    provider.answers = [ok(TOKEN), ok({"email": "a@evil.example"})]
    got = await call_back(site)
    words = 'User mail domain must be in this list [\n  "HOME.example"\n]'
    assert (got.status_code, got.text) == (400, words)
    assert await site.parts.accounts.find_by_email("a@evil.example") is None


async def test_the_default_role_is_given(site_with: SiteWith, provider: Receiver) -> None:
    async with site_with(
        oauth2_private_addresses=True,
        user_roles=[Role(role="member")],
        user_default_role="member",
    ) as site:
        provider.answers = [ok(TOKEN), ok(PROFILE)]
        await save(site, entry(provider))
        assert (await call_back(site)).status_code == 200
        account = await site.parts.accounts.find_by_email("ann@home.example")
        assert account is not None
        assert account.role == "member"


async def test_an_unknown_default_role_is_told(site_with: SiteWith, provider: Receiver) -> None:
    async with site_with(oauth2_private_addresses=True, user_default_role="nope") as site:
        provider.answers = [ok(TOKEN), ok(PROFILE)]
        await save(site, entry(provider))
        got = await call_back(site)
        words = "Invalid user default role, please contact the administrator"
        assert (got.status_code, got.text) == (500, words)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:{port}/token", "http://localhost:{port}/token"),
        *("http://2130706433:{port}/token", "http://[::1]:{port}/token"),
        *("http://[::ffff:127.0.0.1]:{port}/token", "http://0:{port}/token"),
        *("http://169.254.169.254/latest", "file:///etc/passwd", "gopher://127.0.0.1:{port}/"),
    ],
)
@pytest.mark.parametrize("field", ["accessTokenURL", "userInfoURL"])
async def test_a_provider_has_no_private_address(
    site_with: SiteWith, provider: Receiver, url: str, field: str
) -> None:
    """Hazard 40."""
    async with site_with() as site:
        await save(site, entry(provider, **{field: url.replace("{port}", str(provider.port))}))
        got = await call_back(site)
        assert (got.status_code, got.text) == (400, NO_TOKEN)
        assert provider.connections == 0


# --- State ------------------------------------------------------------------------------------


async def begin(site: Site, state: str) -> None:
    got = await site.http.get(f"/user_api/oauth2/login_url?clientID=id-1&state={state}")
    assert got.status_code == 200


async def test_a_state_that_is_told_brings_back_once(site: Site, provider: Receiver) -> None:
    await save(site, entry(provider), entry(provider, clientID="id-2"))
    await begin(site, "s-1")
    provider.answers = [ok(TOKEN), ok(PROFILE)]
    for state in ("s-2", "", "x" * 5_000):
        assert (await call_back(site, state=state)).status_code == 400
    assert (await call_back(site, state="s-1", clientID="id-2")).status_code == 400
    assert (await call_back(site, state="s-1")).status_code == 200
    assert (await call_back(site, state="s-1")).status_code == 400
    assert len(provider.got) == 2


async def test_a_state_may_be_needed(site_with: SiteWith, provider: Receiver) -> None:
    async with site_with(oauth2_private_addresses=True, oauth2_require_state=True) as site:
        await save(site, entry(provider))
        assert (await call_back(site)).status_code == 400
        assert provider.got == []
        await begin(site, "s-1")
        provider.answers = [ok(TOKEN), ok(PROFILE)]
        assert (await call_back(site, state="s-1")).status_code == 200


async def test_no_secret_is_told_to_anybody(
    site: Site, provider: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 50: a provider that quotes the secret in its refusal."""
    provider.answers = [answer(400, "shh", b'{"error": "bad secret shh"}')]
    await save(site, entry(provider))
    got = await call_back(site)
    assert "shh" not in got.text
    assert "shh" not in caplog.text
    assert "c-1" not in caplog.text
