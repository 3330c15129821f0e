"""Telegram: initData, updates, commands, answers, texts (mailbox-api §3.7, §13)."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.parsing import ParsedMessage, PartInfo
from mailbox_service.core.telegram import (
    BotRefused,
    callback_data,
    mail_url,
    next_push,
    proved_user,
    read_answer,
    read_callback,
    read_command,
    read_settings,
    read_update,
    webhook_secret,
)
from mailbox_service.core.telegram_messages import extract_in, file_groups, mail_text
from mailbox_service.core.telegram_texts import COMMANDS, SAYINGS, bot_language, say
from mailbox_service.core.webhook import HttpAnswer

TOKEN, NOW = "123456:secret", 1_795_262_400


def init_data(token: str = TOKEN, **fields: str) -> str:
    """initData as Telegram makes it: https://core.telegram.org/bots/webapps."""
    told = {"auth_date": str(NOW), "query_id": "AAE", "user": '{"id":42,"first_name":"Ann & co"}'}
    told.update(fields)
    lines = "\n".join(f"{name}={told[name]}" for name in sorted(told))
    key = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
    return urlencode({**told, "hash": hmac.new(key, lines.encode(), hashlib.sha256).hexdigest()})


def test_the_user_of_good_init_data_is_proved() -> None:
    assert proved_user(init_data(), TOKEN, NOW) == "42"
    assert proved_user(init_data(signature="abc", start_param=""), TOKEN, NOW + 300) == "42"
    assert proved_user(init_data(user='{"id":"7"}'), TOKEN, NOW) == "7"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (init_data(auth_date=str(NOW - 301)), "Auth date expired"),
        ("auth_date=1&hash=x", "Auth date expired"),
        (init_data(auth_date=str(NOW + 3600)), "Invalid initData"),
        (init_data(auth_date="-1"), "Invalid initData"),
        (init_data(auth_date="\u0661"), "Invalid initData"),
        (init_data(token="654321:other"), "Invalid initData"),
        (init_data().replace("42", "43"), "Invalid initData"),
        (init_data() + "&user=%7B%22id%22%3A43%7D", "Invalid initData"),
        ("user=%7B%22id%22%3A43%7D&" + init_data(), "Invalid initData"),
        (init_data().replace("hash=", "hush="), "Invalid initData"),
        (init_data() + "x", "Invalid initData"),
        (init_data()[:-64], "Invalid initData"),
        (init_data(user="{}"), "Invalid initData"),
        (init_data(user="[]"), "Invalid initData"),
        (init_data(user="x"), "Invalid initData"),
        (init_data(user='{"id":"../x"}'), "Invalid initData"),
        (init_data(user='{"id":-5}'), "Invalid initData"),
        ("", "Invalid initData"),
        ("hash=" + quote("ü"), "Invalid initData"),
        ("x" * 20_000, "Invalid initData"),
        ("&".join(f"a{n}=1" for n in range(60)), "Invalid initData"),
    ],
)
def test_any_other_init_data_proves_nobody(told: str, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        proved_user(told, TOKEN, NOW)
    assert refused.value.detail == words


def test_settings_have_the_defaults_of_the_contract() -> None:
    nothing: list[Any] = [None, {}, [], "x", {"allowList": "x", "enableAllowList": "true"}]
    for stored in nothing:
        settings = read_settings(stored)
        assert not settings.enable_allow_list
        assert settings.allow_list == []
        assert settings.mini_app_url == ""
        assert not settings.enable_global_mail_push
        assert settings.global_mail_push_list == []


def test_settings_say_who_may_and_who_is_told() -> None:
    settings = read_settings(
        {
            "enableAllowList": True,
            "allowList": [42, "7", None, True],
            "enableGlobalMailPush": True,
            "globalMailPushList": ["42", "-100123", "@channel", "nonsense", "42"],
        }
    )
    assert settings.allows("42")
    assert settings.allows("7")
    assert not settings.allows("8")
    assert settings.told_of_everything == ("42", "-100123", "@channel")
    assert settings.sees_everything("42")
    off = read_settings({"globalMailPushList": ["42"]})
    assert off.told_of_everything == ()
    assert not off.sees_everything("42")


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://mail.example", "https://mail.example/telegram_mail?mail_id=5"),
        ("https://mail.example/", "https://mail.example/telegram_mail?mail_id=5"),
        ("https://mail.example/en/?x=1", "https://mail.example/en/telegram_mail?mail_id=5"),
        ("", ""),
        ("http://mail.example", ""),
        ("javascript:x", ""),
    ],
)
def test_the_mini_app_shows_a_mail(base: str, url: str) -> None:
    assert mail_url(base, 5) == url


