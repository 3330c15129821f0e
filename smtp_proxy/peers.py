"""Who is connected from where, and who guessed passwords: counts per address and network."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from smtp_proxy.limits import Limits

LOOPBACK = "loopback"

# Networks whose failures are remembered at once. A guesser with more networks than this
# pushes out the oldest, and is still held by the total number of connections.
REMEMBERED = 20_000


@lru_cache(maxsize=8_192)
def networks(ip: str, prefixes: tuple[tuple[int, int], ...]) -> tuple[tuple[str, int], ...]:
    """The networks around an address with their limits: `("192.0.2.0/24", 150)`."""
    return tuple(
        (str(ip_network(f"{ip}/{length}", strict=False)), limit) for length, limit in prefixes
    )


@lru_cache(maxsize=8_192)
def plain_ip(ip: str) -> str:
    """An address as a key: IPv4 inside IPv6 unwrapped, zone dropped; loopback is one peer."""
    try:
        address: IPv4Address | IPv6Address = ip_address(ip.partition("%")[0])
    except ValueError:
        return LOOPBACK  # a Unix socket: somebody on this host
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return LOOPBACK if address.is_loopback else str(address)


class Peers:
    """The open connections of a door, counted per address and per network around it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: Counter[str] = Counter()

    def admit(self, ip: str) -> bool:
        """Count one connection, unless its address or a network around it has too many."""
        keys = self._keys(ip)
        if any(self._open[key] >= limit for key, limit in keys):
            return False
        for key, _ in keys:
            self._open[key] += 1
        return True

    def release(self, ip: str) -> None:
        """Take back what `admit` counted."""
        for key, _ in self._keys(ip):
            self._open[key] -= 1
            if self._open[key] <= 0:
                del self._open[key]

    def _keys(self, ip: str) -> tuple[tuple[str, int], ...]:
        ip = plain_ip(ip)
        if ip == LOOPBACK:
            return ((LOOPBACK, self._limits.connections_loopback),)
        by_length = self._limits.connections_v6 if ":" in ip else self._limits.connections_v4
        return networks(ip, by_length)


class _Failures:
    """Failed logins of one network in the current window, and when the next may be tried."""

    __slots__ = ("count", "next_turn", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.count = 0
        self.next_turn = 0.0


class LoginGuard:
    """Slows password guessing down, per address and per network around it.

    Time enters as seconds of a monotonic clock.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._failures: dict[str, _Failures] = {}

    def delay(self, ip: str, now: float) -> float | None:
        """How long this attempt has to wait, in seconds; None when that would be too long.

        Attempts from one network over its limit queue behind each other, so that many
        connections guess no faster than one.
        """
        turn = now
        over = []
        for key, limit in self._keys(ip):
            failures = self._failures.get(key)
            if failures is None or failures.count < limit:
                continue
            if now - failures.since > self._limits.auth_window and failures.next_turn < now:
                del self._failures[key]
                continue
            over.append(failures)
            turn = max(turn, now + self._limits.auth_delay, failures.next_turn)
        if turn - now > self._limits.auth_longest_delay:
            return None
        for failures in over:
            failures.next_turn = turn + self._limits.auth_delay
        return turn - now

    def failed(self, ip: str, now: float) -> None:
        """Remember one failed login."""
        for key, _ in self._keys(ip):
            failures = self._failures.pop(key, None)
            if failures is None or now - failures.since > self._limits.auth_window:
                failures = _Failures(now)
            failures.count += 1
            self._failures[key] = failures  # the newest stands last
        while len(self._failures) > REMEMBERED:
            del self._failures[next(iter(self._failures))]

    def _keys(self, ip: str) -> tuple[tuple[str, int], ...]:
        ip = plain_ip(ip)
        if ip == LOOPBACK:
            return ((LOOPBACK, self._limits.auth_failures_v4[0][1]),)
        by_length = self._limits.auth_failures_v6 if ":" in ip else self._limits.auth_failures_v4
        return networks(ip, by_length)
