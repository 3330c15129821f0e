"""Hand over mail (mailbox-api §10.1), with what we add: several recipients, files, threads."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.compose import Attachment, Draft, NamedAddress
from mailbox_service.core.envelope import Principal, Receipt
from mailbox_service.core.errors import BadRequest, MailError
from mailbox_service.web.answers import OK, Sent
from mailbox_service.web.errors import FAILED_TO_SEND, Refused, Uncaught, wrapped
from mailbox_service.web.guards import MAILBOX_ASKING, MAILBOX_SENDING
from mailbox_service.web.request import Call
from mailbox_service.web.roles import ACCESS_TOKEN, with_role
from mailbox_service.web.routing import WHOLE_MESSAGE, Routes

routes = Routes("sending")

KEY_HEADER = {
    "Idempotency-Key": "The same key may be sent again for a day, and the mail goes out once."
}
# `Ann <ann@example.test>`, beside the bare address.
_NAMED = re.compile(r'\s*"?([^"<>]{0,500}?)"?\s*<([^<>]{1,1000})>\s*')

Recipients = str | list[str] | None
# A text. The contract has no types here, and scripts send numbers for it: a code, a count.
Words = str | int | float | bool | None


class FileBody(Struct, frozen=True):
    """A file to send; its content is base64."""

    filename: str
    content: bytes
    type: str = "application/octet-stream"
    disposition: str = "attachment"
    content_id: str = ""


class MailBody(Struct, frozen=True, kw_only=True):
    """A mail to send. `content` is text, or HTML with `is_html`; `text` and `html` give both."""

    from_name: Words = None
    to_name: Words = None
    to_mail: Recipients = None
    subject: Words = None
    content: Words = None
    is_html: bool | float | str | None = None
    cc: Recipients = None
    bcc: Recipients = None
    reply_to: Recipients = None
    text: str | None = None
    html: str | None = None
    attachments: list[FileBody] | None = None
    in_reply_to: str | None = None
    references: Recipients = None
    headers: dict[str, str] | None = None


class Queued(Struct, frozen=True):
    """The mail is on disk and ours to deliver or report. `id` is that of its row in `/api/sent`."""

    status: str
    queue_id: str
    id: int
    message_id: str


read_mail = msgspec.json.Decoder(MailBody)


@routes.post(
    "/api/send_mail",
    MAILBOX_SENDING,
    body=MailBody,
    returns=Queued,
    headers={**KEY_HEADER, **ACCESS_TOKEN},
    body_limit=WHOLE_MESSAGE,
)
async def send_mail(call: Call) -> Queued:
    """Queue a mail from the mailbox. It is on disk when this answers; what became of it is told
    by `/api/sent` and `/api/events`."""
    body = await read_sending(call, read_mail)
    return await queue(call, await with_role(call, call.principal), body)


async def read_sending(call: Call, decoder: msgspec.json.Decoder[Any]) -> Any:
    """The body of a sending route: what is no JSON is told as everywhere, a value of the wrong
    type as a failure to send."""
    try:
        return await call.json(decoder)
    except Uncaught as error:
        if error.name != "TypeError":
            raise
        refused = wrapped(BadRequest(error.message), FAILED_TO_SEND, call.language)
        raise Refused(refused) from None


async def queue(call: Call, principal: Principal, body: MailBody) -> Queued:
    """Submit the draft of a body. Every refusal begins with the contract's words."""
    try:
        receipt = await call.services.sending.submit_draft(
            principal,
            draft_of(body, NamedAddress(principal.address, words(body.from_name))),
            record=record_of(body),
            ip=call.client_ip,
            idempotency_key=call.header(b"idempotency-key"),
        )
    except MailError as error:
        raise Refused(wrapped(error, FAILED_TO_SEND, call.language)) from None
    return queued(receipt)


def queued(receipt: Receipt) -> Queued:
    """The wire form of a receipt."""
    return Queued("ok", receipt.queue_id, receipt.submission_id, receipt.message_id)


def draft_of(body: MailBody, sender: NamedAddress) -> Draft:
    """What a body says, in words of mail."""
    content = words(body.content)
    html = body.html or (content if body.is_html else None) or None
    text = body.text or (None if body.is_html else content) or None
    return Draft(
        sender=sender,
        to=people(body.to_mail, words(body.to_name)),
        cc=people(body.cc),
        bcc=people(body.bcc),
        reply_to=people(body.reply_to),
        subject=words(body.subject),
        text=text,
        html=html,
        attachments=tuple(attachment(file) for file in body.attachments or ()),
        in_reply_to=body.in_reply_to or "",
        references=tuple(listed(body.references)),
        headers=tuple((body.headers or {}).items()),
    )


def words(value: Words) -> str:
    """A text as it goes into a mail. What counts as nothing in JavaScript is the empty text."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if value else ""


def listed(value: Recipients) -> list[str]:
    """One text or several, as several; empty ones among several stay, to be refused."""
    if isinstance(value, str):
        return [value] if value else []
    return value or []


def people(value: Recipients, only_name: str = "") -> tuple[NamedAddress, ...]:
    """Addresses, each alone or behind a name; `only_name` is that of a single one."""
    found = [named_address(entry) for entry in listed(value)]
    if len(found) == 1 and only_name:
        return (NamedAddress(found[0].address, only_name),)
    return tuple(found)


def named_address(entry: str) -> NamedAddress:
    """`Ann <ann@example.test>` or `ann@example.test`."""
    match = _NAMED.fullmatch(entry)
    return NamedAddress(match[2], match[1]) if match else NamedAddress(entry.strip())


def attachment(file: FileBody) -> Attachment:
    """A file as the composer takes it."""
    return Attachment(file.filename, file.content, file.type, file.disposition, file.content_id)


def record_of(body: MailBody) -> dict[str, object]:
    """The request as the sent box keeps it (mailbox-api §10.8): the keys that its readers need,
    as texts, and ours where they were used."""
    kept: dict[str, object] = {
        "from_name": words(body.from_name),
        "to_name": words(body.to_name),
        "to_mail": ", ".join(listed(body.to_mail)),
        "subject": words(body.subject),
        "content": words(body.content) or body.html or body.text or "",
        "is_html": bool(body.is_html or (not body.content and body.html)),
    }
    for name in ("cc", "bcc", "reply_to", "in_reply_to", "references", "headers"):
        if value := getattr(body, name):
            kept[name] = value
    if body.attachments:
        kept["attachments"] = [
            {"filename": file.filename, "type": file.type, "size": len(file.content)}
            for file in body.attachments
        ]
    return kept


@routes.post("/api/request_send_mail_access", MAILBOX_ASKING, returns=Sent)
async def request_access(call: Call) -> Sent:
    """Ask for an allowance to send; an administrator grants it."""
    await call.services.sending.request_access(call.principal)
    return OK
