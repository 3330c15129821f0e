"""Wake-ups after a commit; they carry no data. The table is the truth, a signal only wakes.

A lost signal costs seconds, never a message: whoever waits also looks again on a timer.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Topics. A mailbox has its own, so that one stream does not wake for another's mail.
MESSAGES = "messages"
SUMMARIES = "summaries"
QUEUE = "queue"
WEBHOOKS = "webhooks"
TELEGRAM = "telegram"
SETTINGS = "settings"
ADDRESSES = "addresses"
SENDING_EVENTS = "sending-events"
INTEGRATIONS = "integrations"
RETURNS = "returns"
SMS = "sms"
ACCEPTED = "accepted-emails"


def mailbox(address: str) -> str:
    """The topic of one mailbox: mail, flags, deletions, and the fate of what it sent."""
    return f"mailbox:{address}"


class Watch:
    """One waiter on one topic. A signal that comes while nobody waits is kept, once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def wake(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a signal or for the time to pass; True when a signal came."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True

    async def settle(self, seconds: float, most: int) -> None:
        """Let a flood of signals go by: return once none came for so many seconds, or after
        `most` such pauses."""
        for _ in range(most):
            await asyncio.sleep(seconds)
            if not await self.wait(0.0):
                return


class Signals:
    """The wake-ups of one process, and a way out to other processes when there are any."""

    def __init__(self) -> None:
        self._watches: defaultdict[str, set[Watch]] = defaultdict(set)
        self._abroad: Callable[[str], None] | None = None

    def send_abroad(self, carry: Callable[[str], None]) -> None:
        """Have every signal of this process carried to the others too."""
        self._abroad = carry

    def notify(self, topic: str) -> None:
        """Wake everybody who watches a topic, here and in other processes."""
        self.arrived(topic)
        if self._abroad is not None:
            self._abroad(topic)

    def arrived(self, topic: str) -> None:
        """Wake everybody here who watches a topic."""
        for watch in self._watches.get(topic, ()):
            watch.wake()

    @contextmanager
    def watch(self, *wanted: str) -> Iterator[Watch]:
        """Watch topics for a while."""
        watch = Watch()
        for topic in wanted:
            self._watches[topic].add(watch)
        try:
            yield watch
        finally:
            for topic in set(wanted):
                self._watches[topic].discard(watch)
                if not self._watches[topic]:
                    del self._watches[topic]
