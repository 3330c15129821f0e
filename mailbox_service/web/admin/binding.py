"""Sending with the words of the platform that existing clients know (mailbox-api §3.6)."""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from mailbox_service.core.compose import Attachment, Draft, NamedAddress
from mailbox_service.core.errors import BadRequest, MailError
from mailbox_service.core.texts import text
from mailbox_service.web.admin.sending import told_to_admin
from mailbox_service.web.answers import OK, Sent
from mailbox_service.web.errors import Uncaught
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.mailbox.sending import named_address
from mailbox_service.web.request import Call, invalid_input
from mailbox_service.web.routing import WHOLE_MESSAGE, Routes

routes = Routes("admin sending")


class Person(Struct, frozen=True):
    """An address, perhaps with a name."""

    email: str
    name: str | None = None


class PlatformFile(Struct, frozen=True, rename="camel"):
    """A file; its content is base64."""

    content: str
    filename: str
    type: str = "application/octet-stream"
    disposition: str = "attachment"
    content_id: str | None = None


Somebody = str | Person
People = str | list[str] | None


class PlatformMail(Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A mail in the words of the platform: `from` any address of our domains, `html`, `text` or
    both."""

    from_: Somebody | None = None
    to: People = None
    subject: str | None = None
    html: str | None = None
    text: str | None = None
    cc: People = None
    bcc: People = None
    reply_to: Somebody | None = msgspec.field(default=None, name="replyTo")
    attachments: list[PlatformFile] | None = None
    headers: dict[str, str] | None = None


read_mail = msgspec.json.Decoder(PlatformMail)


@routes.post(
    "/admin/send_mail_by_binding",
    ADMIN,
    body=PlatformMail,
    returns=Sent,
    body_limit=WHOLE_MESSAGE,
)
async def send_by_binding(call: Call) -> Sent:
    """Queue a mail in the name of any address of our domains, without allowance and without a
    line in the sent box."""
    try:
        draft = draft_of(await call.json(read_mail))
    except (Uncaught, ValueError):
        draft = None
    # Said first, yet after the body was read: a body without an end is refused in any case.
    if call.config.outbound == "hold":
        raise BadRequest(text("EnableSendMailMsg"), message_key="EnableSendMailMsg")
    if draft is None:
        raise invalid_input(call)
    check_domain(draft.sender.address, call.config.send_mail_domains)
    try:
        await call.services.sending.submit_draft(
            call.principal, draft, door="admin", ip=call.client_ip, charge=False, listed=False
        )
    except MailError as error:
        raise told_to_admin(error) from None
    return OK


def draft_of(body: PlatformMail) -> Draft:
    """What a body says, in words of mail. Raises ValueError when something needed is missing."""
    to = people(body.to)
    if body.from_ is None or not to or not body.subject or not (body.html or body.text):
        raise ValueError("from, to, subject, and html or text are needed")
    sender = person(body.from_)
    if not sender.address.rpartition("@")[2] or "@" not in sender.address:
        raise ValueError("from has no domain")
    return Draft(
        sender=sender,
        to=to,
        cc=people(body.cc),
        bcc=people(body.bcc),
        reply_to=() if body.reply_to is None else (person(body.reply_to),),
        subject=body.subject,
        text=body.text or None,
        html=body.html or None,
        attachments=tuple(attachment(file) for file in body.attachments or ()),
        headers=tuple((body.headers or {}).items()),
    )


def person(somebody: Somebody) -> NamedAddress:
    """An address with its name."""
    if isinstance(somebody, str):
        return named_address(somebody)
    return NamedAddress(somebody.email.strip(), somebody.name or "")


def people(value: People) -> tuple[NamedAddress, ...]:
    """One address or several."""
    listed = [value] if isinstance(value, str) else value or []
    return tuple(named_address(entry) for entry in listed if entry.strip())


def attachment(file: PlatformFile) -> Attachment:
    """A file as the composer takes it. Raises ValueError when its content is no base64."""
    try:
        content = base64.b64decode(file.content, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    return Attachment(file.filename, content, file.type, file.disposition, file.content_id or "")


def check_domain(sender: str, allowed: list[str]) -> None:
    """Refuse a sender whose domain may not use the channel. Raises BadRequest."""
    domains = {domain.strip().lower() for domain in allowed}
    if domains and sender.rpartition("@")[2].lower() not in domains:
        key = "EnableSendMailForDomainMsg"
        raise BadRequest(text(key), message_key=key)
