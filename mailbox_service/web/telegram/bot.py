"""Updates from Telegram (mailbox-api §3.7)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.errors import NotYours
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import OPEN, needs_bot
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("telegram")

# A message of 4096 characters that quotes another, with keyboards and files described.
LARGEST_UPDATE = 262_144
SECRET_HEADER = b"x-telegram-bot-api-secret-token"


class Update(Struct, frozen=True):
    """An update of the Bot API; only private messages and pressed buttons are looked at."""

    update_id: int = 0
    message: dict[str, Any] | None = None
    callback_query: dict[str, Any] | None = None


read_update = msgspec.json.Decoder(Any)


@routes.post(
    "/telegram/webhook",
    OPEN,
    body=Update,
    returns=Success,
    body_limit=LARGEST_UPDATE,
    headers={"X-Telegram-Bot-Api-Secret-Token": "The secret that our registration set."},
)
async def webhook(call: Call) -> Success:
    """An update from Telegram. Since the bot was registered here it must bear our secret."""
    await needs_bot(call)
    if not await call.services.telegram.is_ours(call.header(SECRET_HEADER)):
        raise NotYours("Not from Telegram")
    await call.services.telegram_bot.handle(await call.json(read_update))
    return SUCCESS
