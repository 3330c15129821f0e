"""Deciding what follows from a mail that arrived: forwards, webhooks, services called by keyword,
news to Telegram, an automatic reply (mailbox-api §9, steps 8 to 13).

Pure but for names and the time. The worker (`reacting`) reads what is decided about, and writes
down what was decided.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mailbox_service.config import Config
from mailbox_service.core import forwarding
from mailbox_service.core.auto_reply import AutoReply, may_be_answered, wants, written
from mailbox_service.core.errors import MailError
from mailbox_service.core.extraction import contract_metadata
from mailbox_service.core.mime_parts import Header, read_header
from mailbox_service.core.owner_forwarding import may_get
from mailbox_service.core.parsing import ParsedMessage, parse
from mailbox_service.core.policy import ForwardingRule
from mailbox_service.core.stored import StoredVerdicts
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
from mailbox_service.core.webhook_conditions import Conditions, condition_mail
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, as_datetime
from mailbox_service.services.queueing import Order
from mailbox_service.services.sending import Sending
from mailbox_service.storage.messages import Arrival
from mailbox_service.storage.telegram_pushes import NewPush
from mailbox_service.storage.webhooks import ADMIN, KEYWORD, NewPost

# Lines of the log are the worker's, whichever module writes them.
log = logging.getLogger("mailbox.reacting")

# Services called by keyword, and keywords of each: they are looked for in every mail.
MOST_SERVICES, MOST_KEYWORDS = 50, 500


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
    # Where owners have their mail forwarded, proved.
    forwards: Mapping[str, str] = field(default_factory=dict)

    def concern(self, address: str) -> bool:
        """Whether something is configured for an address."""
        return (
            address in self.hooks
            or address in self.replies
            or address in self.told
            or address in self.forwards
        )


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


class Consequences:
    """Decides, by the settings of the service and what its administrator and the owners want."""

    def __init__(
        self,
        config: Config,
        administering: Administering,
        sending: Sending,
        *,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._config = config
        self._administering = administering
        self._sending = sending
        self._clock = clock
        self._new_id = new_id
        self._own_rules = forwarding.read_rules(config.subdomain_forward_address_list)
        self._keywords = read_keywords(config) if config.enable_another_worker else ()
        # What a test says that a model found, by message.
        self.given: dict[int, Mapping[str, str]] = {}

    def concerns_everything(self) -> bool:
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

    def fates(self, wishes: Wishes, arrived: Sequence[tuple[Arrival, bytes]]) -> list[Fate]:
        """What follows from some messages; nothing is told of those from which nothing does. It
        parses, and so is work for a thread."""
        standing = self._standing()
        return each_by_itself(
            (arrival.id, partial(self._fate, arrival, content, wishes, standing))
            for arrival, content in arrived
        )

    def judged_fates(
        self, wishes: Wishes, judged: Sequence[tuple[Arrival, bytes, StoredVerdicts]]
    ) -> list[Fate]:
        """The posts of webhooks whose conditions ask where a mail comes from, now that it is
        known. It parses, and so is work for a thread."""
        standing = self._standing()
        return each_by_itself(
            (arrival.id, partial(self._judged_fate, arrival, content, wishes, standing, verdicts))
            for arrival, content, verdicts in judged
        )

    def _judged_fate(
        self,
        arrival: Arrival,
        content: bytes,
        wishes: Wishes,
        standing: Standing,
        verdicts: StoredVerdicts,
    ) -> Fate:
        fate = Fate(arrival.id, arrival.address)
        hooks = self._hooks(arrival, wishes, standing, judged=True)
        if hooks:
            self._tell(fate, hooks, arrival, content, parse(content), verdicts)
        return fate

    def asks_for_verdicts_of_everything(self) -> bool:
        """Whether the administrator's webhook waits for verdicts."""
        hook = self._administering.rules.mail_webhook
        return hook.enabled and hook.need_verdicts

    def _standing(self) -> Standing:
        rules = self._administering.rules
        return Standing(
            forwarding=(*self._own_rules, *rules.forwarding),
            mail_webhook=rules.mail_webhook,
            allow_list=rules.webhook_allow_list,
            told_of_everything=rules.telegram.told_of_everything,
        )

    def _fate(self, arrival: Arrival, content: bytes, wishes: Wishes, standing: Standing) -> Fate:
        fate = Fate(arrival.id, arrival.address)
        header = read_header(content)
        self._forward(fate, arrival, header, content, wishes, standing)
        self._push(fate, arrival, wishes, standing)
        self._call(fate, arrival, content, wishes, standing)
        reply = wishes.replies.get(arrival.address)
        if reply is not None:
            fate.reply = self._answer(arrival, header, reply)
        return fate

    def _forward(
        self,
        fate: Fate,
        arrival: Arrival,
        header: Header,
        content: bytes,
        wishes: Wishes,
        standing: Standing,
    ) -> None:
        found = forwarding.targets(
            self._config.forward_address_list,
            standing.forwarding,
            recipient=arrival.address,
            reverse_path=arrival.reverse_path,
        )
        own = wishes.forwards.get(arrival.address, "")
        # Who gets a copy by the administrator's rules already needs no second one.
        missing = own and own not in {address.strip().lower() for address in found}
        if missing and may_get(own, self._administering.rules.send_block_list):
            found.append(own)
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
        hooks = self._hooks(arrival, wishes, standing, judged=False)
        if not hooks and not self._keywords:
            return
        parsed = parse(content)
        if hooks:
            self._tell(fate, hooks, arrival, content, parsed, None)
        text = parsed.text.casefold()
        for service in self._keywords:
            if any(word in text for word in service.words):
                raw = content.decode("utf-8", "replace")
                body = keyword_body(arrival, parsed, raw)
                self._post(fate, KEYWORD, partial(keyword_request, service.binding, body))

    def _hooks(
        self, arrival: Arrival, wishes: Wishes, standing: Standing, *, judged: bool
    ) -> list[tuple[str, WebhookSettings]]:
        """The webhooks that may tell of a mail, in their order: those that wait for its verdicts
        when it was judged, and else the others."""
        if not self._config.enable_webhook:
            return []
        chosen = [(ADMIN, standing.mail_webhook)]
        own = wishes.hooks.get(arrival.address)
        if own is not None and standing.allow_list.allows(arrival.address):
            chosen.append((arrival.address, read_settings(own)))
        return [
            (owner, settings)
            for owner, settings in chosen
            if settings.enabled and settings.need_verdicts == judged
        ]

    def _tell(
        self,
        fate: Fate,
        hooks: Sequence[tuple[str, WebhookSettings]],
        arrival: Arrival,
        content: bytes,
        parsed: ParsedMessage,
        verdicts: StoredVerdicts | None,
    ) -> None:
        """Post to those webhooks whose conditions the mail meets."""
        if any(isinstance(settings.conditions, Conditions) for _, settings in hooks):
            facts = condition_mail(
                content,
                parsed,
                recipient=arrival.address,
                reverse_path=arrival.reverse_path,
                verdicts=verdicts,
            )
            hooks = [
                (owner, settings)
                for owner, settings in hooks
                if not isinstance(settings.conditions, Conditions)
                or not settings.conditions.unmet(facts)
            ]
        if hooks:
            mail = self._mail(arrival, content, parsed)
            for owner, settings in hooks:
                self._post(fate, owner, partial(request_of, settings, mail))

    def _mail(self, arrival: Arrival, content: bytes, parsed: ParsedMessage) -> WebhookMail:
        rules = self._administering.rules
        extract = self.given.get(arrival.id)
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

    def extraction_record(self, extract: Mapping[str, str]) -> str:
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


def each_by_itself(decisions: Iterable[tuple[int, Callable[[], Fate]]]) -> list[Fate]:
    """What follows from messages, by their ids. One that breaks a rule of ours must not stop
    those behind it: it is logged with all there is to know, and nothing follows from it."""
    fates = []
    for message_id, decide in decisions:
        try:
            fate = decide()
        except Exception:
            log.exception("reaction-failed message=%d", message_id)
            continue
        if fate:
            fates.append(fate)
    return fates
