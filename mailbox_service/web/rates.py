"""How often one client may call: the rate limit of mailbox-api §5.1, and guesses of passwords."""

from __future__ import annotations

import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

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
MOST_KNOWN = 10_000  # wrong passwords remembered, some 100 octets each


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

    A page that keeps asking with a password that was changed is no guesser: the same wrong
    password of the same client counts once. Loopback is not counted at all: there it is either
    the operator at the machine, or a proxy that nobody declared and behind which everybody has
    this address.
    """

    def __init__(self) -> None:
        self._limits = GuessLimits()
        self._key = secrets.token_bytes(32)
        self._known_wrong: OrderedDict[bytes, None] = OrderedDict()

    async def prove(
        self, client_ip: str, what: str, shown: str, compare: Callable[[str], bool]
    ) -> bool:
        """Whether what was shown is right. Raises TooManyRequests after too many wrong ones."""
        if not shown:
            return False
        if not client_ip or ipaddress.ip_address(client_ip).is_loopback:
            return compare(shown)
        # Counted by client alone: were it by password too, guessing would lock the owner out.
        place = f"{what} {client_ip}"
        guess = blake2b(f"{place} {shown}".encode(), key=self._key, digest_size=16).digest()
        if guess in self._known_wrong:
            return False
        await self._limits.check(client_ip, place)
        right = compare(shown)
        if not right:
            await self._limits.wrong(client_ip, place)
            self._known_wrong[guess] = None
            if len(self._known_wrong) > MOST_KNOWN:
                self._known_wrong.popitem(last=False)
        return right
