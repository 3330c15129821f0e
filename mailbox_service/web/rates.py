"""How often one client may call: the rate limit of mailbox-api §5.1, and guesses of passwords."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from mailbox_service.services.throttling import GuessLimits
from mailbox_service.web.errors import Refused, refusal
from mailbox_service.web.peers import client_network

# Opening an address and handing over mail cost us the most (mailbox-api §1.4, step 5).
LIMITED = (
    "/api/new_address",
    "/api/send_mail",
    "/external/api/send_mail",
    "/user_api/register",
    "/user_api/verify_code",
)
RETRY_SECONDS = 60


class RateLimit:
    """So many requests a minute of one client to one route. 0: as many as it likes."""

    def __init__(self, requests: int) -> None:
        self.on = requests > 0
        self._limit = RateLimitItemPerMinute(max(1, requests))
        self._limiter = MovingWindowRateLimiter(MemoryStorage()) if self.on else None

    async def check(self, path: str, client_ip: str) -> None:
        """Raises Refused (429). A client without an address is not counted."""
        if self._limiter is None or not client_ip:
            return
        if not await self._limiter.hit(self._limit, path, client_network(client_ip)):
            words = f"IP={client_ip} Rate limit exceeded for {path}"
            retry = ((b"retry-after", b"%d" % RETRY_SECONDS),)
            raise Refused(refusal(429, words, "RateLimit", retry))


class Guesses:
    """Slows down whoever guesses the site's or the administrator's password.

    Loopback is not counted: there it is either the operator at the machine, or a proxy that
    nobody declared and behind which everybody has this address.
    """

    def __init__(self) -> None:
        self._limits = GuessLimits()

    async def prove(self, client_ip: str, what: str, compare: Callable[[], bool]) -> bool:
        """Whether the password is right. Raises TooManyRequests after too many wrong ones."""
        counted = bool(client_ip) and not ipaddress.ip_address(client_ip).is_loopback
        # Counted by client alone: were it by password too, guessing would lock the owner out.
        place = f"{what} {client_ip}"
        if counted:
            await self._limits.check(client_ip, place)
        right = compare()
        if counted and not right:
            await self._limits.wrong(client_ip, place)
        return right
