"""News of mail to Telegram: decided once, sent, tried again, given up (mailbox-api §13.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.telegram import BotApi
from mailbox_service.outbound.webhook import HttpOut
from mailbox_service.services.reacting import MOST_PUSHES_WAITING
from mailbox_service.services.telegram import Telegram
from mailbox_service.services.telegram_pushing import KEPT_MICROS, LEASE_MICROS, TelegramPushing
from mailbox_service.storage import telegram_pushes
from mailbox_service.storage.database import Transaction
from tests.bot_api_simulator import BotApiSimulator, bot_api
from tests.databases import AnyDatabase
from tests.services.reactions import LETTER, Reactions

pytestmark = pytest.mark.anyio

TOKEN = "123456:of-the-tests"
BOB = "bob@x.test"


@pytest.fixture
def api() -> Iterator[BotApiSimulator]:
    with bot_api() as server:
        yield server


class News(Reactions):
    """Mailboxes whose mail Telegram is told of."""

    def __init__(self, database: AnyDatabase, api: BotApiSimulator, **settings: Any) -> None:
        chosen = {"telegram_bot_token": TOKEN, "default_lang": "en", **settings}
        super().__init__(database, **chosen)
        self.api = api
        http = HttpOut(Resolver(["127.0.0.1:9"]), private_addresses=True, seconds=20.0,
                       answer_octets=65_536)  # fmt: skip
        self.bot = BotApi(api.url, TOKEN, http)
        self.people = Telegram(
            database,
            self.config,
            self.administering,
            self.authenticating,
            self.registering,
            self.reading,
            clock=self.clock,
        )
        self.pushing = self.another_pusher()

    def another_pusher(self) -> TelegramPushing:
        """A worker that pushes, as after a restart or in another process."""
        return TelegramPushing(
            self.database,
            self.config,
            self.administering,
            self.reading,
            self.bot,
            self.signals,
            clock=self.clock,
            jitter=lambda: 0.0,
        )

    async def bound(self, user: str = "42", address: str = BOB) -> None:
        """Have a user told of an address."""
        local, _, domain = address.partition("@")
        opened = await self.registering.open_for_visitor(
            name=local, domain=domain, random_subdomain=False, ip=""
        )
        await self.people.bind(user, opened.jwt)

    async def everybody(self, *chats: str, **more: Any) -> None:
        """Have chats told of all mail."""
        await self.people.change_settings(
            {"enableGlobalMailPush": True, "globalMailPushList": list(chats), **more}
        )

    async def push_all(self) -> None:
        """Make every push that is due."""
        while await self.pushing.start_some():
            await self.pushing.settled()

    async def rows(self) -> list[tuple[Any, ...]]:
        async def unit(tx: Transaction) -> list[tuple[Any, ...]]:
            return list(
                await tx.fetch_all(
                    "SELECT chat, state, attempts, steps_done, next_attempt_at "
                    "FROM telegram_pushes ORDER BY id"
                )
            )

        return await self.database.read(unit)


async def test_who_bound_an_address_is_told_of_its_mail(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api)
    await news.bound()
    await news.mail()
    await news.mail("carol@x.test")
    await news.push_all()
    (call,) = api.calls
    assert (call.method, call.token, call.values["chat_id"]) == ("sendMessage", TOKEN, "42")
    assert call.text == (
        "From: Ann <ann@sender.example>\nTo: bob@x.test\nDate: 2026-11-21 12:00:00 UTC\n"
        "Subject: Hello\nContent:\nHow are you?"
    )
    assert "reply_markup" not in call.values
    assert "parse_mode" not in call.values
    assert [row[:4] for row in await news.rows()] == [("42", "pushed", 1, 1)]


async def test_without_a_bot_nobody_is_told(database: AnyDatabase, api: BotApiSimulator) -> None:
    news = News(database, api, telegram_bot_token="")
    await news.bound()
    await news.everybody("1")
    await news.mail()
    assert await news.rows() == []


async def test_who_is_told_of_all_mail_and_bound_it_is_told_twice(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api)
    await news.bound()
    await news.everybody("42", "-100", miniAppUrl="https://mail.example")
    fate = await news.mail()
    await news.push_all()
    url = f"https://mail.example/telegram_mail?mail_id={fate.message_id}"
    told = sorted((call.values["chat_id"], str(call.values["reply_markup"])) for call in api.calls)
    app = str({"inline_keyboard": [[{"text": "View mail", "web_app": {"url": url}}]]})
    page = str({"inline_keyboard": [[{"text": "View mail", "url": url}]]})
    assert told == [("-100", page), ("42", app), ("42", app)]


async def test_mail_for_nobody_we_know_is_told_of_too(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api, default_lang="")
    await news.everybody("7")
    await news.mail("stranger@x.test", LETTER.replace(b"How are you?", b""))
    await news.push_all()
    assert "无文本内容" in api.calls[0].text


async def test_the_last_who_bound_it_is_told(database: AnyDatabase, api: BotApiSimulator) -> None:
    """§13.2."""
    news = News(database, api)
    await news.bound("42")
    jwt = (await news.people.held("42"))[0].jwt
    await news.people.bind("43", jwt)
    await news.mail()
    await news.people.bind("42", jwt)
    await news.mail()
    await news.people.unbind("42", BOB)
    await news.mail()
    await news.push_all()
    assert sorted(call.values["chat_id"] for call in api.calls) == ["42", "43"]


async def test_who_may_use_the_bot_no_more_is_told_nothing(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api)
    await news.bound()
    await news.mail()
    await news.people.change_settings({"enableAllowList": True, "allowList": ["1"]})
    await news.push_all()
    assert api.calls == []
    assert [row[1] for row in await news.rows()] == ["pushed"]


async def test_the_language_is_the_users_and_for_all_that_of_the_service(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api, tg_allow_user_lang=True)
    await news.bound()
    await news.everybody("42")
    await news.people.choose_language("42", "zh")
    await news.mail(content=LETTER.replace(b"How are you?", b""))
    await news.push_all()
    assert sorted("无文本内容" in call.text for call in api.calls) == [False, True]


async def test_a_code_stands_in_front(database: AnyDatabase, api: BotApiSimulator) -> None:
    news = News(database, api, enable_ai_email_extract=True)
    await news.bound()
    await news.mail(content=LETTER.replace(b"How are you?", b"Your verification code is 482913"))
    await news.push_all()
    assert api.calls[0].text.startswith("Verification code: 482913\n\nFrom: ")


async def test_a_deleted_mail_is_not_told_of(database: AnyDatabase, api: BotApiSimulator) -> None:
    news = News(database, api)
    await news.bound()
    fate = await news.mail()
    await news.reading.delete(BOB, [fate.message_id])
    await news.push_all()
    assert api.calls == []


async def test_what_telegram_does_not_take_is_sent_again(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api)
    await news.bound()
    await news.mail()
    api.refuse(500, "Internal Server Error")
    api.refuse(429, "Too Many Requests: retry after 90", retry_after=90)
    await news.push_all()
    (row,) = await news.rows()
    assert row[1:] == ("waiting", 1, 0, news.clock.now + 5_000_000)
    news.clock.now += 5_000_000
    await news.push_all()
    (row,) = await news.rows()
    assert row[1:] == ("waiting", 2, 0, news.clock.now + 90_000_000)
    news.clock.now += 90_000_000
    await news.push_all()
    assert [row[1:4] for row in await news.rows()] == [("pushed", 3, 1)]
    assert len(api.calls) == 3


@pytest.mark.parametrize("code", [400, 403])
async def test_a_chat_that_is_gone_is_asked_once(
    database: AnyDatabase, api: BotApiSimulator, code: int
) -> None:
    news = News(database, api)
    await news.bound()
    await news.mail()
    api.refuse(code, "Forbidden: bot was blocked by the user")
    await news.push_all()
    assert [row[1] for row in await news.rows()] == ["failed"]


async def test_a_bot_api_that_is_away_for_a_day_is_given_up(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api)
    await news.bound()
    await news.mail()
    for _ in range(100):
        api.refuse(502, "Bad Gateway")
        await news.push_all()
        (row,) = await news.rows()
        if row[4] is None:
            break
        news.clock.now = row[4]
    assert row[1] == "failed"
    assert 10 < row[2] < 40


async def test_a_chat_gets_its_news_in_order_and_holds_up_no_other(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    """Hazard 41."""
    news = News(database, api)
    await news.bound("42", "bob@x.test")
    await news.bound("43", "carol@x.test")
    for number in range(3):
        await news.mail("bob@x.test", LETTER.replace(b"Hello", b"n%d" % number))
    await news.mail("carol@x.test")
    await news.push_all()
    subjects = [call.text.split("Subject: ")[1].split("\n")[0] for call in api.calls
                if call.values["chat_id"] == "42"]  # fmt: skip
    assert subjects == ["n0", "n1", "n2"]
    assert len(api.calls) == 4


WITH_FILES = (
    b"From: a@x.example\r\nTo: bob@x.test\r\nSubject: Files\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee below.\r\n"
)


def letter_with(files: int) -> bytes:
    parts = [
        b"--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; "
        b'filename="f%d \\" .csv"\r\n\r\ncontent %d\r\n' % (number, number)
        for number in range(files)
    ]
    return WITH_FILES + b"".join(parts) + b"--b--\r\n"


@pytest.mark.parametrize(
    ("files", "methods"),
    [
        (1, ["sendMessage", "sendDocument"]),
        (2, ["sendMessage", "sendMediaGroup"]),
        (7, ["sendMessage", "sendMediaGroup", "sendDocument"]),
    ],
)
async def test_files_follow_where_that_is_wished(
    database: AnyDatabase, api: BotApiSimulator, files: int, methods: list[str]
) -> None:
    news = News(database, api, enable_tg_push_attachment=True)
    await news.bound()
    await news.mail(content=letter_with(files))
    await news.push_all()
    assert [call.method for call in api.calls] == methods
    sent = [file for call in api.calls for file in call.files.values()]
    assert [content for _, _, content in sent] == [b"content %d" % n for n in range(files)]
    assert all(name.endswith(".csv") and kind == "text/csv" for name, kind, _ in sent)
    assert all(call.values["chat_id"] == "42" for call in api.calls)


async def test_files_are_not_sent_where_that_is_not_wished(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api)
    await news.bound()
    await news.mail(content=letter_with(2))
    await news.push_all()
    assert [call.method for call in api.calls] == ["sendMessage"]


async def test_what_arrived_is_not_sent_again_when_a_group_of_files_fails(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api, enable_tg_push_attachment=True)
    await news.bound()
    await news.mail(content=letter_with(13))
    api.answers = [(200, {"ok": True, "result": True})] * 2
    api.refuse(500, "Oops")
    await news.push_all()
    assert [row[1:4] for row in await news.rows()] == [("waiting", 1, 2)]
    news.clock.now += 5_000_000
    await news.push_all()
    assert [call.method for call in api.calls] == [
        "sendMessage", "sendMediaGroup", "sendMediaGroup", "sendMediaGroup", "sendDocument",
    ]  # fmt: skip
    assert [row[1:4] for row in await news.rows()] == [("pushed", 2, 4)]


async def test_a_worker_that_died_leaves_its_push_to_the_next(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api)
    await news.bound()
    await news.mail()
    now = news.clock.now
    claimed = await database.write(
        telegram_pushes.claim_due, now=now, lease_until=now + LEASE_MICROS, holder="dead", limit=9
    )
    assert len(claimed) == 1
    await news.push_all()
    assert api.calls == []
    news.clock.now += LEASE_MICROS
    await news.push_all()
    assert len(api.calls) == 1
    lost = await database.write(
        telegram_pushes.settle, claimed[0].id, state="failed", next_attempt_at=None, reason="",
        holder="dead", now=now,
    )  # fmt: skip
    assert not lost
    assert [row[1:3] for row in await news.rows()] == [("pushed", 2)]


async def test_a_restart_ends_the_leases_of_the_dead(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api)
    await news.bound()
    await news.mail()
    now = news.clock.now
    await database.write(
        telegram_pushes.claim_due, now=now, lease_until=now + LEASE_MICROS, holder="dead", limit=9
    )
    await database.write(telegram_pushes.end_leases, now=now)
    await news.push_all()
    assert len(api.calls) == 1


async def test_two_workers_tell_of_a_mail_once(database: AnyDatabase, api: BotApiSimulator) -> None:
    news = News(database, api)
    await news.everybody(*(str(number) for number in range(1, 21)))
    await news.mail()
    other = news.another_pusher()
    while True:
        more = [await news.pushing.start_some(), await other.start_some()]
        await news.pushing.settled()
        await other.settled()
        if not any(more):
            break
    assert sorted(int(call.values["chat_id"]) for call in api.calls) == list(range(1, 21))


async def test_a_chat_that_takes_nothing_has_a_bounded_number_waiting(
    database: AnyDatabase, api: BotApiSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_PUSHES_WAITING == 1_000
    monkeypatch.setattr("mailbox_service.services.reacting.MOST_PUSHES_WAITING", 2)
    news = News(database, api)
    await news.bound()
    for _ in range(4):
        await news.mail()
    assert len(await news.rows()) == 2


async def test_ended_pushes_are_forgotten_after_a_day(
    database: AnyDatabase, api: BotApiSimulator
) -> None:
    news = News(database, api)
    await news.bound()
    await news.mail()
    await news.push_all()
    now = news.clock.now
    assert await database.write(telegram_pushes.purge, before=now - 1, limit=9) == 0
    assert await database.write(telegram_pushes.purge, before=now + KEPT_MICROS, limit=9) == 1


async def test_an_update_is_given_back_while_the_store_cannot_take_it(
    database: AnyDatabase, api: BotApiSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telegram comes again: nothing that was asked is lost."""
    from mailbox_service.services.telegram_bot import TelegramBot

    news = News(database, api)
    bot = TelegramBot(database, news.config, news.people, news.bot, clock=news.clock)
    update = {
        "update_id": 5,
        "message": {"message_id": 1, "from": {"id": 42}, "text": "/new post@x.test",
                    "chat": {"id": 42, "type": "private"}},
    }  # fmt: skip

    async def full(*_: Any, **__: Any) -> None:
        raise TemporaryFailure("No room")

    with monkeypatch.context() as trouble:
        trouble.setattr(news.registering, "open_for_bot", full)
        with pytest.raises(TemporaryFailure):
            await bot.handle(update)
    await bot.handle(update)
    await bot.handle(update)
    assert len(api.calls) == 1
    assert [one.name for one in await news.people.addresses("42")] == ["post@x.test"]
