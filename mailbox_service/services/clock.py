"""The clock and the names that services hand to the core, which has neither."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable
from datetime import UTC, datetime

# Microseconds since 1970, UTC.
Clock = Callable[[], int]

# Crockford's base 32: digits and letters that nobody mistakes for one another on the phone.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NAME_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 26
_RANDOM_BITS = 80


def now_micros() -> int:
    """The time now."""
    return time.time_ns() // 1000


def as_datetime(micros: int) -> datetime:
    """A stored time as a date, UTC."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


def new_id() -> str:
    """A queue id: 48 bits of milliseconds and 80 random bits, so that ids sort by age and
    none can be guessed."""
    number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    letters = []
    for _ in range(_ID_LENGTH):
        letters.append(_LETTERS[number & 31])
        number >>= 5
    return "".join(reversed(letters))


def random_text(length: int) -> str:
    """Random lower-case letters and digits, for names and passwords: one draw for all of them."""
    number = secrets.randbelow(len(_NAME_LETTERS) ** length)
    letters = []
    for _ in range(length):
        number, letter = divmod(number, len(_NAME_LETTERS))
        letters.append(_NAME_LETTERS[letter])
    return "".join(letters)
