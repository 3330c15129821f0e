"""What a message says, for lists, pages and programs (mailbox-api §9.7). Nothing here raises.

The raw message is the truth; this is a view of it. Every message has one, however broken: what
a budget of `mime_parts` or `MAX_BODY` leaves out is still in the raw message.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailbox_service.core.charsets import decode, is_utf8
from mailbox_service.core.errors import NotFound
from mailbox_service.core.filenames import content_disposition, safe_filename
from mailbox_service.core.header_words import (
    decoded,
    decoded_addresses,
    first_mailbox,
    unfolded,
)
from mailbox_service.core.html_text import html_to_text
from mailbox_service.core.mime_parts import Header, Part, content, read_header, read_tree

__all__ = [
    "ParsedMessage", "PartInfo", "Summary", "content_disposition", "parse", "part_bytes",
    "read_header", "safe_filename", "summarise",
]  # fmt: skip

MAX_BODY = 8 << 20  # encoded bytes of all bodies that are read: no page or client shows more
MAX_SUMMARY_BODY = 65_536  # encoded bytes read for preview and search
MAX_FLOWED = 262_144  # characters of a text whose lines are joined: joining holds each apart
MAX_META = 1_024  # octets of HTML in which its charset is looked for, as in browsers
MAX_PREVIEW = 200
MAX_SEARCH = 4_096
MAX_SHOWN = 998  # characters of a subject, a Message-ID, a list of recipients: one line

# Newsletters pad their preview with characters that nobody sees.
_PADDING = re.compile("[\xad\u034f\u061c\u115f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
# What turns the words behind it round (UAX 9 §2): a sender could spell another name with it.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_META_CHARSET = re.compile(
    rb"""<meta\s[^>]{0,200}?charset\s*+=\s*+["']?\s*+([\w:.-]{1,40})""", re.IGNORECASE
)
# A line that goes on in the next; the line before a signature is `-- ` and does not.
_SOFT_BREAK = re.compile(r"^(?!>|-- \n)([^\n]*+(?<= ))\n", re.MULTILINE)
_STUFFING = re.compile("^ ", re.MULTILINE)
_REPORTS = frozenset(["message/delivery-status", "message/feedback-report"])


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of a list, and what search looks through.

    `message_id` keeps its angle brackets; None when the field is missing or empty. Name and subject
    are without the marks that turn words round.
    `search_text` is case-folded: sender, subject, recipients and the beginning of the text.
    """

    message_id: str | None
    from_name: str
    from_address: str
    to: str
    subject: str
    date_text: str
    preview: str
    search_text: str
    attachment_count: int
    has_html: bool


@dataclass(frozen=True, slots=True)
class PartInfo:
    """An attachment without its bytes; `index` is what `part_bytes` takes.

    `filename` is safe for any file system; `size` counts decoded bytes.
    """

    index: int
    filename: str
    mime_type: str
    disposition: str
    size: int
    content_id: str


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message as mailbox-api §9.7 defines it.

    `sender` is `name <address>`; nameless it begins with a space, which parsed endpoints trim.
    `headers` are (name as written, value on one line with encoded words unread), in order.
    `complete` is False when a budget left something out.
    """

    sender: str
    subject: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]
    attachments: tuple[PartInfo, ...]
    complete: bool

    def header(self, name: str) -> str:
        """The first field of that name, encoded words read; empty when there is none."""
        wanted = name.lower()
        return next((decoded(value) for key, value in self.headers if key.lower() == wanted), "")

    def addresses(self, name: str) -> str:
        """The same for an address field, in which a comma of a name parts no addresses."""
        values = (value for key, value in self.headers if key.lower() == name.lower())
        return decoded_addresses(next(values, ""))


