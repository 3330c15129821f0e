"""Mails that wait in rows, and the worker that sends them (sending-api §12.2)."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any

from mailbox_service import signals as topics
from mailbox_service.core.errors import Conflict, MailError, NotFound, TooManyRequests
from mailbox_service.core.own_server import ServerProblem, next_try
from mailbox_service.core.sending_api import BadField, PaymentRequired
from mailbox_service.services.clock import Clock, new_id, now_micros
from mailbox_service.services.leased_work import TROUBLE_SECONDS, LeasedWork
from mailbox_service.services.own_servers.connections import Asked, Connections, Session
from mailbox_service.services.own_servers.mails import Mail, Writer
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, integration_mails
from mailbox_service.storage.database import Database
from mailbox_service.storage.integration_mails import (
    FAILED,
    QUEUED,
    SENT,
    Claim,
    Kept,
    NewMail,
    Settled,
)

log = logging.getLogger("mailbox.integrating")

# Mails of one account that wait: what a client sends in an hour while its server is away.
MOST_WAITING = 10_000
MOST_SESSIONS = 20
# Mail servers count connections of one client; two keep a slow mail from holding up the next.
MOST_A_CONNECTION = 2
# Longer than a session with a message of many megabytes takes at most.
LEASE_MICROS = 10 * 60 * 1_000_000
ATTEMPT_SECONDS = 5 * 60.0
RECORD_TRIES = 20
KEPT_MICROS = 7 * 86_400 * 1_000_000

# A queued mail as it is told of.
QueuedMail = Kept


class Queue:
    """Takes mails, and sends them when their turn comes."""

    def __init__(
        self,
        database: Database,
        connections: Connections,
        writer: Writer,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._connections = connections
        self._writer = writer
        self._signals = signals
        self._clock = clock
        self._holder = secrets.token_hex(8)
        self._busy: Counter[str] = Counter()
        self._work = LeasedWork(
            "integrations",
            database,
            signals,
            topic=topics.INTEGRATIONS,
            most=MOST_SESSIONS,
            next_turn=integration_mails.next_turn,
            purge=integration_mails.purge,
            kept_micros=KEPT_MICROS,
            clock=clock,
        )

    async def send(self, asked: Asked, mail: Mail) -> Kept:
        """Queue a mail; it is on disk when this returns. Raises MailError."""
        if not isinstance(asked.connection, str):
            raise BadField("connection", "A queued mail needs the name of a connection")
        connection = await self._connections.must_exist(asked.account, asked.connection)
        sender, content = self._writer.written(connection, mail)
        new = NewMail(
            public_id=f"msg_{new_id()}",
            account=asked.account,
            connection=asked.connection,
            sender=sender,
            recipients=mail.recipients,
            fingerprint=asked.fingerprint,
            repeat_key=asked.idempotency_key,
        )
        kept = await self._database.write(
            integration_mails.add, new, content, now=self._clock(), most_waiting=MOST_WAITING
        )
        if kept is None:
            raise TooManyRequests(f"{MOST_WAITING} mails wait already", retry_after=60.0)
        if kept.fingerprint != asked.fingerprint:
            raise Conflict("The idempotency key was used for another request")
        self._signals.notify(topics.INTEGRATIONS)
        return kept

    async def state(self, account: str, public_id: str) -> Kept:
        """What became of a queued mail. Raises NotFound."""
        kept = await self._database.read(
            integration_mails.get, account=account, public_id=public_id
        )
        if kept is None:
            raise NotFound("There is no mail with that id")
        return kept

    # The worker.

    async def run(self) -> None:
        """Send what is queued until cancelled."""
        await self._work.run(self.start_some)

    async def start_some(self) -> bool:
        """Lease what is due and begin to send it; whether anything was begun."""
        return await self._work.begin_due(
            integration_mails.claim_due,
            self._take,
            lease_micros=LEASE_MICROS,
            holder=self._holder,
            each=MOST_A_CONNECTION,
            busy=list(self._busy),
        )

    def _take(self, claim: Claim) -> Coroutine[Any, Any, None]:
        self._busy[lane_of(claim)] += 1
        return self._do(claim)

    async def settled(self) -> None:
        """Send what is due now, and wait until it is over."""
        while await self.start_some() or self._work.busy:
            await self._work.settled()

    async def _do(self, claim: Claim) -> None:
        lane = lane_of(claim)
        session: Session | None = None
        try:
            settled, session = await self._attempt(claim)
            # Before the leave, which a slow server may draw out: a stop meanwhile, and the mail
            # that was taken would go out again.
            await self._record(claim, settled)
            if session is not None:
                await session.quit()
        finally:
            if session is not None:
                session.close()
            self._busy[lane] -= 1
            if not self._busy[lane]:
                del self._busy[lane]

    async def _attempt(self, claim: Claim) -> tuple[Settled, Session | None]:
        """What one session came to, and the session if it is still to be left. Whatever goes wrong
        here, the lease brings it back."""
        now = self._clock()
        try:
            content = await self._database.read(contents.read, claim.content_id)
        except contents.Damaged:
            error = "The stored mail is damaged and was not sent."
            return Settled(FAILED, (), None, error=error), None
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                connection, password = await self._connections.of(claim.account, claim.connection)
                session = await self._connections.servers.open(connection, password)
                try:
                    taken = await session.send(claim.sender, claim.recipients, content)
                except BaseException:
                    session.close()
                    raise
        except PaymentRequired as refusal:
            return self._failed(claim, refusal.detail, "not_configured", {}), None
        except TimeoutError:
            return self._judged(claim, ServerProblem("timeout"), now), None
        except ServerProblem as problem:
            return self._judged(claim, problem, now), None
        rejected = {**claim.rejected, **taken.rejected}
        now = self._clock()
        again = None
        if taken.deferred:
            again = next_try(claim.attempt, created_at=claim.created_at, now=now)
        state = SENT if again is None else QUEUED
        sent_at = claim.sent_at or now
        settled = Settled(state, taken.deferred, again, sent_at, "", "", taken.response, rejected)
        return settled, session

    def _judged(self, claim: Claim, problem: ServerProblem, now: int) -> Settled:
        """After trouble: again later, or never."""
        rejected = {**claim.rejected, **problem.rejected}
        open_ones = claim.recipients
        if problem.rejected:
            open_ones = tuple(
                one for one in open_ones if problem.rejected.get(one, "4").startswith("4")
            )
        again = None
        if problem.passes and open_ones:
            again = next_try(claim.attempt, created_at=claim.created_at, now=now)
        if again is None:
            return self._failed(claim, problem.words, problem.code, rejected)
        return Settled(
            QUEUED, open_ones, again, claim.sent_at, problem.words, problem.code, "", rejected
        )

    def _failed(self, claim: Claim, words: str, code: str, rejected: Mapping[str, str]) -> Settled:
        """It is not tried again; what some recipients got before is still sent."""
        state = SENT if claim.sent_at is not None else FAILED
        return Settled(state, (), None, claim.sent_at, words, code, "", rejected)

    async def _record(self, claim: Claim, settled: Settled) -> None:
        """Write it down, through trouble of the store: what is not written is sent again."""
        log.info(
            "integration-mail id=%s attempt=%d state=%s code=%s",
            claim.public_id,
            claim.attempt,
            settled.state,
            settled.error_code,
        )
        for _ in range(RECORD_TRIES):
            try:
                await asyncio.shield(
                    self._database.write(
                        integration_mails.settle,
                        claim,
                        settled,
                        holder=self._holder,
                        now=self._clock(),
                    )
                )
                return
            except MailError as error:
                log.error("integration-not-recorded id=%s reason=%s", claim.public_id, error.detail)
            await asyncio.sleep(TROUBLE_SECONDS)


def lane_of(claim: Claim) -> str:
    return f"{claim.account} {claim.connection}"
