"""Does a token prove a human? Asked of Turnstile over HTTP, or worked out here (ALTCHA).

ALTCHA is proof of work: a challenge of ours that costs a browser a second and nobody's data. A
solution counts once, whichever process sees it. Whatever goes wrong, the answer is no.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from mailbox_service.config import Config
from mailbox_service.core.errors import MailError
from mailbox_service.core.webhook import HttpAnswer, HttpRequest
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.storage import solved_challenges
from mailbox_service.storage.database import Database

log = logging.getLogger("mailbox.humans")

# PBKDF2 spreads over no special hardware, and every browser has it.
ALGORITHM = "PBKDF2/SHA-256"
# Seconds in which a challenge must be solved: a slow phone, and a person who fills in a form.
CHALLENGE_SECONDS = 1_200
# Solutions checked at once: each costs a thread a few milliseconds.
MOST_CHECKS = 4


class HttpPosts(Protocol):
    """Makes one request through the address guard; trouble is an answer with status 0."""

    async def post(self, request: HttpRequest) -> HttpAnswer: ...


class HumanVerification:
    """Checks the tokens that come with wishes of visitors (mailbox API §2.4)."""

    def __init__(
        self, database: Database, config: Config, http: HttpPosts, *, clock: Clock = now_micros
    ) -> None:
        self._database = database
        self._http = http
        self._clock = clock
        self._url = config.cf_turnstile_url
        self._secret = config.cf_turnstile_secret_key if config.cf_turnstile_site_key else ""
        self._altcha = config.enable_altcha
        self._cost = config.altcha_cost
        # A key of its own, so that a challenge is never a token and no token a challenge.
        self._key = hmac.digest(config.jwt_secret.encode(), b"altcha challenges", "sha256")
        self._places = asyncio.Semaphore(MOST_CHECKS)

    def challenge(self) -> dict[str, Any] | None:
        """A new challenge for a browser to solve; None where ALTCHA is off."""
        if not self._altcha:
            return None
        import altcha

        expires = self._clock() // 1_000_000 + CHALLENGE_SECONDS
        made = altcha.create_challenge(
            ALGORITHM, self._cost, expires_at=expires, hmac_secret=self._key
        )
        return dict(made.to_dict())

    async def is_human(self, token: str, client_ip: str) -> bool:
        """Whether the token proves a human; False too when nobody can be asked."""
        solution = payload(token) if self._altcha else None
        if solution is not None:
            return await self._solved(token, solution)
        return bool(self._secret) and await self._asked(token, client_ip)

    async def _asked(self, token: str, client_ip: str) -> bool:
        fields = {"secret": self._secret, "response": token}
        if client_ip:
            fields["remoteip"] = client_ip
        request = HttpRequest(
            url=self._url,
            host=(urlsplit(self._url).hostname or "").lower(),
            method="POST",
            headers=(("Content-Type", "application/x-www-form-urlencoded"),),
            body=urlencode(fields).encode(),
        )
        answer = await self._http.post(request)
        if not answer.is_success:
            log.warning("turnstile-unreachable status=%d reason=%s", answer.status, answer.reason)
            return False
        try:
            said = json.loads(answer.head)
        except (ValueError, RecursionError):
            log.warning("turnstile-unreadable")
            return False
        return isinstance(said, dict) and said.get("success") is True

    async def _solved(self, token: str, solution: dict[str, Any]) -> bool:
        async with self._places:
            proved = await asyncio.to_thread(self._is_solution, token)
        if not proved:
            return False
        now = self._clock()
        # Proved, so the challenge is one of ours, word for word.
        name = hashlib.sha256(str(solution["challenge"]["signature"]).encode()).hexdigest()
        try:
            return await self._database.write(
                solved_challenges.use_once,
                name,
                now=now,
                expires_at=now + (CHALLENGE_SECONDS + 60) * 1_000_000,
            )
        except MailError:
            return False

    def _is_solution(self, token: str) -> bool:
        import altcha

        try:
            return bool(altcha.verify_solution(token, self._key).verified)
        except Exception as error:
            # The library reads what a stranger sent; a kind of rubbish that it does not expect is
            # no proof either.
            log.info("altcha-unreadable kind=%s", type(error).__name__)
            return False


def payload(token: str) -> dict[str, Any] | None:
    """What an ALTCHA token holds; None when it is none."""
    try:
        read = json.loads(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not isinstance(read.get("challenge"), dict):
        return None
    return read