def summarise(raw: bytes) -> Summary:
    """The row of a message for lists. Reads no more of the bodies than it shows."""
    layout = _Layout.of(read_tree(raw).root)
    header = layout.header
    name, address = first_mailbox(header.text("from"))
    name = _TURNING.sub("", name)
    subject = _TURNING.sub("", header.decoded("subject"))[:MAX_SHOWN]
    recipients = decoded_addresses(header.text("to"))[:MAX_SHOWN]
    text = _opening_words(raw, layout)
    search = " ".join([name, address, subject, recipients, text]).casefold()
    return Summary(
        message_id=header.text("message-id")[:MAX_SHOWN] or None,
        from_name=name,
        from_address=address,
        to=recipients,
        subject=subject,
        date_text=header.text("date")[:MAX_SHOWN],
        preview=text[:MAX_PREVIEW].rstrip(),
        search_text=search[:MAX_SEARCH],
        attachment_count=len(layout.attachments),
        has_html="html" in layout.kinds,
    )


def parse(raw: bytes) -> ParsedMessage:
    """Bodies, fields and attachments of a message."""
    tree = read_tree(raw)
    layout = _Layout.of(tree.root)
    bodies = _Bodies(raw)
    texts: dict[str, str] = {}
    for kind in ("plain", "html"):
        if kind in layout.kinds:
            texts[kind] = "\n".join(bodies.of(layout, kind))
    header = layout.header
    return ParsedMessage(
        sender=_sender(header),
        subject=header.decoded("subject"),
        text=texts.get("plain", ""),
        html=texts.get("html", ""),
        headers=tuple((name, unfolded(value, header.charset)) for name, value in header.fields),
        attachments=tuple(_info(raw, *item) for item in enumerate(layout.attachments)),
        complete=tree.complete and bodies.left > 0,
    )


def part_bytes(raw: bytes, index: int) -> bytes:
    """The decoded bytes of an attachment. Raises NotFound when there is none with that index."""
    attachments = _Layout.of(read_tree(raw).root).attachments
    if not 0 <= index < len(attachments):
        raise NotFound("no attachment with that number")
    return content(raw, attachments[index])


@dataclass(slots=True)
class _Group:
    """Bodies that stand for the same words: an alternative group, or a part of its own.

    `message` is set for an embedded message, which contributes its header block.
    """

    plain: list[Part] = field(default_factory=list)
    html: list[Part] = field(default_factory=list)
    message: Header | None = None


@dataclass(slots=True)
class _Layout:
    """Which parts are bodies and which are attachments."""

    header: Header
    groups: list[_Group] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    attachments: list[Part] = field(default_factory=list)

    @classmethod
    def of(cls, root: Part) -> _Layout:
        layout = cls(root.header)
        is_report = any(part.type in _REPORTS for part in _within(root))
        layout._walk(root, None, is_report)
        return layout

    def _walk(self, part: Part, alternative: _Group | None, is_report: bool) -> None:
        # As deep as `mime_parts.MAX_DEPTH` at most.
        if part.is_multipart:
            if part.type == "multipart/alternative":
                alternative = self._new_group()
            for child in part.children:
                self._walk(child, alternative, is_report)
        elif part.children and part.disposition != "attachment" and not is_report:
            self._embed(part.children[0])
        elif part.type in ("text/plain", "text/html") and part.disposition != "attachment":
            group = alternative or self._new_group()
            kind = part.type.removeprefix("text/")
            (group.html if kind == "html" else group.plain).append(part)
            self.kinds.add(kind)
        else:
            self.attachments.append(part)

    def _embed(self, root: Part) -> None:
        """An embedded message: its header block, its bodies, its attachments."""
        inner = _Layout.of(root)
        self.groups += [_Group(message=inner.header), *inner.groups]
        if "plain" in inner.kinds or "html" not in inner.kinds:
            self.kinds.add("plain")
        self.kinds |= inner.kinds
        self.attachments += inner.attachments

    def _new_group(self) -> _Group:
        self.groups.append(_Group())
        return self.groups[-1]


