"""Randomness drawn ahead: asking the system for some octets costs more than what is made of them.

What is drawn is given away once, to one thread; a process that forks draws anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

# So many are drawn at once.
DRAWN = 128
# Longer pieces are drawn as they are needed.
LONGEST_AHEAD = 64


class DrawnAhead(Generic[T]):
    """Random things of one kind. `made` makes `DRAWN` of them from as many times `octets`."""

    def __init__(self, octets: int, made: Callable[[bytes], list[T]]) -> None:
        self._octets = octets * DRAWN
        self._made = made
        self._waiting: list[T] = []
        os.register_at_fork(after_in_child=self._waiting.clear)

    def take(self) -> T:
        """One that nobody else is given."""
        try:
            return self._waiting.pop()
        except IndexError:
            # Another thread may come here too, and empty the list again: so one is kept back.
            fresh = self._made(os.urandom(self._octets))
            one = fresh.pop()
            self._waiting.extend(fresh)
            return one


def pieces(octets: int) -> Callable[[bytes], list[bytes]]:
    """What cuts random octets into pieces of so many."""

    def cut(drawn: bytes) -> list[bytes]:
        return [drawn[start : start + octets] for start in range(0, len(drawn), octets)]

    return cut


_octets_ahead: dict[int, DrawnAhead[bytes]] = {}


def random_octets(count: int) -> bytes:
    """Random octets that nobody can guess and nobody else is given."""
    ahead = _octets_ahead.get(count)
    if ahead is None:
        if not 0 < count <= LONGEST_AHEAD:
            return os.urandom(count)
        ahead = _octets_ahead.setdefault(count, DrawnAhead(count, pieces(count)))
    return ahead.take()


def _uuids(drawn: bytes) -> list[str]:
    """UUIDs of version 4 (RFC 9562 §5.4)."""
    text = drawn.hex()
    return [
        f"{text[at : at + 8]}-{text[at + 8 : at + 12]}-4{text[at + 13 : at + 16]}-"
        f"{'89ab'[int(text[at + 16], 16) & 3]}{text[at + 17 : at + 20]}-{text[at + 20 : at + 32]}"
        for at in range(0, len(text), 32)
    ]


_uuids_ahead = DrawnAhead(16, _uuids)
random_uuid = _uuids_ahead.take
