"""JSON as browsers and their servers read it, where a strict reader refuses it.

Existing clients send what `JSON.parse` takes: a byte order mark in front (shells of Windows),
octets that are no UTF-8 (read as U+FFFD), and half of a surrogate pair (a text that was cut in the
middle of an emoji). Each is mended here, and only after a strict reader has refused the body, so
that no ordinary request pays for it.
"""

from __future__ import annotations

import re

# Whoever needs this types words; beyond it the body is read strictly and no more.
LARGEST_MENDED = 1 << 20  # octets

_MARK = b"\xef\xbb\xbf"
# A pair of surrogates, half of one, or any other escape: whatever comes first.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\.",
    re.DOTALL,
)


def mended(body: bytes) -> bytes | None:
    """The body with these faults replaced; None when it has none of them, or is too large."""
    if len(body) > LARGEST_MENDED:
        return None
    text = body.removeprefix(_MARK).decode("utf-8", "replace").encode()
    text = _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], text)
    return None if text == body else text
