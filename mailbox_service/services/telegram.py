"""Addresses in Telegram, for bot and mini app alike (mailbox-api §3.7, §13)."""

from __future__ import annotations

import hashlib
import hmac
import logging
from dataclasses import dataclass
from typing import Any

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from mailbox_service.config import Config
from mailbox_service.core import telegram as rules
from mailbox_service.core.address import canonical
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import (
    BadAddress,
    BadCredential,
    BadRequest,
    NotYours,
)
from mailbox_service.core.stored import Excerpt, StoredMessage
from mailbox_service.core.telegram import TelegramSettings
from mailbox_service.core.telegram_texts import bot_language, say
from mailbox_service.core.texts import Language, text
from mailbox_service.services.administering import Administering
from mailbox_service.services.authenticating import Authenticating, Opened
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.overruling import Overruling
from mailbox_service.services.reading import Reading
from mailbox_service.services.registering import Registering
from mailbox_service.storage import telegram
from mailbox_service.storage.database import Database
from mailbox_service.storage.telegram import Bound

log = logging.getLogger("mailbox.telegram")

REGISTERED = "telegram_webhook"  # the setting that says whether updates show our secret


@dataclass(frozen=True, slots=True)
class Held:
    """An address that somebody has in Telegram, and a token for it."""

    address: str
    jwt: str


