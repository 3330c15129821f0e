"""Letters of the sending API: the e-mails that ask for nothing unusual, which are nearly all.

A request is a letter when it has text or HTML and no more than that: no files, no fields of its
own, no template, no time. What is known about its sender (may they send under this name, and how it
is written) is worked out once and kept for as long as the credential, the policy and the rules are
the same objects, which are read anew after some seconds and after every change. Whatever is not
plain is None here, and goes the general way (`emails`), which judges it and words every refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.envelope import Receipt
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.header_fields import date_text
from mailbox_service.core.letter import (
    Correspondent,
    compose_letter,
    correspondent,
    from_field,
)
from mailbox_service.core.sending_api import ALLOWED, Credential, Refusal
from mailbox_service.core.settings import Rules
from mailbox_service.services.clock import Clock, new_id, now_micros, second_of
from mailbox_service.services.gathering import Waiter
from mailbox_service.services.kept_requests import LONGEST_KEY
from mailbox_service.services.orders import KEPT_SUBJECT, LETTER_RECIPIENTS, NOTHING
from mailbox_service.services.queueing import Order, SentBy
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.composing import MOST_IN_A_LIST
from mailbox_service.services.sending_api.messages import LONGEST_SHOWN
from mailbox_service.services.sending_api.ordering import check_sender, traits_of
from mailbox_service.services.sending_api.policies import DISABLED, Policy
from mailbox_service.storage.send_queue import BULK, NORMAL
from mailbox_service.storage.sending_events import About
from mailbox_service.storage.sending_messages import NewMessage
from mailbox_service.storage.submissions import NewSubmission

# Senders that are remembered, each under a credential.
MOST_STANDINGS = 10_000
NOBODY: Mapping[str, str] = MappingProxyType({})
SUBMITTED_BY = "credential"
# What counts as not there in an optional field (sending-api §1.1).
Absent = list[Any] | str | None


class LetterForm(Struct, kw_only=True, forbid_unknown_fields=True):
    """A request with official names and nothing else; fields that a letter has not are empty."""

    sender: str
    to: list[str]
    subject: str
    text_body: str | None = None
    html_body: str | None = None
    cc: list[str] | None = None
    bcc: list[str] | None = None
    reply_to: Absent = None
    custom_headers: Absent = None
    attachments: Absent = None
    inlines: Absent = None
    template_id: str | None = None
    template_data: Any = None
    schedule: str | None = None
    fastaccept: bool | None = None
    version: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it asks for nothing that a letter has not."""
        return not (
            self.reply_to
            or self.custom_headers
            or self.attachments
            or self.inlines
            or self.template_id
            or self.schedule
            or self.fastaccept
            or (self.version is not None and self.version not in (1, 2))
        )


class Standing(Struct, frozen=True):
    """What is the same for all letters of a sender, by one credential and one policy."""

    credential: Credential
    policy: Policy
    rules: Rules
    # Whether it is kept in the queue, for recipients of other servers.
    holds: bool
    sender: Correspondent
    sender_field: str
    owner: str
    traits: str | None
    # What is kept of a letter to these people: three lists, in JSON.
    fields: str


_read = msgspec.json.Decoder(LetterForm).decode


def read_letter(body: bytes | bytearray) -> LetterForm | None:
    """The letter in a request; None for any other request."""
    try:
        form = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return form if form.is_plain else None


