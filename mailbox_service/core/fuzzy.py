"""Texts that resemble each other, as people mistype them (sending-api §4, §9.5)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice

# More of a search than this is not looked at: it is a sentence, and no name.
LONGEST_TERM, MOST_WORDS, MOST_TERMS = 100, 8, 20
# From so many letters on a word may have a slip, or two: shorter ones would resemble too many.
ONE_SLIP, TWO_SLIPS = 4, 8

_words = re.compile(r"\w+").findall


def folded(text: str) -> str:
    """A text without case and accents."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def any_resembles(terms: Iterable[str], texts: Sequence[str]) -> bool:
    """Whether one of these terms resembles a part of one of these texts."""
    plain = [folded(text) for text in texts]
    words = [_words(text.replace("_", " ")) for text in plain]
    return any(
        _resembles(folded(term[:LONGEST_TERM]).strip(), text, of_text)
        for term in islice(terms, MOST_TERMS)
        for text, of_text in zip(plain, words, strict=True)
    )


def _resembles(term: str, text: str, words: Sequence[str]) -> bool:
    """Whether a term is in a text, or each of its words is nearly one of it, or the start of one,
    in any order."""
    if term in text:
        return True
    wanted = _words(term.replace("_", " "))[:MOST_WORDS]
    return bool(wanted) and all(any(nearly(one, word) for word in words) for one in wanted)


def nearly(typed: str, word: str) -> bool:
    """Whether a word, or its beginning, was typed with as many slips as its length allows."""
    slips = (len(typed) >= ONE_SLIP) + (len(typed) >= TWO_SLIPS)
    if len(typed) > len(word) + slips or len(set(typed) - set(word)) > slips:
        return False
    if word.startswith(typed):
        return True
    if not slips:
        return False
    return any(
        distance(typed, word[:length]) <= slips
        for length in range(len(typed) - slips, len(typed) + slips + 1)
        if length <= len(word)
    )


def distance(one: str, other: str) -> int:
    """How many letters were left out, added, changed or swapped with the next (optimal string
    alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        now = [row]
        for column, another in enumerate(other, 1):
            cost = min(
                last[column] + 1, now[column - 1] + 1, last[column - 1] + (letter != another)
            )
            swapped = row > 1 and column > 1 and letter == other[column - 2]
            if swapped and one[row - 2] == another:
                cost = min(cost, before[column - 2] + 1)
            now.append(cost)
        before, last = last, now
    return last[-1]