class Telegram:
    """What people may do with their addresses from Telegram."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        authenticating: Authenticating,
        registering: Registering,
        reading: Reading,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._config = config
        self._administering = administering
        self._authenticating = authenticating
        self._registering = registering
        self._reading = reading
        self._clock = clock
        self._most = max(0, config.tg_max_address)
        self.overruling = Overruling(config, administering)
        self._warned = False
        self._rate = RateLimitItemPerMinute(max(1, config.rate_limit_requests))
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    # Settings

    @property
    def settings(self) -> TelegramSettings:
        """What the administrator set."""
        return self._administering.rules.telegram

    async def change_settings(self, value: Any) -> None:
        """Set it. Raises BadRequest for what is no object."""
        if not isinstance(value, dict):
            raise BadRequest(text("InvalidInputMsg"), message_key="InvalidInputMsg")
        read = rules.read_settings(value)
        stored = {
            "enableAllowList": read.enable_allow_list,
            "allowList": read.allow_list,
            "miniAppUrl": read.mini_app_url,
            "enableGlobalMailPush": read.enable_global_mail_push,
            "globalMailPushList": read.global_mail_push_list,
        }
        await self._administering.change({"telegram_settings": stored})

    async def is_ours(self, shown: str | None) -> bool:
        """Whether an update comes from Telegram: by the secret that our registration set. Until
        we registered, updates without one are taken (mailbox-api §3.7)."""
        expected = rules.webhook_secret(self._config.jwt_secret, self._config.telegram_bot_token)
        if shown is not None:
            return hmac.compare_digest(shown.encode(), expected.encode())
        registered: object = await self._administering.stored(REGISTERED)
        if registered == self._bot_mark():
            return False
        if not self._warned:
            self._warned = True
            log.warning("telegram-without-secret: POST /admin/telegram/init registers the bot")
        return True

    async def note_registered(self) -> None:
        """From now on every update of this bot shows our secret."""
        await self._administering.change({REGISTERED: self._bot_mark()})

    def _bot_mark(self) -> str:
        return hashlib.sha256(self._config.telegram_bot_token.encode()).hexdigest()[:16]

    # People

    def proved_user(self, init_data: str) -> str:
        """The user of the mini app. Raises BadRequest, NotYours for one who may not use it."""
        seconds = self._clock() // 1_000_000
        user = rules.proved_user(init_data, self._config.telegram_bot_token, seconds)
        if not self.settings.allows(user):
            raise BadRequest(say("not_allowed", bot_language(None, self._config.default_lang)))
        return user

    async def language_of(self, user: str) -> Language:
        """The language of a user."""
        chosen = None
        if self._config.tg_allow_user_lang:
            chosen = await self._database.read_quick(telegram.language_of, user)
        return bot_language(chosen, self._config.default_lang)

    async def choose_language(self, user: str, language: Language) -> None:
        """Keep a user's choice."""
        await self._database.write(telegram.set_language, telegram_user=user, language=language)

    # Addresses

    async def addresses(self, user: str) -> list[Bound]:
        """A user's addresses, those that count no longer included."""
        return await self._database.read(telegram.list_of, user, now=self._clock())

    async def held(self, user: str) -> list[Held]:
        """A user's addresses that count, with tokens."""
        return [
            Held(one.name, self._authenticating.token_now(one.name, one.address_id))
            for one in await self.addresses(user)
            if one.valid
        ]

    async def open(self, user: str, wish: str, *, random_subdomain: bool = False) -> Opened:
        """Open an address for a user and bind it; `wish` is `name@domain`, `name` or empty.

        Raises BadRequest with the contract's reasons, NameTaken.
        """
        if self._config.rate_limit_requests and not await self._limiter.hit(
            self._rate, f"temp-mail-telegram:{user}"
        ):
            raise BadRequest("Rate limit exceeded")  # 400, as all errors there (§3.7)
        self._check_room(await self.addresses(user))
        name, _, domain = wish.strip().partition("@")
        opened = await self._registering.open_for_bot(
            name=name,
            domain=domain or None,
            random_subdomain=random_subdomain,
            source=f"telegram:{user}",
        )
        await self._bind(user, canonical(opened.address), opened.address_id)
        return opened

    async def bind(self, user: str, token: str) -> str:
        """Bind an address by its token; the address. Raises BadRequest."""
        try:
            owner: Principal = await self._authenticating.address_token(token.strip())
        except BadCredential:
            raise refusal("TgInvalidCredentialMsg") from None
        known = await self.addresses(user)
        if not any(one.address == owner.address and one.valid for one in known):
            self._check_room([one for one in known if one.address != owner.address])
        # Also where it was bound before: the last who binds is told of its mail.
        await self._bind(user, owner.address, owner.address_id)
        return owner.address

    async def _bind(self, user: str, address: str, address_id: int) -> None:
        await self._database.write(
            telegram.bind,
            telegram_user=user,
            address=address,
            address_id=address_id,
            now=self._clock(),
        )

    def _check_room(self, known: list[Bound]) -> None:
        """Raises BadRequest when a user has as many addresses as they may."""
        if len(known) < self._most:
            return
        dead = any(not one.valid for one in known)
        raise refusal("TgMaxAddressReachedCleanMsg" if dead else "TgMaxAddressReachedMsg")

    async def unbind(self, user: str, address: str) -> None:
        """Take an address from a user's list; nothing happens when it is not there."""
        await self._database.write(
            telegram.unbind, telegram_user=user, address=canonical_or_empty(address)
        )

    async def delete(self, user: str, address: str) -> None:
        """Delete an address of a user and all that belongs to it. Raises NotYours, BadRequest."""
        if not self._config.enable_user_delete_email:
            key = "UserDeleteEmailDisabledMsg"
            raise NotYours(text(key), message_key=key)
        one = await self.owned(user, address)
        await self._registering.close(one.address_id, one.address)
        await self.unbind(user, one.address)

    async def owned(self, user: str, address: str) -> Bound:
        """An address of a user that counts. Raises BadRequest for any other."""
        wanted = canonical_or_empty(address)
        for one in await self.addresses(user):
            if one.address == wanted and one.valid:
                return one
        raise refusal("TgAddressNotYoursMsg")

    async def clean(self, user: str) -> int:
        """Take addresses that count no longer from a user's list; how many."""
        return await self._database.write(telegram.clean, user)

    # Mail

    async def mail(self, user: str, message_id: int) -> tuple[StoredMessage, bytes] | None:
        """A mail that a user may read; None when there is none. Raises NotYours for a mail of
        somebody else, unless the user is told of all mail."""
        found = await self._reading.content(None, message_id)
        if found is None or self.settings.sees_everything(user):
            return found
        mine = {one.address for one in await self.addresses(user) if one.valid}
        if found[0].address not in mine:
            key = "TgNoPermissionViewMailMsg"
            raise NotYours(text(key), message_key=key)
        return found

    async def mail_at(
        self, address: str, index: int
    ) -> tuple[tuple[StoredMessage, bytes] | None, int]:
        """The mail of an address at a place, 0 being the newest, and how many there are."""
        page = await self._reading.page(address, Excerpt(1, index))
        if not page.messages:
            return None, page.count
        return await self._reading.content(address, page.messages[0].id), page.count


def refusal(key: str) -> BadRequest:
    return BadRequest(text(key), message_key=key)


def canonical_or_empty(address: str) -> str:
    try:
        return canonical(address.strip())
    except BadAddress:
        return ""
