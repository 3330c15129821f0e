"""What a mailbox sent, and what became of it; and the contract's sendbox."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from mailbox_service.core.errors import NotFound
from mailbox_service.core.html import sanitise
from mailbox_service.core.stored import QueuedRecipient
from mailbox_service.services.sent import OpenedSent, SendboxRow, SentMessage, WholeSent
from mailbox_service.web.answers import SUCCESS, Answer, Success
from mailbox_service.web.downloads import A_MESSAGE, message_answer
from mailbox_service.web.guards import MAILBOX, MAILBOX_LIST
from mailbox_service.web.mailbox.inbox import header_rows
from mailbox_service.web.mailbox.mails import check_deletion
from mailbox_service.web.queries import PageQuery, SentQuery
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import HeaderRow, PartRow, part_row, wire_time

routes = Routes("sent")

DEFAULT_PAGE = 20


class SendboxMail(Struct, frozen=True):
    """A sent mail of the contract; `raw` is the JSON of the request in a string."""

    id: int
    address: str
    raw: str
    created_at: str


class SendboxPage(Struct, frozen=True):
    """A page of sent mails; `count` is the total on the first page, and 0 on all others."""

    results: list[SendboxMail]
    count: int


class RecipientRow(Struct, frozen=True):
    """One recipient and its fate: queued, held, sending, deferred, delivered or failed."""

    address: str
    state: str
    attempts: int
    next_attempt_at: str | None
    last_reply: str | None
    updated_at: str


class SentRow(Struct, frozen=True):
    """A sent mail; `state` is that of the recipient who is worst off."""

    id: int
    queue_id: str
    subject: str
    from_address: str
    to: list[str]
    created_at: str
    size: int
    state: str
    recipients: list[RecipientRow]


class SentPage(Struct, frozen=True):
    """A page of sent mails, newest first."""

    results: list[SentRow]
    count: int
    next_before_id: int | None


class AttemptRow(Struct, frozen=True):
    """One attempt at one recipient, and what was said in it."""

    recipient: str
    at: str
    remote: str
    reply: str
    conversation: str


class OpenedSentMail(SentRow, frozen=True):
    """A sent mail with its text and all attempts. `html` is sanitised."""

    text: str
    html: str
    headers: list[HeaderRow]
    attachments: list[PartRow]
    attempts: list[AttemptRow]


def recipient_row(recipient: QueuedRecipient) -> RecipientRow:
    """The wire form of a recipient."""
    due = recipient.next_attempt_at
    return RecipientRow(
        recipient.recipient,
        recipient.state,
        recipient.attempts,
        None if due is None else wire_time(due),
        recipient.last_reply,
        wire_time(recipient.updated_at),
    )


def sent_row(message: SentMessage) -> SentRow:
    """The wire form of a sent mail."""
    kept = message.submission
    return SentRow(
        kept.id,
        kept.queue_id,
        kept.subject,
        kept.from_address,
        [recipient.recipient for recipient in message.recipients],
        wire_time(kept.created_at),
        kept.size,
        message.state,
        [recipient_row(recipient) for recipient in message.recipients],
    )


def opened_row(opened: OpenedSent) -> OpenedSentMail:
    """The wire form of a sent mail with everything."""
    parsed = opened.parsed
    return OpenedSentMail(
        **msgspec.structs.asdict(sent_row(opened.message)),
        text=parsed.text,
        html=sanitise(parsed.html, allow_remote=False).html,
        headers=header_rows(parsed),
        attachments=[part_row(part) for part in parsed.attachments],
        attempts=[
            AttemptRow(
                attempt.recipient,
                wire_time(attempt.started_at),
                attempt.remote,
                attempt.reply,
                attempt.conversation,
            )
            for attempt in opened.attempts
        ],
    )


@routes.get("/api/sent", MAILBOX, query=SentQuery, returns=SentPage)
async def list_sent(call: Call) -> SentPage:
    """A page of sent mails with the fate of every recipient."""
    limit = call.limit(DEFAULT_PAGE)
    page = await call.services.sent.page(
        call.address, limit=limit, before_id=call.number("before_id")
    )
    rows = [sent_row(message) for message in page.messages]
    return SentPage(rows, page.count, rows[-1].id if len(rows) == limit else None)


@routes.get("/api/sent/{id}", MAILBOX, returns=OpenedSentMail | None)
async def open_sent(call: Call) -> OpenedSentMail | None:
    """One sent mail with its text and every attempt at it; null when it is not there."""
    opened = await opened_sent(call, call.address)
    return None if opened is None else await asyncio.to_thread(opened_row, opened)


async def opened_sent(call: Call, address: str | None) -> OpenedSent | None:
    """The sent mail of the path in a mailbox, or in any for None, with everything."""
    sent_id = call.path_id()
    if sent_id is None:
        return None
    try:
        return await call.services.sent.open(address, sent_id)
    except NotFound:
        return None


@routes.get("/api/sent/{id}/raw", MAILBOX, **A_MESSAGE)
async def download_sent(call: Call) -> Answer:
    """The message octet for octet as it was queued, as a file."""
    return sent_file(await whole_sent(call, call.address))


def sent_file(sent: WholeSent) -> Answer:
    """A sent mail as a file."""
    return message_answer(sent.raw, f"sent-{sent.id}.eml")


async def whole_sent(call: Call, address: str | None) -> WholeSent:
    """The sent mail of the path in a mailbox, or in any for None, as it was queued. Raises
    NotFound."""
    sent_id = call.path_id()
    if sent_id is None:
        raise NotFound("There is no sent mail with that id")
    return await call.services.sent.whole(address, sent_id)


def sendbox_mail(row: SendboxRow, names: Mapping[str, str]) -> SendboxMail:
    """The wire form of a row of the sendbox."""
    address = names.get(row.address, row.address)
    return SendboxMail(row.id, address, row.record, wire_time(row.created_at))


async def sendbox_page(call: Call, address: str | None) -> SendboxPage:
    """A page of the contract's sendbox of an address, or of all."""
    limit, offset = call.page()
    rows, count = await call.services.sent.sendbox(address, limit=limit, offset=offset)
    names = await call.services.registering.names_of(row.address for row in rows)
    return SendboxPage([sendbox_mail(row, names) for row in rows], count if offset == 0 else 0)


@routes.get("/api/sendbox", MAILBOX_LIST, query=PageQuery, returns=SendboxPage)
async def list_sendbox(call: Call) -> SendboxPage:
    """A page of sent mails as the contract lists them."""
    return await sendbox_page(call, call.address)


@routes.delete("/api/sendbox/{id}", MAILBOX, returns=Success)
async def delete_sent(call: Call) -> Success:
    """Take one mail out of the sent box; one that is on its way still goes on."""
    check_deletion(call)
    sent_id = call.path_id()
    if sent_id is not None:
        await call.services.sent.delete(call.address, sent_id)
    return SUCCESS


@routes.delete("/api/clear_sent_items", MAILBOX, returns=Success)
async def clear_sent_items(call: Call) -> Success:
    """Empty the sent box."""
    check_deletion(call)
    await call.services.sent.clear(call.address)
    return SUCCESS
