"""One attempt's reply decides: delivered, try again, or failed (RFC 5321 §4.2.1, §4.5.4.1).

Times are microseconds UTC and enter as arguments, like the jitter.
"""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR

# RFC 5321 §4.5.4.1 advises 30 minutes between tries and 4-5 days before giving up. Our first
# two come sooner: most deferrals are greylisting and clear within minutes.
PAUSES = (2 * MINUTE, 10 * MINUTE, 30 * MINUTE, 1 * HOUR, 2 * HOUR, 4 * HOUR)
GIVE_UP_AFTER = 4 * DAY
# A pause grows by up to a fifth, so that what failed together does not come back together.
MAX_JITTER = 0.2

# A reply line has 512 octets (RFC 5321 §4.5.3.1.5); two of them say all that people will read.
MAX_REPLY_TEXT = 1_024

_enhanced_status = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: +|$)").match


class Reply(Struct, frozen=True, gc=False):
    """What a next hop answered: code, enhanced status (RFC 2034) and text, safe to store.

    Code 0 stands for no answer: no connection, a timeout, a line that is no reply.
    """

    code: int = 0
    enhanced: str = ""
    text: str = ""

    @classmethod
    def read(cls, code: int, text: str) -> Reply:
        """A reply as it came: the enhanced status is taken off, lines are joined, and what a
        terminal, a page or a header could trip over is replaced by spaces.

        A status whose class is not that of the code says nothing (RFC 2034 §4).
        """
        lines = []
        enhanced = ""
        for line in text[: 4 * MAX_REPLY_TEXT].splitlines():
            status = _enhanced_status(line.strip())
            if status and status[1][0] == str(code)[0]:
                enhanced = enhanced or status[1]
                line = line.strip()[status.end() :]
            if not line.isprintable():
                line = "".join(c if c.isprintable() else " " for c in line)
            lines.append(line)
        words = " ".join(" ".join(lines).split())
        return cls(code, enhanced, words[:MAX_REPLY_TEXT])

    @property
    def status(self) -> str:
        """The enhanced status, or what the first digit alone says (RFC 3463 §3.1, X.0.0)."""
        if self.enhanced:
            return self.enhanced
        return f"{self.code // 100}.0.0" if self.code // 100 in (2, 4, 5) else "4.4.2"

    def __str__(self) -> str:
        parts = (str(self.code) if self.code else "", self.enhanced, self.text)
        return " ".join([part for part in parts if part])


# Servers say the same few things over and over.
@lru_cache(maxsize=512)
def shown(reply: Reply) -> str:
    """A reply as people read it."""
    return str(reply)


class Delivered(Struct, frozen=True, gc=False):
    """The next hop answers for the message now."""


class Deferred(Struct, frozen=True, gc=False):
    """To be tried again at `next_attempt`."""

    next_attempt: int


class Failed(Struct, frozen=True, gc=False):
    """Not to be tried again: refused, or `expired` while every next hop said later."""

    expired: bool = False


def after_attempt(
    reply: Reply, *, attempt: int, queued_at: int, now: int, jitter: float
) -> Delivered | Deferred | Failed:
    """Judge by the reply's first digit alone, as RFC 5321 §4.2.1 lets a client do.

    `attempt` counts from 1. `jitter` is a random number from 0 to 1.
    """
    match reply.code // 100:
        case 2:
            return Delivered()
        case 5:
            return Failed()
    pause = PAUSES[min(max(attempt, 1), len(PAUSES)) - 1]
    next_attempt = now + pause + int(pause * MAX_JITTER * min(max(jitter, 0.0), 1.0))
    if next_attempt > queued_at + GIVE_UP_AFTER:
        return Failed(expired=True)
    return Deferred(next_attempt)
