"""Bytes of mail for saving, never for showing: nothing in them runs on our origin (hazard 35)."""

from __future__ import annotations

import re
from typing import Any

from mailbox_service.core.filenames import content_disposition
from mailbox_service.web.answers import Answer, Headers

# What the routes of downloads give back, for the documentation.
A_MESSAGE: dict[str, Any] = {"returns": bytes, "media_type": "message/rfc822"}
OCTETS: dict[str, Any] = {"returns": bytes, "media_type": "application/octet-stream"}
# Whatever opens such an answer in a window gets an empty sandbox of an opaque origin.
SANDBOXED: Headers = (
    (b"content-security-policy", b"sandbox; default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"x-frame-options", b"DENY"),
)
# A media type of plain tokens; anything else is octets to us. Parameters are left out: what a
# sender claims about a charset is not ours to repeat.
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
# Types that a browser may run even when told to save them; they go as octets.
_ACTIVE = re.compile(r"html|xml|svg|script|xsl|mathml|multipart|message|x-shockwave|java")


def harmless_type(mime_type: str) -> bytes:
    """The media type of a part when no browser makes a document of it, else plain octets."""
    claimed = mime_type.partition(";")[0].strip().lower()
    if _MEDIA_TYPE.fullmatch(claimed) and not _ACTIVE.search(claimed):
        return claimed.encode("ascii")
    return b"application/octet-stream"


def attachment_answer(content: bytes, filename: str, mime_type: str) -> Answer:
    """One part of a mail, to be saved."""
    return Answer(content, harmless_type(mime_type), headers=(named(filename), *SANDBOXED))


def message_answer(raw: bytes, name: str) -> Answer:
    """A whole message, octet for octet as it is stored (RFC 2046 §5.2.1)."""
    return Answer(raw, b"message/rfc822", headers=(named(name), *SANDBOXED))


def named(filename: str) -> tuple[bytes, bytes]:
    """The header that makes a browser save (RFC 6266)."""
    return b"content-disposition", content_disposition(filename).encode("ascii", "replace")
