"""Taking the attachments out of a message and leaving every other octet as it is (mailbox-api
§9.6).

A part goes with its delimiter; text, HTML, the header section and the address lines stay, and so
do parts without which the rest could not be read: the machine's part of a report, a signature,
what is encrypted. A signature over the whole does not survive this, nor is it meant to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailbox_service.core.mime_parts import Part, read_tree

# `REMOVE_EXCEED_SIZE_ATTACHMENT` takes them out of messages of this size (mailbox-api §9.6).
LARGE_MESSAGE = 2 << 20  # octets

# Their parts belong together (RFC 6522 §3, RFC 1847 §2).
_WHOLE = frozenset(("multipart/report", "multipart/signed", "multipart/encrypted"))
_BODIES = frozenset(("text/plain", "text/html"))
_MIME_FIELD = re.compile(
    rb"^content-(?:type|transfer-encoding|disposition|id|description)[ \t]*:"
    rb"[^\n]*(?:\n[ \t][^\n]*)*\n?",
    re.IGNORECASE | re.MULTILINE,
)
NOTHING = b"Content-Type: text/plain; charset=us-ascii\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Cut:
    """Octets that go, and what stands in their place."""

    start: int
    end: int
    instead: bytes = b""


def without_attachments(raw: bytes) -> bytes:
    """The message without its attachments; as it is when it has none or cannot be read whole."""
    tree = read_tree(raw)
    if not tree.complete:
        return raw
    root = tree.root
    if is_attachment(root):
        return _emptied(raw, root)
    pieces: list[bytes] = []
    at = 0
    for cut in _cuts(raw, root):
        pieces += (raw[at : cut.start], cut.instead)
        at = cut.end
    return b"".join((*pieces, raw[at:])) if pieces else raw


def is_attachment(part: Part) -> bool:
    """Whether a part is a file and no body of the message (mailbox-api §9.7)."""
    if part.is_multipart:
        return False
    if part.disposition == "attachment":
        return True
    if part.children:
        return False  # an embedded message that is shown
    return part.type not in _BODIES


def _cuts(raw: bytes, part: Part) -> Iterator[Cut]:
    """What goes, in the order of the message. As deep as the reader of the tree went."""
    if not part.is_multipart:
        for child in part.children:
            yield from _cuts(raw, child)
        return
    if part.type in _WHOLE:
        return
    goes = [is_attachment(child) for child in part.children]
    delimiter = b"--" + part.type_parameters.get("boundary", "").rstrip(" ").encode(
        "utf-8", "surrogateescape"
    )
    begin = _delimiter_line(raw, delimiter, part.start)
    for child, gone in zip(part.children, goes, strict=True):
        end = _after_line_end(raw, child.end)
        if begin is None or begin > child.start:
            return  # not where the reader saw it: better nothing than the wrong octets
        if not gone:
            yield from _cuts(raw, child)
        elif all(goes) and child is part.children[0]:
            # A multipart has at least one part (RFC 2046 §5.1.1).
            yield Cut(_after_line(raw, begin), end, NOTHING + b"\r\n")
        else:
            yield Cut(begin, end)
        begin = end


def _delimiter_line(raw: bytes, delimiter: bytes, at: int) -> int | None:
    """Where the first line that is the delimiter begins."""
    while True:
        found = raw.find(delimiter, at)
        if found < 0:
            return None
        rest = raw[found + len(delimiter) : _after_line(raw, found)]
        if (found == 0 or raw[found - 1 : found] == b"\n") and not rest.strip(b" \t\r\n"):
            return found
        at = found + 1


def _after_line(raw: bytes, at: int) -> int:
    end = raw.find(b"\n", at)
    return len(raw) if end < 0 else end + 1


def _after_line_end(raw: bytes, at: int) -> int:
    """Behind the line end that belongs to the next delimiter."""
    if raw.startswith(b"\r\n", at):
        return at + 2
    return at + 1 if raw.startswith(b"\n", at) else at


def _emptied(raw: bytes, root: Part) -> bytes:
    """A message that is nothing but a file: its header section with an empty text."""
    section = raw[: root.start]
    kept = _MIME_FIELD.sub(b"", section).rstrip(b"\r\n")
    return (kept + b"\r\n" if kept else b"") + NOTHING
