"""The times of SQLite's `datetime('now', '-7 days')` and its kin, worked out without SQLite.

Times are UTC. https://www.sqlite.org/lang_datefunc.html tells what the modifiers mean; those of
it that depend on a place or on the kind of a value are not known here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

_STEP = re.compile(
    r"([+-]?[0-9]{1,9}(?:\.[0-9]{1,6})?) +(second|minute|hour|day|month|year)s?", re.ASCII
)
_START = re.compile(r"start of (day|month|year)", re.ASCII)
_FORMAT = re.compile(r"(?:[^%]|%[YmdHMSjs%])*")
_JULIAN_EPOCH = 2_440_587.5  # the Julian day of 1970-01-01


def moment_text(name: str, arguments: Sequence[str], now: int) -> str | float | int | None:
    """What `name(arguments…)` is at `now` (microseconds UTC); None when that is not known."""
    words = list(arguments)
    pattern = "%Y-%m-%d %H:%M:%S"
    if name == "strftime":
        if not words or not _FORMAT.fullmatch(words[0]):
            return None
        pattern = words.pop(0)
    elif name == "date":
        pattern = "%Y-%m-%d"
    moment = _moment(words or ["now"], now)
    if moment is None:
        return None
    if name == "julianday":
        return moment.timestamp() / 86_400 + _JULIAN_EPOCH
    if name == "unixepoch":
        return int(moment.timestamp())
    return moment.strftime(pattern.replace("%s", str(int(moment.timestamp()))))


def _moment(words: Sequence[str], now: int) -> datetime | None:
    """The time that a first word and its modifiers name."""
    base = words[0].strip().lower()
    try:
        if base == "now":
            moment = datetime.fromtimestamp(now / 1_000_000, UTC)
        else:
            moment = datetime.fromisoformat(words[0].strip()).replace(tzinfo=UTC)
        for word in words[1:]:
            changed = _changed(moment, word.strip().lower())
            if changed is None:
                return None
            moment = changed
    except (ValueError, OverflowError):
        return None
    return moment


def _changed(moment: datetime, word: str) -> datetime | None:
    if word == "utc":
        return moment
    start = _START.fullmatch(word)
    if start is not None:
        moment = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        if start[1] != "day":
            moment = moment.replace(day=1)
        return moment.replace(month=1) if start[1] == "year" else moment
    step = _STEP.fullmatch(word)
    if step is None:
        return None
    count, unit = float(step[1]), step[2]
    if unit in ("month", "year"):
        return _months_later(moment, int(count) * (12 if unit == "year" else 1))
    seconds = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}[unit]
    return moment + timedelta(seconds=count * seconds)


def _months_later(moment: datetime, months: int) -> datetime:
    """So many months on; a day that the month does not have runs into the next."""
    index = moment.year * 12 + moment.month - 1 + months
    first = moment.replace(year=index // 12, month=index % 12 + 1, day=1)
    return first + timedelta(days=moment.day - 1)