class _Bodies:
    """Reads bodies until `MAX_BODY` encoded bytes are used up."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.left = MAX_BODY
        self._read: dict[Part, str] = {}

    def of(self, layout: _Layout, kind: str) -> Iterator[str]:
        """The bodies of one kind; a group that lacks it gives the other kind, converted."""
        for group in layout.groups:
            if group.message is not None:
                rows = _message_rows(group.message)
                yield _header_html(rows) if kind == "html" else _header_text(rows)
            own, other = (group.html, group.plain) if kind == "html" else (group.plain, group.html)
            if own:
                yield from map(self._text, own)
            elif kind == "html":
                yield from (_text_to_html(self._text(part)) for part in other)
            else:
                yield from (html_to_text(self._text(part)) for part in other)

    def _text(self, part: Part) -> str:
        if part not in self._read:
            data = content(self.raw, part, max(0, self.left))
            self.left -= part.end - part.start
            self._read[part] = _body_text(data, part)
        return self._read[part]


def _body_text(data: bytes, part: Part) -> str:
    text = decode(data, part.charset or (_said_inside(data) if part.type == "text/html" else None))
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    flowed = part.type_parameters.get("format", "").lower() == "flowed"
    if flowed and part.type == "text/plain" and len(text) <= MAX_FLOWED:
        text = _unflowed(text, part.type_parameters.get("delsp", "").lower() == "yes")
    return text


def _said_inside(data: bytes) -> str | None:
    """The charset that HTML names itself, where its field does not; as in a browser never one in
    which it could not be read, and not before UTF-8 that is sound."""
    found = _META_CHARSET.search(data, 0, MAX_META)
    label = found[1].decode("ascii") if found else None
    return None if label is None or label.lower().startswith("utf") or is_utf8(data) else label


def _unflowed(text: str, delete_space: bool) -> str:
    """Join the lines of a flowed paragraph (RFC 3676 §4); quoted lines stay as they are."""
    unstuffed = _STUFFING.sub("", text)
    return _SOFT_BREAK.sub(lambda line: line[1][:-1] if delete_space else line[1], unstuffed)


def _opening_words(raw: bytes, layout: _Layout) -> str:
    """The first words that a reader would see, on one line."""
    for group in layout.groups:
        for part in [*group.plain, *group.html]:
            text = _body_text(content(raw, part, MAX_SUMMARY_BODY), part)
            if part.type == "text/html":
                text = html_to_text(text, links=False)
            words = " ".join(_PADDING.sub("", text[: 4 * MAX_SEARCH]).split())
            if words:
                return words[:MAX_SEARCH]
    return ""


def _sender(header: Header) -> str:
    if "from" not in header:
        return ""
    name, address = first_mailbox(header.text("from"))
    return f"{name} <{address}>" if name or address else ""


def _info(raw: bytes, index: int, part: Part) -> PartInfo:
    return PartInfo(
        index=index,
        filename=safe_filename(part.filename),
        mime_type=part.type if "content-type" in part.header else "application/octet-stream",
        disposition=part.disposition or "attachment",
        size=len(content(raw, part)),
        content_id=part.content_id,
    )


def _within(root: Part) -> Iterator[Part]:
    """The parts of one message, not those of messages embedded in it."""
    yield root
    if root.is_multipart:
        for child in root.children:
            yield from _within(child)


def _message_rows(header: Header) -> list[tuple[str, str]]:
    names = ("From", "Subject", "Date", "To", "Cc")
    return [(name, value) for name in names if (value := header.decoded(name.lower())[:MAX_SHOWN])]


def _header_text(rows: list[tuple[str, str]]) -> str:
    rule = "-" * 40
    return "\n".join([rule, *(f"{name + ':':<8} {value}" for name, value in rows), rule, ""])


def _header_html(rows: list[tuple[str, str]]) -> str:
    lines = [f"<b>{name}:</b> {entities.escape(value)}" for name, value in rows]
    return f"<hr><div>{'<br>'.join(lines)}</div><hr>"


def _text_to_html(text: str) -> str:
    lines = entities.escape(text.strip("\n")).replace("\n", "<br>\n")
    return f"<div>{lines}</div>"
