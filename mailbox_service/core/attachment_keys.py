"""Names of saved attachments: what people may choose, and what they are called on a disk."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from mailbox_service.core.errors import BadRequest

# An object has a name of 1,024 octets; an address takes 254 of them, and a slash.
LONGEST_KEY = 700  # octets
# File systems take 255 octets in one component.
_COMPONENT = 200
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def checked(key: object) -> str:
    """The name of an attachment as somebody chose it: one or more components with slashes
    between, none of which could lead elsewhere. Raises BadRequest."""
    if not isinstance(key, str) or not key:
        raise BadRequest("key is missing")
    if _CONTROLS.search(key) or "\\" in key or len(key.encode()) > LONGEST_KEY:
        raise BadRequest("key is no name of a file")
    if any(part.strip(". ") == "" for part in key.split("/")):
        raise BadRequest("key is no name of a file")
    return key


def folder_of(address: str) -> str:
    """The folder of an address: nothing of its text is in it (hazard 30)."""
    return hashlib.sha256(address.encode()).hexdigest()[:40]


def disk_name(key: str) -> str:
    """A name as a relative path: only letters, digits, `-`, `_`, and a dot at the end that tells
    a file from a folder of longer names."""
    text = base64.urlsafe_b64encode(key.encode()).decode("ascii").rstrip("=")
    parts = [text[at : at + _COMPONENT] for at in range(0, len(text), _COMPONENT)]
    return "/".join(parts) + "."


def key_of(name: str) -> str | None:
    """The name behind a relative path; None for a file that is none of ours."""
    text = name.removesuffix(".").replace("/", "")
    if not name.endswith("."):
        return None
    try:
        octets = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return octets.decode()
    except (binascii.Error, ValueError):
        return None
