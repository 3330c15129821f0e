"""Tools that send from an address: a mail, a reply, and what became of them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from msgspec import Meta, Struct

from mailbox_service.core.compose import Attachment, Draft, NamedAddress
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadRequest, NotFound
from mailbox_service.core.header_words import first_mailbox
from mailbox_service.core.parsing import ParsedMessage, parse
from mailbox_service.web.agents.mailbox_tools import AddressText, MailId
from mailbox_service.web.agents.tool import Hints, Tool, Visit
from mailbox_service.web.mailbox.sending import named_address
from mailbox_service.web.rows import wire_time

MOST_NAMED = 50  # recipients of one kind, as in the integration endpoints
MOST_FILES = 20
LONGEST_BODY = 1_000_000  # characters
LONGEST_REFERENCES = 4_000
MOST_ATTEMPTS = 20  # recipients shown of one mail

Person = Annotated[str, Meta(min_length=3, max_length=1_000)]
People = Annotated[
    Person | list[Person], Meta(description="An address, `Name <address>`, or a list of them.")
]
Body = Annotated[str, Meta(max_length=LONGEST_BODY)]
Repeat = Annotated[
    str,
    Meta(
        max_length=200,
        description="Any text of yours: a second call with the same sends nothing again.",
    ),
]


class FileToSend(Struct, frozen=True, forbid_unknown_fields=True):
    """A file; its content is base64."""

    filename: Annotated[str, Meta(min_length=1, max_length=255)]
    content: bytes
    type: Annotated[str, Meta(max_length=255)] = "application/octet-stream"


class SendMail(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}
):
    """A mail to send. It needs a text, an HTML part, or both."""

    to: People
    subject: Annotated[str, Meta(min_length=1, max_length=2_000)]
    text: Body = ""
    html: Body = ""
    from_: Annotated[AddressText, Meta(description="One of your addresses.")] = ""
    from_name: Annotated[str, Meta(max_length=200)] = ""
    cc: People | None = None
    bcc: People | None = None
    reply_to: People | None = None
    attachments: Annotated[list[FileToSend], Meta(max_length=MOST_FILES)] = []
    idempotency_key: Repeat = ""


class Reply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer to a mail. It needs a text, an HTML part, or both."""

    id: MailId
    text: Body = ""
    html: Body = ""
    address: AddressText = ""
    attachments: Annotated[list[FileToSend], Meta(max_length=MOST_FILES)] = []
    idempotency_key: Repeat = ""


class Queued(Struct, frozen=True):
    """The mail is on disk and ours to deliver or report; `sent_id` is for sent_status."""

    status: str
    sent_id: int
    queue_id: str
    message_id: str
    from_address: str
    to: list[str]


