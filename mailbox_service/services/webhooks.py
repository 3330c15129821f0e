"""Webhook settings of owners and administrators, the test call, and the log of posts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from mailbox_service.config import Config
from mailbox_service.core.errors import NotYours, TooManyRequests
from mailbox_service.core.parsing import parse
from mailbox_service.core.stored import Excerpt, StoredMessage
from mailbox_service.core.texts import text
from mailbox_service.core.webhook import (
    HttpAnswer,
    HttpRequest,
    Post,
    WebhookMail,
    mail_url,
    read_settings,
    request_of,
    secret_of,
    signature_headers,
)
from mailbox_service.core.webhook_conditions import (
    ConditionMail,
    Conditions,
    condition_mail,
)
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, new_id, now_micros
from mailbox_service.storage import contents, message_lists, webhooks
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.webhooks import ADMIN

# Posts taken back in one transaction when their owner changes where they go.
BATCH = 500
# Test calls at once: one an owner, and few in all. They wait for strangers, and without a bound
# anybody with many mailboxes could have this service call somebody else all day.
MOST_TESTS = 16
TEST_RECIPIENT = "admin@test.com"  # of the administrator's test call (mailbox-api §3.6)
# The mail of a test call where there is none (mailbox-api §9.12).
MADE_UP = ConditionMail(
    senders=("test@test.com",),
    recipient="",
    subject="test subject",
    text="test parsed text",
    html="test parsed html",
    attachments=0,
)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a test call. `unmet` are the conditions that its mail does not meet; None where
    the settings have none."""

    answer: HttpAnswer
    unmet: tuple[str, ...] | None


class Poster(Protocol):
    """The way out to receivers (`outbound`)."""

    async def post(
        self, request: HttpRequest, more_headers: tuple[tuple[str, str], ...] = ()
    ) -> HttpAnswer:
        """Make one request. Trouble is an answer with status 0."""
        ...


class Webhooks:
    """Reads, saves and tries webhooks."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        poster: Poster,
        *,
        clock: Clock = now_micros,
        new_post_id: Callable[[], str] = new_id,
    ) -> None:
        self._database = database
        self._administering = administering
        self._poster = poster
        self._clock = clock
        self._new_post_id = new_post_id
        self._secret = config.webhook_secret
        self._frontend_url = config.frontend_url
        self._testing: set[str] = set()

    def check_allowed(self, address: str) -> None:
        """Raises NotYours when the administrator's list does not have the address."""
        if not self._administering.rules.webhook_allow_list.allows(address):
            key = "WebhookNotAllowedForUserMsg"
            raise NotYours(text(key), message_key=key)

    async def settings_of(self, address: str) -> Any:
        """The settings of a mailbox as they were posted; None when none ever were."""
        return await self._database.read(webhooks.settings_of, address)

    async def save(self, address: str, value: Any) -> None:
        """Keep the settings of a mailbox as they are; posts that wait for the old ones go."""
        enabled = read_settings(value).enabled
        await self._database.write(
            keep_settings, address, value, enabled=enabled, now=self._clock()
        )

    async def save_admin(self, value: Any) -> None:
        """Keep the settings of the administrator's webhook as they are."""
        await self._administering.change({"mail_webhook_settings": value})
        await self._database.write(cancel_all, ADMIN)

    def secret_of(self, owner: str) -> str:
        """With what the posts of a mailbox, or the service's own, are signed; empty: unsigned."""
        return secret_of(self._secret, owner) if self._secret and "@" in owner else self._secret

    def signature(self, owner: str, webhook_id: str, body: bytes) -> tuple[tuple[str, str], ...]:
        """The headers of a post that is made now."""
        seconds = self._clock() // 1_000_000
        return signature_headers(self.secret_of(owner), webhook_id, seconds, body)

    async def log(self, owner: str, *, limit: int, before_id: int | None) -> list[Post]:
        """The posts of one owner, newest first."""
        return await self._database.read(
            webhooks.list_posts, owner, limit=limit, before_id=before_id
        )

    async def try_out(self, value: Any, *, address: str, recipient: str) -> Tried:
        """Post once, about a stored mail of `address` (empty: of anybody) or about a made-up one,
        whether that mail meets the conditions or not.

        Raises BadWebhook when the settings make no request, TooManyRequests while another test
        of the owner, or many of others, are under way.
        """
        if address in self._testing or len(self._testing) >= MOST_TESTS:
            raise TooManyRequests("Another test of a webhook is under way", retry_after=10.0)
        self._testing.add(address)
        try:
            return await self._try_out(value, address, recipient)
        finally:
            self._testing.discard(address)

    async def _try_out(self, value: Any, address: str, recipient: str) -> Tried:
        mail, facts = await self._sample(address, recipient)
        settings = read_settings(value)
        request = request_of(settings, mail)
        signed = self.signature(address or ADMIN, f"msg_{self._new_post_id()}", request.body)
        answer = await self._poster.post(request, signed)
        if not isinstance(settings.conditions, Conditions):
            return Tried(answer, None)
        return Tried(answer, await asyncio.to_thread(settings.conditions.unmet, facts))

    async def _sample(self, address: str, recipient: str) -> tuple[WebhookMail, ConditionMail]:
        place = random.random()  # noqa: S311 - any mail will do
        found = await self._database.read(any_message, address or None, place)
        content = b"" if found is None else found[1]
        parsed = parse(content)
        name = "0" if found is None else str(found[0].id)
        facts = replace(MADE_UP, recipient=recipient)
        if found is not None:
            facts = condition_mail(
                content,
                parsed,
                recipient=found[0].address,
                reverse_path=found[0].reverse_path,
                verdicts=found[0].verdicts,
            )
        mail = WebhookMail(
            id=name,
            url=mail_url(self._frontend_url, name),
            sender=parsed.sender or "test@test.com",
            recipient=recipient,
            subject=parsed.subject or "test subject",
            raw=content.decode("utf-8", "replace") or "test raw email",
            text=parsed.text or "test parsed text",
            html=parsed.html or "test parsed html",
        )
        return mail, facts


async def keep_settings(
    tx: Transaction, address: str, value: Any, *, enabled: bool, now: int
) -> None:
    """Save settings, and take back what waits for those before."""
    await webhooks.put_settings(tx, address, value, enabled=enabled, now=now)
    await cancel_all(tx, address)


async def cancel_all(tx: Transaction, owner: str) -> None:
    """Take back all posts of an owner that wait."""
    while await webhooks.cancel(tx, owner, limit=BATCH):
        pass


async def any_message(
    tx: Transaction, address: str | None, place: float
) -> tuple[StoredMessage, bytes] | None:
    """One of the newest messages of a mailbox, with its bytes; `place` (0 to 1) says which."""
    newest = await message_lists.page(tx, address, Excerpt(100))
    if not newest:
        return None
    message = newest[int(place * len(newest))]
    try:
        return message, await contents.read(tx, message.content_id)
    except contents.Damaged:
        return None
