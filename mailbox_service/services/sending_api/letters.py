"""Letters of the sending API: the e-mails that ask for nothing unusual, which are nearly all.

A request is a letter when it has text or HTML and no more than that: no files, no fields of its
own, no template, no time. What is known about its sender (may they send under this name, and how it
is written) is worked out once and kept for as long as the credential and the policy are the
same objects, which are read anew after some seconds and after every change. Whatever is not plain
is None here, and goes the general way (`emails`), which judges it and words every refusal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.envelope import Envelope, Receipt
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.header_fields import date_text
from mailbox_service.core.letter import (
    Correspondent,
    compose_letter,
    correspondent,
    from_field,
)
from mailbox_service.core.sending_api import ALLOWED, Credential, Refusal, SendingPrincipal
from mailbox_service.services.clock import Clock, new_id, now_micros, second_of
from mailbox_service.services.queueing import SentBy
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.composing import MOST_IN_A_LIST
from mailbox_service.services.sending_api.messages import LONGEST_SHOWN
from mailbox_service.services.sending_api.ordering import check_sender, traits_of
from mailbox_service.services.sending_api.policies import DISABLED, Policy
from mailbox_service.storage.sending_events import About
from mailbox_service.storage.sending_messages import NewMessage

# Senders that are remembered, each under a credential.
MOST_STANDINGS = 10_000
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
    sender: Correspondent
    sender_field: str
    owner: str
    principal: SendingPrincipal
    traits: str | None
    # What is kept of a letter to these people: three lists, in JSON.
    fields: str


_read = msgspec.json.Decoder(LetterForm).decode


def read_letter(body: bytes) -> LetterForm | None:
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
        standing = self._standing(credential, policy, form.sender)
        to, cc = people(form.to), people(form.cc)
        bcc = people(form.bcc)
        text, html = form.text_body or None, form.html_body or None
        if standing is None or not to or cc is None or bcc is None or text is html is None:
            return None
        now, queue_id = self._clock(), self._new_queue_id()
        sender = standing.sender
        message_id = f"<{queue_id.lower()}@{sender.domain}>"
        try:
            content = compose_letter(
                standing.sender_field,
                to,
                cc,
                subject=form.subject,
                text=text,
                html=html,
                message_id=message_id,
                date=date_text(second_of(now // 1_000_000)),
            )
        except BadRequest:
            return None
        if len(content) > self._largest:
            return None
        recipients = tuple(dict.fromkeys([one.address for one in (*to, *cc, *bcc)]))
        subject = form.subject[:LONGEST_SHOWN]
        account, username = credential.account, credential.username
        message = NewMessage(
            queue_id,
            account,
            username,
            sender.address,
            subject,
            standing.fields % (json_list(to), json_list(cc), json_list(bcc)),
            len(content),
            ip,
            None,
            credential.settings.archive_enabled,
            standing.traits,
        )
        sent_by = SentBy(
            queue_id,
            standing.owner,
            "",
            {},
            0,
            message,
            About(account, 0, username, sender.address, subject, client_ip=ip),
            most_scheduled=self._most_scheduled,
            message_id=message_id,
            always="",
        )
        return self._sending.submit(
            standing.principal,
            Envelope(sender.address, recipients),
            content,
            door="http",
            sent_by=sent_by,
        )

    def _standing(self, credential: Credential, policy: Policy, sender: str) -> Standing | None:
        """What is known about a sender; None when something has to be looked at."""
        key = (credential.account, credential.username, sender)
        found = self._standings.get(key)
        if found is not None and found.credential is credential and found.policy is policy:
            return found
        person = correspondent(sender)
        if person is None or not is_plain(credential, policy, person):
            return None
        standing = Standing(
            credential,
            policy,
            person,
            from_field(person),
            f"{credential.account}/{credential.username}",
            SendingPrincipal("credential", person.address, unlimited=True, credential=credential),
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
