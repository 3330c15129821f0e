"""Sending e-mail: one, a message that is written already, a batch, or through the mail door.

Each way ends in `Emails._submit`, which judges sender and recipients by the policy of the
account and hands over to `sending.submit`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.address import canonical, domain_matches, split
from mailbox_service.core.api_values import (
    DAY,
    MICROS,
    moment_of,
    period_seconds,
    read_date,
    read_mailbox,
    shown_mailbox,
)
from mailbox_service.core.compose import Draft, NamedAddress, compose
from mailbox_service.core.email_id import email_id_of, schedule_id_of
from mailbox_service.core.envelope import Envelope, Peer, Receipt
from mailbox_service.core.errors import (
    BadAddress,
    BadContent,
    BadRequest,
    FromNotYours,
    MailError,
    MessageTooBig,
)
from mailbox_service.core.header_section import has_fields, read_fields, unfolded_value
from mailbox_service.core.header_words import decoded
from mailbox_service.core.sending_api import (
    SANDBOX,
    BadField,
    Caller,
    Credential,
    CredentialSettings,
    PaymentRequired,
    RateReached,
    Refusal,
    SendingPrincipal,
)
from mailbox_service.core.submission_fields import from_addresses
from mailbox_service.core.tracking import Traits
from mailbox_service.services.clock import Clock, as_datetime, new_id, now_micros
from mailbox_service.services.queueing import SentBy
from mailbox_service.services.sending import Sending, new_message_id
from mailbox_service.services.sending_api.composing import (
    MOST_IN_A_LIST,
    EmailForm,
    divided,
    draft_of,
    files,
    person,
)
from mailbox_service.services.sending_api.fetching import Fetching
from mailbox_service.services.sending_api.policies import Policies, Policy
from mailbox_service.services.sending_api.templates import Templates
from mailbox_service.storage.sending_events import About
from mailbox_service.storage.sending_messages import NewMessage

FARTHEST = 3 * DAY
# A clock of a client that is a little fast must not make its "now" a time in the past.
GRACE = 60 * MICROS
MOST_IN_BATCH = 1_000
# Messages of a batch under way at once: they share the group commit.
AT_ONCE = 250
# Between two breaths of the event loop: some milliseconds of composing.
BREATH = 16
LARGEST_DATA_TEXT = 1 << 20
# Octets of files from which on a message is composed in a thread.
LARGE_FILES = 1 << 20
# Characters kept of header fields for searches.
LONGEST_SHOWN = 2_000
MOST_SHOWN_FIELDS = 50

UNVERIFIED = "From header sender domain not verified"
NOT_ALLOWED = "The sender is not among the allowed senders"

# Of which field of a request the composer speaks when it refuses a value.
FIELDS = (
    ("Subject", "subject"),
    ("From", "sender"),
    ("To", "to"),
    ("Cc", "cc"),
    ("Reply-To", "reply_to"),
    ("The plain text", "text_body"),
    ("The html text", "html_body"),
    ("The file name", "attachments"),
    ("The type of an attachment", "attachments"),
    ("There are more than 100 attachments", "attachments"),
    ("Content-ID", "inlines"),
)


class MimeForm(Struct, kw_only=True):
    """A message that is written already: base64 of it, or itself."""

    mime_email: str
    schedule: str | int | float | None = None
    fastaccept: bool = False


@dataclass(frozen=True, slots=True)
class BatchForm:
    """Several e-mails, or why one of them could not be read."""

    emails: list[EmailForm | MailError]


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that is ours to send now. `fast`: only its id is wanted."""

    email_id: str
    schedule_id: str | None = None
    fast: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """A message on its way into the queue; `due` is when it goes out, 0 for now."""

    receipt: asyncio.Future[Receipt]
    due: int

    def sent(self, receipt: Receipt, *, fast: bool) -> Sent:
        """It is ours to send."""
        schedule_id = schedule_id_of(receipt.queue_id) if self.due else None
        return Sent(email_id_of(receipt.queue_id), schedule_id, fast)


# Stands where the answer to an item of a batch will be.
NOT_YET = Sent("")


