"""The MIME tree of a message as byte ranges, found in one pass over the raw bytes (RFC 2046).

No general parser survives hostile nesting: their work grows with depth times size, or with the
number of parts. Here the bytes are scanned once for lines that begin with `--`, a stack holds
the boundaries that are open, and everything has a budget. What lies beyond a budget is left
unread and stays in the raw message; `Tree.complete` is then False.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from mailbox_service.core.header_words import decoded, parameters, unfolded, word_base64

# Postfix stops at 100 levels; no mailer writes more than ten.
MAX_DEPTH = 32
# Entities in one message. The largest digests hold a few hundred.
MAX_PARTS = 1_000
MAX_TYPE = 127 * 2 + 1  # characters of a media type (RFC 6838 §4.2)
# Lines that begin with `--`, delimiters or not; a text of rulers has a few thousand.
MAX_CANDIDATES = 20_000
# RFC 2046 §5.1.1 allows 70 characters; Postfix takes 2,048, and so do we.
MAX_BOUNDARY = 2_048
# Postfix reads 102,400 octets of a header section. Lists and trace fields can be long, so more.
MAX_HEADER = 262_144
MAX_PART_HEADER = 32_768
MAX_FIELDS = 1_000
# All header sections of one message together, which bounds the memory of the tree.
MAX_ALL_HEADERS = 1 << 20

_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)", re.MULTILINE)
_is_type = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+").fullmatch


@dataclass(frozen=True, slots=True)
class Header:
    """A header section as it stands: names as written, values still folded and encoded."""

    fields: tuple[tuple[str, bytes], ...]
    index: dict[str, bytes] = field(repr=False)
    charset: str | None = None

    def text(self, name: str) -> str:
        """The first field of that (lower-case) name on one line, encoded words as they stand."""
        value = self.index.get(name)
        return "" if value is None else unfolded(value, self.charset)

    def decoded(self, name: str) -> str:
        """The first field of that name, encoded words read."""
        return decoded(self.text(name))

    def all(self, name: str) -> list[str]:
        """Every field of that name, in order."""
        return [unfolded(value) for key, value in self.fields if key.lower() == name]

    def __contains__(self, name: object) -> bool:
        return name in self.index


@dataclass(slots=True, eq=False)
class Part:
    """One entity: where its body lies, and what its header says about it."""

    header: Header
    start: int
    end: int
    type: str = "text/plain"
    type_parameters: Mapping[str, str] = field(default_factory=dict)
    disposition: str = ""
    disposition_parameters: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    children: list[Part] = field(default_factory=list)

    @property
    def is_multipart(self) -> bool:
        return self.type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        return self.type == "message/rfc822"

    @property
    def charset(self) -> str | None:
        return self.type_parameters.get("charset")

    @property
    def filename(self) -> str:
        """The suggested name as sent: hostile; `parsing.safe_filename` makes it fit for disks."""
        return self.disposition_parameters.get("filename") or self.type_parameters.get("name", "")

    @property
    def content_id(self) -> str:
        return self.header.text("content-id").strip("<> \t")[:998]  # a line (RFC 5322 §2.1.1)


@dataclass(frozen=True, slots=True)
class Tree:
    """A message and its parts; not complete when a budget ended the reading."""

    root: Part
    complete: bool


def read_header(raw: bytes) -> Header:
    """The header section of a message, read leniently."""
    return _Reader(raw).read_root().header


def read_tree(raw: bytes) -> Tree:
    """All entities of a message. Never raises; linear in the size of `raw`."""
    return _Reader(raw).read()


def content(raw: bytes, part: Part, limit: int | None = None) -> bytes:
    """The decoded bytes of a part (RFC 2045 §6), of its first `limit` encoded bytes if given.

    Nothing is ever decompressed: what comes out is never longer than what came in.
    """
    end = part.end if limit is None else min(part.end, part.start + limit)
    data = raw[part.start : end]
    if part.encoding == "base64":
        return word_base64(data)
    if part.encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    return data


@dataclass(frozen=True, slots=True)
class _Open:
    """A multipart whose delimiters are looked for; `level` is its place in the path."""

    delimiter: bytes
    level: int


class _Reader:
    """One pass over the raw bytes. `path` leads from the root to the entity being read."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.path: list[Part] = []
        self.open: list[_Open] = []
        self.delimiters: tuple[bytes, ...] = ()
        self.parts = 0
        self.header_bytes = 0
        self.complete = True

    def read_root(self) -> Part:
        """The root alone, its parts unread."""
        return self._entity(0)

    def read(self) -> Tree:
        self._begin(0)
        root = self.path[0]
        position = max(0, self.path[-1].start - 1)
        for _ in range(MAX_CANDIDATES):
            line = self._next_candidate(position) if self.open else None
            if line is None:
                break
            position = self._candidate(line)
        else:
            self.complete = False
        self._close(0, len(self.raw))
        return Tree(root, self.complete)

    def _next_candidate(self, position: int) -> int | None:
        """Where the next line with `--` begins, seen from the line end before it."""
        found = self.raw.find(b"\n--", position)
        return None if found < 0 else found + 1

    def _candidate(self, line: int) -> int:
        """Act on a line that may be a delimiter; says from which line end to look on."""
        longest = line + MAX_BOUNDARY + 8
        end = self.raw.find(b"\n", line, longest)
        if end < 0:
            end = min(len(self.raw), longest)
        if not self.raw.startswith(self.delimiters, line):
            return end
        text = self.raw[line:end].rstrip(b" \t\r")
        for place in range(len(self.open) - 1, -1, -1):
            multipart = self.open[place]
            if text == multipart.delimiter:
                self._close(multipart.level + 1, self._before(line))
                self._keep_open(place + 1)
                return self._next_part(end)
            if text == multipart.delimiter + b"--":  # what follows is epilogue
                self._close(multipart.level + 1, self._before(line))
                self._keep_open(place)
                return end
        return end

    def _next_part(self, line_end: int) -> int:
        if self.parts >= MAX_PARTS or self.header_bytes >= MAX_ALL_HEADERS:
            self.complete = False
            self._keep_open(0)
            return line_end
        self._begin(min(line_end + 1, len(self.raw)))
        return max(line_end, self.path[-1].start - 1)

    def _begin(self, at: int) -> None:
        """Read the entity at `at`, and the messages that it is wrapped around."""
        while True:
            part = self._entity(at)
            if self.path:
                self.path[-1].children.append(part)
            self.path.append(part)
            self.parts += 1
            if part.is_multipart:
                self._open_multipart(part)
            if not part.is_message or part.encoding in ("base64", "quoted-printable"):
                return
            if len(self.path) > MAX_DEPTH or self.parts >= MAX_PARTS:
                self.complete = False
                return
            at = part.start

    def _open_multipart(self, part: Part) -> None:
        boundary = part.type_parameters.get("boundary", "").rstrip(" ")
        if not boundary or len(boundary) > MAX_BOUNDARY:
            return
        if len(self.path) > MAX_DEPTH:
            self.complete = False
            part.type = "application/octet-stream"
            return
        delimiter = b"--" + boundary.encode("utf-8", "surrogateescape")
        self.open.append(_Open(delimiter, len(self.path) - 1))
        self._keep_open(len(self.open))

    def _keep_open(self, count: int) -> None:
        del self.open[count:]
        self.delimiters = tuple(multipart.delimiter for multipart in self.open)

    def _close(self, level: int, end: int) -> None:
        for part in self.path[level:]:
            part.end = max(part.start, end)
            if part.is_multipart and not part.children:
                part.type = "text/plain"  # no delimiter was ever seen: its text is the body
        del self.path[level:]

    def _before(self, line: int) -> int:
        """The line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1)."""
        return line - 2 if self.raw[line - 2 : line] == b"\r\n" else line - 1

    def _entity(self, at: int) -> Part:
        limit = MAX_PART_HEADER if self.path else MAX_HEADER
        end, start = self._header_section(at, limit)
        header = _header(self.raw[at:end])
        if not header.fields and start > at and not _is_blank(self.raw[at:start]):
            start = at  # not a header section at all: body from the first line on
        self.header_bytes += end - at
        parent_type = self.path[-1].type if self.path else ""
        return _describe(header, start, len(self.raw), parent_type)

    def _header_section(self, at: int, limit: int) -> tuple[int, int]:
        """Where the header section that begins at `at` ends, and where its body begins."""
        raw, bound = self.raw, min(at + limit, len(self.raw))
        if raw.startswith(b"\n", at):
            return at, at + 1
        if raw.startswith(b"\r\n", at):
            return at, at + 2
        end, start = _blank_line(raw, at, bound)
        if end < 0 and bound < len(raw):
            self.complete = False
            end, start = bound, bound
            if not self.path:  # one long search, for the root alone
                _, start = _blank_line(raw, bound, len(raw))
        elif end < 0:
            end, start = bound, bound
        delimiter = self._delimiter_within(at, end)
        return (delimiter, delimiter) if delimiter is not None else (end, start)

    def _delimiter_within(self, at: int, end: int) -> int | None:
        """The first line of a header section that is a delimiter: the entity ended there."""
        if not self.open:
            return None
        if self.raw.startswith(self.delimiters, at):
            return at
        line = self.raw.find(b"\n--", at, end)
        while line >= 0:
            if self.raw.startswith(self.delimiters, line + 1):
                return line + 1
            line = self.raw.find(b"\n--", line + 1, end)
        return None


