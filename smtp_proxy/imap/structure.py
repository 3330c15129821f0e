"""A message in the parts that FETCH names: BODYSTRUCTURE and BODY[section] (RFC 9051 §6.4.5).

Built on `core.mime_parts`, whose budgets hold whatever a message is made of (hazard 28).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from mailbox_service.core.mime_parts import Part, read_tree
from smtp_proxy.imap.envelope import envelope
from smtp_proxy.imap.words import NIL, nstring, parenthesised, string

_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:[^\n]*+\n?(?:[ \t][^\n]*+\n?)*+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a part is: its header section begins at `header`."""

    part: Part
    header: int


class Message:
    """The octets of a message, and what lies where in them."""

    def __init__(self, raw: bytes, received_at: int) -> None:
        self.raw = raw
        self.root = read_tree(raw).root
        self._received_at = received_at

    # --- BODYSTRUCTURE ----------------------------------------------------------------------

    def envelope(self) -> bytes:
        return envelope(self.root.header, self._received_at)

    def structure(self, *, extended: bool) -> bytes:
        """BODY, or BODYSTRUCTURE with the extension data."""
        return self._structure(self.root, extended)

    def _structure(self, part: Part, extended: bool) -> bytes:
        # As deep as `mime_parts.MAX_DEPTH`.
        main, _, sub = part.type.partition("/")
        if part.is_multipart and part.children:
            inner = b"".join(self._structure(child, extended) for child in part.children)
            items = [inner, string(sub)]
            if extended:
                items += [parameter_list(part.type_parameters), *self._extension(part)]
            return parenthesised(items)
        embedded = part.children[0] if part.is_message and part.children else None
        if part.is_message and embedded is None:
            main, sub = "application", "octet-stream"  # its inside was not read
        items = [
            string(main),
            string(sub),
            parameter_list(part.type_parameters),
            self._field(part, "content-id"),
            self._field(part, "content-description"),
            string(part.encoding or "7bit"),
            b"%d" % (part.end - part.start),
        ]
        if embedded is not None:
            items += [
                envelope(embedded.header, self._received_at),
                self._structure(embedded, extended),
                self._lines(part),
            ]
        elif main == "text":
            items.append(self._lines(part))
        if extended:
            items += [NIL, *self._extension(part)]
        return parenthesised(items)

    def _extension(self, part: Part) -> list[bytes]:
        disposition = NIL
        if part.disposition:
            parameters = parameter_list(part.disposition_parameters)
            disposition = parenthesised([string(part.disposition), parameters])
        return [
            disposition,
            self._field(part, "content-language"),
            self._field(part, "content-location"),
        ]

    def _field(self, part: Part, name: str) -> bytes:
        return nstring(part.header.text(name) if name in part.header else None)

    def _lines(self, part: Part) -> bytes:
        lines = self.raw.count(b"\n", part.start, part.end)
        unended = part.end > part.start and self.raw[part.end - 1 : part.end] != b"\n"
        return b"%d" % (lines + unended)

    # --- BODY[section] ----------------------------------------------------------------------

    def section(
        self, numbers: Sequence[int], specifier: bytes | None, fields: Collection[bytes] | None
    ) -> bytes | None:
        """The octets that a section names; None when the message has no such part."""
        if not numbers:
            return self._of_message(0, self.root, len(self.raw), specifier, fields)
        place = self._place(numbers)
        if place is None:
            return None
        part = place.part
        if specifier is None:
            return self.raw[part.start : part.end]
        if specifier == b"MIME":
            return self.raw[place.header : part.start]
        if not (part.is_message and part.children):
            return None
        return self._of_message(part.start, part.children[0], part.end, specifier, fields)

    def _of_message(
        self,
        start: int,
        root: Part,
        end: int,
        specifier: bytes | None,
        fields: Collection[bytes] | None,
    ) -> bytes | None:
        if specifier is None:
            return self.raw[start:end]
        if specifier == b"TEXT":
            return self.raw[root.start : end]
        header = self.raw[start : root.start]
        if specifier == b"HEADER":
            return header
        if specifier in (b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"):
            wanted = {name.upper() for name in fields or ()}
            return chosen_fields(header, wanted, without=specifier.endswith(b"NOT"))
        return None

    def _place(self, numbers: Sequence[int]) -> Place | None:
        """The part that numbers lead to (RFC 9051 §6.4.5.1)."""
        holder = Place(self.root, 0)
        place: Place | None = None
        for number in numbers:
            if place is not None:
                inside = self._inside(place)
                if inside is None:
                    return None
                holder = inside
            part = holder.part
            if part.is_multipart and part.children:
                if number > len(part.children):
                    return None
                place = Place(part.children[number - 1], self._header_of_child(part, number - 1))
            elif number == 1 and (place is None or holder.part is not place.part):
                place = holder
            else:
                return None
        return place

    def _inside(self, place: Place) -> Place | None:
        """What the numbers behind a part count in: its own parts, or those of its message."""
        part = place.part
        if part.is_message and part.children:
            return Place(part.children[0], part.start)
        return place if part.is_multipart and part.children else None

    def _header_of_child(self, parent: Part, index: int) -> int:
        """Where the header of a part begins: behind the last delimiter before its body."""
        child = parent.children[index]
        low = parent.start if index == 0 else max(parent.children[index - 1].end - 1, 0)
        boundary = parent.type_parameters.get("boundary", "").rstrip(" ")
        delimiter = b"\n--" + boundary.encode("utf-8", "surrogateescape")
        line = self.raw.rfind(delimiter, max(low - 1, 0), child.start)
        end = self.raw.find(b"\n", line + 1 if line >= 0 else parent.start, child.start)
        return end + 1 if end >= 0 else child.start


def chosen_fields(header: bytes, names: Collection[bytes], *, without: bool) -> bytes:
    """The fields of a header section with these names (capitals), or all others, as they are
    written, and the empty line behind them."""
    kept = [
        match[0] for match in _FIELD.finditer(header) if (match[1].upper() in names) is not without
    ]
    return b"".join(kept) + b"\r\n"


def parameter_list(parameters: Mapping[str, str]) -> bytes:
    """Parameters in pairs; text beyond ASCII in the form of RFC 2231."""
    if not parameters:
        return NIL
    items: list[bytes] = []
    for name, value in parameters.items():
        if value.isascii():
            items += [string(name), string(value)]
        else:
            items += [string(name + "*"), string("utf-8''" + quote(value, safe=""))]
    return parenthesised(items)