@dataclass(frozen=True, slots=True)
class Message:
    """A message and its envelope, before anybody judged it."""

    sender: str
    sender_text: str
    authors: tuple[str, ...]
    recipients: tuple[str, ...]
    content: Callable[[str], bytes]
    subject: str
    fields: Mapping[str, Any]
    # Composing it takes so long that other requests would wait for it.
    large: bool = False
    # Of a message that is composed here: by queue id. None: somebody wrote it.
    message_id: Callable[[str], str] | None = None


class Emails:
    """Takes e-mail of credentials."""

    def __init__(
        self,
        config: Config,
        sending: Sending,
        policies: Policies,
        templates: Templates,
        fetching: Fetching,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
    ) -> None:
        self._sending = sending
        self._policies = policies
        self._templates = templates
        self._fetching = fetching
        self._clock = clock
        self._new_queue_id = new_queue_id
        self._largest = config.max_message_size
        self._most_scheduled = config.sending_scheduled

    async def send(self, caller: Caller, form: EmailForm) -> Sent:
        """One e-mail out of its parts or out of a template. Raises MailError."""
        message = await self._composed(caller, form)
        return await self._submit(caller, message, form.schedule, fast=form.fastaccept)

    async def mime(self, caller: Caller, form: MimeForm) -> Sent:
        """One message as somebody wrote it; who gets it stands in its header."""
        content = await asyncio.to_thread(written, form.mime_email)
        if len(content) > self._largest:
            raise too_big(self._largest)
        message = read_message(content)
        return await self._submit(caller, message, form.schedule, fast=form.fastaccept)

    async def batch(self, caller: Caller, form: BatchForm) -> list[Sent | MailError]:
        """Several e-mails; each is sent or refused alone, in the order of the request."""
        if not 1 <= len(form.emails) <= MOST_IN_BATCH:
            raise BadField("emails", f"1 to {MOST_IN_BATCH} emails")
        places = asyncio.Semaphore(AT_ONCE)
        results: list[Sent | MailError] = [NOT_YET] * len(form.emails)
        begun: deque[tuple[int, Begun]] = deque()

        async def whole(index: int, here: Caller, item: EmailForm) -> None:
            async with places:
                try:
                    results[index] = replace(await self.send(here, item), fast=True)
                except MailError as refusal:
                    results[index] = refusal

        async def end(index: int, one: Begun) -> None:
            try:
                results[index] = one.sent(await one.receipt, fast=True)
            except MailError as refusal:
                results[index] = refusal

        # A task each would cost a letter a tenth; only what has to wait for something has one.
        async with asyncio.TaskGroup() as waiting:
            for index, item in enumerate(form.emails):
                if isinstance(item, MailError):
                    results[index] = item
                    continue
                here = caller
                if caller.idempotency_key:
                    here = replace(caller, idempotency_key=f"{caller.idempotency_key}:{index}")
                if item.template_id or item.attachments or item.inlines:
                    waiting.create_task(whole(index, here, item))
                    continue
                try:
                    message = await self._composed(here, item)
                    begun.append((index, await self._begin(here, message, item.schedule)))
                except MailError as refusal:
                    results[index] = refusal
                if len(begun) >= AT_ONCE:
                    await end(*begun.popleft())
                if index % BREATH == 0:
                    await asyncio.sleep(0)
            for index, one in begun:
                await end(index, one)
        return results

    async def submit_smtp(
        self, principal: SendingPrincipal, envelope: Envelope, content: bytes, peer: Peer
    ) -> Receipt:
        """A message through the mail door: its envelope says who gets it."""
        credential = principal.credential
        assert credential is not None
        caller = Caller(credential, credential.account, peer.ip)
        try:
            message = read_message(content, recipients=envelope.recipients)
        except BadField as error:
            raise BadContent(error.detail) from None
        policy = await self._policies.of(credential.account)
        if not all(policy.verified(one) for one in message.authors):
            raise FromNotYours(UNVERIFIED)
        try:
            order = await self._order(
                caller, policy, message, 0, door=peer.protocol.lower(), smtputf8=envelope.smtputf8
            )
            return await order
        except Refusal as error:
            raise FromNotYours(error.detail) from None

    async def _composed(self, caller: Caller, form: EmailForm) -> Message:
        sender = person("sender", form.sender)
        if not form.to:
            raise BadField("to", "At least one address")
        subject, html, text = form.subject, form.html_body, form.text_body
        if form.version not in (1, 2):
            raise BadField("version", "1 or 2")
        if form.template_id:
            rendered = await self._templates.render(
                caller.account, form.template_id, template_data(form.template_data), subject
            )
            subject, html, text = rendered.subject, rendered.html, rendered.text
        elif subject is None:
            raise BadField("subject", "Required unless there is a template_id")
        if html is None and text is None:
            raise BadField("text_body", "One of html_body and text_body is required")
        attachments = await files(form.attachments, form.inlines, self._fetching.file)
        due = self._due(form.schedule)
        draft, message_id = draft_of(
            form,
            sender=sender,
            subject=subject or "",
            html=html,
            text=text,
            attachments=attachments,
        )
        try:
            recipients = draft.recipients()
        except BadAddress as error:
            raise BadField("to", error.detail) from None
        now = self._clock()

        def named(queue_id: str) -> str:
            return message_id or new_message_id(queue_id, sender.address)

        def content(queue_id: str) -> bytes:
            whole = draft
            if due:
                schedule = ("X-Smtp2go-Schedule-Id", schedule_id_of(queue_id))
                whole = replace(draft, headers=(*draft.headers, schedule))
            return composed(whole, named(queue_id), now)

        return Message(
            sender=sender.address,
            sender_text=shown_mailbox(sender),
            authors=(sender.address,),
            recipients=recipients,
            content=content,
            subject=subject or "",
            fields=shown_fields(draft),
            large=sum(len(one.content) for one in attachments) > LARGE_FILES,
            message_id=named,
        )

    async def _submit(
        self, caller: Caller, message: Message, schedule: str | int | float | None, *, fast: bool
    ) -> Sent:
        begun = await self._begin(caller, message, schedule)
        return begun.sent(await begun.receipt, fast=fast)

    async def _begin(
        self, caller: Caller, message: Message, schedule: str | int | float | None
    ) -> Begun:
        """Have a message queued. Raises MailError for what is seen before that."""
        due = self._due(schedule)
        policy = await self._policies.of(caller.account)
        if not all(policy.verified(one) for one in message.authors):
            raise Refusal(UNVERIFIED)
        return Begun(await self._order(caller, policy, message, due, door="http"), due)

    async def _order(
        self,
        caller: Caller,
        policy: Policy,
        message: Message,
        due: int,
        *,
        door: str,
        smtputf8: bool | None = None,
    ) -> asyncio.Future[Receipt]:
        """Judge by the policy of the account and the credential, and hand over."""
        credential, settings = caller.credential, caller.credential.settings
        check_sender(policy, credential, message.sender)
        rejected = {
            one: "The recipient is not among the allowed recipients"
            for one in message.recipients
            if not policy.recipients.allows(one)
        }
        if rejected and len(rejected) == len(message.recipients):
            raise Refusal("No recipient is among the allowed recipients")
        in_sandbox = settings.status == SANDBOX
        if in_sandbox:
            rejected.update(dict.fromkeys(message.recipients, "The credential is a sandbox"))
        recipients, auditor = message.recipients, ""
        if settings.audit_email:
            auditor = canonical(settings.audit_email)
            recipients = tuple(dict.fromkeys((*recipients, auditor)))
            rejected.pop(auditor, None)
        queue_id = self._new_queue_id()
        if message.large:
            content = await asyncio.to_thread(message.content, queue_id)
        else:
            content = message.content(queue_id)
        if len(content) > self._largest:
            raise too_big(self._largest)
        now = self._clock()
        subject = message.subject.replace("\0", "")[:LONGEST_SHOWN]
        sent_by = SentBy(
            queue_id=queue_id,
            credential=f"{caller.account}/{credential.username}",
            fingerprint=caller.fingerprint,
            rejected=rejected,
            due_at=due,
            message=NewMessage(
                queue_id=queue_id,
                account=caller.account,
                username=credential.username,
                sender=message.sender,
                subject=subject,
                fields=json.dumps(
                    {**message.fields, "from": message.sender_text}, ensure_ascii=False
                ),
                size=len(content),
                client_ip=caller.ip,
                scheduled_at=due or None,
                archived=settings.archive_enabled,
                traits=traits_of(settings),
            ),
            about=About(
                caller.account,
                0,
                credential.username,
                message.sender,
                subject,
                client_ip=caller.ip,
            ),
            rates=tuple(rates(caller, policy, now)),
            most_scheduled=self._most_scheduled,
            message_id="" if message.message_id is None else message.message_id(queue_id),
            always=None if in_sandbox else auditor,
        )
        if smtputf8 is None:
            addresses = (message.sender, *recipients)
            smtputf8 = not all(one.isascii() for one in addresses) or not header_is_ascii(content)
        return self._sending.submit(
            SendingPrincipal("credential", message.sender, unlimited=True, credential=credential),
            Envelope(message.sender, recipients, smtputf8=smtputf8),
            content,
            door=door,
            idempotency_key=caller.idempotency_key,
            sent_by=sent_by,
        )

    def _due(self, schedule: str | int | float | None) -> int:
        """When a message is to go out; 0 for now. Raises BadField."""
        if schedule is None or schedule == "":
            return 0
        try:
            due = read_date(schedule)
        except BadRequest as error:
            raise BadField("schedule", error.detail) from None
        now = self._clock()
        if due < now - GRACE:
            raise BadField("schedule", "The time is in the past")
        if due > now + FARTHEST:
            raise BadField("schedule", "The time is more than 3 days ahead")
        return max(due, now + 1)


