"""Telegram: who speaks (the bot's updates, the mini app's initData), settings, the Bot API's
answers (mailbox-api §3.6, §3.7, §13)."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.webhook import HttpAnswer

# initData lives this long (§3.7).
INIT_DATA_SECONDS = 300
# Telegram's clock and ours.
AHEAD_SECONDS = 60
LONGEST_INIT_DATA = 16_384  # characters; a user with a photo has about 700
MOST_INIT_FIELDS = 50
# What a list of an administrator may hold.
MOST_LISTED = 1_000
LONGEST_URL = 2_048
LONGEST_COMMAND = 4_096  # characters of a message (Bot API, sendMessage)
LONGEST_CALLBACK_DATA = 64  # octets (Bot API, InlineKeyboardButton)

# Ids of users, groups and channels; a channel may be named `@name` besides.
_is_chat = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{4,32}").fullmatch
_is_user = re.compile(r"[0-9]{1,20}").fullmatch
_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,32})(?:@[A-Za-z0-9_]{1,64})?(?:\s+(.*))?", re.DOTALL)
_CALLBACK = re.compile(r"mail_(.+)_([0-9]{1,9})", re.DOTALL)


class TelegramSettings(Struct, frozen=True, kw_only=True, rename="camel"):
    """What an administrator sets (§3.6). Ids are texts."""

    enable_allow_list: bool = False
    allow_list: list[str] = []
    mini_app_url: str = ""
    enable_global_mail_push: bool = False
    global_mail_push_list: list[str] = []

    def allows(self, user: str) -> bool:
        """Whether somebody may use bot and mini app."""
        return not self.enable_allow_list or user in self.allow_list

    def sees_everything(self, user: str) -> bool:
        """Whether somebody is told of all mail, and so may read it."""
        return self.enable_global_mail_push and user in self.global_mail_push_list

    @property
    def told_of_everything(self) -> tuple[str, ...]:
        """The chats that are told of all mail, each once."""
        if not self.enable_global_mail_push:
            return ()
        return tuple(dict.fromkeys(chat for chat in self.global_mail_push_list if _is_chat(chat)))


def read_settings(value: Any) -> TelegramSettings:
    """Settings out of JSON: what is missing or of the wrong form has its default."""
    if not isinstance(value, dict):
        return TelegramSettings()
    url = value.get("miniAppUrl")
    return TelegramSettings(
        enable_allow_list=value.get("enableAllowList") is True,
        allow_list=ids_in(value.get("allowList")),
        mini_app_url=url.strip()[:LONGEST_URL] if isinstance(url, str) else "",
        enable_global_mail_push=value.get("enableGlobalMailPush") is True,
        global_mail_push_list=ids_in(value.get("globalMailPushList")),
    )


def ids_in(value: Any) -> list[str]:
    """The ids of a list, also those that were typed as numbers."""
    if not isinstance(value, list):
        return []
    return [
        str(one).strip()
        for one in value[:MOST_LISTED]
        if isinstance(one, str | int) and not isinstance(one, bool)
    ]


def mail_url(mini_app_url: str, message_id: int) -> str:
    """Where the mini app shows a mail; empty when nobody told where it is. Telegram opens
    addresses with TLS alone."""
    base, _, _ = mini_app_url.partition("?")
    if not base.startswith("https://"):
        return ""
    return f"{base.rstrip('/')}/telegram_mail?mail_id={message_id}"


# --- Who speaks --------------------------------------------------------------------------------


def proved_user(init_data: str, bot_token: str, now: int) -> str:
    """The id of the user whom Telegram put into initData, `now` in seconds. Raises BadRequest.

    The check of https://core.telegram.org/bots/webapps: an HMAC over all fields but `hash`.
    """
    wrong = BadRequest("Invalid initData")
    if len(init_data) > LONGEST_INIT_DATA:
        raise wrong
    try:
        pairs = parse_qsl(init_data, keep_blank_values=True, max_num_fields=MOST_INIT_FIELDS)
    except ValueError:
        raise wrong from None
    fields = dict(reversed(pairs))
    shown, issued = fields.pop("hash", ""), fields.get("auth_date", "")
    written = int(issued) if issued.isascii() and issued.isdigit() and len(issued) < 16 else None
    if written is not None and now - written > INIT_DATA_SECONDS:
        raise BadRequest("Auth date expired")
    told = "\n".join(f"{name}={value}" for name, value in sorted(pairs) if name != "hash")
    key = hmac.digest(b"WebAppData", bot_token.encode(), hashlib.sha256)
    expected = hmac.new(key, told.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
    same = hmac.compare_digest(shown.encode("utf-8", "replace"), expected.encode())
    if not same or written is None or written > now + AHEAD_SECONDS:
        raise wrong
    return user_in(fields.get("user", ""))


def user_in(told: str) -> str:
    """The id in the `user` of initData. Raises BadRequest."""
    try:
        user = json.loads(told)
        found = str(user["id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        found = ""
    if not _is_user(found):
        raise BadRequest("Invalid initData")
    return found


def webhook_secret(service_secret: str, bot_token: str) -> str:
    """What Telegram shows with every update once our webhook is registered: made of the
    service's secret, so that it need not be stored."""
    key = hmac.digest(service_secret.encode(), b"telegram-webhook", hashlib.sha256)
    return hmac.new(key, bot_token.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said to the bot in private: a command, or a pressed button
    (`callback_id`, with `message_id` naming the message that the button is on)."""

    update_id: int
    user: str
    chat: str
    text: str
    callback_id: str = ""
    message_id: int = 0


def read_update(update: Any) -> Said | None:
    """What an update says; None for what is no concern of the bot: groups, channels, edits."""
    if not isinstance(update, dict):
        return None
    number = update.get("update_id")
    number = number if isinstance(number, int) and 0 <= number < 1 << 62 else 0
    pressed = update.get("callback_query")
    message = update.get("message")
    if isinstance(pressed, dict):
        spoken, text = pressed, pressed.get("data")
        message = pressed.get("message")
    elif isinstance(message, dict):
        spoken, text = message, message.get("text")
    else:
        return None
    if not isinstance(message, dict):
        return None
    chat, sender = message.get("chat"), spoken.get("from")
    if not isinstance(chat, dict) or not isinstance(sender, dict) or chat.get("type") != "private":
        return None
    chat_id, user = str(chat.get("id")), str(sender.get("id"))
    if not _is_chat(chat_id) or not _is_user(user) or not isinstance(text, str):
        return None
    at = message.get("message_id")
    return Said(
        update_id=number,
        user=user,
        chat=chat_id,
        text=text[:LONGEST_COMMAND],
        callback_id=str(pressed.get("id", ""))[:64] if isinstance(pressed, dict) else "",
        message_id=at if isinstance(at, int) and isinstance(pressed, dict) else 0,
    )


def read_command(text: str) -> tuple[str, str]:
    """The command in a message, lower-case, and what stands behind it; empty for none."""
    found = _COMMAND.fullmatch(text.strip())
    return (found[1].lower(), (found[2] or "").strip()) if found else ("", "")


def callback_data(address: str, address_id: int, index: int) -> str:
    """What a button of a mail says: `mail_<address>_<index>` (§13.1), by the address's id where
    that is too long for a button."""
    data = f"mail_{address}_{index}"
    if len(data.encode()) <= LONGEST_CALLBACK_DATA:
        return data
    return f"mail_#{address_id}_{index}"


def read_callback(data: str) -> tuple[str, int] | None:
    """The address, or `#` with its id, and the index that a button names."""
    found = _CALLBACK.fullmatch(data)
    return (found[1], int(found[2])) if found else None


# --- The Bot API -------------------------------------------------------------------------------

# Retries of a push. News of a mail is stale after a day.
PAUSES = (5, 30, 120, 600, 1_800, 3_600)  # seconds
GIVE_UP_AFTER = 24 * 3_600  # seconds
LONGEST_PAUSE = 3_600  # seconds that Telegram may tell us to wait
SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class BotFile:
    """A file that the bot sends."""

    filename: str
    mime_type: str
    content: bytes = field(repr=False)


class BotRefused(Exception):
    """The Bot API did not do what it was asked; `code` 0: nothing came back. The text is safe
    to show: it is Telegram's, and has no token in it."""

    def __init__(self, code: int, description: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{code} {description}")
        self.code = code
        self.description = description
        self.retry_after = retry_after

    @property
    def is_final(self) -> bool:
        """Whether asking again is of no use: the chat is gone, or blocks the bot. A wrong token
        (401, 404) is mended by the operator."""
        return self.code in (400, 403)


def read_answer(answer: HttpAnswer, bot_token: str) -> Any:
    """The result in an answer of the Bot API. Raises BotRefused."""
    try:
        found = json.loads(answer.head) if answer.status else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        words = answer.reason.replace(bot_token, "…") or "no answer of the Bot API"
        raise BotRefused(0 if answer.is_success else answer.status, words[:200])
    if found.get("ok") is True:
        return found.get("result")
    code, told = found.get("error_code"), found.get("description")
    parameters: Mapping[str, Any] = found.get("parameters") or {}
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    raise BotRefused(
        code if isinstance(code, int) else answer.status,
        str(told).replace(bot_token, "…")[:200],
        min(float(wait), LONGEST_PAUSE) if isinstance(wait, int | float) and wait > 0 else 0.0,
    )


def next_push(
    refused: BotRefused, *, attempt: int, created_at: int, now: int, jitter: float
) -> int | None:
    """When a push that failed is tried again; None: never. Times are microseconds, `attempt`
    counts from 1, `jitter` is 0 to 1."""
    if refused.is_final:
        return None
    pause = PAUSES[min(attempt, len(PAUSES)) - 1] * (1 + SPREAD * jitter)
    later = now + int(max(pause, refused.retry_after) * 1_000_000)
    return later if later <= created_at + GIVE_UP_AFTER * 1_000_000 else None