def message(**changes: Any) -> dict[str, Any]:
    told = {
        "message_id": 3,
        "from": {"id": 42},
        "chat": {"id": 42, "type": "private"},
        "text": "/start",
    }
    return {"update_id": 9, "message": {**told, **changes}}


def test_a_private_message_and_a_pressed_button_are_read() -> None:
    said = read_update(message())
    assert said is not None
    assert (said.update_id, said.user, said.chat, said.text) == (9, "42", "42", "/start")
    assert (said.callback_id, said.message_id) == ("", 0)
    under = message()["message"]
    pressed = {"id": "cb", "from": {"id": 42}, "data": "mail_a@x_1", "message": under}
    said = read_update({"update_id": 10, "callback_query": pressed})
    assert said is not None
    assert (said.text, said.callback_id, said.message_id) == ("mail_a@x_1", "cb", 3)


@pytest.mark.parametrize(
    "update",
    [
        *(None, [], "x", {}, {"message": None}, {"message": []}, {"edited_message": {}}),
        message(chat={"id": -5, "type": "group"}),
        message(chat={"id": -5, "type": "channel"}),
        message(chat=None),
        message(text=None),
        message(text=5),
        message(**{"from": None}),
        message(**{"from": {"id": "x"}}),
        message(chat={"id": [], "type": "private"}),
        {"update_id": 1, "callback_query": {"data": "x", "from": {"id": 1}}},
        {"update_id": 1, "callback_query": {"data": "x", "message": message()["message"]}},
    ],
)
def test_any_other_update_is_no_concern(update: Any) -> None:
    assert read_update(update) is None


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/start", ("start", "")),
        ("/new name@x.test", ("new", "name@x.test")),
        ("  /NEW@my_bot  name ", ("new", "name")),
        ("/bind\neyJ.x.y", ("bind", "eyJ.x.y")),
        ("hello", ("", "")),
        ("/", ("", "")),
        ("//start", ("", "")),
    ],
)
def test_a_command_has_a_name_and_an_argument(text: str, command: tuple[str, str]) -> None:
    assert read_command(text) == command


@pytest.mark.parametrize("address", ["a@x.test", "a_b@x_y.test", "a_5@x.test"])
def test_a_button_names_an_address_with_underscores(address: str) -> None:
    """The REF breaks there (§13.1)."""
    data = callback_data(address, 7, 12)
    assert data == f"mail_{address}_12"
    assert read_callback(data) == (address, 12)


def test_a_long_address_is_named_by_its_id() -> None:
    data = callback_data("a" * 64 + "@x.test", 7, 12)
    assert len(data.encode()) <= 64
    assert read_callback(data) == ("#7", 12)


@pytest.mark.parametrize("data", ["", "mail_", "mail_a@x", "mail_a@x_", "mail_a@x_-1", "x_a_1"])
def test_other_buttons_are_none_of_ours(data: str) -> None:
    assert read_callback(data) is None


def test_the_webhook_secret_is_one_that_telegram_takes() -> None:
    """Bot API, setWebhook: 1 to 256 of A-Z, a-z, 0-9, _ and -."""
    secret = webhook_secret("service", TOKEN)
    assert len(secret) == 64
    assert secret.isalnum()
    assert secret != webhook_secret("other", TOKEN)
    assert secret != webhook_secret("service", "other")


def bot_answer(value: Any, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status, "Reason", json.dumps(value))


def test_results_and_refusals_of_the_bot_api_are_read() -> None:
    assert read_answer(bot_answer({"ok": True, "result": {"a": 1}}), TOKEN) == {"a": 1}
    with pytest.raises(BotRefused) as refused:
        read_answer(bot_answer({"ok": False, "error_code": 429, "description": "Too Many",
                                "parameters": {"retry_after": 17}}, 429), TOKEN)  # fmt: skip
    assert (refused.value.code, refused.value.retry_after) == (429, 17.0)
    assert not refused.value.is_final
    for code, final in ((400, True), (403, True), (401, False), (404, False), (500, False)):
        with pytest.raises(BotRefused) as refused:
            read_answer(bot_answer({"ok": False, "error_code": code, "description": "no"}), TOKEN)
        assert refused.value.is_final is final


@pytest.mark.parametrize(
    "answer",
    [
        HttpAnswer(0, f"fetch failed: https://api/bot{TOKEN}/x", name="TypeError"),
        HttpAnswer(502, "Bad Gateway", "<html>"),
        HttpAnswer(200, "OK", "[" * 50_000),
        HttpAnswer(200, "OK", f'{{"ok": false, "description": "bot{TOKEN}"}}'),
        HttpAnswer(200, "OK", '{"ok": 1, "parameters": [1]}'),
        HttpAnswer(
            200, "OK", '{"ok": false, "error_code": "x", "parameters": {"retry_after": "x"}}'
        ),
    ],
)
def test_nonsense_of_the_bot_api_is_a_refusal_without_the_token(answer: HttpAnswer) -> None:
    """Hazard 50."""
    with pytest.raises(BotRefused) as refused:
        read_answer(answer, TOKEN)
    assert TOKEN not in str(refused.value)


