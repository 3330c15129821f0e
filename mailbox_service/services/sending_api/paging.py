"""Pages of lists: by `limit` and `offset`, or by the token of the page before (§1.6)."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mailbox_service.core.sending_api import BadField

T = TypeVar("T")

LARGEST_OFFSET = 10**9

_is_place = re.compile(r"p([0-9]{1,19})(?:\.([0-9]{1,16}))?").fullmatch


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, how many there are in all, and the token of the next page."""

    rows: Sequence[T]
    total: int
    continue_token: str | None


@dataclass(frozen=True, slots=True)
class Paging:
    """Which rows are wanted. `until`: when the first page was looked at, 0 on that page; what is
    new since would move the rows of the next ones."""

    limit: int
    offset: int
    until: int = 0

    @classmethod
    def read(cls, form: Any, *, default: int, largest: int) -> Paging:
        """From the fields `limit` (or `page_size`), `offset` and `continue_token` of a form.

        A limit that is too large is the largest. Raises BadField.
        """
        limit = getattr(form, "limit", None)
        if limit is None:
            limit = getattr(form, "page_size", None)
        if limit is not None and limit < 1:
            raise BadField("limit", "Must be at least 1")
        offset = getattr(form, "offset", None) or 0
        token, until = getattr(form, "continue_token", None), 0
        if token:
            offset, until = place_of(token), until_of(token)
        if not 0 <= offset <= LARGEST_OFFSET:
            raise BadField("offset", "Must not be negative")
        return cls(min(limit or default, largest), offset, until)

    def page(self, rows: Sequence[T], total: int, until: int = 0) -> Page[T]:
        """The page of these rows. `until`: no row of the next pages is as young."""
        ahead = self.offset + len(rows)
        return Page(rows, total, token_of(ahead, until) if rows and ahead < total else None)

    def of(self, everything: Sequence[T]) -> Page[T]:
        """The page out of all rows."""
        rows = everything[self.offset : self.offset + self.limit]
        return self.page(rows, len(everything))


def token_of(place: int, until: int = 0) -> str:
    """An opaque text for a place in a list, of what there was until a moment."""
    text = f"p{place}.{until}" if until else f"p{place}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(token: str) -> int:
    """The place in a token. Raises BadField."""
    return _read(token)[0]


def until_of(token: str) -> int:
    """The moment in a token, 0 for none. Raises BadField."""
    return _read(token)[1]


def _read(token: str) -> tuple[int, int]:
    try:
        text = base64.urlsafe_b64decode(token[:64] + "=" * (-len(token) % 4)).decode("ascii")
        match = _is_place(text)
        if match is None:
            raise ValueError(text)
        return int(match[1]), int(match[2] or 0)
    except ValueError:
        raise BadField("continue_token", "Is not a token of ours") from None
