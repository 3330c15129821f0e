"""Pages of lists: by `limit` and `offset`, or by the token of the page before (§1.6)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mailbox_service.core.sending_api import BadField

T = TypeVar("T")

LARGEST_OFFSET = 10**9


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, how many there are in all, and the token of the next page."""

    rows: Sequence[T]
    total: int
    continue_token: str | None


@dataclass(frozen=True, slots=True)
class Paging:
    """Which rows are wanted."""

    limit: int
    offset: int

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
        token = getattr(form, "continue_token", None)
        if token:
            offset = place_of(token)
        if not 0 <= offset <= LARGEST_OFFSET:
            raise BadField("offset", "Must not be negative")
        return cls(min(limit or default, largest), offset)

    def page(self, rows: Sequence[T], total: int) -> Page[T]:
        """The page of these rows."""
        ahead = self.offset + len(rows)
        return Page(rows, total, token_of(ahead) if rows and ahead < total else None)

    def of(self, everything: Sequence[T]) -> Page[T]:
        """The page out of all rows."""
        rows = everything[self.offset : self.offset + self.limit]
        return self.page(rows, len(everything))


def token_of(place: int) -> str:
    """An opaque text for a place in a list."""
    return base64.urlsafe_b64encode(b"p%d" % place).decode().rstrip("=")


def place_of(token: str) -> int:
    """The other way. Raises BadField."""
    try:
        text = base64.urlsafe_b64decode(token[:64] + "=" * (-len(token) % 4)).decode("ascii")
        if not text.startswith("p"):
            raise ValueError(text)
        return int(text[1:])
    except ValueError:
        raise BadField("continue_token", "Is not a token of ours") from None
