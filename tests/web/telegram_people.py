"""People in Telegram, for tests of bot and mini app: initData that Telegram would make, updates
that it would send, over the real application."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.bot_api_simulator import BotApiSimulator, BotCall, bot_api
from tests.web.site import BOT_TOKEN, Site

_numbers = count(1)


def init_data(user: int = 42, token: str = BOT_TOKEN, age: int = 0) -> str:
    """What Telegram gives the mini app."""
    told = {"auth_date": str(int(time.time()) - age), "user": json.dumps({"id": user})}
    lines = "\n".join(f"{name}={told[name]}" for name in sorted(told))
    key = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
    return urlencode({**told, "hash": hmac.new(key, lines.encode(), hashlib.sha256).hexdigest()})


def update(text: str, user: int = 42, kind: str = "private") -> dict[str, Any]:
    """A message to the bot."""
    chat = {"id": user, "type": kind}
    message = {"message_id": 1, "from": {"id": user}, "chat": chat, "text": text}
    return {"update_id": next(_numbers), "message": message}


def pressed(data: str, user: int = 42) -> dict[str, Any]:
    """A pressed button below a message of the bot."""
    message = {"message_id": 5, "chat": {"id": user, "type": "private"}, "text": "x"}
    query = {"id": "cb-1", "from": {"id": user}, "data": data, "message": message}
    return {"update_id": next(_numbers), "callback_query": query}


class Conversation:
    """A person who talks to the bot of a site."""

    def __init__(self, site: Site, api: BotApiSimulator, user: int = 42) -> None:
        self.site = site
        self.api = api
        self.user = user

    async def send(self, told: dict[str, Any], secret: str | None = None) -> Any:
        headers = {} if secret is None else {"X-Telegram-Bot-Api-Secret-Token": secret}
        return await self.site.http.post("/telegram/webhook", json=told, headers=headers)

    async def calls(self, told: dict[str, Any]) -> list[BotCall]:
        """What the bot calls because of an update."""
        before = len(self.api.calls)
        got = await self.send(told)
        assert got.status_code == 200, got.text
        return self.api.calls[before:]

    async def say(self, text: str) -> str:
        """What the bot answers."""
        (call,) = await self.calls(update(text, self.user))
        assert call.method == "sendMessage"
        assert call.token == BOT_TOKEN
        assert call.values["chat_id"] == str(self.user)
        return call.text

    async def app(self, path: str, **values: Any) -> Any:
        """A request of the mini app."""
        told = {"initData": init_data(self.user), **values}
        return await self.site.http.post(f"/telegram/{path}", json=told)


@pytest.fixture
def api() -> Iterator[BotApiSimulator]:
    with bot_api() as server:
        yield server


@pytest.fixture
def ann(site: Site, api: BotApiSimulator) -> Conversation:
    return Conversation(site, api, 42)


@pytest.fixture
def bob(site: Site, api: BotApiSimulator) -> Conversation:
    return Conversation(site, api, 43)
