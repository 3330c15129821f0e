"""The bot: commands in private chats, buttons below mails, its registration (mailbox-api §13.1)."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailbox_service.config import Config
from mailbox_service.core import telegram as rules
from mailbox_service.core.errors import BadRequest, MailError, TemporaryFailure
from mailbox_service.core.parsing import parse
from mailbox_service.core.telegram import BotFile, BotRefused, Said
from mailbox_service.core.telegram_messages import extract_in, mail_text
from mailbox_service.core.telegram_texts import bot_language, commands, say
from mailbox_service.core.texts import Language, localised
from mailbox_service.services.clock import Clock, as_datetime, now_micros
from mailbox_service.services.telegram import Telegram
from mailbox_service.storage import telegram
from mailbox_service.storage.database import Database

log = logging.getLogger("mailbox.telegram")

LONGEST_MESSAGE = 4_096  # characters (Bot API, sendMessage)
# Telegram repeats an update that was not taken for a day.
KEPT_UPDATES_MICROS = 24 * 3_600 * 1_000_000
_is_host = re.compile(
    r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]{2,39}\](?::[0-9]{1,5})?"
)


class Bot(Protocol):
    """The way out to the Bot API (`outbound`)."""

    async def call(self, method: str, values: Mapping[str, Any]) -> Any:
        """The result of a method. Raises BotRefused."""
        ...

    async def send_files(self, chat: str, files: Sequence[BotFile]) -> Any:
        """Send files. Raises BotRefused."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bot says back. `markdown`: with values in a fixed width, to be copied."""

    text: str
    buttons: tuple[Mapping[str, Any], ...] = ()
    markdown: bool = False


