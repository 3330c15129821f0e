"""One attempt at recipients that share a message and a next hop: ask, judge, write down.

Mail for our own domains touches no network: there the attempt and its record are one transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from weakref import WeakValueDictionary

from msgspec import structs

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core import simulated_recipients
from mailbox_service.core.address import split
from mailbox_service.core.delivery import Reply
from mailbox_service.core.errors import MailError
from mailbox_service.core.trace_fields import without_claims
from mailbox_service.services.attempts import (
    Answer,
    Job,
    LocalAnswer,
    Network,
    Outcome,
    judge,
    local_answers,
)
from mailbox_service.services.claiming import SMALL_CONTENT
from mailbox_service.services.clock import Clock
from mailbox_service.services.limiting import Taken
from mailbox_service.services.receiving import Receiving
from mailbox_service.services.sending_api.tracking import ApiMessage, Tracking
from mailbox_service.services.settling import Settling
from mailbox_service.services.signing import Signing
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, leases
from mailbox_service.storage.database import Database
from mailbox_service.storage.leases import Claim

log = logging.getLogger("mailbox.delivering")

# An attempt is not begun when less than this is left of its lease.
LEASE_MARGIN = 15 * 60_000_000
# Larger messages in memory at once, for all domains and for one. A message has 50 MiB by default.
MOST_LARGE, MOST_LARGE_A_DOMAIN = 8, 2
# The next hop of recipients for tests: nobody, by name.
SIMULATOR = "simulator"


class Attempting:
    """Makes the attempts of a delivery worker, `holder` of their leases. `heard` is told what the
    next hops answered."""

    def __init__(
        self,
        database: Database,
        config: Config,
        receiving: Receiving,
        signing: Signing,
        outbound: Network,
        signals: Signals,
        settling: Settling,
        *,
        holder: str,
        heard: Callable[[Job, Mapping[str, Answer]], None],
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._database = database
        self._own_name = config.own_name
        self._receiving = receiving
        self._signing = signing
        self._outbound = outbound
        self._signals = signals
        self._settling = settling
        self._holder = holder
        self._heard = heard
        self._clock = clock
        self._jitter = jitter
        # What the sending API wants of its messages.
        self.tracking: Tracking | None = None
        self._large = asyncio.Semaphore(MOST_LARGE)
        # Of their own: no slow next hop stands before a mailbox of ours.
        self._large_here = asyncio.Semaphore(MOST_LARGE_A_DOMAIN)
        self._large_of = WeakValueDictionary[str, asyncio.Semaphore]()

    async def attempt(self, job: Job) -> None:
        """Attempt, and write down what was said."""
        message = None
        if self.tracking is not None and job.hop is not None:
            message = await self.tracking.message(job.submission)
        if message is None or not message.traits.personal or job.damaged:
            await self._once(job, message)
            if job.late:
                await self._give_back(job.claims)
            return
        for place, recipient in enumerate(job.claims):  # each has a copy of their own
            one = structs.replace(job, claims=(recipient,), begun=False)
            try:
                await self._once(one, message)
            except (asyncio.CancelledError, MailError):
                rest = job.claims[place + one.begun :]
                with contextlib.suppress(MailError):
                    await asyncio.shield(asyncio.ensure_future(self._give_back(rest)))
                raise
            finally:
                job.begun = job.begun or one.begun
            if one.late:
                await self._give_back(job.claims[place:])
                return

    async def _once(self, job: Job, message: ApiMessage | None) -> None:
        """Attempt what goes to a next hop in one piece."""
        job.message = message
        if job.hop is None:
            await self._database.write(
                leases.hold, job.claims, holder=self._holder, now=self._clock()
            )
            self._signals.notify(topics.mailbox(job.submission.address))
            return
        ways = {"": self._deliver_here, SIMULATOR: self._deliver_nowhere}
        deliver = ways.get(job.hop, self._deliver_away)
        if job.submission.size <= SMALL_CONTENT or job.damaged:
            await deliver(job)
        elif job.hop in ways:
            async with self._large_here:
                await deliver(job)
        else:
            places = self._large_of.setdefault(
                job.claims[0].domain, asyncio.Semaphore(MOST_LARGE_A_DOMAIN)
            )
            async with places, self._large:
                await deliver(job)

    async def content(self, job: Job) -> bytes | None:
        """The content of a message; None when it is damaged."""
        if job.damaged:
            return None
        if job.content is not None:
            return job.content
        number, size = job.submission.content_id, job.submission.size
        try:
            if size <= SMALL_CONTENT:
                return await self._database.read_small("content", contents.read, number)
            return await self._database.read(contents.read, number)
        except contents.Damaged:
            return None

    async def _deliver_here(self, job: Job) -> None:
        """Put a message into mailboxes of ours, in one transaction with its record."""
        started = self._clock()
        content = await self.content(job)
        if content is None:
            await self._quarantine(job, started)
            return
        content = await self._personal(job, content)
        rooms: list[Taken] = []
        try:
            await self._put_here(job, content, started, rooms)
        finally:
            for room in rooms:
                room.landed()

    async def _put_here(self, job: Job, content: bytes, started: int, rooms: list[Taken]) -> None:
        field_, answers = await local_answers(
            self._receiving, job, content, by=self._own_name, now=started, rooms=rooms
        )
        accepted = tuple(name for name, answer in answers.items() if answer.reply.code == 250)
        back = await self._receiving.take_back(accepted, content)
        accepted = tuple(name for name in accepted if name not in back)
        outcomes = self._judge(job, answers, started)
        deposit = field_ + await self._receiving.reduced(without_claims(content, self._own_name))
        await self._settling.record(job, outcomes, content, deposit_to=accepted, deposit=deposit)

    async def _deliver_nowhere(self, job: Job) -> None:
        """Say of recipients for tests what becomes of them."""
        started = self._clock()
        content = await self.content(job)
        if content is None:
            await self._quarantine(job, started)
            return
        answers = {
            one.recipient: simulated(simulated_recipients.fate_of(one.recipient).reply)
            for one in job.claims
        }
        await self.settle(job, answers, content, started=started)

    async def _deliver_away(self, job: Job) -> None:
        """Hand a message to its next hop."""
        started = self._clock()
        content = job.content or await self.content(job)
        if content is None:
            await self._quarantine(job, started)
            return
        if started > job.lease_until - LEASE_MARGIN:
            job.late = True  # paused, or in line, for long; somebody else may have it by now
            return
        submission = job.submission
        if job.message is not None:
            content = await self._personal(job, content)
        departing = await self._signing.departing(submission, content)
        answers = await self._outbound.send(
            split(submission.address)[1],
            await self._return_path(job),
            [one.recipient for one in job.claims],
            departing,
            smtputf8=bool(submission.smtputf8),
            begin=job.begin,
        )
        self._heard(job, answers)
        await self.settle(job, answers, content, started=started)

    async def _give_back(self, claims: Sequence[Claim]) -> None:
        """Let whoever comes next have what was not begun."""
        now = self._clock()
        await self._database.write(leases.give_back, claims, holder=self._holder, now=now)

    async def _personal(self, job: Job, content: bytes) -> bytes:
        """The copy of the one recipient, when the message has copies."""
        message = job.message
        if message is None or self.tracking is None or not message.traits.personal:
            return content
        recipient = job.claims[0].recipient
        return await self.tracking.personal(job.submission, message, recipient, content)

    async def _return_path(self, job: Job) -> str:
        """Where failures are reported to: a path of its own for mail of the sending API."""
        submission = job.submission
        if job.message is None or self.tracking is None or not submission.reverse_path:
            return submission.reverse_path
        recipients = [one.recipient for one in job.claims]
        return await self.tracking.return_path(submission, job.message, recipients)

    async def settle(
        self, job: Job, answers: Mapping[str, Answer], content: bytes, *, started: int
    ) -> None:
        """Write down what answers mean for their recipients."""
        await self._settling.record(job, self._judge(job, answers, started), content)

    async def note_trouble(self, job: Job, reply: Reply) -> None:
        """Write down that an attempt was cut off by trouble of our own."""
        answer = LocalAnswer(reply, self._own_name, f"* {reply.text}", uncertain=job.begun)
        answers = dict.fromkeys([one.recipient for one in job.claims], answer)
        await self.settle(job, answers, b"", started=self._clock())

    def _judge(self, job: Job, answers: Mapping[str, Answer], started: int) -> list[Outcome]:
        now = self._clock()
        return [
            judge(one, answers[one.recipient], started=started, now=now, jitter=self._jitter())
            for one in job.claims
        ]

    async def _quarantine(self, job: Job, started: int) -> None:
        """Take out what cannot be sent as it was accepted; the rest of the queue goes on."""
        log.error(
            "content-damaged queue_id=%s content=%d recipients=%d: kept, and not sent",
            job.submission.queue_id,
            job.submission.content_id,
            len(job.claims),
        )
        reply = Reply(554, "5.6.0", "The stored message is damaged and was not sent.")
        answer = LocalAnswer(reply, self._own_name, f"* {reply.text}")
        outcomes = [
            judge(one, answer, started=started, now=self._clock(), jitter=0.0, damaged=True)
            for one in job.claims
        ]
        await self._settling.record(job, outcomes, b"")


def simulated(reply: Reply) -> LocalAnswer:
    """What a server that is none said."""
    return LocalAnswer(reply, SIMULATOR, f"* {reply}")
