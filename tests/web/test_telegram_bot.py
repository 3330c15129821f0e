"""What people say to the bot, and what it says back (mailbox-api §13.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.bot_api_simulator import BotApiSimulator, BotCall
from tests.web.conftest import SiteWith
from tests.web.site import ADMIN, LETTER, Site, running_site
from tests.web.telegram_people import Conversation, ann, api, bob, pressed, update

__all__ = ["ann", "api", "bob"]

pytestmark = pytest.mark.anyio


@pytest.fixture
async def site(tmp_path: Any, api: BotApiSimulator) -> AsyncIterator[Site]:
    async with running_site(
        tmp_path, telegram_api_url=api.url, default_lang="en", prefix="tmp"
    ) as running:
        yield running


async def test_start_tells_prefix_domains_and_commands(ann: Conversation) -> None:
    text = await ann.say("/start")
    for words in ("Prefix of names: tmp", "inbox.test, second.test", "/new", "/mails", "/bind"):
        assert words in text
    assert "/lang" not in text


async def test_new_answers_address_password_and_credential_to_be_copied(
    site: Site, ann: Conversation
) -> None:
    (call,) = await ann.calls(update("/new post@second.test"))
    assert call.values["parse_mode"] == "Markdown"
    copied = call.text.split("`")[1::2]
    assert copied[0] == "tmppost@second.test"
    assert len(copied) == 3
    headers = {"Authorization": f"Bearer {copied[2]}"}
    assert (await site.http.get("/api/inbox", headers=headers)).status_code == 200
    assert (await ann.say("/address")).endswith("tmppost@second.test")


async def test_new_without_a_name_gets_one_of_ours(ann: Conversation) -> None:
    (call,) = await ann.calls(update("/new"))
    assert "@inbox.test`" in call.text


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("/new x@nope.test", "The address was not created: Invalid domain"),
        ("/new !", "The address was not created: Name is too short (min 1)"),
        ("/bind nonsense", "This did not work: Invalid credential"),
        ("/bind", "Send /bind and the credential of an address."),
        ("/unbind", "Send /unbind and an address."),
        ("/delete", "Send /delete and an address."),
        ("/delete x@inbox.test", "This did not work: This address does not belong to you"),
        ("/mails x@inbox.test", "This did not work: This address does not belong to you"),
        ("/mails", "You have no address yet. /new opens one."),
        ("/address", "You have no address yet. /new opens one."),
        ("/cleaninvalidaddress", "Invalid addresses removed: 0"),
        ("/lang en", "The language cannot be chosen here."),
        ("/nope", "I do not know this command. /start lists them."),
    ],
)
async def test_what_does_not_work_is_told(ann: Conversation, command: str, answer: str) -> None:
    assert await ann.say(command) == answer


async def test_an_address_is_bound_by_its_credential_and_unbound(
    site: Site, ann: Conversation, bob: Conversation
) -> None:
    post = await site.open("post")
    assert await ann.say(f"/bind {post.jwt}") == "Bound: tmppost@inbox.test"
    assert await ann.say(f"/bind {post.jwt}") == "Bound: tmppost@inbox.test"
    assert await bob.say(f"/bind {post.jwt}") == "Bound: tmppost@inbox.test"
    await ann.say("/unbind TMPPOST@inbox.test")
    assert await ann.say("/address") == "You have no address yet. /new opens one."
    assert "tmppost@inbox.test" in await bob.say("/address")


async def test_what_counts_no_longer_is_shown_and_cleaned(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    async with site_with(telegram_api_url=api.url, default_lang="en", tg_max_address=1) as site:
        ann, bob = Conversation(site, api, 42), Conversation(site, api, 43)
        post = await site.open("post")
        await ann.say(f"/bind {post.jwt}")
        await bob.say(f"/bind {post.jwt}")
        await site.parts.registering.close(post.address_id, post.address)
        assert "(invalid address / invalid credential)" in await ann.say("/address")
        assert await bob.say("/address") == "You have no address yet. /new opens one."
        assert await ann.say("/new other") == (
            "The address was not created: Maximum address limit reached, "
            "please /cleaninvalidaddress first"
        )
        assert await ann.say("/cleaninvalidaddress") == "Invalid addresses removed: 1"
        await ann.calls(update("/new other"))
        assert "other@inbox.test" in await ann.say("/address")


async def test_delete_removes_the_address_where_owners_may(
    site: Site, site_with: SiteWith, api: BotApiSimulator, ann: Conversation
) -> None:
    await ann.calls(update("/new post"))
    await site.arrive("tmppost@inbox.test")
    answer = await ann.say("/delete tmppost@inbox.test")
    assert answer == "Deleted with all its mail: tmppost@inbox.test"
    got = await site.http.get("/admin/mails?limit=10&offset=0", headers=ADMIN)
    assert got.json()["results"] == []
    assert await ann.say("/address") == "You have no address yet. /new opens one."


async def test_delete_is_refused_where_owners_may_not(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    async with site_with(
        telegram_api_url=api.url, default_lang="en", enable_user_delete_email=False
    ) as site:
        ann = Conversation(site, api)
        await ann.calls(update("/new post"))
        assert await ann.say("/delete post@inbox.test") == (
            "This did not work: User delete address/email is disabled, please contact the "
            "administrator"
        )


def buttons(call: BotCall) -> list[dict[str, Any]]:
    (row,) = call.values["reply_markup"]["inline_keyboard"]
    found: list[dict[str, Any]] = row
    return found


async def test_mails_are_leafed_through_by_buttons(site: Site, ann: Conversation) -> None:
    settings = {"miniAppUrl": "https://mail.example/"}
    await site.http.post("/admin/telegram/settings", json=settings, headers=ADMIN)
    await ann.calls(update("/new post"))
    assert await ann.say("/mails") == "There is no mail."
    ids = [
        await site.arrive("tmppost@inbox.test", LETTER.replace(b"Your code", b"n%d" % number))
        for number in range(3)
    ]
    (call,) = await ann.calls(update("/mails"))
    assert call.text.startswith("From: Ferrybank <no-reply@ferry.example>\n")
    assert "\nTo: tmppost@inbox.test\n" in call.text
    assert "\nSubject: n2\n" in call.text
    assert "482913" in call.text
    view, after = buttons(call)
    url = f"https://mail.example/telegram_mail?mail_id={ids[2]}"
    assert view == {"text": "View mail", "web_app": {"url": url}}
    assert after == {"text": "Next", "callback_data": "mail_tmppost@inbox.test_1"}
    answered, edited = await ann.calls(pressed(after["callback_data"]))
    assert (answered.method, answered.values) == (
        "answerCallbackQuery", {"callback_query_id": "cb-1"})  # fmt: skip
    assert edited.method == "editMessageText"
    assert edited.values["message_id"] == 5
    assert "\nSubject: n1\n" in edited.text
    assert [one["text"] for one in buttons(edited)] == ["Previous", "View mail", "Next"]
    _, edited = await ann.calls(pressed("mail_tmppost@inbox.test_2"))
    assert [one["text"] for one in buttons(edited)] == ["Previous", "View mail"]
    _, edited = await ann.calls(pressed("mail_tmppost@inbox.test_3"))
    assert edited.text == "There is no mail."


async def test_a_button_shows_nobody_elses_mail(
    site: Site, ann: Conversation, bob: Conversation
) -> None:
    """Hazard 37."""
    await ann.calls(update("/new post"))
    await site.arrive("tmppost@inbox.test")
    for data in (
        "mail_tmppost@inbox.test_0",
        "mail_#1_0",
        "mail_x_0",
        "mail_tmppost@inbox.test_999999999",
    ):
        _, edited = await bob.calls(pressed(data, 43))
        assert edited.text == "This did not work: This address does not belong to you"


async def test_an_address_too_long_for_a_button_has_buttons(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    """Bot API: 64 octets of callback data."""
    domain = "a" * 40 + ".test"
    async with site_with(telegram_api_url=api.url, domains=[domain], default_lang="en") as site:
        ann = Conversation(site, api)
        await ann.calls(update("/new " + "b" * 30))
        for _ in range(2):
            await site.arrive(f"{'b' * 30}@{domain}")
        (call,) = await ann.calls(update("/mails"))
        (after,) = buttons(call)
        assert len(after["callback_data"].encode()) <= 64
        _, edited = await ann.calls(pressed(after["callback_data"]))
        assert edited.text.startswith("From: ")


async def test_the_language_is_chosen_where_it_may_be(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    async with site_with(telegram_api_url=api.url, tg_allow_user_lang=True) as site:
        ann, bob = Conversation(site, api, 42), Conversation(site, api, 43)
        assert "命令：" in await ann.say("/start")
        assert "/lang" in await ann.say("/start")
        assert await ann.say("/lang") == "请发送 /lang zh 或 /lang en。"
        assert await ann.say("/lang EN") == "The language is English now."
        assert "Commands:" in await ann.say("/start")
        assert "命令：" in await bob.say("/start")
        assert await ann.say("/lang zh") == "语言已设置为中文。"
        await site.http.post("/admin/telegram/init", headers=ADMIN)
        (call,) = api.of("setMyCommands")
        assert call.values["commands"][-1]["command"] == "lang"


async def test_refusals_of_the_contract_are_in_the_language_of_the_user(
    site_with: SiteWith, api: BotApiSimulator
) -> None:
    async with site_with(telegram_api_url=api.url) as site:
        answer = await Conversation(site, api).say("/bind x")
        assert answer == "操作失败：无效的凭证"


async def test_who_is_not_on_the_allow_list_is_refused(
    site: Site, ann: Conversation, bob: Conversation
) -> None:
    settings = {"enableAllowList": True, "allowList": ["42"]}
    await site.http.post("/admin/telegram/settings", json=settings, headers=ADMIN)
    assert "Welcome" in await ann.say("/start")
    for command in ("/start", "/new x", "anything"):
        assert await bob.say(command) == "You may not use this bot."
    assert await site.parts.telegram.addresses("43") == []
