"""How the sending API writes values: dates, periods, people, patterns (sending-api §1.6)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

from mailbox_service.core.compose import NamedAddress
from mailbox_service.core.errors import BadAddress, BadRequest

MICROS = 1_000_000
DAY = 86_400 * MICROS
# Longer texts are no date, no period and no mailbox; they are not looked at.
LONGEST_DATE = 64
LONGEST_PERIOD = 64
LONGEST_MAILBOX = 1_000
# Longer than any text that is looked through, so what is cut here finds nothing all the same.
# SQLite takes patterns of 50,000 octets at most.
LONGEST_SOUGHT = 4_000
# A key's own rate is counted in windows of at most a year.
LONGEST_PERIOD_SECONDS = 366 * 86_400

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})"
    r"(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?"
    r"(?: ?(Z|z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
)
_PERIOD = re.compile(
    r"(?:(\d{1,4}) *(second|minute|hour|day|week|month|year)s?)?,? *"
    r"(?:(\d{1,4}):(\d{2})(?::(\d{2}))?)?"
)
_specials = re.compile(r'[()<>\[\]:;@\\,"]').search
_SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3_600,
    "day": 86_400,
    "week": 7 * 86_400,
    "month": 30 * 86_400,
    "year": 365 * 86_400,
}


def read_date(value: str | int | float) -> int:
    """A moment as microseconds UTC. Numbers are seconds since 1970; without a zone a text is
    UTC. Raises BadRequest."""
    try:
        if isinstance(value, int | float):
            return micros_of(datetime.fromtimestamp(value, UTC))
        return micros_of(_moment(value.strip()))
    except (ValueError, OverflowError, OSError, TypeError, IndexError):
        raise BadRequest("is not a date") from None


def is_day(value: object) -> bool:
    """Whether a date names a day and no time of it."""
    return isinstance(value, str) and re.fullmatch(r" *\d{4}-\d{2}-\d{2} *", value) is not None


def day_after(value: str) -> str:
    """The day after one that is named; what names no day stays, and is refused by `read_date`."""
    try:
        return (date.fromisoformat(value.strip()) + timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return value


def _moment(text: str) -> datetime:
    if len(text) > LONGEST_DATE:
        raise ValueError(text)
    if re.fullmatch(r"\d{9,11}", text):
        return datetime.fromtimestamp(int(text), UTC)
    match = _ISO.fullmatch(text)
    if match is None:  # RFC 822 and RFC 1123, the day's name or not
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    moment = datetime(
        int(year),
        int(month),
        int(day),
        int(hour or 0),
        int(minute or 0),
        int(second or 0),
        int((fraction or "0")[:6].ljust(6, "0")),
        tzinfo=UTC,
    )
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        moment = moment - offset if zone[0] == "+" else moment + offset
    return moment


def micros_of(moment: datetime) -> int:
    """A moment as microseconds since 1970, exactly."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * MICROS + since.microseconds


def moment_of(micros: int) -> datetime:
    """The other way."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def zulu(micros: int) -> str:
    """`2021-02-09T12:18:53Z`."""
    return moment_of(micros).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain_time(micros: int) -> str:
    """`2021-02-09 12:18:53`."""
    return moment_of(micros).strftime("%Y-%m-%d %H:%M:%S")


def offset_time(micros: int) -> str:
    """`2021-02-09 12:18:53+00:00`."""
    return plain_time(micros) + "+00:00"


def precise_time(micros: int) -> str:
    """`2026-02-07T18:05:06.215451+00:00`."""
    return moment_of(micros).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")


def day_start(micros: int) -> int:
    """The beginning of the day of a moment."""
    return micros - micros % DAY


def period_seconds(text: str) -> int:
    """`0:30:00`, `1 hour`, `2 days`, `4 months, 5:00:00` in seconds. Raises BadRequest."""
    match = _PERIOD.fullmatch(text.strip()) if len(text) <= LONGEST_PERIOD else None
    if match is None or not text.strip():
        raise BadRequest("is not a period")
    number, unit, hours, minutes, seconds = match.groups()
    total = int(number) * _SECONDS[unit] if number else 0
    total += int(hours or 0) * 3_600 + int(minutes or 0) * 60 + int(seconds or 0)
    if not 1 <= total <= LONGEST_PERIOD_SECONDS:
        raise BadRequest("is not a period between a second and a year")
    return total


def period_text(seconds: int) -> str:
    """A period as it is shown: `1:00:00`."""
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}"


def read_mailbox(text: str) -> NamedAddress:
    """`a@b`, `Name <a@b>`, `"Name, Jr" <a@b>` or `<a@b>` (RFC 5322 §3.4). Raises BadAddress."""
    text = text.strip()
    if len(text) > LONGEST_MAILBOX:
        raise BadAddress("The mailbox is too long")
    if not text.endswith(">"):
        return NamedAddress(text)
    name, opened, address = text[:-1].rpartition("<")
    name = name.strip()
    if not opened or (">" in name and not name.startswith('"')):
        raise BadAddress("The mailbox is not of the form Name <name@domain>")
    if len(name) >= 2 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return NamedAddress(address.strip(), name)


def shown_mailbox(person: NamedAddress) -> str:
    """The other way: as it is shown in lists, and read again by whoever asks for them; so a name
    that a reader could take apart is in quotes (RFC 5322 §3.2.4)."""
    name = person.name
    if _specials(name):
        name = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{name} <{person.address}>" if name else person.address


def like(text: str) -> str:
    """A LIKE pattern for texts that contain this one, `!` being its escape."""
    return f"%{like_literal(text)}%"


def like_literal(text: str) -> str:
    """A text in which no character means anything to LIKE."""
    text = text[:LONGEST_SOUGHT]
    escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return escaped.replace("\0", "")