class SentStatus(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sent mail."""

    sent_id: MailId
    address: AddressText = ""


class RecipientState(Struct, frozen=True):
    """One recipient: queued, held, sending, deferred, delivered or failed."""

    address: str
    state: str
    attempts: int
    last_reply: str | None
    updated_at: str


class Sent(Struct, frozen=True):
    """A sent mail; `state` is that of the recipient who is worst off."""

    sent_id: int
    subject: str
    state: str
    sent_at: str
    recipients: list[RecipientState]


async def send_mail(visit: Visit, form: SendMail) -> Queued:
    """Send a mail from one of your addresses. It is queued when this answers; sent_status tells
    what became of it."""
    owner = await visit.mailbox(form.from_)
    draft = Draft(
        sender=NamedAddress(owner.address, form.from_name),
        to=people(form.to),
        cc=people(form.cc),
        bcc=people(form.bcc),
        reply_to=people(form.reply_to),
        subject=form.subject,
        text=form.text or None,
        html=form.html or None,
        attachments=files(form.attachments),
    )
    return await queue(visit, owner, draft, form.idempotency_key)


async def reply(visit: Visit, form: Reply) -> Queued:
    """Answer a mail, in its thread, from the address that it came to. The answer goes to the
    mail's Reply-To, or else to its sender; look at it first if that matters."""
    owner = await visit.mailbox(form.address)
    found = await visit.services.reading.content(owner.address, form.id)
    if found is None:
        raise NotFound("There is no such mail")
    parsed = await asyncio.to_thread(parse, found[1])
    draft = answer_to(parsed, owner.address, form)
    queued = await queue(visit, owner, draft, form.idempotency_key)
    await visit.services.reading.mark(owner.address, [form.id], seen=True, answered=True)
    return queued


def answer_to(parsed: ParsedMessage, sender: str, form: Reply) -> Draft:
    """A draft in the thread of a mail (RFC 5322 §3.6.4). Raises BadRequest when nobody is
    named to answer to."""
    name, address = first_mailbox(parsed.addresses("reply-to"))
    if not address:
        name, address = first_mailbox(parsed.addresses("from"))
    if not address:
        raise BadRequest("The mail names nobody to answer to")
    subject = parsed.header("subject") or parsed.subject
    answered = parsed.header("message-id")
    references = parsed.header("references")[-LONGEST_REFERENCES:].split()
    return Draft(
        sender=NamedAddress(sender),
        to=(NamedAddress(address, name),),
        subject=subject if subject.lower().startswith("re:") else f"Re: {subject}",
        text=form.text or None,
        html=form.html or None,
        attachments=files(form.attachments),
        in_reply_to=answered,
        references=tuple(one for one in references if one.startswith("<") and one.endswith(">")),
    )


async def queue(visit: Visit, owner: Principal, draft: Draft, repeat: str) -> Queued:
    """Queue a draft as the owner of the mailbox, by the rules for owners."""
    visit.agents.check_may_send(visit.agent)
    receipt = await visit.services.sending.submit_draft(
        owner,
        draft,
        door="mcp",
        record=record_of(draft),
        ip=visit.ip or "unknown",
        idempotency_key=repeat or None,
    )
    return Queued(
        "queued",
        receipt.submission_id,
        receipt.queue_id,
        receipt.message_id,
        owner.address,
        [one.address for one in (*draft.to, *draft.cc, *draft.bcc)],
    )


async def sent_status(visit: Visit, form: SentStatus) -> Sent:
    """What became of a mail that was sent, recipient by recipient."""
    owner = await visit.mailbox(form.address)
    message = (await visit.services.sent.open(owner.address, form.sent_id)).message
    return Sent(
        form.sent_id,
        message.submission.subject,
        message.state,
        wire_time(message.submission.created_at),
        [
            RecipientState(
                one.recipient, one.state, one.attempts, one.last_reply, wire_time(one.updated_at)
            )
            for one in message.recipients[:MOST_ATTEMPTS]
        ],
    )


def people(value: str | list[str] | None) -> tuple[NamedAddress, ...]:
    """Addresses with their names. Raises BadRequest when there are too many."""
    listed = [value] if isinstance(value, str) else value or []
    if len(listed) > MOST_NAMED:
        raise BadRequest(f"More than {MOST_NAMED} recipients of one kind")
    return tuple(named_address(one) for one in listed)


def files(listed: list[FileToSend]) -> tuple[Attachment, ...]:
    """Files as the composer takes them."""
    return tuple(Attachment(one.filename, one.content, one.type) for one in listed)


def record_of(draft: Draft) -> dict[str, Any]:
    """What the sent box keeps (mailbox-api §10.8)."""
    return {
        "from_name": draft.sender.name,
        "to_name": draft.to[0].name if draft.to else "",
        "to_mail": ", ".join(one.address for one in draft.to),
        "subject": draft.subject,
        "content": draft.html or draft.text or "",
        "is_html": bool(draft.html),
    }


SENDS = Hints(reaches_out=True)

TOOLS: tuple[Tool, ...] = (
    Tool("send_mail", "Send a mail", SendMail, send_mail, 30, SENDS, result=Queued),
    Tool("reply", "Answer a mail", Reply, reply, 30, SENDS, result=Queued),
    Tool(
        "sent_status",
        "What became of a mail",
        SentStatus,
        sent_status,
        120,
        Hints(reads_only=True),
        result=Sent,
    ),
)
