"""Slow down whoever guesses passwords: counted by address of the peer, and by whose password.

A wrong guess counts in three places: the peer, its network, and the mailbox it was for. A good
password is not counted, so that a busy client with the right one is never slowed.
"""

from __future__ import annotations

import ipaddress

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from mailbox_service.core.errors import TooManyRequests

# Ten guesses a minute are many for a person and few for a program: 8 random letters and digits
# would hold out for half a million years.
PER_PEER = RateLimitItemPerMinute(10)
# A network is an IPv4 /24 or an IPv6 /64: what one customer of a provider can hop in.
PER_NETWORK = RateLimitItemPerMinute(60)
# Guesses for one mailbox from everywhere. Higher than a peer's, since its owner shares it.
PER_MAILBOX = RateLimitItemPerMinute(30)
RETRY_SECONDS = 60.0


def network_of(ip: str) -> str:
    """The network whose members are counted together."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return ip[:64]
    prefix = 24 if address.version == 4 else 64
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


class GuessLimits:
    """Counts wrong guesses in this process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def _places(self, ip: str, mailbox: str) -> list[tuple[RateLimitItem, str, str]]:
        places: list[tuple[RateLimitItem, str, str]] = [
            (PER_PEER, "peer", ip[:64]),
            (PER_NETWORK, "network", network_of(ip)),
        ]
        if mailbox:
            places.append((PER_MAILBOX, "mailbox", mailbox[:254]))
        return places

    async def check(self, ip: str, mailbox: str = "") -> None:
        """Raises TooManyRequests when there were too many wrong guesses lately. Without a
        mailbox (a token was shown) only the peer and its network are looked at."""
        for limit, kind, name in self._places(ip, mailbox):
            if not await self._limiter.test(limit, kind, name):
                raise TooManyRequests(
                    "Too many wrong passwords. Try again in a minute.", retry_after=RETRY_SECONDS
                )

    async def wrong(self, ip: str, mailbox: str = "") -> None:
        """Count a wrong guess."""
        for limit, kind, name in self._places(ip, mailbox):
            await self._limiter.hit(limit, kind, name)


# Codes that one network may have mailed: an office of people who all register, and no more. They
# go to addresses that the caller names, so without a limit they would be a way to flood anybody.
CODES_PER_NETWORK = RateLimitItemPerHour(60)


class CodeLimits:
    """Counts mailed codes in this process."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def take(self, ip: str) -> None:
        """Count one. Raises TooManyRequests when there were too many lately."""
        if not await self._limiter.hit(CODES_PER_NETWORK, "codes", network_of(ip)):
            raise TooManyRequests(
                "Too many codes were asked for. Try again later.", retry_after=600.0
            )
