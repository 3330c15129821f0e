"""Dates of a form as moments, and ranges of them (sending-api §1.6)."""

from __future__ import annotations

from mailbox_service.core.api_values import DAY, day_start, is_day, read_date
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.sending_api import BadField


def date_of(field: str, value: str | int) -> int:
    """A date of a form. Raises BadField."""
    try:
        return read_date(value)
    except BadRequest as error:
        raise BadField(field, error.detail) from None


def range_of(start: str, end: str, *, now: int, from_today: bool = True) -> tuple[int, int]:
    """From a start, included, to an end, excluded; by default this day until now. Raises
    BadField."""
    first = day_start(now) if from_today else 0
    if start:
        first = date_of("start_date", start)
    last = date_of("end_date", end) if end else now + DAY
    if last <= first and end:
        if is_day(end) and is_day(start) and last == first:
            return first, last
        raise BadField("end_date", "Must be after start_date")
    return first, last


def between(start: str, end: str) -> tuple[int, int]:
    """A range of which a last day is part; open where nothing is said. Raises BadField."""
    first, last = 0, 2**62
    if start:
        first = date_of("start_date", start)
    if end:
        last = date_of("end_date", end) + (DAY if is_day(end) else 0)
    return first, last
