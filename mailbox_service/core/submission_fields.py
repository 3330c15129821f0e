"""What a submission server may correct in a message, and what it must look at (RFC 6409 §8).

Missing From, Date and Message-ID are added and Bcc is taken out; every other octet stays as the
author's program wrote it, so signatures over it hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress, BadContent
from mailbox_service.core.header_fields import date_text
from mailbox_service.core.header_section import (
    MAX_HEADER_SECTION,
    Field,
    has_fields,
    read_fields,
    unfolded_value,
)

# RFC 5322 §3.6.2 sets no bound; a handful write one letter. More than this is an attempt to make
# somebody parse.
MAX_AUTHORS = 20

# RFC 5322 §3.6.3 lets the recipients of Bcc be hidden in no better way than this.
_HIDDEN = frozenset((b"bcc", b"resent-bcc"))

_AUTHORS = frozenset((b"from", b"sender"))
# One mailbox whose name has an `@` and is not quoted; nothing else that could be read two ways: no
# comma, quote, comment, group or encoded word, and one address at the end.
_poses = re.compile(
    r"(?!.*=\?)((?=[^<]*@)[^\s()<>\[\]:;\\,\"\x00-\x1f\x7f][^()<>\[\]:;\\,\"\x00-\x1f\x7f]*)"
    r"<([^<>()\",:;\s]+)>[ ]*"
).fullmatch

# The pieces of a mailbox-list (RFC 5322 §3.4), without what is obsolete or can hide an address:
# groups, routes, nested comments.
_pieces = re.compile(
    r"""(?P<space>[ \t]+)
      | (?P<quoted>"(?:[^"\\]|\\.)*+")
      | (?P<comment>\([^()<>\\]*\))
      | <(?P<angle>[^<>()",:;\s]*)>
      | (?P<comma>,)
      | (?P<word>[^\s()<>\[\]:;\\,"]+)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
).finditer


def prepare_submission(
    content: bytes,
    *,
    sender: str,
    message_id: str,
    date: datetime,
    lines_checked: bool = False,
) -> bytes:
    """The message as it goes into the queue.

    `sender` is the canonical address for a missing From; `message_id` is in angle brackets.
    Text without any header section becomes the body of a message. A door that reads lines has
    looked at their ends already and says `lines_checked`. Raises BadContent when the header
    section cannot be read in one way only, or for a bare CR or LF.
    """
    if not lines_checked:
        refuse_bare_line_ends(content)
    fields, end = _section(content)
    if end > MAX_HEADER_SECTION:
        raise BadContent(f"The header section is longer than {MAX_HEADER_SECTION} octets")
    fields, content, end = _with_quoted_names(fields, content, end)
    names = {name for name, _ in fields}
    added = b""
    if b"from" not in names:
        added += f"From: {sender}\r\n".encode()
    if b"date" not in names:
        added += f"Date: {date_text(date)}\r\n".encode()
    if b"message-id" not in names:
        added += f"Message-ID: {message_id}\r\n".encode()
    if not fields and not content.startswith(b"\r\n"):
        return added + b"\r\n" + content
    if names.isdisjoint(_HIDDEN):
        return added + content
    kept = [raw for name, raw in fields if name not in _HIDDEN]
    return b"".join([added, *kept, content[end:]])


def from_addresses(content: bytes) -> list[str]:
    """The canonical addresses of From and Sender, each once; none when both are missing.

    The submitting principal must own them all (RFC 6409 §6.1). Raises BadContent for a field
    that occurs twice, or that two readers might read differently.
    """
    fields, _ = _section(content)
    return list(dict.fromkeys([*_addresses(fields, b"from"), *_addresses(fields, b"sender")]))


def author_addresses(content: bytes) -> list[str]:
    """The canonical addresses of From alone, each once. Raises BadContent like `from_addresses`."""
    fields, _ = _section(content)
    return list(dict.fromkeys(_addresses(fields, b"from")))


def _addresses(fields: Sequence[Field], wanted: bytes) -> list[str]:
    values = [raw for name, raw in fields if name == wanted]
    if len(values) > 1:
        raise BadContent(f"The message has more than one {wanted.decode().title()} field")
    if not values:
        return []
    value = unfolded_value(values[0])
    posing = _poses(value)
    if posing is not None:
        value = f"<{posing[2]}>"
    return _mailbox_list(value, wanted.decode().title(), MAX_AUTHORS if wanted == b"from" else 1)


def _with_quoted_names(
    fields: list[Field], content: bytes, end: int
) -> tuple[list[Field], bytes, int]:
    """The message with a From or Sender whose name looks like an address written so that nobody
    takes the name for one: `a@b <x@y>` becomes `"a@b" <x@y>`. Programs write such fields, and
    readers part on them (RFC 5322 §3.4 has no `@` in a name that is not quoted)."""
    changed = False
    for number, (name, raw) in enumerate(fields):
        posing = _poses(unfolded_value(raw)) if name in _AUTHORS else None
        if posing is not None:
            head = raw.partition(b":")[0].decode("ascii")
            quoted = f'{head}: "{posing[1].strip()}" <{posing[2]}>\r\n'
            fields[number] = (name, quoted.encode("utf-8", "surrogateescape"))
            changed = True
    if not changed:
        return fields, content, end
    section = b"".join([raw for _, raw in fields])
    return fields, section + content[end:], len(section)


def refuse_bare_line_ends(content: bytes) -> None:
    """Raise BadContent when a CR or LF stands alone (RFC 5321 §2.3.8): the next hop could see
    the end of a line, and with it the end of a message, where we did not."""
    ends = content.count(b"\r\n")
    if content.count(b"\n") != ends or content.count(b"\r") != ends:
        raise BadContent("A line must end with CR and LF together")


def _section(content: bytes) -> tuple[list[Field], int]:
    if content.startswith((b"From ", b">From ")):
        raise BadContent("The message begins with a line of a mailbox file, not a header field")
    try:
        fields, end = read_fields(content)
    except BadContent:
        if has_fields(content):
            raise
        return [], 0
    if b"\0" in content[:end]:
        raise BadContent("The header section contains a NUL")
    return fields, end


def _mailbox_list(text: str, field: str, most: int) -> list[str]:
    """The addresses of `name <address>, address, …` (RFC 5322 §3.4), strictly."""
    addresses: list[str] = []
    words: list[str] = []
    angle: str | None = None
    for piece in chain(_pieces(text), (None,)):
        kind = piece.lastgroup if piece is not None else "comma"
        if kind in ("space", "comment"):
            continue
        if kind == "comma":
            # Without angle brackets the one word must be the address; with them no word before
            # may look like one, for some readers would show or take that instead.
            if angle is None and len(words) == 1:
                addresses.append(words[0])
            elif angle is not None and not any("@" in word for word in words):
                addresses.append(angle)
            else:
                raise BadContent(f"The {field} field is not a list of addresses")
            words, angle = [], None
        elif angle is not None or piece is None or kind == "other":
            raise BadContent(f"The {field} field is not a list of addresses")
        elif kind == "angle":
            angle = piece["angle"]
        elif kind == "word":
            words.append(piece["word"])
        else:
            words.append('""')
        if len(addresses) > most:
            raise BadContent(f"The {field} field names more than {most} addresses")
    try:
        return [canonical(address) for address in addresses]
    except BadAddress as error:
        raise BadContent(f"The {field} field: {error.detail}") from error
