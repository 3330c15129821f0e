"""HTML to plain text, for previews, search and mail without a text part."""

from __future__ import annotations

import re

from mailbox_service.core.html_tokens import Token, tokens, unescape

MAX_HTML = 1 << 19  # characters; more is cut. Newsletters stay below a fifth of it
MAX_LINK = 2_048  # characters of a link target that are shown
MAX_ALT = 200

_SPACE = re.compile(r"[ \t\r\n\f]+")
_SPACES = re.compile(" {2,}")
_TABS = re.compile(r"\t[ \t]*+")
_DOUBLE = frozenset(
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote", "ul", "ol", "dl"]
)
_SINGLE = frozenset(
    ["div", "section", "article", "header", "footer", "tr", "pre", "hr", "center", "address", "dt",
     "dd", "form", "fieldset", "figure", "main", "nav", "aside"]
)  # fmt: skip


def html_to_text(html: str, *, links: bool = True) -> str:
    """The words of an HTML body, with lines where it has blocks and link targets in brackets."""
    return _Writer(links).write(html[:MAX_HTML])


def text_and_links(html: str) -> tuple[str, list[tuple[str, str]]]:
    """The words without link targets, and each web link as (target, label), in order."""
    writer = _Writer(links=False)
    return writer.write(html[:MAX_HTML]), writer.found


class _Writer:
    def __init__(self, links: bool) -> None:
        self.links = links
        self.found: list[tuple[str, str]] = []
        self.out: list[str] = []
        self.preformatted = 0
        self.target = ""
        self.label_from = 0

    def write(self, html: str) -> str:
        for token in tokens(html):
            if not token.name:
                words = unescape(token.text)
                self.out.append(words if self.preformatted else _SPACE.sub(" ", words))
            elif token.closing:
                self._end(token.name)
            else:
                self._start(token)
        self._end("a")
        return _tidy("".join(self.out))

    def _start(self, token: Token) -> None:
        name = token.name
        if name == "br":
            self.out.append("\n")
        elif name == "li":
            self.out.append("\n- ")
        elif name in ("td", "th"):
            self.out.append("\t")
        elif name == "img":
            alternative = token.attributes.get("alt", "")[:MAX_ALT].strip()
            if alternative:
                self.out.append(f"[{_SPACE.sub(' ', alternative)}]")
        elif name == "a":
            self._end("a")  # links do not nest
            target = token.attributes.get("href", "").strip()
            if target.lower().startswith(("http://", "https://", "mailto:")):
                target = _SPACE.sub(_space_in_link, target)
                # One that was cut would lead somewhere else.
                self.target = target if len(target) <= MAX_LINK else ""
                self.label_from = len(self.out)
        else:
            self.preformatted += name == "pre"
            self._block(name)

    def _end(self, name: str) -> None:
        if name == "a":
            self._end_link()
        else:
            self.preformatted -= name == "pre" and self.preformatted > 0
            self._block(name)

    def _end_link(self) -> None:
        if self.target:
            label = "".join(self.out[self.label_from :]).strip()
            self.found.append((self.target, " ".join(label.split())))
            if self.links and not label:
                self.out.append(self.target)
            elif self.links and label.rstrip("/") not in self.target:
                self.out.append(f" <{self.target}>")
        self.target = ""

    def _block(self, name: str) -> None:
        if name in _DOUBLE:
            self.out.append("\n\n")
        elif name in _SINGLE:
            self.out.append("\n")


def _space_in_link(space: re.Match[str]) -> str:
    """Spaces as a browser sends them; what folds a long link is no part of it."""
    return "" if space[0].strip(" ") else "%20" * len(space[0])


def _tidy(text: str) -> str:
    """Single spaces, at most one empty line, none at the ends."""
    lines: list[str] = []
    for line in text.replace("\xa0", " ").replace("\0", "").splitlines():
        words = _SPACES.sub(" ", _TABS.sub("\t", line)).strip()
        if words or (lines and lines[-1]):
            lines.append(words)
    return "\n".join(lines).strip()
