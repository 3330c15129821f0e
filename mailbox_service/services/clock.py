"""The clock and the names that services hand to the core, which has neither."""

from __future__ import annotations

import string
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from mailbox_service.services.randomness import DrawnAhead, random_octets

# Microseconds since 1970, UTC.
Clock = Callable[[], int]

# Crockford's base 32: digits and letters that nobody mistakes for one another on the phone.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NAME_LETTERS = string.ascii_lowercase + string.digits
_EVEN = 256 // len(_NAME_LETTERS) * len(_NAME_LETTERS)  # so many octets are as many of each letter
_NAME_OCTETS = bytes(ord(_NAME_LETTERS[octet % len(_NAME_LETTERS)]) for octet in range(256))
_LEFT_OUT = bytes(range(_EVEN, 256))
_SPARE_OCTETS = 4
# Ten letters of time, sixteen of chance: 130 bits, of which 128 are used.
_TIME_SHIFTS = range(45, -1, -5)
_RANDOM_LETTERS = 16
# A random octet as a letter, five of its bits.
_LETTER_OF = bytes(ord(_LETTERS[octet & 31]) for octet in range(256))


def now_micros() -> int:
    """The time now."""
    return time.time_ns() // 1000


def as_datetime(micros: int) -> datetime:
    """A stored time as a date, UTC."""
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


@lru_cache(maxsize=16)
def second_of(seconds: int) -> datetime:
    """A whole second since 1970 as a date, UTC: what all mail of that second is stamped with."""
    return datetime.fromtimestamp(seconds, UTC)


def _tails(drawn: bytes) -> list[str]:
    """The random letters of ids."""
    letters = drawn.translate(_LETTER_OF).decode("ascii")
    starts = range(0, len(letters), _RANDOM_LETTERS)
    return [letters[start : start + _RANDOM_LETTERS] for start in starts]


_tails_ahead = DrawnAhead(_RANDOM_LETTERS, _tails)


def new_id() -> str:
    """A queue id: 48 bits of milliseconds and 80 random bits, so that ids sort by age and
    none can be guessed."""
    return _time_letters(time.time_ns() // 1_000_000) + _tails_ahead.take()


# All mail of one millisecond shares them.
@lru_cache(maxsize=4)
def _time_letters(millis: int) -> str:
    return "".join([_LETTERS[millis >> shift & 31] for shift in _TIME_SHIFTS])


def random_text(length: int) -> str:
    """Random lower-case letters and digits, for names and passwords, each as likely as another."""
    text = b""
    while len(text) < length:
        # Some more than are needed: of 256 octets the four that would favour letters are left out.
        text += random_octets(length + _SPARE_OCTETS).translate(_NAME_OCTETS, _LEFT_OUT)
    return text[:length].decode("ascii")
