"""Settling: everything that follows from attempts is written down, in groups, and told to whoever
watches."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from operator import attrgetter

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.address import split, without_detail
from mailbox_service.core.errors import MailError
from mailbox_service.log_lines import info_lines
from mailbox_service.services.attempts import Job, Outcome, notice_of
from mailbox_service.services.clock import Clock
from mailbox_service.services.gathering import Gathering
from mailbox_service.services.lanes import Lanes
from mailbox_service.services.recording import Record, record_all
from mailbox_service.signals import Signals
from mailbox_service.storage.database import Database
from mailbox_service.storage.leases import Settled

log = logging.getLogger("mailbox.delivering")

# After trouble with the store.
TROUBLE_SECONDS = 2.0
# How long the record of an attempt is tried when the store is in trouble; the lease is longer.
RECORD_TRIES = 60
# How long a record waits for others: the next hop has its message, and nobody waits for the record
# but the place of the mail in its lane. Half the cost of a record is that of its group.
RECORD_SECONDS = 0.01
# Records written together, and those that the event loop may write by itself, with their octets.
MOST_RECORDS, RECORDS_OCTETS = 64, 4 << 20
QUICK_RECORDS, QUICK_OCTETS = 64, 65_536

octets_of = attrgetter("octets")


class Settling:
    """Writes down what became of the recipients that one worker leased."""

    def __init__(
        self,
        database: Database,
        config: Config,
        signals: Signals,
        lanes: Lanes,
        *,
        holder: str,
        clock: Clock,
        new_queue_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._own_name = config.own_name
        self._sub_addresses = config.enable_sub_addresses
        self._signals = signals
        self._lanes = lanes
        self._holder = holder
        self._clock = clock
        self._new_queue_id = new_queue_id
        self._records: Gathering[Record, bool] = Gathering(
            self._write_records,
            octets_of,
            most=MOST_RECORDS,
            most_octets=RECORDS_OCTETS,
            linger=RECORD_SECONDS,
        )

    async def record(
        self,
        job: Job,
        outcomes: Sequence[Outcome],
        content: bytes,
        *,
        deposit_to: tuple[str, ...] = (),
        deposit: bytes = b"",
    ) -> None:
        """Write everything down that follows from an attempt, and tell whoever watches."""
        now = self._clock()
        notice, notice_id = None, ""
        if any(one.failed for one in outcomes):
            notice_id = self._new_queue_id()
            notice = self._notice(job, outcomes, content, notice_id, now)
        entry = Record(
            submission=job.submission,
            outcomes=tuple(outcomes),
            holder=self._holder,
            now=now,
            notice=notice,
            notice_id=notice_id,
            deposit_to=deposit_to,
            deposit=deposit,
            sub_addresses=self._sub_addresses,
        )
        noticed = await self._write_record(entry)
        write = info_lines(log)
        if write is not None:
            for outcome in outcomes:
                tell(write, job.submission.queue_id, outcome.settled)
        self._signals.notify(topics.mailbox(job.submission.address))
        self._signals.notify(topics.SENDING_EVENTS)
        for recipient in deposit_to:
            self._signals.notify(topics.mailbox(recipient))
            below = without_detail(recipient)
            if below is not None:
                self._signals.notify(topics.mailbox(below))
        if deposit_to or noticed:
            self._signals.notify(topics.MESSAGES)

    def _notice(
        self, job: Job, outcomes: Sequence[Outcome], content: bytes, notice_id: str, now: int
    ) -> bytes | None:
        """The notice for the sender's mailbox; a sender elsewhere has none here."""
        sender = job.submission.reverse_path
        if not sender or not self._lanes.is_own(split(sender)[1]):
            return None
        return notice_of(
            job.submission,
            outcomes,
            content,
            reporting_mta=self._own_name,
            notice_id=notice_id,
            now=now,
        )

    def _write_records(self, entries: Sequence[Record]) -> asyncio.Future[list[bool | MailError]]:
        quick = len(entries) <= QUICK_RECORDS and sum(map(octets_of, entries)) <= QUICK_OCTETS
        write = self._database.write_quick if quick else self._database.write
        return write(record_all, entries)

    async def _write_record(self, entry: Record) -> bool:
        """Record an attempt, through trouble of the store: what is not written is done twice."""
        for _ in range(RECORD_TRIES):
            try:
                # Who gives up waiting takes nothing out of the group.
                return await self._records.add(entry)
            except MailError as error:
                log.error(
                    "attempt-not-recorded queue_id=%s reason=%s",
                    entry.submission.queue_id,
                    error.detail,
                )
            await asyncio.sleep(TROUBLE_SECONDS)
        return False


def tell(write: Callable[[str], object], queue_id: str, one: Settled) -> None:
    """Log an attempt: every recipient of every message has this line."""
    write(
        f"attempt queue_id={queue_id} recipient={one.claim.recipient} state={one.state}"
        f" attempt={one.claim.attempt} remote={one.remote} reply={one.reply}"
    )
