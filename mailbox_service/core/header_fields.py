"""Writing header fields: folding, encoded words, phrases, dates (RFC 5322, 2047, 2231).

Every value is checked here before it meets a CRLF of ours, so no caller's text can end a field
and begin another. Fields are text with CRLF line ends; what they hold is ASCII except for an
address whose local part needs SMTPUTF8 (RFC 6532).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import quote

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.header_section import MAX_HEADER_SECTION

# RFC 5322 §2.1.1 wants lines of at most 78 characters and forbids more than 998; RFC 2047 §2
# wants 76 where a line holds an encoded word. One number serves both.
LINE = 76
# A longer word cannot stand on any line: 900 leaves room for the name of its field.
MAX_WORD = 900
# RFC 2047 §2: an encoded word has 75 characters at most; `=?utf-8?b?` and `?=` take 12 of them.
_WORD_FRAME = 12
_WORD_ROOM = 75 - _WORD_FRAME
# Longer display names are written as encoded words, which can be folded.
_SHORT_PHRASE = 60

# C0, DEL and C1, the two separators that Unicode counts as line ends, and lone surrogates, which
# no encoding can carry.
_control = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]").search
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_is_atoms = re.compile(rf"{_ATOM}(?: {_ATOM})*").fullmatch
_words = re.compile(r" *[^ ]+").findall
_is_message_id = re.compile(r"[!-;=?-~]+").fullmatch
_quotable = re.compile(r'(["\\])')


def refuse_controls(value: str, field: str) -> str:
    """The value itself, when it can stand in a header field. Raises BadRequest naming `field`.

    What is longer than any header section is refused before more work is done on it.
    """
    if len(value) > MAX_HEADER_SECTION:
        raise BadRequest(f"{field} is longer than {MAX_HEADER_SECTION} characters")
    if not value.isprintable() and _control(value):
        raise BadRequest(f"{field} contains a control character")
    return value


def date_text(moment: datetime) -> str:
    """A date-time of RFC 5322 §3.3, in UTC. `moment` is aware; its microseconds are dropped."""
    if moment.tzinfo is None:
        raise ValueError("a date needs its time zone")
    return _second_text(int(moment.timestamp() // 1))


# All mail of one second shares its date; a few entries serve the clocks of all doors.
@lru_cache(maxsize=16)
def _second_text(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def text_field(name: str, text: str) -> str:
    """An unstructured field (RFC 5322 §2.2.1): folded at its spaces, or in encoded words.

    Raises BadRequest naming the field when the text holds a control character.
    """
    refuse_controls(text, name)
    if _is_plain(text):
        if len(name) + 2 + len(text) <= LINE:
            return f"{name}: {text}\r\n"
        words = _words(f" {text}")
        if max(map(len, words)) <= MAX_WORD:
            return _folded(f"{name}:", words)
    room = LINE - len(name) - 2 - _WORD_FRAME
    return _folded(f"{name}:", _encoded_words(text, room))


def mailbox(address: str, name: str, field: str) -> list[str]:
    """`Name <address>` or the address alone (RFC 5322 §3.4), as parts to be folded between.

    The address is canonical. Raises BadRequest naming `field` for a control character in `name`.
    """
    if name:
        # A run of spaces in a phrase means one space (RFC 5322 §3.2.2).
        name = " ".join(part for part in refuse_controls(name, field).split(" ") if part)
    return [*_phrase(name), f" <{address}>"] if name else [f" {address}"]


def mailbox_field(field: str, mailboxes: Sequence[tuple[str, str]]) -> str:
    """An address field such as To, of (canonical address, display name) pairs."""
    if len(mailboxes) == 1 and not mailboxes[0][1]:
        return f"{field}: {mailboxes[0][0]}\r\n"
    parts: list[str] = []
    for address, name in mailboxes:
        parts += mailbox(address, name, field)
        parts[-1] += ","
    parts[-1] = parts[-1][:-1]
    return _folded(f"{field}:", parts)


def message_ids_field(name: str, identifiers: Iterable[str]) -> str:
    """A field of message identifiers, such as References (RFC 5322 §3.6.4)."""
    return _folded(f"{name}:", [f" {identifier}" for identifier in identifiers])


def message_ids(text: str, field: str) -> list[str]:
    """The message identifiers in a text, each in its angle brackets (RFC 5322 §3.6.4).

    Brackets that are missing are added: identifiers are copied by hand and by other programs.
    Raises BadRequest naming `field`.
    """
    identifiers = []
    for word in refuse_controls(text, field).split():
        inner = word.removeprefix("<").removesuffix(">")
        if len(inner) > MAX_WORD or not _is_message_id(inner):
            raise BadRequest(f"{field} is not a message identifier")
        identifiers.append(f"<{inner}>")
    return identifiers


def parameter(name: str, value: str, field: str) -> str:
    """A parameter of a MIME field, on a line of its own: quoted, or extended (RFC 2231 §4)."""
    refuse_controls(value, field)
    if _is_plain(value):
        escaped = _quotable.sub(r"\\\1", value)
        return f';\r\n {name}="{escaped}"'
    return f";\r\n {name}*=utf-8''{quote(value, safe='')}"


def _is_plain(text: str) -> bool:
    """Whether a reader gets the same text back when it is written as it is."""
    # A reader strips a value's outer spaces, and takes `=?` for the start of an encoded word.
    return text.isascii() and "=?" not in text and text == text.strip(" ")


def _phrase(name: str) -> list[str]:
    if _is_plain(name) and len(name) <= _SHORT_PHRASE:
        if _is_atoms(name):
            return [f" {name}"]
        escaped = _quotable.sub(r"\\\1", name)
        return [f' "{escaped}"']
    return _encoded_words(name, _WORD_ROOM)


def _encoded_words(text: str, first_room: int) -> list[str]:
    """Encoded words split between characters, each with a space before it (RFC 2047 §5).

    Always base64: one way is enough, and unlike Q it does not triple most of the world's
    scripts. `first_room` is what the first line leaves for the base64 of the first word.
    """
    data = text.encode()
    room = first_room if first_room >= 8 else _WORD_ROOM  # 8 hold any one character
    words = []
    start = 0
    while start < len(data):
        end = min(start + room // 4 * 3, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # never inside a character
            end -= 1
        words.append(f" =?utf-8?b?{b64encode(data[start:end]).decode()}?=")
        start, room = end, _WORD_ROOM
    return words


def _folded(line: str, parts: Sequence[str]) -> str:
    """A field of parts that begin with a space, with a line end before each that does not fit."""
    lines = []
    for part in parts:
        if len(line) + len(part) > LINE:
            lines.append(line)
            line = part
        else:
            line += part
    lines.append(line)
    return "\r\n".join(lines) + "\r\n"
