"""Making webhook posts: lease what is due, post it, write down what was answered.

No receiver may stand in another's way: each host has places of its own, and hosts take turns. A
worker that dies between a post and its record posts again after the lease, with the same
`webhook-id`, by which a receiver drops what it has already seen.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from mailbox_service import signals as topics
from mailbox_service.core.errors import MailError
from mailbox_service.core.sending_retries import next_try
from mailbox_service.core.webhook import HttpAnswer, next_post, signature_headers
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.leased_work import TROUBLE_SECONDS, LeasedWork
from mailbox_service.services.sending_api.hooks import OWNER, Hooks
from mailbox_service.services.webhooks import Poster, Webhooks
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, webhooks
from mailbox_service.storage.database import Database
from mailbox_service.storage.webhooks import Claim

log = logging.getLogger("mailbox.notifying")

# Posts open at once, in all and to one host. A receiver that hangs holds its own places for ten
# seconds each; sixteen such hosts would be needed to fill all of them.
MOST_POSTS, MOST_A_HOST = 64, 4
# Bodies above this size are few at once, since each is in memory while it is posted.
LARGE_BODY = 1 << 20
MOST_LARGE = 2
# Six times what a post takes at most: a lease that ends was held by the dead.
LEASE_MICROS = 60 * 1_000_000
RECORD_TRIES = 20
# How long the log says what became of a post, and rows that one round of tidying takes.
KEPT_MICROS = webhooks.LOG_MICROS


class Notifying:
    """The worker that posts."""

    def __init__(
        self,
        database: Database,
        hooks: Webhooks,
        poster: Poster,
        signals: Signals,
        *,
        sending_hooks: Hooks | None = None,
        clock: Clock = now_micros,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._hooks = hooks
        self._sending_hooks = sending_hooks
        self._poster = poster
        self._signals = signals
        self._clock = clock
        self._jitter = jitter
        self._holder = secrets.token_hex(8)
        self._busy: Counter[str] = Counter()
        self._work = LeasedWork(
            "webhooks",
            database,
            signals,
            topic=topics.WEBHOOKS,
            most=MOST_POSTS,
            next_turn=webhooks.next_turn,
            purge=webhooks.purge,
            kept_micros=KEPT_MICROS,
            clock=clock,
        )
        self._large = asyncio.Semaphore(MOST_LARGE)
        # Where the look at hosts goes on, and where this round of looks began.
        self._place = self._origin = ""

    async def run(self) -> None:
        """Post until cancelled."""
        await self._work.run(self.start_some, rested=self._rested)

    def _rested(self) -> None:
        """The next round of looks begins where this one stopped."""
        self._origin = self._place

    async def start_some(self) -> bool:
        """Lease what is due and begin to post it; whether there may be more."""
        if self._work.free <= 0:
            return False
        now = self._clock()
        claims, place = await self._database.write(
            webhooks.claim_due,
            now=now,
            lease_until=now + LEASE_MICROS,
            holder=self._holder,
            limit=self._work.free,
            room=lambda host: MOST_A_HOST - self._busy[host],
            after=self._place,
        )
        self._place = place
        for claim in claims:
            self._busy[claim.host] += 1
            self._work.begin(self._do(claim))
        if place:
            return True
        began_in_the_middle, self._origin = bool(self._origin), ""
        return bool(claims) or began_in_the_middle

    async def settled(self) -> None:
        """Wait until every post that was begun is over."""
        await self._work.settled()

    async def _do(self, claim: Claim) -> None:
        try:
            if claim.size <= LARGE_BODY:
                await self._post(claim)
            else:
                async with self._large:
                    await self._post(claim)
        finally:
            self._busy[claim.host] -= 1
            if not self._busy[claim.host]:
                del self._busy[claim.host]

    async def _post(self, claim: Claim) -> None:
        """One post and its record. Whatever goes wrong here, the lease brings it back."""
        started = self._clock()
        if started > claim.leased_at + LEASE_MICROS // 2:
            return  # it waited long for its place; somebody else may have it by now
        try:
            body = await self._database.read(contents.read, claim.content_id)
        except contents.Damaged:
            answer = HttpAnswer(410, "The stored body is damaged and was not posted")
        else:
            request = replace(claim.request, body=body)
            signed = self._signature(claim, body)
            answer = await self._poster.post(request, signed)
        now = self._clock()
        again = None
        if not answer.is_success:
            judge = next_try if claim.owner.startswith(OWNER) else next_post
            again = judge(
                answer,
                attempt=claim.attempt,
                created_at=claim.created_at,
                now=now,
                jitter=self._jitter(),
            )
        log.info(
            "webhook id=%s host=%s attempt=%d status=%d %s",
            claim.webhook_id,
            claim.host,
            claim.attempt,
            answer.status,
            "delivered" if answer.is_success else "failed" if again is None else "again",
        )
        await self._record(claim, answer, started, again)

    def _signature(self, claim: Claim, body: bytes) -> tuple[tuple[str, str], ...]:
        """The headers that prove a post: with the secret of the mailbox, or of the webhook."""
        if self._sending_hooks is None or not claim.owner.startswith(OWNER):
            return self._hooks.signature(claim.owner, claim.webhook_id, body)
        secret = self._sending_hooks.secret_of(int(claim.owner.removeprefix(OWNER)))
        return signature_headers(secret, claim.webhook_id, self._clock() // 1_000_000, body)

    async def _record(
        self, claim: Claim, answer: HttpAnswer, started: int, again: int | None
    ) -> None:
        """Write it down, through trouble of the store: what is not written is posted again."""
        for _ in range(RECORD_TRIES):
            try:
                await asyncio.shield(
                    self._database.write(
                        webhooks.settle,
                        claim,
                        answer,
                        next_attempt_at=again,
                        attempted_at=started,
                        holder=self._holder,
                        now=self._clock(),
                    )
                )
                return
            except MailError as error:
                log.error("webhook-not-recorded id=%s reason=%s", claim.webhook_id, error.detail)
            await asyncio.sleep(TROUBLE_SECONDS)
