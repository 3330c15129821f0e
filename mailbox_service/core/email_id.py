"""Two more spellings of a queue id, for the sending API: an e-mail id and a schedule id.

A queue id is 26 letters of base 32, a number of 128 bits of which the first 48 are a time. As an
e-mail id it has the form of Exim's (`1u0SwL-B9zBpi9ffUq-JAB2`: 21 letters of base 62), as a
schedule id that of a UUID. All three are the same number, so none has to be stored or looked up.
"""

from __future__ import annotations

import re
import string

_BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_VALUE62 = {letter: value for value, letter in enumerate(_BASE62)}
# Six, eleven and four letters; 62 ** 21 is beyond every time until the year 3000. Two letters at
# a time, since one id is made for every message; three would be a table of fifteen megabytes. And
# out of numbers below 2 ** 60, with which Python counts three times as fast.
_TWOS = [a + b for a in _BASE62 for b in _BASE62]
_TWO = 62**2
_TEN = 62**10
# Python reads base 32 with the first letters of the alphabet.
_PLAIN32 = bytes.maketrans(_BASE32.encode(), (string.digits + string.ascii_lowercase[:22]).encode())
_is_email_id = re.compile(r"[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}").fullmatch
_is_schedule_id = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
).fullmatch


def email_id_of(queue_id: str) -> str:
    """The e-mail id of a queue id."""
    upper, lower = divmod(_number_of(queue_id), _TEN)
    first, upper = divmod(upper, _TEN)
    text = f"{_BASE62[first]}{_ten(upper)}{_ten(lower)}"
    return f"{text[:6]}-{text[6:17]}-{text[17:]}"


def queue_id_of(email_id: str) -> str | None:
    """The queue id of an e-mail id; None for what is none of ours."""
    if not _is_email_id(email_id):
        return None
    number = 0
    for letter in email_id.replace("-", ""):
        number = number * 62 + _VALUE62[letter]
    return _text_of(number)


def schedule_id_of(queue_id: str) -> str:
    """The schedule id of a queue id."""
    text = f"{_number_of(queue_id):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def queue_id_of_schedule(schedule_id: str) -> str | None:
    """The queue id of a schedule id; None for what is none of ours."""
    if not _is_schedule_id(schedule_id.lower()):
        return None
    return _text_of(int(schedule_id.replace("-", ""), 16))


def _ten(number: int) -> str:
    """Ten letters of base 62."""
    number, fifth = divmod(number, _TWO)
    number, fourth = divmod(number, _TWO)
    number, third = divmod(number, _TWO)
    first, second = divmod(number, _TWO)
    return _TWOS[first] + _TWOS[second] + _TWOS[third] + _TWOS[fourth] + _TWOS[fifth]


def _number_of(queue_id: str) -> int:
    return int(queue_id.encode().translate(_PLAIN32), 32)


def _text_of(number: int) -> str | None:
    if number >> 128:
        return None
    return "".join(_BASE32[number >> shift & 31] for shift in range(125, -1, -5))
