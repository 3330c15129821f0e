"""Composing a message from a draft (RFC 5322, RFC 2045-2047, RFC 2183, RFC 2392).

The header section and the MIME tree are written here by hand: `email.message.EmailMessage` takes
a millisecond for what takes some thirty microseconds, and has let header values end their field
more than once. The stdlib parser is the judge in the tests instead.

The result has CRLF line ends, lines within 998 octets, and is plain ASCII, unless an address has
a local part that only SMTPUTF8 can carry (RFC 6531).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress, BadRequest
from mailbox_service.core.header_fields import (
    date_text,
    mailbox_field,
    message_ids,
    message_ids_field,
    parameter,
    refuse_controls,
    text_field,
)
from mailbox_service.core.header_section import MAX_HEADER_SECTION, has_fields
from mailbox_service.core.mime import (
    base64_lines,
    fits_seven_bit,
    multipart,
    multipart_pieces,
    text_part,
)

# RFC 5321 §4.5.3.1.10 asks a server for 100 recipients; a thousand is what ours takes (Postfix's
# `smtpd_recipient_limit`), and what a header section has room for.
MAX_MAILBOXES = 1_000
# More parts than this and readers begin to refuse the message (Stalwart, Exchange).
MAX_ATTACHMENTS = 100
# A draft with more fields of its own is no letter; each is checked, folded and signed.
MAX_CUSTOM_FIELDS = 50
# Enough for RFC names and every `X-…` seen; leaves a line room for a value.
MAX_FIELD_NAME = 64
# What file systems take for one name, in octets of UTF-8.
MAX_FILENAME = 255
# A thread's reader needs the first and the latest ancestors (RFC 5322 §3.6.4, RFC 5256).
MAX_REFERENCES = 40

# Fields that this module writes, that are added by whoever carries or proves the message, or
# that are not for the recipients' eyes.
RESERVED_FIELDS = frozenset(
    (
        *("from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "mime-version"),
        *("message-id", "in-reply-to", "references"),
        *("received", "received-spf", "return-path", "delivered-to"),
        *("dkim-signature", "domainkey-signature", "authentication-results"),
    )
)
RESERVED_PREFIXES = ("content-", "resent-", "arc-")

_is_field_name = re.compile(r"[A-Za-z][A-Za-z0-9-]*").fullmatch
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"  # noqa: S105 - a grammar, not a secret
_is_media_type = re.compile(
    rf'{_TOKEN}/{_TOKEN}(?: *; *{_TOKEN}=(?:{_TOKEN}|"[^"\\\x00-\x1f\x7f-\U0010ffff]*"))*'
).fullmatch


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """A mailbox as people see it: an address and perhaps a display name (RFC 5322 §3.4)."""

    address: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with the message.

    `disposition` is `attachment` or `inline` (RFC 2183). An inline part with a `content_id` is
    what the HTML shows as `cid:…` (RFC 2392).
    """

    filename: str
    content: bytes
    mime_type: str = "application/octet-stream"
    disposition: str = "attachment"
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as its author thinks of it, before it has a name, a date and a form.

    `references` are the identifiers of the thread so far; the one in `in_reply_to` is added when
    it is missing. `headers` are fields of the author's own, of names that are not reserved.
    `inline_with_html`: inline parts stand beside the HTML alone, inside the alternative.
    """

    sender: NamedAddress
    to: tuple[NamedAddress, ...] = ()
    cc: tuple[NamedAddress, ...] = ()
    bcc: tuple[NamedAddress, ...] = ()
    reply_to: tuple[NamedAddress, ...] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    inline_with_html: bool = False

    def recipients(self) -> tuple[str, ...]:
        """The forward-paths of To, Cc and Bcc: canonical, each once. Raises BadAddress."""
        found = (canonical(one.address) for one in (*self.to, *self.cc, *self.bcc))
        return tuple(dict.fromkeys(found))


def compose(draft: Draft, *, message_id: str, date: datetime) -> bytes:
    """The message of a draft. Bcc is for the envelope alone and is not written.

    Raises BadAddress for an address and BadRequest for any other value that cannot stand in a
    message, naming the field.
    """
    head = _header_section(draft, message_id=message_id, date=date)
    if not draft.attachments:
        return head.encode() + _body(draft, message_id)
    return b"".join((head.encode(), *_with_attachments(draft, message_id)))


def _header_section(draft: Draft, *, message_id: str, date: datetime) -> str:
    identifier = message_ids(message_id, "Message-ID")
    if len(identifier) != 1:
        raise BadRequest("Message-ID is not a message identifier")
    fields = [mailbox_field("From", _mailboxes((draft.sender,), "From"))]
    # RFC 5322 §3.6.3 lets a message name nobody; the empty group says it in words.
    if draft.to:
        fields.append(mailbox_field("To", _mailboxes(draft.to, "To")))
    elif not draft.cc:
        fields.append("To: undisclosed-recipients:;\r\n")
    if draft.cc:
        fields.append(mailbox_field("Cc", _mailboxes(draft.cc, "Cc")))
    if draft.reply_to:
        fields.append(mailbox_field("Reply-To", _mailboxes(draft.reply_to, "Reply-To")))
    if draft.subject:
        fields.append(text_field("Subject", draft.subject))
    fields.append(f"Date: {date_text(date)}\r\nMessage-ID: {identifier[0]}\r\n")
    if draft.in_reply_to or draft.references:
        fields += _thread_fields(draft)
    if draft.headers:
        fields += _custom_fields(draft.headers)
    fields.append("MIME-Version: 1.0\r\n")
    head = "".join(fields)
    if len(head) > MAX_HEADER_SECTION:
        raise BadRequest(f"The header fields are longer than {MAX_HEADER_SECTION} octets")
    return head


def _mailboxes(people: tuple[NamedAddress, ...], field: str) -> list[tuple[str, str]]:
    if len(people) > MAX_MAILBOXES:
        raise BadRequest(f"{field} names more than {MAX_MAILBOXES} mailboxes")
    try:
        return [(canonical(one.address), one.name) for one in people]
    except BadAddress as error:
        raise BadAddress(f"{field}: {error.detail}") from error


def _thread_fields(draft: Draft) -> list[str]:
    """In-Reply-To and References of an answer (RFC 5322 §3.6.4)."""
    parents = message_ids(draft.in_reply_to, "In-Reply-To")[:MAX_REFERENCES]
    ancestors = message_ids(" ".join(draft.references), "References")
    chain = list(dict.fromkeys([*ancestors, *parents]))
    if len(chain) > MAX_REFERENCES:
        chain = [chain[0], *chain[1 - MAX_REFERENCES :]]
    fields = []
    if parents:
        fields.append(message_ids_field("In-Reply-To", parents))
    if chain:
        fields.append(message_ids_field("References", chain))
    return fields


def _custom_fields(headers: tuple[tuple[str, str], ...]) -> list[str]:
    if len(headers) > MAX_CUSTOM_FIELDS:
        raise BadRequest(f"There are more than {MAX_CUSTOM_FIELDS} header fields of your own")
    fields = []
    for name, value in headers:
        if len(name) > MAX_FIELD_NAME or not _is_field_name(name):
            raise BadRequest(f"{name[:MAX_FIELD_NAME]!a} is not the name of a header field")
        lower = name.lower()
        if lower in RESERVED_FIELDS or lower.startswith(RESERVED_PREFIXES):
            raise BadRequest(f"The header field {name} is not yours to set")
        fields.append(text_field(name, value))
    return fields


def _body(draft: Draft, seed: str) -> bytes:
    """The text, the HTML, or both as alternatives, the richer one last (RFC 2046 §5.1.4)."""
    if draft.html is None:
        return text_part(draft.text or "", "plain")
    if draft.text is None:
        return text_part(draft.html, "html")
    parts = [text_part(draft.text, "plain"), text_part(draft.html, "html")]
    return multipart("alternative", parts, seed)


def _with_attachments(draft: Draft, seed: str) -> Sequence[bytes]:
    """mixed(related(alternative(text, html), inline parts), attachments), as far as needed; or
    mixed(alternative(text, related(html, inline parts)), attachments)."""
    if len(draft.attachments) > MAX_ATTACHMENTS:
        raise BadRequest(f"There are more than {MAX_ATTACHMENTS} attachments")
    related: list[bytes] = []
    others: list[bytes] = []
    for one in draft.attachments:
        shown = draft.html is not None and one.disposition == "inline" and one.content_id
        (related if shown else others).append(_attached_part(one))
    if related and draft.inline_with_html and draft.text is not None:
        shown_html = multipart("related", [text_part(draft.html or "", "html"), *related], seed)
        body = multipart("alternative", [text_part(draft.text, "plain"), shown_html], seed)
    elif related:
        body = multipart("related", [_body(draft, seed), *related], seed)
    else:
        body = _body(draft, seed)
    return multipart_pieces("mixed", [body, *others], seed) if others else (body,)


def _attached_part(attachment: Attachment) -> bytes:
    if attachment.disposition not in ("attachment", "inline"):
        raise BadRequest("The disposition of an attachment is attachment or inline")
    mime_type, content = attachment.mime_type, attachment.content
    if len(mime_type) > 200 or not _is_media_type(mime_type):
        raise BadRequest("The type of an attachment is not a media type")
    encoding, body = "base64", None
    if mime_type.lower().startswith(("message/", "multipart/")):
        # RFC 2046 §5.2.1: base64 is forbidden for these. A message that fits travels as it is;
        # anything else as a file, so that its octets arrive unchanged.
        whole = has_fields(content) and fits_seven_bit(content)
        if whole and mime_type.lower() == "message/rfc822":
            encoding, body = "7bit", content
        else:
            mime_type = "application/octet-stream"
    head = f"Content-Type: {mime_type}\r\nContent-Transfer-Encoding: {encoding}\r\n"
    head += f"Content-Disposition: {attachment.disposition}"
    if attachment.filename:
        head += _filename(attachment.filename)
    head += "\r\n"
    if attachment.content_id:
        identifier = message_ids(attachment.content_id, "Content-ID")
        if len(identifier) != 1:
            raise BadRequest("Content-ID is not a message identifier")
        head += f"Content-ID: {identifier[0]}\r\n"
    start = head.encode() + b"\r\n"
    return base64_lines(content, start) if body is None else start + body


def _filename(name: str) -> str:
    refuse_controls(name, "The file name of an attachment")
    if len(name.encode()) > MAX_FILENAME:
        raise BadRequest(f"The file name of an attachment is longer than {MAX_FILENAME} octets")
    return parameter("filename", name, "filename")
