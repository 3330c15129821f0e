"""Sentences for administrators, each with a stable code and what is filled in, so that a page can
say them in another language."""

from __future__ import annotations

import re
from collections.abc import Iterable, KeysView, Mapping
from functools import cache

Value = str | int

DAY, HOUR, MINUTE = 86_400, 3_600, 60
# A value with this at its end says how far ahead something lies; it is said in words.
SECONDS = "_seconds"


class Told(str):
    """A sentence in English that knows its code and its values."""

    code: str
    values: Mapping[str, Value]

    @classmethod
    def of(cls, code: str, text: str, values: Mapping[str, Value]) -> Told:
        told = cls(text)
        told.code = code
        told.values = values
        return told


class Words:
    """The sentences of one area. One with two forms takes the first when `n` is one."""

    def __init__(self, area: str, sentences: Mapping[str, str | tuple[str, str]]) -> None:
        self._area = area
        self._sentences = sentences

    def say(self, name: str, /, **values: Value) -> Told:
        """A sentence with its values filled in."""
        found = self._sentences[name]
        if not isinstance(found, str):
            found = found[0 if values.get("n") == 1 else 1]
        shown = {
            key: f"in {span(value)}" if key.endswith(SECONDS) and isinstance(value, int) else value
            for key, value in values.items()
        }
        return Told.of(f"{self._area}.{name}", found.format(**shown), values)

    @property
    def names(self) -> KeysView[str]:
        """The names of the sentences, in their order."""
        return self._sentences.keys()

    def recognise(self, text: str) -> Told | None:
        """The sentence that a stored text is, with its values; None when it is none of these. For
        those of one form and without spans of time."""
        for name, form in self._sentences.items():
            if isinstance(form, str) and (found := re.fullmatch(_pattern(form), text, re.DOTALL)):
                return Told.of(f"{self._area}.{name}", text, found.groupdict())
        return None

    def codes(self) -> Iterable[tuple[str, str | tuple[str, str]]]:
        """Every code with its English text."""
        return ((f"{self._area}.{name}", text) for name, text in self._sentences.items())


@cache
def _pattern(form: str) -> str:
    """What finds a sentence of this form; names of values stand in braces."""
    pieces = re.split(r"\{(\w+)\}", form)
    return "".join(
        f"(?P<{piece}>.*?)" if at % 2 else re.escape(piece) for at, piece in enumerate(pieces)
    )


def span(seconds: int) -> str:
    """A span of time in words, in its largest unit that makes two or more."""
    for unit, name in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    seconds = max(seconds, 0)
    return f"{seconds} second{'' if seconds == 1 else 's'}"
