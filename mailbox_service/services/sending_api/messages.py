"""A message before anybody judged it: made out of a draft, or as somebody wrote it."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from mailbox_service.core.address import canonical
from mailbox_service.core.api_values import moment_of, read_mailbox, shown_mailbox
from mailbox_service.core.compose import Draft, NamedAddress, compose
from mailbox_service.core.errors import BadAddress, BadContent, BadRequest
from mailbox_service.core.header_section import has_fields, read_fields, unfolded_value
from mailbox_service.core.header_words import decoded
from mailbox_service.core.sending_api import BadField
from mailbox_service.core.submission_fields import from_addresses
from mailbox_service.services.sending_api.composing import MOST_IN_A_LIST, divided

# Characters kept of header fields for searches.
LONGEST_SHOWN = 2_000
MOST_SHOWN_FIELDS = 50

# What is not in quotes: the name of a group before its members, and comments.
_group_name = re.compile(r'^(?:"(?:[^"\\]|\\.)*+"|[^"<:])*+:')
_comments = re.compile(r'("(?:[^"\\]|\\.)*+"?)|\((?:[^()\\]|\\.)*+\)')

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


class Message(Struct, frozen=True):
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


def composed(draft: Draft, message_id: str, now: int) -> bytes:
    """The message of a draft; a value that cannot stand in it is named by its field."""
    try:
        return compose(draft, message_id=message_id, date=moment_of(now))
    except (BadRequest, BadAddress) as error:
        for words, field in FIELDS:
            if error.detail.startswith(words):
                inline = all(one.disposition == "inline" for one in draft.attachments)
                if field == "attachments" and inline:
                    field = "inlines"
                raise BadField(field, error.detail) from None
        raise BadField("custom_headers", error.detail) from None


def written(text: str) -> bytes:
    """The message in a text: base64 of one with header lines, else the text itself."""
    content = b""
    # One after the other: a message may have 50 MB, and each copy of it as many.
    for spaceless in (False, True):
        try:
            bare = "".join(text.split()) if spaceless else text
            content = with_line_ends(binascii.a2b_base64(bare, strict_mode=True))
            break
        except ValueError:
            continue
    if not has_fields(content):
        content = with_line_ends(text.encode(errors="replace"))
    return content


def with_line_ends(content: bytes) -> bytes:
    """Lines that end with CRLF (RFC 5321 §2.3.8), as the message of a file needs it."""
    ends = content.count(b"\r\n")
    if content.count(b"\r") == ends and content.count(b"\n") == ends:
        return content
    if content.count(b"\r"):
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content.replace(b"\n", b"\r\n")


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
    lists: dict[str, list[str]] = {"from": [], "to": [], "cc": [], "bcc": []}
    for octets, raw in fields:
        name = octets.decode("ascii", "replace")
        text = unfolded_value(raw).encode(errors="replace").decode()
        if name in lists:
            lists[name].append(text)
        else:
            values.setdefault(name, []).append(decoded(text))
    writers = people_in("from", lists.pop("from"), count=False)
    named = {
        name: people_in(name, texts, count=recipients is None) for name, texts in lists.items()
    }
    if recipients is None:
        recipients = [one.address for people in named.values() for one in people]
        recipients = tuple(dict.fromkeys(recipients))
        if not recipients:
            raise BadField("mime_email", "The message names no recipient")
    subject = (values.get("subject") or [""])[0]
    return Message(
        sender=authors[0],
        authors=tuple(authors),
        sender_text=", ".join(map(shown_mailbox, writers))[:LONGEST_SHOWN] or authors[0],
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


def people_in(name: str, texts: Sequence[str], *, count: bool) -> list[NamedAddress]:
    """The mailboxes in fields of a name, groups and comments among them (RFC 5322 §3.4). Encoded
    words are read last, for a comma in one divides nothing (RFC 2047 §6.2). Where the mailboxes
    `count`, since they are the recipients, raises BadField for what is none, and for too many."""
    people = []
    for text in divided(",".join(texts)):
        member = _group_name.sub("", text).rstrip("; ")
        if not member.endswith(">"):
            member = _comments.sub(r"\1 ", member)
        try:
            read = read_mailbox(member)
            people.append(NamedAddress(canonical(read.address), decoded(read.name)))
        except BadAddress:
            if count and member not in ("", "undisclosed-recipients"):
                detail = f"{name.title()}: not an address: {text[:100]!r}"
                raise BadField("mime_email", detail) from None
    if count and len(people) > MOST_IN_A_LIST:
        raise BadField("mime_email", f"{name.title()}: more than {MOST_IN_A_LIST} addresses")
    return people


def shown_fields(draft: Draft, message_id: str = "") -> dict[str, Any]:
    """What searches show of a header. `message_id` is one that the author wants."""
    own = (("Message-ID", message_id),) if message_id else ()
    return {
        "to": [shown_mailbox(one) for one in draft.to],
        "cc": [shown_mailbox(one) for one in draft.cc],
        "bcc": [shown_mailbox(one) for one in draft.bcc],
        "reply_to": ", ".join(shown_mailbox(one) for one in draft.reply_to)[:LONGEST_SHOWN],
        "headers": kept_fields((*draft.headers, *own)),
        "attachments": [one.filename for one in draft.attachments],
    }


def kept_fields(pairs: Any) -> list[list[str]]:
    """Header fields as they are kept: not too many, not too long."""
    kept = [[name, text[:LONGEST_SHOWN].replace("\0", "")] for name, text in pairs]
    return kept[:MOST_SHOWN_FIELDS]
