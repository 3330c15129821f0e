"""What was read from the store, as it was some seconds ago at most."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values for `seconds`, `most` of them. Times are the loop's."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._values: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self.turn = 0
        """Counts how often all was forgotten. Whoever reads notes it before."""

    def get(self, key: K, now: float) -> V | None:
        """A value; None when it has to be read."""
        found = self._values.get(key)
        return found[0] if found is not None and found[1] > now else None

    def keep(self, key: K, value: V, now: float, *, turn: int) -> None:
        """Keep what was read, unless something changed since `turn`: it may be of before."""
        if turn != self.turn:
            return
        self._values[key] = (value, now + self._seconds)
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def forget(self) -> None:
        """Something changed: have all read again."""
        self._values.clear()
        self.turn += 1
