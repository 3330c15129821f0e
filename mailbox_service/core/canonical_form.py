"""The forms in which DKIM and ARC hash a message (RFC 6376 §3.4): linear in its size, whatever it
holds."""

from __future__ import annotations

import re

_line_ends_reversed = re.compile(rb"(?:\n\r)*+").match


def relaxed_field(name: bytes, raw: bytes) -> bytes:
    """Relaxed form of one field: unfolded, every run of spaces one, none around (§3.4.2)."""
    value = raw.partition(b":")[2].replace(b"\r\n", b"")
    return b"%s:%s\r\n" % (name, _single_spaced(value).strip(b" "))


def relaxed_body(body: bytes) -> bytes:
    """Relaxed form of the body: runs of spaces are one, none at a line's end, no empty lines at
    the end, and a line end after the last line of what is left (§3.4.4)."""
    body = _single_spaced(body)
    # Encoded bodies have no spaces, and one octet is found sooner than two.
    if b" " in body:
        body = body.replace(b" \r\n", b"\r\n")
        if body.endswith(b" "):
            body = body[:-1]
    tail = body[len(body.rstrip(b"\r\n")) :]
    if tail == b"\r\n" and len(body) > 2:
        return body
    empty = _line_ends_reversed(tail[::-1])
    last = len(body) - (empty.end() if empty else 0)
    return body[:last] + b"\r\n" if last else b""


def simple_body(body: bytes) -> bytes:
    """Simple form of the body: no empty lines at the end, and a line end there in any case
    (§3.4.3)."""
    empty = _line_ends_reversed(body[len(body.rstrip(b"\r\n")) :][::-1])
    return body[: len(body) - (empty.end() if empty else 0)] + b"\r\n"


def _single_spaced(text: bytes) -> bytes:
    """Every run of spaces and tabs as one space; each round halves the runs that are left."""
    if b"\t" in text:
        text = text.replace(b"\t", b" ")
    if b" " in text:
        while b"  " in text:
            text = text.replace(b"  ", b" ")
    return text
