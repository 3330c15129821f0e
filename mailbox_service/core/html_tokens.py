"""Tags and text of an HTML body, in one pass without recursion.

A tag, quote or comment that nobody closes takes the rest of the input with it, as in a browser,
which also keeps the work linear whatever the input is. Elements that show nothing to a reader
of mail are left out with what they hold.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_ATTRIBUTES = 40  # of one tag; mail has a dozen
SILENT = (
    "script", "style", "title", "template", "noscript", "iframe", "object", "textarea", "select",
    "svg", "math", "xmp", "noembed", "noframes", "applet", "audio", "video", "canvas",
)  # fmt: skip
# The elements of other namespaces are the only ones that a slash in their tag ends.
_MAY_BE_EMPTY = frozenset(["svg", "math"])

_TAG = re.compile(
    r"""<(?:!--(?:-?>|(?s:.*?)(?:--!?>|\Z))|[!?][^>]*+(?:>|\Z)|(/?)([a-zA-Z][^\s/>]*+)"""
    r"""((?:[^>"']|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+)(?:>|\Z))"""
)
_ATTRIBUTE = re.compile(
    r"""([a-zA-Z][^\s=>/"']{0,40})\s*+=\s*+(?:"([^"]*+)"?|'([^']*+)'?|([^\s"'>]++))"""
)
_SILENT_END = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in SILENT}
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")


@dataclass(slots=True)
class Token:
    """Text as written, references unread, when `name` is empty; else the tag of an element."""

    name: str
    text: str = ""
    closing: bool = False
    raw_attributes: str = ""

    @property
    def attributes(self) -> dict[str, str]:
        """Names in lower case to values, references read; the first of two equal names wins."""
        found: dict[str, str] = {}
        for match in _ATTRIBUTE.finditer(self.raw_attributes):
            value = match[2] or match[3] or match[4] or ""
            found.setdefault(match[1].lower(), unescape(value))
            if len(found) == MAX_ATTRIBUTES:
                break
        return found


def tokens(html: str) -> Iterator[Token]:
    """Every tag and every run of text that a reader could see, in order."""
    at = 0
    while at < len(html):
        opening = html.find("<", at)
        if opening != at:
            opening = len(html) if opening < 0 else opening
            yield Token("", html[at:opening])
            at = opening
            continue
        tag = _TAG.match(html, at)
        if tag is None:
            yield Token("", "<")
            at += 1
            continue
        at = tag.end()
        name = (tag[2] or "").lower()
        if not name:  # a comment or a declaration
            continue
        if name in _SILENT_END:
            if not tag[1] and not (name in _MAY_BE_EMPTY and tag[3].endswith("/")):
                closing = _SILENT_END[name].search(html, at)
                at = closing.start() if closing else len(html)
            continue
        yield Token(name, closing=bool(tag[1]), raw_attributes=tag[3])


def unescape(text: str) -> str:
    """Character references read. Numbers beyond Unicode are no characters, and too long to read
    as numbers."""
    if "&" not in text:
        return text
    return entities.unescape(_HUGE_REFERENCE.sub("\ufffd", text))
