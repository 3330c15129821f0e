"""SEARCH: which messages a client looks for (RFC 9051 §6.4.4).

Each key answers yes, no, or "not without reading more". So a search first looks at what a list
knows, then at headers that were read before, and reads contents only for what is left over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from pymap.parsing.specials import SearchKey

from mailbox_service.core.header_words import decoded, unfolded
from mailbox_service.core.html_text import html_to_text
from mailbox_service.core.mailboxes import MailRow
from mailbox_service.core.parsing import parse, read_header
from mailbox_service.core.stored import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from smtp_proxy.imap.facts import Facts
from smtp_proxy.imap.selected import Selected
from smtp_proxy.imap.words import Keywords, flags_of, moment

# Keys of one search: programs put a few dozen together.
MOST_KEYS = 200

FLAG_KEYS = {
    b"SEEN": SEEN, b"FLAGGED": FLAGGED, b"ANSWERED": ANSWERED, b"DELETED": DELETED,
    b"DRAFT": DRAFT,
}  # fmt: skip
NO_FLAG_KEYS = {b"UN" + name: flag for name, flag in FLAG_KEYS.items()}
FIELD_KEYS = frozenset({b"FROM", b"TO", b"CC", b"BCC", b"SUBJECT"})


class TooManyKeys(Exception):
    """A search with more keys than any program writes."""


@dataclass(slots=True)
class Candidate:
    """A message, and what is known of it so far."""

    number: int
    row: MailRow
    facts: Facts | None = None
    content: bytes | None = None
    _text: str | None = field(default=None, init=False)
    _header: list[tuple[str, str]] | None = field(default=None, init=False)

    def text(self) -> str | None:
        """The text of the message, casefolded; None while there is no content."""
        if self._text is None and self.content is not None:
            parsed = parse(self.content)
            self._text = (parsed.text or html_to_text(parsed.html)).casefold()
        return self._text

    def header(self) -> list[tuple[str, str]] | None:
        """Every field, its name in capitals and its value casefolded; None while there is neither
        content nor header."""
        kept = None if self.facts is None else self.facts.header
        source = kept if self.content is None else self.content
        if self._header is None and source is not None:
            self._header = [
                (name.upper(), decoded(unfolded(value)).casefold())
                for name, value in read_header(source).fields
            ]
        return self._header


Test = Callable[[Candidate], bool | None]


def compiled(keys: Iterable[SearchKey], selected: Selected) -> Test:
    """The test of a search. Raises TooManyKeys."""
    left = [MOST_KEYS]
    return all_of([_test(key, selected, left) for key in keys])


def _test(key: SearchKey, selected: Selected, left: list[int]) -> Test:
    left[0] -= 1
    if left[0] < 0:
        raise TooManyKeys
    if key.inverse:
        return inverse(_test(key.not_inverse, selected, left))
    name = key.value
    if name == b"KEYSET":
        return all_of([_test(one, selected, left) for one in key.filter_key_set])
    if name == b"OR":
        one, other = (_test(side, selected, left) for side in key.filter_key_or)
        return inverse(all_of([inverse(one), inverse(other)]))
    if name == b"SEQSET":
        numbers = {
            place + 1
            for low, high in selected.spans(key.filter_sequence_set)
            for place in range(low, high)
        }
        return lambda candidate: candidate.number in numbers
    return _of_row(key, selected.keywords) or _of_header(key) or _of_content(key)


def _of_row(key: SearchKey, keywords: Keywords) -> Test | None:
    """Keys that a list answers."""
    name = key.value
    if name in FLAG_KEYS:
        flag = FLAG_KEYS[name]
        return lambda candidate: bool(candidate.row.flags & flag)
    if name in NO_FLAG_KEYS:
        flag = NO_FLAG_KEYS[name]
        return lambda candidate: not candidate.row.flags & flag
    if name in (b"KEYWORD", b"UNKEYWORD"):
        flag, has = flags_of([bytes(key.filter_flag)], keywords), name == b"KEYWORD"
        return lambda candidate: bool(candidate.row.flags & flag) is has
    if name in (b"ALL", b"OLD"):  # nothing is recent here
        return lambda _: True
    if name in (b"NEW", b"RECENT", b"EMAILID", b"THREADID"):
        return lambda _: False
    if name in (b"LARGER", b"SMALLER"):
        size, larger = key.filter_int, name == b"LARGER"
        return lambda candidate: candidate.row.size > size if larger else candidate.row.size < size
    if name in (b"BEFORE", b"ON", b"SINCE"):
        day = key.filter_datetime.date()
        return lambda candidate: compare(name, moment(candidate.row.received_at).date(), day)
    return None


def _of_header(key: SearchKey) -> Test | None:
    """Keys that facts answer."""
    name = key.value
    if name in FIELD_KEYS:
        wanted = key.filter_str.casefold()
        return lambda candidate: (
            None if candidate.facts is None else wanted in candidate.facts.fields[name]
        )
    if name in (b"SENTBEFORE", b"SENTON", b"SENTSINCE"):
        day = key.filter_datetime.date()
        return lambda candidate: (
            None if candidate.facts is None else compare(name[4:], candidate.facts.sent_on, day)
        )
    return None


def _of_content(key: SearchKey) -> Test:
    """Keys that need the whole message."""
    if key.value == b"HEADER":
        field_name, wanted_value = key.filter_header
        return has_field(field_name.upper(), wanted_value.casefold())
    wanted = key.filter_str.casefold()
    if key.value == b"BODY":
        return lambda candidate: None if (text := candidate.text()) is None else wanted in text
    return has_text(wanted)


def has_field(name: str, wanted: str) -> Test:
    """A field of that name whose value contains a text; any value when the text is empty."""

    def test(candidate: Candidate) -> bool | None:
        fields = candidate.header()
        if fields is None:
            return None
        return any(key == name and wanted in value for key, value in fields)

    return test


def has_text(wanted: str) -> Test:
    """A text in header or body."""

    def test(candidate: Candidate) -> bool | None:
        fields = candidate.header() or ()
        if any(wanted in f"{name.lower()}: {value}" for name, value in fields):
            return True
        text = candidate.text()
        return None if text is None else wanted in text

    return test


def compare(how: bytes, day: date | None, given: date) -> bool:
    """BEFORE, ON, SINCE; a message without a day is none of them."""
    if day is None:
        return False
    if how == b"BEFORE":
        return day < given
    return day == given if how == b"ON" else day >= given


def all_of(tests: Sequence[Test]) -> Test:
    """Yes when all say yes, no as soon as one says no."""

    def test(candidate: Candidate) -> bool | None:
        unknown = False
        for one in tests:
            answer = one(candidate)
            if answer is False:
                return False
            unknown = unknown or answer is None
        return None if unknown else True

    return test


def inverse(test: Test) -> Test:
    """No for yes, and yes for no."""

    def inverted(candidate: Candidate) -> bool | None:
        answer = test(candidate)
        return None if answer is None else not answer

    return inverted
