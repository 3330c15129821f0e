"""FETCH: what a client wants to know of a message, as one untagged answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pymap.parsing.specials import AString, FetchAttribute

from mailbox_service.core.mailboxes import MailRow
from smtp_proxy.imap.commands import Unreadable
from smtp_proxy.imap.facts import Facts
from smtp_proxy.imap.structure import Message, chosen_fields
from smtp_proxy.imap.words import (
    NIL,
    NO_KEYWORDS,
    Keywords,
    flag_list,
    internal_date,
    literal,
)

# Contents that are read together: few hops to the store, little memory.
OCTETS_AT_ONCE = 4 << 20
MESSAGES_AT_ONCE = 200
# Octets of answers that are put together before they are written.
WRITTEN_AT_ONCE = 256 << 10
# Answers from the list alone that are put together before they are written.
ROWS_AT_ONCE = 1_000

OF_ROW = frozenset({b"UID", b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"})
OF_FACTS = frozenset({b"ENVELOPE", b"BODYSTRUCTURE"})
HEADERS = frozenset({b"HEADER", b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"})

# A name in quotes, or as a literal; neither quotes nor a backslash is in the name of a field.
_WRITTEN = re.compile(rb'"([^"]*+)"|\{[0-9]++\+?\}\r\n(.*+)', re.DOTALL)


def checked(attributes: Sequence[FetchAttribute], *, uid: bool) -> list[FetchAttribute]:
    """The attributes to answer, each once; UID is one of them after UID FETCH. Raises
    Unreadable for none at all, and for those of extensions that are not offered."""
    if not attributes:
        raise Unreadable(b"The arguments cannot be understood")
    chosen: dict[bytes, FetchAttribute] = {b"UID": FetchAttribute(b"UID")} if uid else {}
    for attribute in attributes:
        if attribute.value.startswith(b"BINARY") or attribute.value in (b"EMAILID", b"THREADID"):
            raise Unreadable(b"That attribute is not offered")
        attribute = with_plain_names(attribute)
        chosen.setdefault(attribute.raw, attribute)
    return list(chosen.values())


def from_row(attributes: Sequence[FetchAttribute]) -> bool:
    """Whether the list alone answers."""
    return all(attribute.value in OF_ROW for attribute in attributes)


def from_facts(attributes: Sequence[FetchAttribute], facts: Facts) -> bool:
    """Whether the facts of a message answer."""
    return all(
        attribute.value in OF_ROW
        or attribute.value in OF_FACTS
        or (attribute.value == b"BODY" and attribute.section is None)
        or (facts.header is not None and of_header(attribute))
        for attribute in attributes
    )


def of_header(attribute: FetchAttribute) -> bool:
    """Whether an attribute is of the header section of the message."""
    section = attribute.section
    return section is not None and not section.parts and section.specifier in HEADERS


def answer(
    number: int,
    row: MailRow,
    attributes: Sequence[FetchAttribute],
    facts: Facts | None,
    message: Message | None,
    keywords: Keywords = NO_KEYWORDS,
) -> bytes:
    """One untagged FETCH."""
    return b"".join(pieces(number, row, attributes, facts, message, keywords))


def pieces(
    number: int,
    row: MailRow,
    attributes: Sequence[FetchAttribute],
    facts: Facts | None,
    message: Message | None,
    keywords: Keywords = NO_KEYWORDS,
) -> Iterator[bytes]:
    """One untagged FETCH, an attribute at a time: a client may ask for a large message in a
    hundred ways at once, and only one of them has to be in memory."""
    before = b"* %d FETCH (" % number
    for attribute in attributes:
        yield before + bytes(attribute.for_response) + b" "
        if attribute.value == b"FLAGS":
            yield flag_list(row.flags, keywords)
        else:
            yield _value(row, attribute, facts, message)
        before = b" "
    yield b")\r\n"


def _value(
    row: MailRow, attribute: FetchAttribute, facts: Facts | None, message: Message | None
) -> bytes:
    match attribute.value:
        case b"UID":
            return b"%d" % row.id
        case b"INTERNALDATE":
            return internal_date(row.received_at)
        case b"RFC822.SIZE":
            return b"%d" % row.size
        case b"ENVELOPE" if facts is not None:
            return facts.envelope
        case b"BODYSTRUCTURE" if facts is not None:
            return facts.structure
        case b"BODY" if attribute.section is None and facts is not None:
            return facts.body
    octets = _section(attribute, facts, message)
    if octets is None:
        return NIL
    if attribute.partial is not None:
        start = attribute.partial.start
        octets = octets[start : start + (attribute.partial.length or len(octets))]
    return literal(octets)


def _section(
    attribute: FetchAttribute, facts: Facts | None, message: Message | None
) -> bytes | None:
    section = attribute.section
    assert section is not None
    names = [unquoted(name) for name in section.headers or ()]
    if message is not None:
        return message.section(section.parts, section.specifier, names)
    if facts is None or facts.header is None:
        return None
    if section.specifier == b"HEADER":
        return facts.header
    wanted = {name.upper() for name in names}
    without = section.specifier == b"HEADER.FIELDS.NOT"
    return chosen_fields(facts.header, wanted, without=without)


def with_plain_names(attribute: FetchAttribute) -> FetchAttribute:
    """An attribute whose names of fields are atoms where they can be. pymap keeps of one in quotes
    how it was written and an octet of what stood behind it, which would go into the answer."""
    section = attribute.section
    if section is None or section.headers is None:
        return attribute
    names = frozenset(bytes(AString(unquoted(name))) for name in section.headers)
    plain = FetchAttribute.Section(section.parts, section.specifier, names)
    return FetchAttribute(attribute.value, plain, attribute.partial)


def unquoted(name: bytes) -> bytes:
    """A field name as it was meant, without its quotes or its count."""
    written = _WRITTEN.match(name)
    if written is None:
        return name
    return written[1] if written[1] is not None else written[2]


def portions(rows: Sequence[tuple[int, MailRow]]) -> Iterator[list[tuple[int, MailRow]]]:
    """Messages in portions that are read at once."""
    portion: list[tuple[int, MailRow]] = []
    octets = 0
    for number, row in rows:
        if portion and (octets + row.size > OCTETS_AT_ONCE or len(portion) >= MESSAGES_AT_ONCE):
            yield portion
            portion, octets = [], 0
        portion.append((number, row))
        octets += row.size
    if portion:
        yield portion