class TelegramBot:
    """Answers people, and tells Telegram where we are."""

    def __init__(
        self,
        database: Database,
        config: Config,
        people: Telegram,
        bot: Bot,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._config = config
        self._people = people
        self._bot = bot
        self._clock = clock
        self._commands: dict[str, Callable[[Said, str, Language], Awaitable[Answer]]] = {
            "start": self._start,
            "new": self._new,
            "address": self._address,
            "bind": self._bind,
            "unbind": self._unbind,
            "delete": self._delete,
            "mails": self._mails,
            "cleaninvalidaddress": self._clean,
            "lang": self._lang,
        }

    # Registration

    async def register(self, host: str) -> None:
        """Have updates sent to `https://<host>/telegram/webhook`, with a secret that only
        Telegram and we know, and list the commands. Raises BotRefused, BadRequest."""
        if not _is_host.fullmatch(host):
            raise BadRequest("The host of the request is none")
        secret = rules.webhook_secret(self._config.jwt_secret, self._config.telegram_bot_token)
        await self._bot.call(
            "setWebhook",
            {
                "url": f"https://{host}/telegram/webhook",
                "secret_token": secret,
                "allowed_updates": ["message", "callback_query"],
            },
        )
        # From here on an update without the secret is nobody's.
        await self._people.note_registered()
        listed = [
            {"command": one.name, "description": one.description}
            for one in commands(with_language=self._config.tg_allow_user_lang)
        ]
        await self._bot.call("setMyCommands", {"commands": listed})

    async def status(self) -> tuple[Any, Any]:
        """What Telegram knows: the webhook, and the commands. Raises BotRefused."""
        info = await self._bot.call("getWebhookInfo", {})
        return info, await self._bot.call("getMyCommands", {})

    # Answering

    async def handle(self, update: Any) -> None:
        """Do what an update asks, once. Raises TemporaryFailure, for Telegram to come again.

        What the bot says back may be lost: what was asked is done, and asking again would do it
        twice.
        """
        said = rules.read_update(update)
        if said is None or not await self._take(said):
            return
        try:
            answer = await self._answer(said)
        except TemporaryFailure:
            await self._database.write(telegram.give_back_update, said.update_id)
            raise
        try:
            await self._say(said, answer)
        except BotRefused as refused:
            log.warning("telegram-answer-lost user=%s code=%d %s", said.user, refused.code,
                        refused.description)  # fmt: skip

    async def _take(self, said: Said) -> bool:
        if not said.update_id:
            return True
        return await self._database.write(
            telegram.take_update, said.update_id, now=self._clock(), kept=KEPT_UPDATES_MICROS
        )

    async def _answer(self, said: Said) -> Answer | None:
        language = await self._people.language_of(said.user)
        if not self._people.settings.allows(said.user):
            return Answer(say("not_allowed", language))
        try:
            if said.callback_id:
                return await self._pressed(said, language)
            name, argument = rules.read_command(said.text)
            command = self._commands.get(name)
            if command is None:
                return Answer(say("unknown", language)) if name else None
            return await command(said, argument, language)
        except TemporaryFailure:
            raise
        except MailError as error:
            words = localised(error.detail, error.message_key, language)
            return Answer(say("failed", language, words))

    async def _say(self, said: Said, answer: Answer | None) -> None:
        if said.callback_id:
            await self._bot.call("answerCallbackQuery", {"callback_query_id": said.callback_id})
        if answer is None:
            return
        values: dict[str, Any] = {"chat_id": said.chat, "text": answer.text[:LONGEST_MESSAGE]}
        if answer.markdown:
            values["parse_mode"] = "Markdown"
        if answer.buttons:
            values["reply_markup"] = {"inline_keyboard": [list(answer.buttons)]}
        if said.message_id:
            await self._bot.call("editMessageText", {**values, "message_id": said.message_id})
        else:
            await self._bot.call("sendMessage", values)

    # Commands

    async def _start(self, said: Said, argument: str, language: Language) -> Answer:
        lines = [say("welcome", language), ""]
        prefix = self._people.overruling.now.prefix.strip().lower()
        if prefix:
            lines.append(say("prefix", language, prefix))
        lines += [say("domains", language, ", ".join(self._config.visitor_domains)), ""]
        lines.append(say("commands", language))
        for one in commands(with_language=self._config.tg_allow_user_lang):
            lines.append(f"/{one.name} {one.chinese if language == 'zh' else one.english}")
        return Answer("\n".join(lines))

    async def _new(self, said: Said, argument: str, language: Language) -> Answer:
        try:
            opened = await self._people.open(said.user, argument)
        except TemporaryFailure:
            raise
        except MailError as error:
            words = localised(error.detail, error.message_key, language)
            return Answer(say("not_created", language, words))
        lines = [say("created", language), fixed(opened.address)]
        if opened.password:
            lines.append(say("password", language, fixed(opened.password)))
        lines.append(say("credential", language, fixed(opened.jwt)))
        return Answer("\n".join(lines), markdown=True)

    async def _address(self, said: Said, argument: str, language: Language) -> Answer:
        found = await self._people.addresses(said.user)
        if not found:
            return Answer(say("no_addresses", language))
        dead = say("invalid_address", language)
        lines = [one.name if one.valid else f"{one.name} ({dead})" for one in found]
        return Answer("\n".join([say("addresses", language), *lines]))

    async def _bind(self, said: Said, argument: str, language: Language) -> Answer:
        if not argument:
            return Answer(say("bind_how", language))
        return Answer(say("bound", language, await self._people.bind(said.user, argument)))

    async def _unbind(self, said: Said, argument: str, language: Language) -> Answer:
        if not argument:
            return Answer(say("unbind_how", language))
        await self._people.unbind(said.user, argument)
        return Answer(say("unbound", language, argument))

    async def _delete(self, said: Said, argument: str, language: Language) -> Answer:
        if not argument:
            return Answer(say("delete_how", language))
        await self._people.delete(said.user, argument)
        return Answer(say("deleted", language, argument))

    async def _clean(self, said: Said, argument: str, language: Language) -> Answer:
        return Answer(say("cleaned", language, await self._people.clean(said.user)))

    async def _lang(self, said: Said, argument: str, language: Language) -> Answer:
        if not self._config.tg_allow_user_lang:
            return Answer(say("language_off", language))
        wanted = argument.lower()
        if wanted not in ("zh", "en"):
            return Answer(say("language_how", language))
        chosen = bot_language(wanted, "")
        await self._people.choose_language(said.user, chosen)
        return Answer(say("language_set", chosen))

    async def _mails(self, said: Said, argument: str, language: Language) -> Answer:
        if not argument:
            valid = [one for one in await self._people.addresses(said.user) if one.valid]
            if not valid:
                return Answer(say("no_addresses", language))
            argument = valid[0].address
        return await self._show(said, argument, 0, language)

    async def _pressed(self, said: Said, language: Language) -> Answer | None:
        named = rules.read_callback(said.text)
        if named is None:
            return None
        address, index = named
        if address.startswith("#"):
            number = address[1:]
            known = await self._people.addresses(said.user)
            address = next((one.address for one in known if str(one.address_id) == number), "")
        return await self._show(said, address, index, language)

    async def _show(self, said: Said, address: str, index: int, language: Language) -> Answer:
        """The mail at a place of an address, with buttons to its neighbours."""
        one = await self._people.owned(said.user, address)
        found, count = await self._people.mail_at(one.address, index)
        if found is None:
            return Answer(say("no_mail", language))
        message, content = found
        parsed = await asyncio.to_thread(parse, content)
        text = mail_text(
            parsed,
            message.address,
            as_datetime(message.received_at),
            language,
            extract=extract_in(message.metadata),
        )
        buttons: list[Mapping[str, Any]] = []
        if index > 0:
            data = rules.callback_data(one.address, one.address_id, index - 1)
            buttons.append({"text": say("previous", language), "callback_data": data})
        buttons += view_button(self._people.settings.mini_app_url, message.id, said.chat, language)
        if index + 1 < count:
            data = rules.callback_data(one.address, one.address_id, index + 1)
            buttons.append({"text": say("next", language), "callback_data": data})
        return Answer(text, tuple(buttons))


def view_button(
    mini_app_url: str, message_id: int, chat: str, language: Language
) -> list[Mapping[str, Any]]:
    """The button that opens a mail in the mini app, or in a browser where it is a group or a
    channel (the Bot API has mini apps in private chats alone); none when nobody told where."""
    url = rules.mail_url(mini_app_url, message_id)
    if not url:
        return []
    private = chat.isdigit()
    opens = {"web_app": {"url": url}} if private else {"url": url}
    return [{"text": say("view", language), **opens}]


def fixed(value: str) -> str:
    """A value in a fixed width, in Telegram's first Markdown: nothing but a backtick ends it."""
    return f"`{value.replace('`', '')}`"
