"""Delivering: lease what is due, hand it to its next hop, write down what was said.

A recipient goes through here in three steps that never share a transaction with the network: a
claim with a lease, an attempt, a record of its outcome. A worker that dies between the second
and the third has perhaps delivered a message without saying so; it is then tried again, and its
history says that it may arrive twice (RFC 5321 §6.1 forbids the other choice, losing it).

Here is what is claimed, when, and how much of it at once; `attempting` does the two other steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import secrets
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core import simulated_recipients
from mailbox_service.core.address import split
from mailbox_service.core.delivery import GIVE_UP_AFTER, Reply
from mailbox_service.core.errors import MailError
from mailbox_service.services.attempting import SIMULATOR, Attempting
from mailbox_service.services.attempts import Answer, Job, Network
from mailbox_service.services.claiming import BATCH, LEASE_MICROS, Claimed, claim, claim_expired
from mailbox_service.services.clock import Clock, as_datetime, new_id, now_micros
from mailbox_service.services.lanes import Lanes
from mailbox_service.services.queueing import ACCOUNT_MONTH, KEY_LIFE
from mailbox_service.services.receiving import Receiving
from mailbox_service.services.sending_api.tracking import MAILBOX_API
from mailbox_service.services.settling import Settling
from mailbox_service.services.signing import Signing
from mailbox_service.signals import Signals
from mailbox_service.storage import idempotency, leases, send_counts, submissions
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.leases import Claim
from mailbox_service.storage.submissions import Submission

log = logging.getLogger("mailbox.delivering")

# Jobs begun in one round of the event loop; each costs a signature.
JOBS_AT_ONCE = 8
# After a wake-up, for more to come in or to end: one claim for many costs what one for one does.
GATHER_SECONDS = 0.003
# A worker looks for work by itself this often: a signal may be lost.
LOOK_AGAIN_SECONDS = 10.0
# After trouble with the store.
TROUBLE_SECONDS = 2.0
# A worker with that much under way claims more only once there is room for a good many.
BUSY_SECONDS = 0.02
# Microseconds between two rounds of tidying, and rows a round.
TIDY_EVERY = 60_000_000
TIDY_ROWS = 500
# How long the counts of days are kept, for whoever looks into the past.
KEPT_DAYS = 90 * 24 * 3_600 * 1_000_000


class Delivering:
    """The delivery worker of a process."""

    def __init__(
        self,
        database: Database,
        config: Config,
        receiving: Receiving,
        signing: Signing,
        outbound: Network,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._outbound = outbound
        self._signals = signals
        self._clock = clock
        # Unique a start, so that nobody settles what another worker leased.
        self._holder = secrets.token_hex(8)
        self._lanes = Lanes(config.served_domains)
        self._place = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._room = asyncio.Event()
        self._wanted_room = 0
        self._leased: set[int] = set()
        settling = Settling(
            database,
            config,
            signals,
            self._lanes,
            holder=self._holder,
            clock=clock,
            new_queue_id=new_queue_id,
        )
        self.attempting = Attempting(
            database,
            config,
            receiving,
            signing,
            outbound,
            signals,
            settling,
            holder=self._holder,
            heard=self._note_reachability,
            clock=clock,
            jitter=jitter,
        )
        self._stopping = False
        self._tidied = 0

    # Working.

    async def run(self) -> None:
        """Deliver what comes due, until cancelled or drained."""
        with self._signals.watch(topics.QUEUE) as watch:
            try:
                while not self._stopping:
                    self._ended.clear()
                    try:
                        claimed = await self._claim_and_start()
                        await self._tidy()
                        pause = 0.0 if claimed else await self._seconds_to_wait()
                        if 0 < claimed < BATCH // 2 and self._lanes.under_way >= BATCH:
                            await self._wait_for_room(BATCH // 2)
                    except MailError as error:
                        log.warning("queue-not-read reason=%s", error.detail)
                        pause = TROUBLE_SECONDS
                    if pause > 0 and not self._stopping:
                        await first_of(watch.wait(pause), self._ended.wait())
                        await asyncio.sleep(GATHER_SECONDS)
            finally:
                if not self._stopping:  # otherwise `drain` waits for them
                    await self._cancel_all()

    async def _wait_for_room(self, recipients: int) -> None:
        """Wait until so many more may be claimed, but not for long."""
        self._wanted_room = recipients
        self._room.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BUSY_SECONDS):
                await self._room.wait()

    async def deliver_due(self) -> int:
        """Deliver everything that is due now, and return when it is done; how many attempts."""
        total = 0
        while started := await self._claim_and_start():
            total += started
            while self._tasks:
                await asyncio.wait(self._tasks)
        return total

    async def drain(self, grace: float) -> None:
        """Begin nothing new, and give what is under way `grace` seconds to end.

        What is cut off then stays leased and is tried again: the next start ends the leases.
        """
        self._stopping = True
        self._ended.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace)
        await self._cancel_all()

    async def _cancel_all(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _seconds_to_wait(self) -> float:
        """Until something may come due that is not now."""
        now = self._clock()
        turn = await self._database.read_quick(leases.next_turn, now=now)
        times = [time for time in (turn, self._lanes.next_probe(now)) if time is not None]
        if not times:
            return LOOK_AGAIN_SECONDS
        return min(max((min(times) - now) / 1_000_000, 0.01), LOOK_AGAIN_SECONDS)

    async def _tidy(self) -> None:
        """Once a minute, remove what nobody needs any more."""
        now = self._clock()
        if now - self._tidied < TIDY_EVERY:
            return
        self._tidied = now
        await self._database.write(tidy, now)

    async def _claim_and_start(self) -> int:
        """Claim what is due and start its attempts; how many recipients."""
        now = self._clock()
        turn = await self._database.read_quick(leases.next_turn, now=-1)
        if turn is None or turn > now:
            return 0
        claimed = await self._database.write_quick(
            claim,
            now=now,
            holder=self._holder,
            room=self._lanes.room(now),
            after=self._place,
        )
        self._place = claimed.place
        if self._stopping:  # told while we asked
            await self._database.write(
                leases.give_back, claimed.claims, holder=self._holder, now=now
            )
            return 0
        # After a step of the clock our own leases may look as if they had run out.
        claimed.claims = [one for one in claimed.claims if one.id not in self._leased]
        self._start(claimed, now + LEASE_MICROS)
        return len(claimed.claims) + claimed.broken

    def _start(self, claimed: Claimed, lease_until: int) -> None:
        """One task for each group of recipients that share a message and a next hop."""
        tracking = self.attempting.tracking
        if tracking is not None:
            for number, submission in claimed.submissions.items():
                if submission.door != MAILBOX_API:
                    tracking.know(number, claimed.sent.get(number))
        groups: dict[tuple[int, str | None], list[Claim]] = {}
        for one in claimed.claims:
            submission = claimed.submissions[one.submission_id]
            self._lanes.take(one.domain)
            self._leased.add(one.id)
            groups.setdefault((submission.id, self._next_hop(submission, one)), []).append(one)
        jobs = [
            Job(
                submission=claimed.submissions[submission_id],
                claims=tuple(claims),
                hop=hop,
                content=claimed.contents.get(submission_id),
                damaged=submission_id in claimed.damaged,
                lease_until=lease_until,
            )
            for (submission_id, hop), claims in groups.items()
        ]
        if jobs:
            self._begin(self._work_all(deque(jobs)))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    async def _work_all(self, jobs: deque[Job]) -> None:
        """Begin some jobs after the others: signing all of a claim at once would stop the event
        loop, and with it what is on its way."""
        try:
            while jobs:
                for _ in range(min(JOBS_AT_ONCE, len(jobs))):
                    self._begin(self._work(jobs.popleft()))
                await asyncio.sleep(0)
        finally:
            for job in jobs:  # told to stop
                self._leave(job)
                await asyncio.shield(asyncio.ensure_future(self._give_back(job)))

    def _next_hop(self, submission: Submission, one: Claim) -> str | None:
        """Where a recipient's mail goes: empty for our own mailboxes, None when it is held."""
        if self._lanes.is_own(one.domain):
            return ""
        if one.domain == simulated_recipients.DOMAIN:
            return SIMULATOR
        return self._outbound.next_hop(split(submission.address)[1], one.domain)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._ended.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("delivery-failed error=%s", task.exception(), exc_info=task.exception())

    # One group of recipients.

    async def _work(self, job: Job) -> None:
        """Attempt, judge, record. Whatever goes wrong here, the lease brings the mail back."""
        try:
            await self.attempting.attempt(job)
        except asyncio.CancelledError:
            if not job.begun:
                await asyncio.shield(asyncio.ensure_future(self._give_back(job)))
            raise
        except MailError as error:
            log.warning("attempt-put-off queue_id=%s reason=%s", job.submission.queue_id, error)
            await asyncio.sleep(TROUBLE_SECONDS)
            if not job.begun:  # otherwise it went out perhaps, and would again in a moment
                await self._give_back(job)
        except Exception:
            log.exception("attempt-failed queue_id=%s", job.submission.queue_id)
            reply = Reply(0, "4.3.0", "An internal error; it will be tried again.")
            await self.attempting.note_trouble(job, reply)
        finally:
            self._leave(job)

    def _leave(self, job: Job) -> None:
        """Make room for others. What is not recorded yet takes room, too: a crash sends it twice,
        so there may not be much of it."""
        for one in job.claims:
            self._lanes.leave(one.domain)
            self._leased.discard(one.id)
        self._wanted_room -= len(job.claims)
        if self._wanted_room <= 0:
            self._room.set()

    async def _give_back(self, job: Job) -> None:
        """Let the next worker have what was not begun."""
        with contextlib.suppress(MailError):
            await self._database.write(
                leases.give_back, job.claims, holder=self._holder, now=self._clock()
            )

    def _note_reachability(self, job: Job, answers: Mapping[str, Answer]) -> None:
        for one in job.claims:
            answer = answers[one.recipient]
            if not answer.unreachable:
                self._lanes.reachable(one.domain)
            elif self._lanes.unreachable(one.domain, self._clock()):
                log.info("unreachable domain=%s reply=%s", one.domain, answer.reply)
                self._begin(self._expire(one.domain, answer))

    async def _expire(self, domain: str, answer: Answer) -> None:
        """Give up what has waited too long for a domain that still does not answer.

        Its mail is not attempted one by one, so its time runs out here.
        """
        while True:
            now = self._clock()
            claimed = await self._database.write(
                claim_expired,
                domain,
                queued_before=now - GIVE_UP_AFTER,
                now=now,
                holder=self._holder,
            )
            for submission in claimed.submissions.values():
                claims = tuple(one for one in claimed.claims if one.submission_id == submission.id)
                job = Job(submission, claims, domain, None, False, now + LEASE_MICROS)
                answers = dict.fromkeys([one.recipient for one in claims], answer)
                content = await self.attempting.content(job)
                await self.attempting.settle(job, answers, content or b"", started=now)
            if not claimed.claims:
                return


async def tidy(tx: Transaction, now: int) -> None:
    """Remove unlisted messages that are done, keys that nobody will repeat, and old days."""
    await submissions.purge(tx, limit=TIDY_ROWS)
    await idempotency.remove_before(tx, before=now - KEY_LIFE, limit=TIDY_ROWS)
    long_ago = as_datetime(now - KEPT_DAYS)
    await send_counts.remove_before(tx, long_ago.strftime("day:%Y-%m-%d"))
    months = ACCOUNT_MONTH.partition("%")[0]
    await send_counts.remove_between(tx, months, long_ago.strftime(ACCOUNT_MONTH))


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until the first of several waits is over, and give up the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
