"""A letter: text, HTML or both for some people, without files and without fields of its own.

Nearly all mail is one. `compose` writes it too; here is the same message with what is known already
left out: the addresses are canonical, the identifier and the date are ours, and what does not
change from letter to letter (the field of a sender, that of a recipient) is written once. A test
holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct

from mailbox_service.core.address import canonical, split
from mailbox_service.core.api_values import LONGEST_MAILBOX, read_mailbox, shown_mailbox
from mailbox_service.core.compose import NamedAddress
from mailbox_service.core.errors import BadAddress, BadRequest
from mailbox_service.core.header_fields import mailbox_field, text_field
from mailbox_service.core.header_section import MAX_HEADER_SECTION
from mailbox_service.core.mime import multipart, text_part


class Correspondent(Struct, frozen=True, gc=False):
    """Somebody as a request names them: the canonical address, the name, both as they are shown in
    lists, and the field that names nobody else."""

    address: str
    name: str
    shown: str
    domain: str
    to_field: str
    # `shown` as JSON.
    json: str


def correspondent(text: str) -> Correspondent | None:
    """Who stands in a text such as `Ann <ann@example.test>`; None for what is no mailbox, or
    one that plain ASCII cannot carry."""
    return _correspondent(text) if len(text) <= LONGEST_MAILBOX else None


# Whoever writes, writes again, and to the same people: some megabytes at most.
@lru_cache(maxsize=4_096)
def _correspondent(text: str) -> Correspondent | None:
    if not text.isprintable():
        return None  # a control character perhaps; whoever asks looks and words it
    try:
        read = read_mailbox(text)
        address = canonical(read.address)
        field = mailbox_field("To", [(address, read.name)])
    except (BadAddress, BadRequest):
        return None
    if not address.isascii():
        return None
    shown = shown_mailbox(NamedAddress(address, read.name))
    json = msgspec.json.encode(shown).decode()
    return Correspondent(address, read.name, shown, split(address)[1], field, json)


def from_field(sender: Correspondent) -> str:
    """The From field of a letter."""
    return mailbox_field("From", [(sender.address, sender.name)])


def compose_letter(
    sender_field: str,
    to: Sequence[Correspondent],
    cc: Sequence[Correspondent],
    *,
    subject: str,
    text: str | None,
    html: str | None,
    message_id: str,
    date: str,
) -> bytes:
    """The message to at least one person in To. `message_id` is one of ours, in its brackets, and
    `date` that of RFC 5322 §3.3. Raises BadRequest for a subject or a text that cannot stand in a
    message."""
    if len(to) == 1:
        people = to[0].to_field
    else:
        people = mailbox_field("To", [(one.address, one.name) for one in to])
    if cc:
        people += mailbox_field("Cc", [(one.address, one.name) for one in cc])
    head = (
        f"{sender_field}{people}{text_field('Subject', subject) if subject else ''}"
        f"Date: {date}\r\nMessage-ID: {message_id}\r\nMIME-Version: 1.0\r\n"
    )
    if len(head) > MAX_HEADER_SECTION:
        raise BadRequest(f"The header fields are longer than {MAX_HEADER_SECTION} octets")
    if html is None:
        return head.encode() + text_part(text or "", "plain")
    if text is None:
        return head.encode() + text_part(html, "html")
    parts = [text_part(text, "plain"), text_part(html, "html")]
    return head.encode() + multipart("alternative", parts, message_id)
