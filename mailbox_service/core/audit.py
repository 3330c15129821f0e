"""What the audit log keeps of an administrator's change: who, from where, what, to whom, and the
values that were set, never a secret among them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from mailbox_service.core.told import Words

HIDDEN = "•••"

# Of one value, of one list or object, and of how deep they lie in each other. A form of settings
# has some twenty fields; lists of a thousand patterns are told by their beginning.
LONGEST_TEXT = 200
MOST_ITEMS = 40
DEEPEST = 4
LONGEST_SUBJECT = 320
# Octets of a detail in JSON; one that is still larger is left out but for its fields' names.
LARGEST_DETAIL = 8_192

# Fields that hold a secret or may: passwords, keys, tokens, headers with credentials; and texts
# of mails, which are nobody's business here.
_SECRET = re.compile(
    r"pass(?:word|wd|phrase)?|secret|token|jwt|hash|authori[sz]ation|cookie|headers?$|credential"
    r"|(?:api|private|access|signing)[_-]?key|otp|^value$|^code$",
    re.I,
)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://\S+")
_CONTENT = frozenset(("body", "content", "text", "html", "raw", "source", "attachments", "record"))

# What stands for a value that is not kept.
COUNTS = Words(
    "count", {"characters": "({size} characters)", "items": "({size} items)", "more": "{size} more"}
)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change. `at` is microseconds UTC; `peer` the address that the request came from, or
    the user of a command line."""

    id: int
    at: int
    actor: str
    peer: str
    action: str
    subject: str
    detail: Mapping[str, object]


def safe_detail(value: object) -> dict[str, object]:
    """What may be kept of a request: an object with secrets hidden, texts cut, content told by
    its length."""
    safe = _safe(value, DEEPEST)
    return safe if isinstance(safe, dict) else ({} if safe is None else {"value": safe})


def _safe(value: object, depth: int) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return safe_text(value)
        case dict() if depth > 0:
            items = list(value.items())
            kept = {
                str(key)[:LONGEST_TEXT]: _of_field(str(key), item, depth - 1)
                for key, item in items[:MOST_ITEMS]
            }
            return kept | more(len(items))
        case list() | tuple() if depth > 0:
            shown = [_safe(item, depth - 1) for item in value[:MOST_ITEMS]]
            return [*shown, *more(len(value)).values()]
    return "…"


def more(count: int) -> dict[str, object]:
    """Says how many items were left out."""
    left = count - MOST_ITEMS
    return {"…": str(COUNTS.say("more", size=left))} if left > 0 else {}


def _of_field(name: str, value: object, depth: int) -> object:
    if value in (None, "", [], {}) or isinstance(value, bool):
        return value
    if _SECRET.search(name):
        return HIDDEN
    if name.lower() in _CONTENT:
        size = len(value) if isinstance(value, str | list | tuple) else 1
        return str(COUNTS.say("characters" if isinstance(value, str) else "items", size=size))
    return _safe(value, depth)


def safe_text(value: str) -> str:
    """A text of one line, cut, and without what a URL may hold of secrets."""
    line = "".join(c if c.isprintable() else " " for c in value[: LONGEST_TEXT * 4])
    line = _URL.sub(lambda found: safe_url(found[0]), line)
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"


def safe_url(url: str) -> str:
    """A URL whose password, query and fragment are hidden."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")
    shown = f"{parts.scheme}://{HIDDEN + '@' if host[1] else ''}{host[2]}{parts.path}"
    if parts.query:
        shown += f"?{HIDDEN}"
    return shown
