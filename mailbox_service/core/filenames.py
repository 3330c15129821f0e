"""Names of attachments: hostile when they come, harmless when they leave (RFC 6266)."""

from __future__ import annotations

import re
from urllib.parse import quote

DEFAULT_FILENAME = "attachment"
MAX_FILENAME = 150  # characters; file systems take 255 bytes, and ours may be three bytes each
MAX_EXTENSION = 16
MAX_READ = 1_024  # characters of a name that are looked at

# Controls, what only steers display (bidi overrides can make exe.txt of txt.exe), line and
# paragraph separators, noncharacters, lone surrogates.
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\uffff\ud800-\udfff]"
)
_FORBIDDEN = re.compile(r'[<>:"|?*%]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


def safe_filename(name: str) -> str:
    """One path component that any file system takes, without tricks for the eye.

    Never a path: what precedes the last slash or backslash is dropped. An empty name becomes
    `attachment`. The extension survives shortening.
    """
    plain = _INVISIBLE.sub("", name[-MAX_READ:])
    plain = re.split(r"[/\\]", plain)[-1]
    plain = " ".join(_FORBIDDEN.sub("_", plain).split()).strip(" .")
    if not plain.strip("_. "):
        return DEFAULT_FILENAME
    if _DEVICE.match(plain):  # reserved on Windows, with any extension
        plain = f"_{plain}"
    if len(plain) > MAX_FILENAME:
        stem, dot, extension = plain.rpartition(".")
        if not dot or len(extension) > MAX_EXTENSION:
            return plain[:MAX_FILENAME].strip(" .")
        plain = f"{stem[: MAX_FILENAME - len(extension) - 1].strip(' .')}.{extension}"
    return plain


def content_disposition(filename: str) -> str:
    """The Content-Disposition value that makes a browser save, never show (RFC 6266 §4).

    The plain form is for old clients; all others read `filename*` (RFC 8187).
    """
    name = safe_filename(filename)
    plain = "".join(char if " " <= char <= "~" and char != "\\" else "_" for char in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
