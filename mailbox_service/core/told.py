"""Sentences for administrators, each with a stable code and what is filled in, so that a page can
say them in another language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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

    def codes(self) -> Iterable[tuple[str, str | tuple[str, str]]]:
        """Every code with its English text."""
        return ((f"{self._area}.{name}", text) for name, text in self._sentences.items())


def span(seconds: int) -> str:
    """A span of time in words, in its largest unit that makes two or more."""
    for unit, name in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    seconds = max(seconds, 0)
    return f"{seconds} second{'' if seconds == 1 else 's'}"
