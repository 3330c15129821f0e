"""A mail arrives and Telegram tells of it, through the running service and a simulator of the
Bot API; also when the service is killed before it could."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bot_api_simulator import BotApiSimulator, bot_api
from tests.journeys.running import RunningService, running

TOKEN = "123456:of-the-journeys"
ANN = 42


def letter(subject: str) -> bytes:
    return f"From: Ann <ann@sender.example>\r\nSubject: {subject}\r\n\r\nHello\r\n".encode()


@pytest.fixture
def api() -> Iterator[BotApiSimulator]:
    with bot_api() as server:
        yield server


@pytest.fixture
def service(tmp_path: Path, api: BotApiSimulator) -> Iterator[RunningService]:
    yield from running(
        tmp_path / "service",
        telegram_bot_token=TOKEN,
        telegram_api_url=api.url,
        default_lang="en",
    )


def say(service: RunningService, api: BotApiSimulator, number: int, text: str) -> str:
    """Say something to the bot, with the secret of its registration; its answer."""
    secret = api.of("setWebhook")[0].values["secret_token"]
    chat = {"id": ANN, "type": "private"}
    message: dict[str, Any] = {"message_id": 1, "from": {"id": ANN}, "chat": chat, "text": text}
    before = len(api.calls)
    answer = service.post(
        "/telegram/webhook",
        {"update_id": number, "message": message},
        headers={"X-Telegram-Bot-Api-Secret-Token": secret},
    )
    assert answer.status == 200, answer.text
    api.wait(before + 1)
    return api.calls[before].text


def subjects(api: BotApiSimulator) -> list[str]:
    """The mails that chats were told of."""
    told = [call.text for call in api.of("sendMessage") if "Subject: " in call.text]
    return [text.split("Subject: ")[1].split("\n")[0] for text in told]


def test_a_mail_is_told_of_in_telegram_once(service: RunningService, api: BotApiSimulator) -> None:
    registered = service.post("/admin/telegram/init", admin=True)
    assert registered.json() == {"message": "webhook set successfully"}
    assert "bob@x.test" in say(service, api, 1, "/new bob@x.test")
    before = len(api.calls)
    service.deliver("bob@x.test", letter("first"))
    api.wait(before + 1)
    assert subjects(api) == ["first"]
    assert api.calls[-1].values["chat_id"] == str(ANN)

    # Telegram is away, and the service is killed while the news waits.
    api.refuse(502, "Bad Gateway")
    service.deliver("bob@x.test", letter("second"))
    api.wait(before + 2)
    service.kill()
    service.start()
    service.deliver("bob@x.test", letter("third"))
    api.wait(before + 4)
    assert sorted(subjects(api)) == ["first", "second", "second", "third"]
    assert TOKEN not in service.log
    assert service.stop() == 0
