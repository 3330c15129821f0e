"""Values as IMAP writes them (RFC 9051 §4): strings, lists, dates, flags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from mailbox_service.core.stored import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from smtp_proxy.imap.names import encoded_name

NIL = b"NIL"
# Longer strings go as literals: some clients read quoted ones into small buffers.
QUOTED_OCTETS = 1_000
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FLAGS = {
    ANSWERED: b"\\Answered",
    FLAGGED: b"\\Flagged",
    DELETED: b"\\Deleted",
    SEEN: b"\\Seen",
    DRAFT: b"\\Draft",
}

_atom = re.compile(rb"[-A-Za-z0-9@._+&/=]+").fullmatch
_plain = re.compile(rb"[ -~]*").fullmatch
_SPECIAL = re.compile(rb'(["\\])')


def string(text: str | bytes) -> bytes:
    """Quoted where that can be, otherwise as a literal."""
    octets = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    if len(octets) <= QUOTED_OCTETS and _plain(octets):
        return b'"' + _SPECIAL.sub(rb"\\\1", octets) + b'"'
    return literal(octets.replace(b"\0", b""))


def nstring(text: str | None) -> bytes:
    """A string, or NIL for what is not there."""
    return NIL if text is None else string(text)


def literal(octets: bytes) -> bytes:
    """Counted octets, as they are."""
    return b"{%d}\r\n%b" % (len(octets), octets)


def mailbox_name(name: str) -> bytes:
    """The name of a mailbox (RFC 3501 §5.1.3): as it is where that is an atom."""
    encoded = encoded_name(name)
    return encoded if _atom(encoded) else string(encoded)


def parenthesised(items: Iterable[bytes]) -> bytes:
    return b"(" + b" ".join(items) + b")"


Keywords = Mapping[int, bytes]
NO_KEYWORDS: Keywords = {}


def flag_list(flags: int, keywords: Keywords = NO_KEYWORDS) -> bytes:
    """Flags of `core.stored` as a list, with the keywords of the mailbox among them."""
    names = [name for flag, name in FLAGS.items() if flags & flag]
    if keywords:
        names += [name for flag, name in keywords.items() if flags & flag]
    return parenthesised(names)


def flags_of(names: Iterable[bytes], keywords: Keywords = NO_KEYWORDS) -> int:
    """Flags and keywords named by a client; unknown ones are left out."""
    wanted = {name.lower() for name in names}
    known = (*FLAGS.items(), *keywords.items())
    return sum(flag for flag, name in known if name.lower() in wanted)


def moment(micros: int) -> datetime:
    """Microseconds as a time in UTC."""
    return datetime.fromtimestamp(micros // 1_000_000, UTC)


def internal_date(micros: int) -> bytes:
    """When a message arrived (RFC 9051 §9, date-time)."""
    at = moment(micros)
    day = f'"{at.day:2d}-{MONTHS[at.month - 1]}-{at.year:04d} {at:%H:%M:%S} +0000"'
    return day.encode("ascii")