def test_a_push_is_tried_again_when_telegram_wants_and_given_up_after_a_day() -> None:
    day = 24 * 3_600 * 1_000_000

    def again(refused: BotRefused, attempt: int = 1, now: int = 0) -> int | None:
        return next_push(refused, attempt=attempt, created_at=0, now=now, jitter=0.0)

    assert again(BotRefused(500, "")) == 5_000_000
    assert again(BotRefused(0, ""), attempt=99) == 3_600_000_000
    assert again(BotRefused(429, "", 60.0)) == 60_000_000
    assert again(BotRefused(403, "blocked")) is None
    assert again(BotRefused(500, ""), now=day) is None


def parsed(text: str = "Hello", **changes: Any) -> ParsedMessage:
    values: dict[str, Any] = {
        "sender": "Ann <ann@x.example>", "subject": "Hi", "text": text, "html": "", "headers": (),
        "attachments": (), "complete": True,
    }  # fmt: skip
    return ParsedMessage(**{**values, **changes})


NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def test_a_mail_is_shown_with_its_head_and_the_beginning_of_its_text() -> None:
    assert mail_text(parsed(), "bob@x.test", NOON, "en") == (
        "From: Ann <ann@x.example>\nTo: bob@x.test\nDate: 2026-11-21 12:00:00 UTC\n"
        "Subject: Hi\nContent:\nHello"
    )
    long = mail_text(parsed("y" * 1001), "bob@x.test", NOON, "en")
    assert "y" * 1000 in long
    assert "y" * 1001 not in long
    assert long.endswith(say("cut", "en"))
    assert mail_text(parsed(" \n"), "b@x.test", NOON, "zh").endswith(say("no_content", "zh"))


def test_what_was_extracted_stands_in_front() -> None:
    code = {"type": "auth_code", "result": "482913", "result_text": ""}
    assert mail_text(parsed(), "b@x.test", NOON, "en", extract=code).startswith(
        "Verification code: 482913\n\nFrom: "
    )
    link = {"type": "auth_link", "result": "https://x/" + "y" * 700, "result_text": "z" * 200}
    text = mail_text(parsed(), "b@x.test", NOON, "zh", extract=link)
    assert text.startswith(f"认证链接: {'z' * 120}\nhttps://x/{'y' * 590}\n\n")
    for nothing in (None, {}, {"type": "none", "result": "x"}, {"type": "auth_code", "result": ""}):
        assert mail_text(parsed(), "b@x.test", NOON, "en", extract=nothing).startswith("From: ")


def test_nothing_in_a_mail_makes_a_message_too_long_or_adds_a_line() -> None:
    """Hazard 43; a message has 4096 characters at most (Bot API)."""
    hostile = parsed("x" * 100_000, sender="a\r\nSubject: b" * 900, subject="s\n" * 9_000)
    extract = {"type": "auth_link", "result": "r" * 9_000, "result_text": "t\n" * 9_000}
    text = mail_text(hostile, "b" * 9_000, NOON, "en", extract=extract)
    assert len(text) < 4_096
    assert text.count("\nSubject: ") == 1


@pytest.mark.parametrize("metadata", [None, "", "x", "[]", '{"ai_extract": 5}', "[" * 50_000])
def test_metadata_without_an_extraction_has_none(metadata: str | None) -> None:
    assert extract_in(metadata) is None


def test_files_go_in_groups_of_six_without_the_too_large() -> None:
    def file(size: int) -> PartInfo:
        return PartInfo(1, "f", "text/plain", "attachment", size, "")

    assert [len(group) for group in file_groups([file(5)] * 13)] == [6, 6, 1]
    assert file_groups([file(0), file((50 << 20) + 1)]) == []
    assert sum(len(group) for group in file_groups([file(5)] * 100)) == 30


@pytest.mark.parametrize(
    ("chosen", "default", "language"),
    [
        (None, "", "zh"),
        (None, "zh", "zh"),
        (None, "en", "en"),
        (None, "de", "en"),
        ("en", "zh", "en"),
        ("zh", "en", "zh"),
        ("x", "en", "en"),
    ],
)
def test_the_bot_speaks_as_it_was_told(chosen: str | None, default: str, language: str) -> None:
    assert bot_language(chosen, default) == language


def test_every_saying_is_there_in_both_languages() -> None:
    assert all(english and chinese for english, chinese in SAYINGS.values())
    for english, chinese in SAYINGS.values():
        assert english.count("{0}") == chinese.count("{0}")
    assert all(len(one.description) <= 256 for one in COMMANDS)
