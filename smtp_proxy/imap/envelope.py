"""ENVELOPE: the header of a message in parts (RFC 9051 §7.5.2).

Encoded words stay as they are; clients decode them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import format_datetime

from mailbox_service.core.header_words import without_space
from mailbox_service.core.mime_parts import Header
from smtp_proxy.imap.words import NIL, moment, nstring, parenthesised, string

# Characters read of one address field; header_words reads as many.
MAX_VALUE = 16_384
# Addresses told of one field: a client that wants more reads the field.
MAX_ADDRESSES = 500

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+"|<[^<>]*+>|[(),:;]|\\.|[^"<(),:;\\]++|.', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def envelope(header: Header, received_at: int) -> bytes:
    """The ten parts. A message without Date has the time of its arrival (mailbox-api §11.3)."""
    sender = address_list(header, "from")
    date = header.text("date") or format_datetime(moment(received_at))
    return parenthesised(
        [
            string(date),
            _text(header, "subject"),
            sender,
            _or(address_list(header, "sender"), sender),
            _or(address_list(header, "reply-to"), sender),
            address_list(header, "to"),
            address_list(header, "cc"),
            address_list(header, "bcc"),
            _text(header, "in-reply-to"),
            _text(header, "message-id"),
        ]
    )


def _text(header: Header, name: str) -> bytes:
    return nstring(header.text(name) if name in header else None)


def _or(value: bytes, otherwise: bytes) -> bytes:
    """Sender and Reply-To are From when they are missing."""
    return otherwise if value == NIL else value


def address_list(header: Header, name: str) -> bytes:
    """The mailboxes of an address field, groups as RFC 9051 writes them; NIL for none."""
    listed = [
        b"(%b NIL %b %b)" % (nstring(display), nstring(local), nstring(domain))
        for _, (display, local, domain) in zip(
            range(MAX_ADDRESSES), mailboxes(header.text(name)), strict=False
        )
    ]
    return b"(" + b"".join(listed) + b")" if listed else NIL


def mailboxes(value: str) -> Iterator[tuple[str | None, str | None, str | None]]:
    """Display name, local part and domain of each mailbox of a field, read leniently.

    The beginning of a group has a local part alone, its end nothing at all. A name cannot pose
    as an address: structure is read before words are.
    """
    words: list[str] = []
    angle: str | None = None
    comment = ""
    depth = 0
    in_group = False
    for match in _PIECE.finditer(value[:MAX_VALUE]):
        piece = match[0]
        if piece in "()":
            depth = max(0, depth + (1 if piece == "(" else -1))
        elif depth:
            comment += piece
        elif piece[0] == "<" and len(piece) > 1:
            angle = piece[1:-1]
        elif piece == ":" and not in_group and angle is None:
            in_group = True
            yield None, " ".join("".join(words).split()), None
            words, comment = [], ""
        elif piece in ",;":
            yield from _mailbox(words, angle, comment)
            words, angle, comment = [], None, ""
            if piece == ";" and in_group:
                in_group = False
                yield None, None, None
        elif piece[0] == '"' and len(piece) > 1 and not value.startswith("@", match.end()):
            words.append(_ESCAPE.sub(r"\1", piece[1:-1]))
        else:
            words.append(piece)
    yield from _mailbox(words, angle, comment)
    if in_group:
        yield None, None, None


def _mailbox(
    words: list[str], angle: str | None, comment: str
) -> Iterator[tuple[str | None, str, str]]:
    name = " ".join("".join(words).split())
    if angle is None:
        if not name:
            return
        angle, name = name, comment.strip()
    # Neither a route nor quotes are part of a local part here (RFC 9051 §7.5.2).
    address = without_space(angle if '"' in angle else angle.rpartition(":")[2])
    local, _, domain = address.rpartition("@") if "@" in address else (address, "", "")
    if local[:1] == '"' and local[-1:] == '"' and len(local) > 1:
        local = _ESCAPE.sub(r"\1", local[1:-1])
    yield name or None, local, domain