def traits_of(settings: CredentialSettings) -> str | None:
    """What a credential asks for about its mail, as it is kept with a message; None for nothing."""
    traits = Traits(
        opens=settings.open_tracking_enabled,
        clicks=settings.click_tracking_enabled,
        footer=settings.feedback_enabled,
        footer_html=settings.feedback_html if settings.feedback_enabled else "",
        footer_text=settings.feedback_text if settings.feedback_enabled else "",
        bounces_to=settings.bounce_notifications,
    )
    return None if traits == Traits() else msgspec.json.encode(traits).decode()


def check_sender(policy: Policy, credential: Credential, sender: str) -> None:
    """Refuse a sender that the lists of the account or the credential do not let pass."""
    if not policy.senders.allows(sender):
        raise Refusal(NOT_ALLOWED)
    limits = credential.limits
    named = (sender, split(sender)[1])
    if limits.allow_senders and not set(limits.allow_senders).intersection(named):
        raise Refusal(NOT_ALLOWED)
    if set(limits.disable_senders).intersection(named):
        raise Refusal(NOT_ALLOWED)
    if limits.sender_domain and not domain_matches(split(sender)[1], (limits.sender_domain,)):
        raise Refusal(NOT_ALLOWED)


def rates(caller: Caller, policy: Policy, now: int) -> list[tuple[str, int, MailError]]:
    """The counters that one message passes: the credential's own rate, the plan of the month.
    Their names sort by age, so that old ones are found."""
    found: list[tuple[str, int, MailError]] = []
    settings = caller.credential.settings
    if settings.custom_ratelimit:
        window = period_seconds(settings.custom_ratelimit_period)
        second = now // MICROS
        begins = second - second % window
        word = "API key" if caller.credential.kind == "api_key" else "SMTP user"
        limited = RateReached(
            f"{word} ratelimit exceeded: {settings.custom_ratelimit_value} in "
            f"{settings.custom_ratelimit_period}",
            retry_after=begins + window - second,
        )
        name = f"sending:{begins + window:012}:{caller.credential.username}"
        found.append((name, settings.custom_ratelimit_value, limited))
    if policy.limit is not None:
        used_up = PaymentRequired(f"The plan of {policy.limit} emails a month is used up")
        found.append((plan_period(policy.account, now), policy.limit, used_up))
    return found


