"""Telling Telegram of new mail: lease what is due, send it, write down what came of it
(mailbox-api §13.3).

A worker that dies between a call and its record makes the call again: the Bot API has no key by
which it could know a repeated one. What it had written down is not sent again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Callable, Sequence
from typing import Any

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.errors import MailError
from mailbox_service.core.extraction import contract_metadata
from mailbox_service.core.parsing import ParsedMessage, PartInfo, parse, part_bytes
from mailbox_service.core.stored import StoredMessage
from mailbox_service.core.telegram import BotFile, BotRefused, next_push
from mailbox_service.core.telegram_messages import extract_in, file_groups, mail_text
from mailbox_service.core.telegram_texts import bot_language
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, as_datetime, now_micros
from mailbox_service.services.leased_work import TROUBLE_SECONDS, LeasedWork
from mailbox_service.services.reading import Reading
from mailbox_service.services.telegram_bot import Bot, view_button
from mailbox_service.signals import Signals
from mailbox_service.storage import telegram, telegram_pushes
from mailbox_service.storage.database import Database
from mailbox_service.storage.telegram_pushes import FAILED, PUSHED, WAITING, Claim

log = logging.getLogger("mailbox.telegram")

# Pushes at once; one for each chat. Telegram takes 30 messages a second of one bot.
MOST_PUSHES = 8
# Mails whose files are sent at once: they are in memory meanwhile.
MOST_WITH_FILES = 1
# Longer than one call may take (two minutes, with files), and renewed with every call.
LEASE_MICROS = 5 * 60 * 1_000_000
RECORD_TRIES = 20
# Ended pushes are kept for this long, so that a mail is told of once.
KEPT_MICROS = 24 * 3_600 * 1_000_000


class TelegramPushing:
    """The worker that tells chats of their mail."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        reading: Reading,
        bot: Bot,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._config = config
        self._administering = administering
        self._reading = reading
        self._bot = bot
        self._signals = signals
        self._clock = clock
        self._jitter = jitter
        self._holder = secrets.token_hex(8)
        self._work = LeasedWork(
            "telegram",
            database,
            signals,
            topic=topics.TELEGRAM,
            most=MOST_PUSHES,
            next_turn=telegram_pushes.next_turn,
            purge=telegram_pushes.purge,
            kept_micros=KEPT_MICROS,
            clock=clock,
        )
        self._with_files = asyncio.Semaphore(MOST_WITH_FILES)

    async def run(self) -> None:
        """Push until cancelled."""
        await self._work.run(self.start_some)

    async def start_some(self) -> bool:
        """Lease what is due and begin to push it; whether there may be more."""
        return await self._work.begin_due(
            telegram_pushes.claim_due,
            self._push,
            lease_micros=LEASE_MICROS,
            holder=self._holder,
        )

    async def settled(self) -> None:
        """Wait until every push that was begun is over."""
        await self._work.settled()

    async def _push(self, claim: Claim) -> None:
        """One push and its record. Whatever goes wrong here, the lease brings it back."""
        refused: BotRefused | None = None
        try:
            await self._tell(claim)
        except BotRefused as error:
            refused = error
        now = self._clock()
        again = None
        if refused is not None:
            again = next_push(
                refused,
                attempt=claim.attempt,
                created_at=claim.created_at,
                now=now,
                jitter=self._jitter(),
            )
        state = PUSHED if refused is None else FAILED if again is None else WAITING
        log.info(
            "telegram message=%d attempt=%d %s%s",
            claim.message_id,
            claim.attempt,
            state,
            f" {refused}" if refused else "",
        )
        await self._record(claim, state, again, "" if refused is None else str(refused))

    async def _tell(self, claim: Claim) -> None:
        """Send the text, then the files, from where an earlier attempt came to."""
        found = await self._reading.content(None, claim.message_id)
        if found is None:
            return  # deleted since: there is nothing to tell
        if not claim.for_all and not self._administering.rules.telegram.allows(claim.chat):
            return  # may use the bot no more
        message, content = found
        parsed = await asyncio.to_thread(parse, content)
        if claim.steps_done == 0:
            await self._bot.call("sendMessage", await self._news(claim, message, parsed))
            await self._step(claim, 1)
        if not self._config.enable_tg_push_attachment:
            return
        groups = file_groups(parsed.attachments)
        for number, group in enumerate(groups, start=1):
            if number < claim.steps_done:
                continue
            async with self._with_files:
                files = await asyncio.to_thread(files_of, content, group)
                await self._bot.send_files(claim.chat, files)
            await self._step(claim, number + 1)

    async def _news(
        self, claim: Claim, message: StoredMessage, parsed: ParsedMessage
    ) -> dict[str, Any]:
        """The message to a chat."""
        chosen = None
        if not claim.for_all and self._config.tg_allow_user_lang:
            chosen = await self._database.read_quick(telegram.language_of, claim.chat)
        language = bot_language(chosen, self._config.default_lang)
        text = mail_text(
            parsed,
            message.address,
            as_datetime(message.received_at),
            language,
            extract=self._extract(message, parsed),
        )
        values: dict[str, Any] = {"chat_id": claim.chat, "text": text}
        url = self._administering.rules.telegram.mini_app_url
        buttons = view_button(url, message.id, claim.chat, language)
        if buttons:
            values["reply_markup"] = {"inline_keyboard": [buttons]}
        return values

    def _extract(self, message: StoredMessage, parsed: ParsedMessage) -> Any:
        """What was found in the mail; found here when the worker that looks did not come yet."""
        known = extract_in(message.metadata)
        wanted = self._config.enable_ai_email_extract
        if known is not None or not wanted or not self._looks_through(message.address):
            return known
        made = contract_metadata(parsed.text, parsed.html, "")
        return json.loads(made)["ai_extract"] if made else None

    def _looks_through(self, address: str) -> bool:
        return self._administering.rules.extract_list.allows(address)

    async def _step(self, claim: Claim, steps_done: int) -> None:
        await self._through_trouble(
            telegram_pushes.step,
            claim.id,
            steps_done=steps_done,
            lease_until=self._clock() + LEASE_MICROS,
            holder=self._holder,
        )

    async def _record(self, claim: Claim, state: str, again: int | None, reason: str) -> None:
        await self._through_trouble(
            telegram_pushes.settle,
            claim.id,
            state=state,
            next_attempt_at=again,
            reason=reason,
            holder=self._holder,
            now=self._clock(),
        )

    async def _through_trouble(self, work: Any, *args: Any, **values: Any) -> None:
        """Write it down, through trouble of the store: what is not written is sent again."""
        for _ in range(RECORD_TRIES):
            try:
                await asyncio.shield(self._database.write(work, *args, **values))
            except MailError as error:
                log.warning("telegram-not-recorded reason=%s", error.detail)
                await asyncio.sleep(TROUBLE_SECONDS)
            else:
                return


def files_of(content: bytes, group: Sequence[PartInfo]) -> list[BotFile]:
    """The files of one group, with their bytes."""
    return [
        BotFile(part.filename, part.mime_type, part_bytes(content, part.index)) for part in group
    ]
