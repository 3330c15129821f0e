"""What follows from a mail that arrived: forwards, webhooks, services called by keyword, an
automatic reply (mailbox-api §9, steps 8 to 13).

The worker reads messages behind its own cursor, decides, and writes the jobs down in one
transaction with the cursor: messages in the queue like any other, posts of webhooks in theirs.
So nothing is lost and nothing doubled when the process is killed, and nothing here ever holds up
or refuses a mail. Nothing that is decided here touches the network.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core import forwarding
from mailbox_service.core.auto_reply import (
    MOST_A_MAILBOX,
    MOST_A_SENDER,
    WINDOW_MICROS,
    AutoReply,
    may_be_answered,
    wants,
    written,
)
from mailbox_service.core.errors import MailError
from mailbox_service.core.extraction import contract_metadata
from mailbox_service.core.mime_parts import Header, read_header
from mailbox_service.core.parsing import ParsedMessage, parse
from mailbox_service.core.policy import ForwardingRule
from mailbox_service.core.webhook import (
    AllowList,
    BadWebhook,
    HttpRequest,
    WebhookMail,
    WebhookSettings,
    keyword_request,
    read_settings,
    request_of,
    webhook_mail,
)
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, as_datetime, new_id, now_micros
from mailbox_service.services.queueing import Order, put_into_queue
from mailbox_service.services.sending import Sending
from mailbox_service.signals import Signals
from mailbox_service.storage import (
    auto_replies,
    contents,
    cursors,
    locks,
    messages,
    telegram,
    telegram_pushes,
    webhooks,
)
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.messages import Arrival
from mailbox_service.storage.telegram_pushes import NewPush
from mailbox_service.storage.webhooks import ADMIN, KEYWORD, NewPost

log = logging.getLogger("mailbox.reacting")

CURSOR = "reactions"
# Messages looked at in one go, and octets of those from which something follows.
BATCH = 100
BATCH_OCTETS = 16 << 20
LOOK_AGAIN_SECONDS = 5.0
# After a wake-up, for more mail to come in: one look at many costs what one at one does. While
# mail keeps arriving, rest for this many times as long as the look took: accepting comes first.
GATHER_SECONDS = 0.02
MOST_PAUSES = 25
REST = 5.0
TROUBLE_SECONDS = 2.0
# While nothing follows from any mail the cursor is written down this often, and not for each.
CURSOR_MICROS = 1_000_000
# Posts of one owner that may wait. A receiver that is away for a day at one mail in nine seconds.
MOST_WAITING = 10_000
# News for one Telegram chat that may wait while Telegram, or the way to it, is away.
MOST_PUSHES_WAITING = 1_000
# Lines of the log that each owner keeps; the rest goes as new ones come.
KEPT_POSTS = 200
# Services called by keyword, and keywords of each: they are looked for in every mail.
MOST_SERVICES, MOST_KEYWORDS = 50, 500
# Fates that are remembered for the test hook.
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Keywords:
    """A service that is called about mail with one of its words (casefolded)."""

    binding: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What an administrator wants of all mail, read once for many messages."""

    forwarding: tuple[ForwardingRule, ...]
    mail_webhook: WebhookSettings
    allow_list: AllowList
    # Telegram chats that are told of all mail.
    told_of_everything: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is configured for the recipients of some messages."""

    hooks: Mapping[str, Any] = field(default_factory=dict)
    replies: Mapping[str, AutoReply] = field(default_factory=dict)
    # Telegram chats, by the address of whose mail they are told.
    told: Mapping[str, str] = field(default_factory=dict)

    def concern(self, address: str) -> bool:
        """Whether something is configured for an address."""
        return address in self.hooks or address in self.replies or address in self.told


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages behind the cursor, and those among them that need a closer look, with their
    bytes. `seen` is where the cursor stood in the store, `last` where the batch ends."""

    seen: int
    last: int
    count: int
    wishes: Wishes
    messages: tuple[tuple[Arrival, bytes], ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """An automatic reply that is sent unless its sender had enough of them."""

    sender: str
    order: Order


@dataclass(slots=True)
class Fate:
    """Everything that follows from one message. `forwarded_to` are the targets as they are
    configured, in order."""

    message_id: int
    address: str
    forwards: list[Order] = field(default_factory=list)
    forwarded_to: list[str] = field(default_factory=list)
    posts: list[NewPost] = field(default_factory=list)
    pushes: list[NewPush] = field(default_factory=list)
    reply: Reply | None = None
    replied: bool = False

    def __bool__(self) -> bool:
        return bool(self.forwards or self.posts or self.pushes or self.reply)


class Reacting:
    """The worker that decides what follows from arrived mail."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        sending: Sending,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
    ) -> None:
        self._database = database
        self._config = config
        self._administering = administering
        self._sending = sending
        self._signals = signals
        self._clock = clock
        self._new_id = new_queue_id
        self._own_rules = forwarding.read_rules(config.subdomain_forward_address_list)
        self._keywords = read_keywords(config) if config.enable_another_worker else ()
        self._one_at_a_time = asyncio.Lock()
        # How far this process has looked, and where the store says that all have.
        self._place = 0
        self._written_at = 0
        self._fates: OrderedDict[int, Fate] = OrderedDict()
        # What a test says that a model found, by message.
        self._given: dict[int, Mapping[str, str]] = {}

    async def run(self) -> None:
        """React until cancelled."""
        with self._signals.watch(topics.MESSAGES) as watch:
            while True:
                started = time.monotonic()
                try:
                    count = await self.react_to_some()
                except MailError as error:
                    log.warning("reactions-wait reason=%s", error.detail)
                    await asyncio.sleep(TROUBLE_SECONDS)
                    continue
                if count:
                    if await watch.wait(0.0):
                        await asyncio.sleep((time.monotonic() - started) * REST)
                    continue
                await watch.wait(LOOK_AGAIN_SECONDS)
                await watch.settle(GATHER_SECONDS, MOST_PAUSES)

    async def react_to(self, message_id: int, extract: Mapping[str, str] | None = None) -> Fate:
        """React to everything up to a message now; what followed from it. `extract` is what a
        model found in it, in place of our own finder."""
        if extract is not None:
            self._given = {message_id: extract}
            record = self._extraction_record(extract)
            await self._database.write(messages.set_metadata, message_id, record)
        while self._place < message_id and await self.react_to_some(at_once=True):
            pass
        return self._fates.get(message_id) or Fate(message_id, "")

    async def react_to_some(self, *, at_once: bool = False) -> int:
        """React to the next messages; how many were looked at. `at_once`: somebody waits."""
        async with self._one_at_a_time:
            unit = partial(
                next_messages,
                place=self._place,
                everything=self._concerns_everything(),
                with_hooks=self._config.enable_webhook,
                with_replies=self._config.enable_auto_reply,
                with_telegram=bool(self._config.telegram_bot_token),
            )
            if at_once:
                waiting = await self._database.read_small(CURSOR, unit)
            else:
                waiting = await self._database.read(unit)
            if not waiting.count:
                return 0
            fates = await asyncio.to_thread(self._decide, waiting) if waiting.messages else []
            now = self._clock()
            if fates or waiting.count == BATCH or now - self._written_at >= CURSOR_MICROS:
                replied = await asyncio.shield(
                    self._database.write(
                        keep_fates, fates, seen=waiting.seen, last=waiting.last, now=now
                    )
                )
                if replied is None:  # another process was here: go on from where it came to
                    self._place = 0
                    return waiting.count
                self._written_at = now
                for fate in fates:
                    fate.replied = fate.message_id in replied
                self._tell(fates)
            self._place = waiting.last
            return waiting.count

    def _concerns_everything(self) -> bool:
        """Whether something may follow from any mail, whosever it is."""
        rules = self._administering.rules
        return bool(
            self._config.forward_address_list
            or self._own_rules
            or rules.forwarding
            or self._keywords
            or (self._config.enable_webhook and rules.mail_webhook.enabled)
            or (self._config.telegram_bot_token and rules.telegram.told_of_everything)
        )

    def _tell(self, fates: Sequence[Fate]) -> None:
        """Wake the workers that go on from here."""
        for fate in fates:
            self._fates[fate.message_id] = fate
            log.info(
                "reactions message=%d forwards=%d webhooks=%d replied=%s",
                fate.message_id,
                len(fate.forwarded_to),
                len(fate.posts),
                fate.replied,
            )
        while len(self._fates) > REMEMBERED:
            self._fates.popitem(last=False)
        if any(fate.forwards or fate.replied for fate in fates):
            self._signals.notify(topics.QUEUE)
        if any(fate.posts for fate in fates):
            self._signals.notify(topics.WEBHOOKS)
        if any(fate.pushes for fate in fates):
            self._signals.notify(topics.TELEGRAM)

    # Deciding. Pure but for names and the time; in a thread, since it parses.

    def _decide(self, waiting: Waiting) -> list[Fate]:
        rules = self._administering.rules
        standing = Standing(
            forwarding=(*self._own_rules, *rules.forwarding),
            mail_webhook=rules.mail_webhook,
            allow_list=rules.webhook_allow_list,
            told_of_everything=rules.telegram.told_of_everything,
        )
        fates = []
        for arrival, content in waiting.messages:
            try:
                fate = self._fate(arrival, content, waiting.wishes, standing)
            except Exception:
                # One message that breaks a rule of ours must not stop those behind it.
                log.exception("reaction-failed message=%d", arrival.id)
                continue
            if fate:
                fates.append(fate)
        return fates

    def _fate(self, arrival: Arrival, content: bytes, wishes: Wishes, standing: Standing) -> Fate:
        fate = Fate(arrival.id, arrival.address)
        header = read_header(content)
        self._forward(fate, arrival, header, content, standing)
        self._push(fate, arrival, wishes, standing)
        self._call(fate, arrival, content, wishes, standing)
        reply = wishes.replies.get(arrival.address)
        if reply is not None:
            fate.reply = self._answer(arrival, header, reply)
        return fate

    def _forward(
        self, fate: Fate, arrival: Arrival, header: Header, content: bytes, standing: Standing
    ) -> None:
        found = forwarding.targets(
            self._config.forward_address_list,
            standing.forwarding,
            recipient=arrival.address,
            reverse_path=arrival.reverse_path,
        )
        if not found:
            return
        if not forwarding.may_go_on(header, content, arrival.address):
            log.warning("forward-would-loop message=%d address=%s", arrival.id, arrival.address)
            return
        going = forwarding.without_copy(header, arrival.address, found)
        marked = forwarding.marked(content, arrival.address, going)
        for recipients in forwarding.in_rounds(going):
            order = self._sending.orders.of_ours(
                arrival.address,
                recipients,
                marked,
                queue_id=self._new_id(),
                # Bounces come back to the mailbox that forwards; a bounce is forwarded as one,
                # with the null reverse-path, so that it can never make another.
                reverse_path=arrival.address if arrival.reverse_path else "",
                door="forward",
                subject=header.decoded("subject"),
            )
            if order is None:
                log.warning("forward-has-no-way-out address=%s", arrival.address)
                return
            fate.forwards.append(order)
        if fate.forwards:
            fate.forwarded_to = found

    def _push(self, fate: Fate, arrival: Arrival, wishes: Wishes, standing: Standing) -> None:
        """News to Telegram: to those who are told of all mail, and to whoever bound the address.
        Who is both gets two (mailbox-api §13.3)."""
        if not self._config.telegram_bot_token:
            return
        for chat in standing.told_of_everything:
            fate.pushes.append(NewPush(chat, arrival.id, for_all=True))
        chat = wishes.told.get(arrival.address, "")
        if chat:
            fate.pushes.append(NewPush(chat, arrival.id, for_all=False))

    def _call(
        self, fate: Fate, arrival: Arrival, content: bytes, wishes: Wishes, standing: Standing
    ) -> None:
        """Webhooks and services: the administrator's, the mailbox's own, those by keyword."""
        chosen = []
        if self._config.enable_webhook:
            if standing.mail_webhook.enabled:
                chosen.append((ADMIN, standing.mail_webhook))
            own = wishes.hooks.get(arrival.address)
            if own is not None and standing.allow_list.allows(arrival.address):
                chosen.append((arrival.address, read_settings(own)))
        if not chosen and not self._keywords:
            return
        parsed = parse(content)
        mail = self._mail(arrival, content, parsed)
        for owner, settings in chosen:
            if settings.enabled:
                self._post(fate, owner, partial(request_of, settings, mail))
        text = parsed.text.casefold()
        for service in self._keywords:
            if any(word in text for word in service.words):
                body = keyword_body(arrival, parsed, mail.raw)
                self._post(fate, KEYWORD, partial(keyword_request, service.binding, body))

    def _mail(self, arrival: Arrival, content: bytes, parsed: ParsedMessage) -> WebhookMail:
        rules = self._administering.rules
        extract = self._given.get(arrival.id)
        wanted = self._config.enable_ai_email_extract
        if extract is None and wanted and rules.extract_list.allows(arrival.address):
            found = contract_metadata(parsed.text, parsed.html, self._iso_time())
            extract = json.loads(found)["ai_extract"] if found else None
        return webhook_mail(
            arrival.id,
            arrival.address,
            content,
            sender=parsed.sender,
            subject=parsed.subject,
            text=parsed.text,
            html=parsed.html,
            frontend_url=self._config.frontend_url,
            extract=extract,
        )

    def _iso_time(self) -> str:
        moment = as_datetime(self._clock()).isoformat(timespec="milliseconds")
        return moment.replace("+00:00", "Z")

    def _extraction_record(self, extract: Mapping[str, str]) -> str:
        """The `metadata` of a message (mailbox-api §9.9)."""
        record = {"ai_extract": dict(extract), "extracted_at": self._iso_time()}
        return json.dumps(record, ensure_ascii=False)

    def _post(self, fate: Fate, owner: str, make: Callable[[], HttpRequest]) -> None:
        request, problem = None, ""
        try:
            request = make()
        except BadWebhook as error:  # its owner finds the reason in the log
            problem = f"{error.name} {error}"
        webhook_id = f"msg_{self._new_id()}"
        fate.posts.append(
            NewPost(webhook_id, owner, fate.message_id, fate.address, request, problem)
        )

    def _answer(self, arrival: Arrival, header: Header, reply: AutoReply) -> Reply | None:
        address = arrival.address
        if not wants(reply, arrival.reverse_path):
            return None
        sender = arrival.reverse_path.lower()  # what is queued is canonical
        if not may_be_answered(header, sender, address):
            return None
        queue_id = self._new_id()
        try:
            content = written(
                reply,
                address=address,
                reverse_path=sender,
                original_id=header.text("message-id"),
                message_id=f"<{queue_id.lower()}@{address.rpartition('@')[2]}>",
                date=as_datetime(self._clock()),
            )
        except MailError as error:
            log.warning("auto-reply-not-written address=%s reason=%s", address, error.detail)
            return None
        # The null reverse-path: nobody answers an answer (RFC 3834 §3.3).
        order = self._sending.orders.of_ours(
            address,
            (sender,),
            content,
            queue_id=queue_id,
            reverse_path="",
            door="auto-reply",
            subject=reply.subject,
        )
        return None if order is None else Reply(sender, order)


def read_keywords(config: Config) -> tuple[Keywords, ...]:
    """The services of the configuration that can be called: by HTTP, with a word to look for."""
    services = []
    for entry in config.another_worker_list[:MOST_SERVICES]:
        binding, words = entry.get("binding"), forwarding.texts(entry.get("keywords"))
        kept = tuple(word.casefold() for word in words[:MOST_KEYWORDS] if word)
        if isinstance(binding, str) and binding.startswith(("http://", "https://")) and kept:
            services.append(Keywords(binding, kept))
    return tuple(services)


def keyword_body(arrival: Arrival, parsed: ParsedMessage, raw: str) -> dict[str, object]:
    """What a service that is called by keyword gets (mailbox-api §9.13)."""
    headers: dict[str, str] = {}
    for name, value in parsed.headers:
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return {
        "from": arrival.reverse_path,
        "to": arrival.address,
        "rawEmail": raw,
        "headers": headers,
    }


async def next_messages(
    tx: Transaction,
    *,
    place: int,
    everything: bool,
    with_hooks: bool,
    with_replies: bool,
    with_telegram: bool = False,
) -> Waiting:
    """What comes behind the cursor, with the bytes of what needs a closer look."""
    seen = await cursors.get(tx, CURSOR)
    found = await messages.arrivals(tx, after=max(place, seen), limit=BATCH)
    if not found:
        return Waiting(seen, max(place, seen), 0, Wishes(), ())
    names = sorted({one.address for one in found})
    wishes = Wishes(
        await webhooks.enabled_of(tx, names) if with_hooks else {},
        await auto_replies.enabled_of(tx, names) if with_replies else {},
        await telegram.told_of(tx, names) if with_telegram else {},
    )
    taken: list[tuple[Arrival, bytes]] = []
    octets = count = 0
    last = max(place, seen)
    for one in found:
        concerned = everything or wishes.concern(one.address)
        if concerned and not one.quiet:
            if taken and octets + one.size > BATCH_OCTETS:
                break
            try:
                taken.append((one, await contents.read(tx, one.content_id)))
            except contents.Damaged as damage:
                log.error("content-damaged message=%d reason=%s", one.id, damage)
            octets += one.size
        last = one.id
        count += 1
    return Waiting(seen, last, count, wishes, tuple(taken))


async def keep_fates(
    tx: Transaction, fates: Sequence[Fate], *, seen: int, last: int, now: int
) -> frozenset[int] | None:
    """Write down everything that follows, and how far the worker came. The messages that get an
    automatic reply; None, and nothing written, when another process came first."""
    await locks.order_events(tx)
    if not await cursors.move(tx, CURSOR, before=seen, position=last):
        return None
    replied = set()
    for fate in fates:
        for order in fate.forwards:
            await put_into_queue(tx, order)
        for post in fate.posts:
            if not await webhooks.add(tx, post, now=now, most_waiting=MOST_WAITING):
                log.warning("webhook-dropped owner=%s message=%d", post.owner, fate.message_id)
            await webhooks.trim(tx, post.owner, kept=KEPT_POSTS, limit=KEPT_POSTS)
        for push in fate.pushes:
            if not await telegram_pushes.add(tx, push, now=now, most_waiting=MOST_PUSHES_WAITING):
                log.warning("telegram-dropped message=%d", fate.message_id)
        if fate.reply is not None and await answer_within(tx, fate.address, fate.reply, now):
            await put_into_queue(tx, fate.reply.order)
            replied.add(fate.message_id)
    return frozenset(replied)


async def answer_within(tx: Transaction, address: str, reply: Reply, now: int) -> bool:
    """Count an automatic reply; False when its sender, or its mailbox, had enough of them."""
    for sender, most in ((reply.sender, MOST_A_SENDER), ("", MOST_A_MAILBOX)):
        if not await auto_replies.count_within(
            tx, address, sender, most=most, now=now, window=WINDOW_MICROS
        ):
            log.info("auto-reply-withheld address=%s", address)
            return False
    return True
