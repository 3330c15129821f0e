"""What doors made of messages, kept to be shown again.

Programs that wait for mail ask for the same page of a mailbox again and again. A message does not
change; what an owner marks of it, and what workers find out about it, is its state (`State`), and
whatever a door made of a message in one state it may show again as long as that is its state.
Whether a message is in a mailbox, and in which state, is asked of the store each time.
"""

from __future__ import annotations

from collections.abc import Hashable

# Octets kept in all: some thousand light rows, and some hundred mails with their sources.
MOST_OCTETS = 8 << 20
# One mail may not drive out all others.
LARGEST_OCTETS = 64 << 10
# What a row takes beside its octets: its key and its place.
EACH_OCTETS = 300


class Shown:
    """Pieces of answers by what they show; the oldest make room for new ones.

    Readers' threads may look into it; only the event loop changes it.
    """

    def __init__(self, most: int = MOST_OCTETS) -> None:
        self._most = most
        self._left = most
        self._kept: dict[Hashable, bytes] = {}

    def get(self, key: Hashable) -> bytes | None:
        """The octets kept under a key."""
        return self._kept.get(key)

    def keep(self, key: Hashable, octets: bytes) -> None:
        """Keep octets, unless there are too many of them."""
        if len(octets) > LARGEST_OCTETS or key in self._kept:
            return
        self._kept[key] = octets
        self._left -= len(octets) + EACH_OCTETS
        while self._left < 0:
            oldest = next(iter(self._kept))
            self._left += len(self._kept.pop(oldest)) + EACH_OCTETS