def plan_period(account: str, now: int) -> str:
    """The counter of an account's month."""
    return as_datetime(now).strftime(f"sending-plan:%Y-%m:{account}")


def composed(draft: Draft, message_id: str, now: int) -> bytes:
    """The message of a draft; a value that cannot stand in it is named by its field."""
    try:
        return compose(draft, message_id=message_id, date=moment_of(now))
    except (BadRequest, BadAddress) as error:
        for words, field in FIELDS:
            if error.detail.startswith(words):
                raise BadField(field, error.detail) from None
        raise BadField("custom_headers", error.detail) from None


def template_data(value: Any) -> dict[str, Any]:
    """The values of a template: an object, or the text of one. Raises BadField."""
    if value is None:
        return {}
    if isinstance(value, str) and len(value) <= LARGEST_DATA_TEXT:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            value = None
    if not isinstance(value, dict):
        raise BadField("template_data", "Must be an object")
    return value


def written(text: str) -> bytes:
    """The message in a text: base64 of one with header lines, else the text itself."""
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not has_fields(with_line_ends(content)):
        content = text.encode(errors="replace")
    return with_line_ends(content)


def with_line_ends(content: bytes) -> bytes:
    """Lines that end with CRLF (RFC 5321 §2.3.8), as the message of a file needs it."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", content)


def read_message(content: bytes, recipients: Sequence[str] | None = None) -> Message:
    """A written message: sender and recipients by its header, unless the envelope tells them.
    Raises BadField."""
    try:
        authors = from_addresses(content)
        fields, _ = read_fields(content)
    except BadContent as error:
        raise BadField("mime_email", error.detail) from None
    if not authors:
        raise BadField("mime_email", "The message has no From")
    values: dict[str, list[str]] = {}
    for octets, raw in fields:
        text = decoded(unfolded_value(raw).encode(errors="replace").decode())
        values.setdefault(octets.decode("ascii", "replace"), []).append(text)
    named: dict[str, list[NamedAddress]] = {}
    for name in ("to", "cc", "bcc"):
        named[name] = []
        for text in divided(",".join(values.get(name, []))):
            try:
                read = read_mailbox(text.rpartition(":")[2] if ":" in text else text)
                named[name].append(NamedAddress(canonical(read.address), read.name))
            except BadAddress:
                if recipients is None and text.strip(" ;:") not in ("", "undisclosed-recipients"):
                    detail = f"{name.title()}: not an address: {text[:100]!r}"
                    raise BadField("mime_email", detail) from None
        if recipients is None and len(named[name]) > MOST_IN_A_LIST:
            raise BadField("mime_email", f"{name.title()}: more than {MOST_IN_A_LIST} addresses")
    if recipients is None:
        recipients = [one.address for people in named.values() for one in people]
        recipients = tuple(dict.fromkeys(recipients))
        if not recipients:
            raise BadField("mime_email", "The message names no recipient")
    subject = (values.get("subject") or [""])[0]
    return Message(
        sender=authors[0],
        authors=tuple(authors),
        sender_text=(values.get("from") or [authors[0]])[0][:LONGEST_SHOWN],
        recipients=tuple(recipients),
        content=lambda _: content,
        subject=subject,
        fields={
            "to": [shown_mailbox(one) for one in named["to"]],
            "cc": [shown_mailbox(one) for one in named["cc"]],
            "bcc": [shown_mailbox(one) for one in named["bcc"]],
            "reply_to": (values.get("reply-to") or [""])[0][:LONGEST_SHOWN],
            "headers": kept_fields(
                (name.title(), text)
                for name, texts in values.items()
                if name.startswith("x-") or name == "message-id"
                for text in texts
            ),
        },
    )


def shown_fields(draft: Draft) -> dict[str, Any]:
    """What searches show of a header."""
    return {
        "to": [shown_mailbox(one) for one in draft.to],
        "cc": [shown_mailbox(one) for one in draft.cc],
        "bcc": [shown_mailbox(one) for one in draft.bcc],
        "reply_to": ", ".join(shown_mailbox(one) for one in draft.reply_to)[:LONGEST_SHOWN],
        "headers": kept_fields(draft.headers),
        "attachments": [one.filename for one in draft.attachments],
    }


def kept_fields(pairs: Any) -> list[list[str]]:
    """Header fields as they are kept: not too many, not too long."""
    kept = [[name, text[:LONGEST_SHOWN].replace("\0", "")] for name, text in pairs]
    return kept[:MOST_SHOWN_FIELDS]


def header_is_ascii(content: bytes) -> bool:
    """Whether a header section needs no SMTPUTF8 (RFC 6531 §3.1)."""
    return content[: content.find(b"\r\n\r\n")].isascii()


def too_big(most: int) -> MessageTooBig:
    return MessageTooBig(f"The message is larger than {most} octets")
