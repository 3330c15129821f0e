"""Administration of the bot (mailbox-api §3.6, Telegram administration)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from mailbox_service.core.telegram import BotRefused, TelegramSettings
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Uncaught
from mailbox_service.web.guards import ADMIN, needs_bot
from mailbox_service.web.mailbox.webhook import posted_settings
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin telegram")

LARGEST_SETTINGS = 262_144  # two lists of a thousand ids


class Registered(Struct, frozen=True):
    """Telegram knows where we are."""

    message: str = "webhook set successfully"


class BotStatus(Struct, frozen=True):
    """The results of getWebhookInfo and getMyCommands."""

    info: Any
    commands: Any


@routes.post("/admin/telegram/init", ADMIN, returns=Registered)
async def register(call: Call) -> Registered:
    """Tell Telegram to send its updates to the host of this request, with a secret, and which
    commands there are."""
    await needs_bot(call)
    try:
        await call.services.telegram_bot.register(call.header(b"host") or "")
    except BotRefused as refused:
        raise Uncaught("Error", str(refused)) from None
    return Registered()


@routes.get("/admin/telegram/status", ADMIN, returns=BotStatus)
async def status(call: Call) -> BotStatus:
    """What Telegram knows of the bot."""
    await needs_bot(call)
    try:
        info, commands = await call.services.telegram_bot.status()
    except BotRefused as refused:
        raise Uncaught("Error", str(refused)) from None
    return BotStatus(info, commands)


@routes.get("/admin/telegram/settings", ADMIN, returns=TelegramSettings)
async def settings(call: Call) -> TelegramSettings:
    """Who may use the bot, where the mini app is, who is told of all mail."""
    await needs_bot(call)
    rules = await call.services.administering.refresh()
    return rules.telegram


@routes.post(
    "/admin/telegram/settings",
    ADMIN,
    body=TelegramSettings,
    returns=Success,
    body_limit=LARGEST_SETTINGS,
)
async def save_settings(call: Call) -> Success:
    """Replace the settings; what is missing has its default."""
    await needs_bot(call)
    await call.services.telegram.change_settings(await posted_settings(call))
    return SUCCESS