def _blank_line(raw: bytes, at: int, bound: int) -> tuple[int, int]:
    """The first empty line between: where it begins and where it ends; (-1, bound) if none."""
    crlf = raw.find(b"\n\r\n", at, bound)
    bare = raw.find(b"\n\n", at, bound if crlf < 0 else crlf)
    if bare >= 0:
        return bare + 1, bare + 2
    return (crlf + 1, crlf + 3) if crlf >= 0 else (-1, bound)


def _is_blank(data: bytes) -> bool:
    return not data[:4].strip()


def _header(section: bytes) -> Header:
    fields: list[tuple[str, bytes]] = []
    index: dict[str, bytes] = {}
    for match in islice(_FIELD.finditer(section), MAX_FIELDS):
        name = match[1].decode("ascii")
        fields.append((name, match[2]))
        index.setdefault(name.lower(), match[2])
    return Header(tuple(fields), index)


def _describe(header: Header, start: int, end: int, parent_type: str) -> Part:
    """An entity as its MIME fields say; without them it is plain text (RFC 2045 §5.2)."""
    part = Part(header, start, end)
    if "content-type" in header:
        kind, part.type_parameters = parameters(header.text("content-type"))
        part.type = kind[:MAX_TYPE] if _is_type(kind) else "text/plain"
    elif parent_type == "multipart/digest":
        part.type = "message/rfc822"  # RFC 2046 §5.1.5
    if "content-disposition" in header:
        kind, part.disposition_parameters = parameters(header.text("content-disposition"))
        if kind:  # an unknown token means attachment (RFC 2183 §2.8)
            part.disposition = "inline" if kind == "inline" else "attachment"
    if "content-transfer-encoding" in header:
        part.encoding, _ = parameters(header.text("content-transfer-encoding"))
    part.header = Header(header.fields, header.index, part.charset)
    return part
