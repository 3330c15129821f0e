"""The mini app, the bot's webhook and its administration, row by row of mailbox-api §3.6, §3.7."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailbox_service.core.telegram import webhook_secret
from tests.bot_api_simulator import BotApiSimulator
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, BOT_TOKEN, SECRET, Site, running_site
from tests.web.telegram_people import Conversation, ann, api, bob, init_data, pressed, update

__all__ = ["ann", "api", "bob"]

pytestmark = pytest.mark.anyio

NEEDED = "TELEGRAM_BOT_TOKEN is required"
APP = ("get_bind_address", "new_address", "bind_address", "unbind_address", "get_mail")
SETTINGS = "/admin/telegram/settings"


@pytest.fixture
async def site(tmp_path: Any, api: BotApiSimulator) -> AsyncIterator[Site]:
    async with running_site(tmp_path, telegram_api_url=api.url, default_lang="en") as running:
        yield running


# --- Without a bot -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/telegram/webhook"),
        *(("POST", f"/telegram/{name}") for name in APP),
        ("GET", "/telegram/nope"),
        ("POST", "/admin/telegram/init"),
        ("GET", "/admin/telegram/status"),
        ("GET", SETTINGS),
        ("POST", SETTINGS),
        ("GET", "/admin/telegram/nope"),
    ],
)
async def test_without_a_bot_token_that_is_said_first(
    site_with: SiteWith, method: str, path: str
) -> None:
    """§3.6, §3.7: before the 404 of unknown paths, and before the body is read."""
    async with site_with(telegram_bot_token="") as site:
        got = await site.http.request(method, path, headers=ADMIN, content=b"x")
        assert (got.status_code, got.text) == (400, NEEDED)
        if path.startswith("/admin"):
            assert (await site.http.request(method, path)).status_code == 401


async def test_unknown_paths_are_not_found(site: Site) -> None:
    assert (await site.http.get("/telegram/nope")).status_code == 404
    assert (await site.http.get("/telegram/webhook")).status_code == 404
    assert (await site.http.get("/admin/telegram/nope")).status_code == 401
    assert (await site.http.get("/admin/telegram/nope", headers=ADMIN)).status_code == 404


async def test_the_site_password_is_not_asked_for(site_with: SiteWith) -> None:
    async with site_with(passwords=["x"]) as site:
        got = await site.http.post("/telegram/get_bind_address", json={"initData": init_data()})
        assert (got.status_code, got.json()) == (200, [])


# --- §3.7, mini app ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", APP)
@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"token": "1:other"}, "Invalid initData"),
        ({"age": 301}, "Auth date expired"),
        (None, "Invalid initData"),
        ("", "Invalid initData"),
    ],
)
async def test_init_data_proves_the_person(
    site: Site, path: str, told: dict[str, Any] | str | None, words: str
) -> None:
    shown = init_data(**told) if isinstance(told, dict) else told
    values = {"initData": shown, "mailId": 1}
    got = await site.http.post(f"/telegram/{path}", json=values)
    assert (got.status_code, got.text) == (400, words)


@pytest.mark.parametrize("path", APP)
async def test_what_is_no_json_is_an_uncaught_failure(site: Site, path: str) -> None:
    got = await site.http.post(f"/telegram/{path}", content=b"{")
    assert got.status_code == 500
    assert got.text.startswith("SyntaxError ")


async def test_an_address_is_opened_listed_unbound_and_bound(site: Site, ann: Conversation) -> None:
    got = await ann.app("new_address", address="post@second.test")
    assert got.status_code == 200, got.text
    opened = got.json()
    assert set(opened) == {"jwt", "address", "password", "address_id"}
    assert opened["address"] == "post@second.test"
    assert isinstance(opened["password"], str)
    got = await ann.app("get_bind_address")
    (held,) = got.json()
    assert set(held) == {"address", "jwt"}
    assert held["address"] == "post@second.test"
    headers = {"Authorization": f"Bearer {held['jwt']}"}
    assert (await site.http.get("/api/inbox", headers=headers)).status_code == 200
    got = await ann.app("unbind_address", address="POST@second.test")
    assert (got.status_code, got.json()) == (200, {"success": True})
    assert (await ann.app("get_bind_address")).json() == []
    assert (await ann.app("unbind_address", address="x@y")).json() == {"success": True}
    for _ in range(2):
        got = await ann.app("bind_address", jwt=opened["jwt"])
        assert (got.status_code, got.json()) == (200, {"success": True})
    assert len((await ann.app("get_bind_address")).json()) == 1
    headers = {"Authorization": f"Bearer {opened['jwt']}"}
    assert (await site.http.get("/api/inbox", headers=headers)).status_code == 200


@pytest.mark.parametrize("wish", ["", None])
async def test_an_empty_wish_gets_a_name_of_ours(ann: Conversation, wish: Any) -> None:
    got = await ann.app("new_address", address=wish)
    assert got.status_code == 200
    assert got.json()["address"].endswith("@inbox.test")


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ("x@nope.test", "Invalid domain"),
        ("taken", "Address already exists"),
        ("!!!", "Name is too short (min 1)"),
        ("y" * 31, "Name is too long (max 30)"),
        ("badword", "Name[badword]is blocked"),
    ],
)
async def test_reasons_are_told_bare(site: Site, ann: Conversation, wish: str, reason: str) -> None:
    """§4: without `Failed to create address: ` in front."""
    await site.open("taken")
    await site.parts.administering.change({"address_block_list": ["badword"]})
    got = await ann.app("new_address", address=wish)
    assert (got.status_code, got.text) == (400, reason)


async def test_a_password_is_null_where_there_are_none(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    async with site_with(enable_address_password=False) as site:
        got = await Conversation(site, api).app("new_address", address="x")
        assert got.json()["password"] is None


async def test_random_subdomains_are_opened_where_they_may(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    async with site_with(random_subdomain_domains=["inbox.test"]) as site:
        ann = Conversation(site, api)
        for switch in (True, "true"):
            got = await ann.app("new_address", address="a@inbox.test",
                                enableRandomSubdomain=switch)  # fmt: skip
            assert got.json()["address"].endswith(".inbox.test")
        got = await ann.app("new_address", address="a@second.test", enableRandomSubdomain=True)
        assert got.text == "Random subdomain is not enabled for this domain"


async def test_telegram_opens_addresses_where_the_page_opens_none(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    async with site_with(enable_user_create_email=False) as site:
        assert (await Conversation(site, api).app("new_address", address="x")).status_code == 200


async def test_humans_are_asked_for_where_keys_are_set(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    """§2.4."""
    async with site_with(cf_turnstile_site_key="a", cf_turnstile_secret_key="b") as site:
        got = await Conversation(site, api).app("new_address", address="x")
        assert (got.status_code, got.text) == (400, "Human verification check failed")


async def test_a_person_has_a_number_of_addresses(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    async with site_with(tg_max_address=2) as site:
        ann = Conversation(site, api)
        first = (await ann.app("new_address", address="a")).json()
        await ann.app("new_address", address="b")
        got = await ann.app("new_address", address="c")
        assert (got.status_code, got.text) == (400, "Maximum address limit reached")
        other = await site.open("d")
        got = await ann.app("bind_address", jwt=other.jwt)
        assert (got.status_code, got.text) == (400, "Maximum address limit reached")
        assert (await ann.app("bind_address", jwt=first["jwt"])).status_code == 200


async def test_opening_is_limited_by_person(site_with: SiteWith, api: BotApiSimulator) -> None:
    """§5.1."""
    async with site_with(rate_limit_requests=2) as site:
        ann, bob = Conversation(site, api, 42), Conversation(site, api, 43)
        found = [(await ann.app("new_address", address=f"n{n}")) for n in range(3)]
        assert [got.status_code for got in found] == [200, 200, 400]
        assert found[-1].text == "Rate limit exceeded"
        assert (await bob.app("new_address", address="m")).status_code == 200


async def test_a_wrong_credential_binds_nothing(site: Site, ann: Conversation) -> None:
    gone = await site.open("gone")
    await site.parts.registering.close(gone.address_id, gone.address)
    for token in ("", None, "nonsense", gone.jwt, gone.jwt[:-2] + "xx"):
        got = await ann.app("bind_address", jwt=token)
        assert (got.status_code, got.text) == (400, "Invalid credential")


async def test_an_address_that_is_deleted_is_nobodys(site: Site, ann: Conversation) -> None:
    """§3.3: deleting an address unbinds it; who opens the name anew is somebody else."""
    opened = (await ann.app("new_address", address="post")).json()
    await site.http.delete(
        "/api/delete_address", headers={"Authorization": f"Bearer {opened['jwt']}"}
    )
    assert (await ann.app("get_bind_address")).json() == []
    again = await site.open("post")
    mail_id = await site.arrive(again.address)
    assert (await ann.app("get_bind_address")).json() == []
    assert (await ann.app("get_mail", mailId=mail_id)).status_code == 403


# --- §3.7, get_mail ----------------------------------------------------------------------------


async def test_a_mail_is_shown_to_its_owner(
    site: Site, ann: Conversation, bob: Conversation
) -> None:
    opened = (await ann.app("new_address", address="post")).json()
    mail_id = await site.arrive(opened["address"])
    for told in (mail_id, str(mail_id)):
        got = await ann.app("get_mail", mailId=told)
        assert got.status_code == 200
        row = got.json()
        assert set(row) == {
            "id",
            "message_id",
            "source",
            "address",
            "raw",
            "metadata",
            "created_at",
        }
        assert (row["id"], row["address"]) == (mail_id, "post@inbox.test")
        assert "482913" in row["raw"]
    got = await bob.app("get_mail", mailId=mail_id)
    assert (got.status_code, got.text) == (403, "No permission to view this mail")
    for nothing in (mail_id + 99, "x", None, -1):
        got = await ann.app("get_mail", mailId=nothing)
        assert (got.status_code, got.json()) == (200, None)


async def test_who_is_told_of_all_mail_may_read_it(site: Site, bob: Conversation) -> None:
    mail_id = await site.arrive()
    settings = {"enableGlobalMailPush": True, "globalMailPushList": ["43"]}
    await site.http.post(SETTINGS, json=settings, headers=ADMIN)
    assert (await bob.app("get_mail", mailId=mail_id)).json()["id"] == mail_id
    await site.http.post(SETTINGS, json={**settings, "enableGlobalMailPush": False}, headers=ADMIN)
    assert (await bob.app("get_mail", mailId=mail_id)).status_code == 403


async def test_the_admin_password_opens_any_mail(site: Site) -> None:
    mail_id = await site.arrive()
    got = await site.http.post("/telegram/get_mail", json={"mailId": mail_id}, headers=ADMIN)
    assert got.json()["id"] == mail_id
    got = await site.http.post("/telegram/get_mail", json={"mailId": 999}, headers=ADMIN)
    assert (got.status_code, got.text) == (404, "Mail not found")
    got = await site.http.post("/telegram/get_mail", json={"mailId": mail_id},
                               headers={"x-admin-auth": "wrong"})  # fmt: skip
    assert (got.status_code, got.text) == (400, "Invalid initData")


async def test_a_mail_is_opened_for_reading_by_whoever_may_have_it(
    site: Site, ann: Conversation, bob: Conversation
) -> None:
    opened = (await ann.app("new_address", address="")).json()
    html = b"<p>Hello</p><script>alert(1)</script><img src=https://spy.example/a.png>"
    raw = b"Subject: Letter\r\nContent-Type: text/html\r\n\r\n" + html
    mail_id = await site.arrive(to=opened["address"], raw=raw)
    got = (await ann.app("open_mail", mailId=mail_id)).json()
    assert (got["subject"], got["remote_count"]) == ("Letter", 1)
    assert "Hello" in got["html"]
    assert "script" not in got["html"]
    assert "spy.example" not in got["html"]
    shown = (await ann.app("open_mail", mailId=mail_id, remote=True)).json()
    assert "https://spy.example/a.png" in shown["html"]
    assert (await bob.app("open_mail", mailId=mail_id)).status_code == 403
    assert (await ann.app("open_mail", mailId=mail_id + 99)).json() is None
    answer = await site.http.post("/telegram/open_mail", json={"mailId": mail_id}, headers=ADMIN)
    assert answer.json()["subject"] == "Letter"


async def test_the_allow_list_is_asked_by_the_mini_app_too(
    site: Site, ann: Conversation, bob: Conversation
) -> None:
    settings = {"enableAllowList": True, "allowList": ["42"]}
    await site.http.post(SETTINGS, json=settings, headers=ADMIN)
    assert (await ann.app("get_bind_address")).status_code == 200
    got = await bob.app("get_bind_address")
    assert (got.status_code, got.text) == (400, "You may not use this bot.")


# --- §3.6, administration ----------------------------------------------------------------------


async def test_settings_have_defaults_and_are_kept(site: Site) -> None:
    got = await site.http.get(SETTINGS, headers=ADMIN)
    assert got.json() == {
        "enableAllowList": False,
        "allowList": [],
        "miniAppUrl": "",
        "enableGlobalMailPush": False,
        "globalMailPushList": [],
    }
    settings = {
        "enableAllowList": True,
        "allowList": ["42"],
        "miniAppUrl": "https://mail.example",
        "enableGlobalMailPush": True,
        "globalMailPushList": ["42", "-100"],
    }
    got = await site.http.post(SETTINGS, json=settings, headers=ADMIN)
    assert got.json() == {"success": True}
    assert (await site.http.get(SETTINGS, headers=ADMIN)).json() == settings
    for wrong in (b"[]", b"null", b"5"):
        got = await site.http.post(SETTINGS, content=wrong, headers=ADMIN)
        assert (got.status_code, got.text) == (400, "Invalid input")


async def test_the_bot_is_registered_with_a_secret(
    site: Site, api: BotApiSimulator, ann: Conversation
) -> None:
    assert (await ann.send(update("/start"))).status_code == 200
    got = await site.http.post("/admin/telegram/init", headers=ADMIN)
    assert (got.status_code, got.json()) == (200, {"message": "webhook set successfully"})
    (call,) = api.of("setWebhook")
    secret = call.values["secret_token"]
    assert call.values["url"] == "https://mail.test/telegram/webhook"
    assert secret == webhook_secret(SECRET, BOT_TOKEN)
    (call,) = api.of("setMyCommands")
    names = [one["command"] for one in call.values["commands"]]
    assert names == ["start", "new", "address", "bind", "unbind", "delete", "mails",
                     "cleaninvalidaddress"]  # fmt: skip
    before = len(api.calls)
    for wrong in (None, "", "x", secret[:-1]):
        got = await ann.send(update("/start"), wrong)
        assert (got.status_code, got.text) == (403, "Not from Telegram")
    assert len(api.calls) == before
    assert (await ann.send(update("/start"), secret)).status_code == 200
    assert len(api.calls) == before + 1


async def test_a_registration_that_telegram_refuses_shuts_nobody_out(
    site: Site, api: BotApiSimulator, ann: Conversation
) -> None:
    api.refuse(400, "Bad Request: bad webhook")
    assert (await site.http.post("/admin/telegram/init", headers=ADMIN)).status_code == 500
    assert (await ann.send(update("/start"))).status_code == 200


async def test_a_wrong_secret_is_refused_before_registration_too(ann: Conversation) -> None:
    assert (await ann.send(update("/start"), "x")).status_code == 403


@pytest.mark.parametrize("host", ["evil.example/x?", "a b", "x@y", "[::1", ""])
async def test_a_host_that_is_none_is_not_registered(
    site: Site, api: BotApiSimulator, host: str
) -> None:
    """Hazard 49."""
    got = await site.http.post("/admin/telegram/init", headers={**ADMIN, "host": host})
    assert got.status_code == 400
    assert api.calls == []


async def test_the_status_is_what_telegram_says(site: Site) -> None:
    got = await site.http.get("/admin/telegram/status", headers=ADMIN)
    assert got.json() == {
        "info": {"url": "https://mail.test/telegram/webhook", "pending_update_count": 0},
        "commands": [{"command": "start", "description": "Begin"}],
    }


async def test_what_telegram_refuses_is_told_without_the_token(
    site: Site, api: BotApiSimulator
) -> None:
    api.refuse(401, f"Unauthorized bot{BOT_TOKEN}")
    got = await site.http.get("/admin/telegram/status", headers=ADMIN)
    assert got.status_code == 500
    assert got.text.startswith("Error 401 Unauthorized")
    assert BOT_TOKEN not in got.text


async def test_a_bot_api_that_is_away_is_told(site_with: SiteWith) -> None:
    async with site_with() as site:
        got = await site.http.get("/admin/telegram/status", headers=ADMIN)
        assert got.status_code == 500
        assert got.text.startswith("Error 0 ")
        assert BOT_TOKEN not in got.text


# --- §3.7, webhook -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"update_id": 1},
        {"update_id": 1, "edited_message": {"text": "/start"}},
        update("/start", kind="group"),
        update("/start", kind="supergroup"),
        update("hello"),
    ],
)
async def test_what_is_no_concern_of_the_bot_is_taken_and_dropped(
    ann: Conversation, api: BotApiSimulator, told: Any
) -> None:
    assert (await ann.send(told)).status_code == 200
    assert api.calls == []


async def test_an_update_that_comes_again_is_done_once(
    ann: Conversation, api: BotApiSimulator
) -> None:
    told = update("/new post")
    for _ in range(3):
        assert (await ann.send(told)).status_code == 200
    assert len(api.calls) == 1
    assert len((await ann.app("get_bind_address")).json()) == 1


async def test_an_answer_that_is_lost_loses_nothing(
    ann: Conversation, api: BotApiSimulator
) -> None:
    api.refuse(500, "Internal Server Error")
    assert (await ann.send(update("/new post"))).status_code == 200
    assert len((await ann.app("get_bind_address")).json()) == 1


async def test_a_pressed_button_of_somebody_else_is_answered(
    ann: Conversation, api: BotApiSimulator
) -> None:
    calls = await ann.calls(pressed("something else"))
    assert [call.method for call in calls] == ["answerCallbackQuery"]