class Letters:
    """Takes letters of credentials."""

    def __init__(
        self,
        config: Config,
        sending: Sending,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
    ) -> None:
        self._sending = sending
        self._orders = sending.orders
        self._clock = clock
        self._new_queue_id = new_queue_id
        self._largest = config.max_message_size
        self._most_scheduled = config.sending_scheduled
        self._standings: dict[tuple[str, str, str], Standing] = {}

    def begin(
        self, credential: Credential, policy: Policy, form: LetterForm, ip: str
    ) -> asyncio.Future[Receipt] | None:
        """Have a letter queued for the account of the credential; None for what is no plain
        letter. The future ends like that of `Sending.submit`."""
        order = self.order(credential, policy, form, ip)
        return None if order is None else self._sending.depart(order)

    def send(self, order: Order, waiter: Waiter[Receipt]) -> None:
        """Have a letter queued; `waiter` is told when it is on disk."""
        self._sending.depart_for(order, waiter)

    def order(
        self, credential: Credential, policy: Policy, form: LetterForm, ip: str
    ) -> Order | None:
        """What is to be queued for a letter; None for what is no plain letter."""
        standing = self._standing(credential, policy, form.sender)
        to, cc = people(form.to), people(form.cc)
        bcc = people(form.bcc)
        text, html = form.text_body or None, form.html_body or None
        if standing is None or not to or cc is None or bcc is None or text is html is None:
            return None
        now, queue_id = self._clock(), self._new_queue_id()
        address = standing.sender.address
        message_id = f"<{queue_id.lower()}@{standing.sender.domain}>"
        try:
            content = compose_letter(
                standing.sender_field,
                to,
                cc,
                subject=form.subject,
                text=text,
                html=html,
                message_id=message_id,
                date=date_of_second(now // 1_000_000),
            )
        except BadRequest:
            return None
        size = len(content)
        if size > self._largest:
            return None
        everybody = to if not (cc or bcc) else [*to, *cc, *bcc]
        if len(everybody) > 1:
            everybody = list({one.address: one for one in everybody}.values())
        recipients = tuple([self._orders.recipient(one, standing.holds) for one in everybody])
        subject = form.subject[:LONGEST_SHOWN]
        account, username = credential.account, credential.username
        fields = standing.fields % (json_list(to), json_list(cc), json_list(bcc))
        submission = NewSubmission(
            *(queue_id, address, address, "http", message_id[:LONGEST_KEY], address),
            subject[:KEPT_SUBJECT],
        )
        message = NewMessage(
            *(queue_id, account, username, address, subject, fields, size, ip, None),
            credential.settings.archive_enabled,
            standing.traits,
        )
        about = About(account, 0, username, address, subject, 0, ip)
        sent_by = SentBy(
            *(queue_id, standing.owner, "", NOBODY, 0, message, about, ()),
            *(self._most_scheduled, message_id, ""),
        )
        priority = NORMAL if len(recipients) <= LETTER_RECIPIENTS else BULK
        return Order(
            *(submission, content, recipients, priority, NOTHING, None, (), None, now, sent_by),
            *((), SUBMITTED_BY),
        )

    def _standing(self, credential: Credential, policy: Policy, sender: str) -> Standing | None:
        """What is known about a sender; None when something has to be looked at."""
        key = (credential.account, credential.username, sender)
        found = self._standings.get(key)
        rules = self._orders.rules
        if (
            found is not None
            and found.credential is credential
            and found.policy is policy
            and found.rules is rules
        ):
            return found
        person = correspondent(sender)
        if person is None or not is_plain(credential, policy, person):
            return None
        holds = self._orders.plain_way(person.domain)
        if holds is None:
            return None
        standing = Standing(
            credential,
            policy,
            rules,
            holds,
            person,
            from_field(person),
            f"{credential.account}/{credential.username}",
            traits_of(credential.settings),
            '{"to":%s,"cc":%s,"bcc":%s,"reply_to":"","headers":[],"attachments":[],'
            f'"from":{person.json.replace("%", "%%")}}}',
        )
        if len(self._standings) >= MOST_STANDINGS:
            self._standings.clear()
        self._standings[key] = standing
        return standing


def is_plain(credential: Credential, policy: Policy, sender: Correspondent) -> bool:
    """Whether a sender may send, to anybody, without a copy for somebody and without a counter."""
    settings = credential.settings
    if settings.status != ALLOWED or settings.audit_email or settings.custom_ratelimit:
        return False
    if policy.limit is not None or policy.recipients.mode != DISABLED:
        return False
    if not policy.verified(sender.address):
        return False
    try:
        check_sender(policy, credential, sender.address)
    except Refusal:
        return False
    return True


@lru_cache(maxsize=4)
def date_of_second(second: int) -> str:
    """The date of all letters of one second."""
    return date_text(second_of(second))


def people(texts: list[str] | None) -> list[Correspondent] | None:
    """The people of a list; None when one of them, or their number, has to be looked at."""
    if not texts:
        return []
    if len(texts) == 1:  # as in nearly all letters
        one = correspondent(texts[0])
        return None if one is None else [one]
    if len(texts) > MOST_IN_A_LIST:
        return None
    found = [one for one in map(correspondent, texts) if one is not None]
    return found if len(found) == len(texts) else None


def json_list(people: list[Correspondent]) -> str:
    """How people are shown, as JSON."""
    return f"[{','.join([one.json for one in people])}]" if people else "[]"
