"""How often endpoints may be called: fixed windows of a process (sending-api §1.5)."""

from __future__ import annotations

import time
from collections import Counter

from msgspec import Struct

from mailbox_service.core.sending_api import RateReached

MINUTE, HOUR = 60, 3_600

# What is told where nothing is counted.
SHOWN = 1_000
# Refusals a minute and address that somebody may collect; then it is a search for keys.
MOST_REFUSALS = 120
# Keys counted in one window; more callers than this share what is left.
MOST_COUNTED = 100_000


class Allowed(Struct, frozen=True, gc=False):
    """What the `X-RateLimit` headers say."""

    limit: int
    remaining: int
    reset: int


class Windows:
    """Counts calls in windows of so many seconds."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._window = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def _now(self) -> int:
        """Seconds until the window ends, after forgetting the one before."""
        now = int(time.time())
        if now // self._seconds != self._window:
            self._window = now // self._seconds
            self._counts.clear()
        return self._seconds - now % self._seconds

    def count(self, path: str, who: str, limit: int) -> tuple[Allowed, bool]:
        """Count one call; what is left, and whether it was within the limit."""
        reset = self._now()
        key = (path, who)
        if len(self._counts) >= MOST_COUNTED and key not in self._counts:
            key = (path, "")
        if self._counts[key] >= limit:
            return Allowed(limit, 0, reset), False
        self._counts[key] += 1
        return Allowed(limit, limit - self._counts[key], reset), True


class Rates:
    """The limits of the endpoints."""

    def __init__(self, sending: int) -> None:
        self._limits: dict[str, tuple[int, int]] = {
            "activity/search": (60, MINUTE),
            "email/search": (20, MINUTE),
            "api_keys/add": (5, MINUTE),
            "subaccount/add": (50, HOUR),
        }
        if sending:
            self._limits["email/send"] = self._limits["email/mime"] = (sending, MINUTE)
        self._shown = sending or SHOWN
        # What was told last; all requests of a second are told the same.
        self._idle = Allowed(self._shown, self._shown, 0)
        self._windows = {seconds: Windows(seconds) for seconds in (MINUTE, HOUR)}
        # Address -> the second until which it is not heard.
        self._shut_out: dict[str, int] = {}

    def idle(self) -> Allowed:
        """What is told where nothing is counted."""
        reset = MINUTE - int(time.time()) % MINUTE
        if self._idle.reset != reset:
            self._idle = Allowed(self._shown, self._shown, reset)
        return self._idle

    def pass_(self, path: str, who: str) -> tuple[Allowed, RateReached | None]:
        """Count a call; what the headers say, and the refusal if it was one too many."""
        if path not in self._limits:
            return self.idle(), None
        limit, seconds = self._limits[path]
        allowed, within = self._windows[seconds].count(path, who, limit)
        if within:
            return allowed, None
        period = "minute" if seconds == MINUTE else "hour"
        words = f"Request limit exceeded: {limit} a {period} for /{path}"
        return allowed, RateReached(words, retry_after=allowed.reset)

    def is_shut_out(self, ip: str) -> bool:
        """Whether an address had too many refusals a moment ago."""
        return bool(self._shut_out) and self._shut_out.get(ip, 0) > int(time.time())

    def check_peer(self, ip: str) -> None:
        """Raises RateReached for an address that had too many refusals."""
        wait = self._shut_out.get(ip, 0) - int(time.time())
        if wait > 0:
            raise RateReached("Too many refused requests from your address", retry_after=wait)

    def refused(self, ip: str) -> None:
        """Count a refusal. One too many, and the address has to wait a minute from then on."""
        _, within = self._windows[MINUTE].count("refusals", ip, MOST_REFUSALS)
        if within:
            return
        now = int(time.time())
        if len(self._shut_out) >= MOST_COUNTED:
            self._shut_out = {one: until for one, until in self._shut_out.items() if until > now}
        if len(self._shut_out) < MOST_COUNTED:
            self._shut_out[ip] = now + MINUTE
