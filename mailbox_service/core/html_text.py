"""HTML to plain text, for previews, search and mail without a text part.

One pass without recursion over tags and text. A tag or a quote that nobody closes takes the
rest of the input with it, as in a browser, which also keeps the work linear.
"""

from __future__ import annotations

import html as entities
import re

MAX_HTML = 1 << 19  # characters; more is cut. Newsletters stay below a fifth of it
MAX_LINK = 2_048  # characters of a link target that are shown
MAX_ALT = 200

_TAG = re.compile(
    r"""<(?:!--(?s:.*?)(?:-->|\Z)|([!?][^>]*+)(?:>|\Z)|(/?)([a-zA-Z][^\s/>]*+)"""
    r"""((?:[^>"']|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z))*+)(?:>|\Z))"""
)
_ATTRIBUTE = re.compile(
    r"""([a-zA-Z][^\s=>/"']{0,40})\s*+=\s*+(?:"([^"]*+)"?|'([^']*+)'?|([^\s"'>]++))"""
)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_SPACES = re.compile(" {2,}")
_TABS = re.compile(r"\t[ \t]*+")
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
_DOUBLE = frozenset(
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote", "ul", "ol", "dl"]
)
_SINGLE = frozenset(
    ["div", "section", "article", "header", "footer", "tr", "pre", "hr", "center", "address", "dt",
     "dd", "form", "fieldset", "figure", "main", "nav", "aside"]
)  # fmt: skip
_SILENT = ("script", "style", "title", "template", "noscript", "iframe", "object", "textarea")
_SILENT_END = {name: re.compile(rf"</{name}\b", re.IGNORECASE) for name in _SILENT}


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
        at = 0
        while at < len(html):
            opening = html.find("<", at)
            if opening < 0:
                opening = len(html)
            if opening > at:
                self._words(html[at:opening])
            if opening == len(html):
                break
            tag = _TAG.match(html, opening)
            if tag is None:
                self.out.append("<")
                at = opening + 1
                continue
            at = tag.end()
            name = (tag[3] or "").lower()
            if tag[2]:
                self._end(name)
            elif name in _SILENT_END:
                closing = _SILENT_END[name].search(html, at)
                at = closing.start() if closing else len(html)
            elif name:
                self._start(name, tag[4])
        self._end("a")
        return _tidy("".join(self.out))

    def _words(self, words: str) -> None:
        if "&" in words:
            words = entities.unescape(_HUGE_REFERENCE.sub("\ufffd", words))
        self.out.append(words if self.preformatted else _SPACE.sub(" ", words))

    def _start(self, name: str, attributes: str) -> None:
        if name == "br":
            self.out.append("\n")
        elif name == "li":
            self.out.append("\n- ")
        elif name in ("td", "th"):
            self.out.append("\t")
        elif name == "img":
            alternative = _attribute(attributes, "alt")[:MAX_ALT]
            if alternative.strip():
                self.out.append(f"[{_SPACE.sub(' ', alternative.strip())}]")
        elif name == "a":
            self._end("a")  # links do not nest
            target = _attribute(attributes, "href").strip()[:MAX_LINK]
            if target.lower().startswith(("http://", "https://", "mailto:")):
                self.target = _SPACE.sub("", target)
                self.label_from = len(self.out)
        else:
            self.preformatted += name == "pre"
            self._block(name)

    def _end(self, name: str) -> None:
        if name == "a":
            if self.target:
                label = "".join(self.out[self.label_from :]).strip()
                self.found.append((self.target, " ".join(label.split())))
                if not label and self.links:
                    self.out.append(self.target)
                elif self.links and label.rstrip("/") not in self.target:
                    self.out.append(f" <{self.target}>")
            self.target = ""
        else:
            self.preformatted -= name == "pre" and self.preformatted > 0
            self._block(name)

    def _block(self, name: str) -> None:
        if name in _DOUBLE:
            self.out.append("\n\n")
        elif name in _SINGLE:
            self.out.append("\n")


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes[: 4 * MAX_LINK]):
        if found[1].lower() == name:
            value = found[2] or found[3] or found[4] or ""
            return entities.unescape(_HUGE_REFERENCE.sub("\ufffd", value))
    return ""


def _tidy(text: str) -> str:
    """Single spaces, at most one empty line, none at the ends."""
    lines: list[str] = []
    for line in text.replace("\xa0", " ").replace("\0", "").splitlines():
        words = _SPACES.sub(" ", _TABS.sub("\t", line)).strip()
        if words or (lines and lines[-1]):
            lines.append(words)
    return "\n".join(lines).strip()
