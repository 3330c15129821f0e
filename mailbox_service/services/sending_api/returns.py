"""Mail that comes back: to the signed return-paths of messages, to their addresses for
unsubscribing, to the address for complaints (sending-api §7.4).

It is accepted like other mail, on disk before the 250, and looked at by a worker: what follows
and the end of the mail are one transaction. A report is a claim. It counts when the return-path
that it came to is ours, and the message which that names went to the recipient that it speaks of
and was taken there; and once. So nobody suppresses an address with a letter (hazard 53).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.address import canonical, split
from mailbox_service.core.envelope import Receipt
from mailbox_service.core.errors import BadAddress, MailError, TemporaryFailure
from mailbox_service.core.policy import served_by
from mailbox_service.core.return_path import PREFIX, UNSUBSCRIBE, ReturnPath, ReturnPaths
from mailbox_service.core.returned import Bounce, Complaint, read_bounces, read_complaint
from mailbox_service.services.clock import Clock, new_id, now_micros
from mailbox_service.services.sending_api.outcomes import BOUNCE, BOUNCE_LIFE
from mailbox_service.services.sending_api.tracking import Tracking, read_traits
from mailbox_service.signals import Signals
from mailbox_service.storage import (
    locks,
    messages,
    returned_mails,
    send_queue,
    sending_events,
    sending_messages,
    suppressions,
)
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.returned_mails import Returned
from mailbox_service.storage.sending_events import About, NewEvent
from mailbox_service.storage.sending_messages import SentMessage

log = logging.getLogger("mailbox.returns")

PREFIXES = (PREFIX, UNSUBSCRIBE)

# Reports quote what they are about; what is beyond this tells nothing more.
KEPT_OCTETS = 256 << 10
# 100,000 reports of 10 KB are a gigabyte: then the world is told to come back later.
MOST_WAITING = 100_000
BATCH = 20
LOOK_AGAIN_SECONDS = 10.0
TROUBLE_SECONDS = 2.0
# A report may be quicker than our own note that the message was taken.
PATIENCE = 10 * 60 * 1_000_000
PAUSE = 5 * 1_000_000
# Return-paths in a complaint that are tried before it is given up.
MOST_TRIED = 20
# Links go on working this long at least, and as long as the history says.
LEAST_KEPT_DAYS = 90
DAY_MICROS = 86_400 * 1_000_000
TIDY_EVERY = 60 * 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Report:
    """What one mail claims, and about which message."""

    path: ReturnPath
    bounces: tuple[Bounce, ...] = ()
    complaint: Complaint | None = None


class Returns:
    """Takes mail that comes back, and acts on it."""

    def __init__(
        self,
        database: Database,
        config: Config,
        tracking: Tracking,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._tracking = tracking
        self._signals = signals
        self._clock = clock
        self._paths = ReturnPaths(config.jwt_secret)
        self._served = frozenset(config.served_domains)
        self._feedback = canonical(config.feedback_address) if config.feedback_address else ""
        self._kept = max(config.sending_history_days, LEAST_KEPT_DAYS) * DAY_MICROS
        self._tidied = 0

    # At the door.

    def takes(self, recipient: str) -> bool:
        """Whether an address, canonical, is one of those that mail comes back to."""
        if recipient == self._feedback:
            return True
        if not recipient.startswith(PREFIXES):  # nearly all mail: asked at every recipient
            return False
        return self._paths.read(recipient) is not None or self._tracking.unsubscribes(recipient)

    async def keep(self, recipients: Sequence[str], content: bytes) -> Receipt:
        """Take a mail for such addresses; it is on disk when this returns. Raises
        TemporaryFailure."""
        kept = await self._database.write(
            returned_mails.add,
            recipients,
            content[:KEPT_OCTETS],
            now=self._clock(),
            most=MOST_WAITING,
        )
        if not kept:
            raise TemporaryFailure("Too many reports wait; come back later")
        self._signals.notify(topics.RETURNS)
        return Receipt(new_id())

    # The worker.

    async def run(self) -> None:
        """Look at what came back until cancelled."""
        with self._signals.watch(topics.RETURNS) as watch:
            while True:
                seconds = LOOK_AGAIN_SECONDS
                try:
                    while await self.work_some():
                        pass
                    await self._tidy()
                except MailError as error:
                    log.warning("returns-wait reason=%s", error.detail)
                    seconds = TROUBLE_SECONDS
                await watch.wait(seconds)

    async def _tidy(self) -> None:
        now = self._clock()
        if now - self._tidied >= TIDY_EVERY:
            self._tidied = now
            await self._tracking.purge(now - self._kept)

    async def work_some(self) -> int:
        """Look at the next mails; how many."""
        found = await self._database.read(returned_mails.due, now=self._clock(), limit=BATCH)
        for mail in found:
            await self._look(mail)
        return len(found)

    async def _look(self, mail: Returned) -> None:
        if self._tracking.unsubscribes(mail.recipient):
            await self._tracking.unsubscribe_by_mail(mail.recipient)
            await self._database.write(returned_mails.remove, mail.id)
            return
        try:
            report = await asyncio.to_thread(self._read, mail)
        except Exception:
            # One report that breaks a reader must not stop those behind it.
            log.exception("report-not-read id=%d", mail.id)
            report = None
        if report is None:
            await self._database.write(returned_mails.remove, mail.id)
            return
        made = await self._database.write(act, mail, report, now=self._clock(), served=self._served)
        log.info("returned queue_id=%s followed=%s", report.path.queue_id, made or "nothing")
        if made:
            self._signals.notify(topics.SENDING_EVENTS)
            self._signals.notify(topics.MESSAGES)

    def _read(self, mail: Returned) -> Report | None:
        """What a mail claims; None for nothing that counts. In a thread: it parses."""
        path = self._paths.read(mail.recipient)
        complaint = read_complaint(mail.content)
        if complaint is not None:
            path = path or self._paths.found_in(mail.content, MOST_TRIED)
            return None if path is None else Report(path, complaint=complaint)
        if path is None:
            return None
        bounces = read_bounces(mail.content)
        if bounces is None:
            bounces = odd_bounces(mail.content)
        return Report(path, tuple(bounces)) if bounces else None


def odd_bounces(raw: bytes) -> list[Bounce]:
    """The lasting failures of a bounce that follows no standard."""
    # Loaded at the first odd bounce: it brings a hundred patterns.
    from email import message_from_bytes

    from flufl.bounce import all_failures

    temporary, permanent = all_failures(message_from_bytes(raw[:65_536]))
    found = []
    for octets in list(permanent)[:10]:
        text = octets.decode("utf-8", "replace") if isinstance(octets, bytes) else str(octets)
        try:
            found.append(Bounce((canonical(text),), "5.0.0"))
        except BadAddress:
            continue
    return found if permanent or not temporary else []


async def act(
    tx: Transaction, mail: Returned, report: Report, *, now: int, served: frozenset[str]
) -> str:
    """Everything that follows from a report, and the end of its mail. What was made of it, empty
    for nothing."""
    submission_id = await returned_mails.submission_of(tx, report.path.queue_id)
    message = None
    if submission_id is not None:
        message = await sending_messages.by_submission(tx, submission_id)
    if message is None:
        await returned_mails.remove(tx, mail.id)
        return ""
    states = await returned_mails.recipients_of(tx, message.submission_id)
    covered = {one: state for one, state in states.items() if report.path.covers(one)}
    waiting = any(state == send_queue.SENDING for state in covered.values())
    if waiting and now < mail.received_at + PATIENCE:
        await returned_mails.put_off(tx, mail.id, until=now + PAUSE)
        return ""
    if not await returned_mails.remove(tx, mail.id):
        return ""
    taken = [one for one, state in covered.items() if state == send_queue.DELIVERED]
    made: list[str] = []
    for bounce in report.bounces:
        recipient = meant(bounce.recipients, taken)
        if recipient and await note_bounce(tx, message, recipient, bounce, now):
            made.append("bounce")
    if report.complaint is not None:
        recipient = meant(report.complaint.recipients, taken)
        if recipient and await note_complaint(tx, message, recipient, report.complaint, now):
            made.append("spam")
    if "bounce" in made:
        await pass_on(tx, message, mail.content, served, now)
    return ",".join(made)


def meant(named: Sequence[str], taken: Sequence[str]) -> str:
    """Which of those who took the message a report is about; empty for nobody. One that names
    an address behind a forward is about the only recipient there was."""
    for one in named:
        if one in taken:
            return one
    return taken[0] if len(taken) == 1 else ""


async def note_bounce(
    tx: Transaction, message: SentMessage, recipient: str, bounce: Bounce, now: int
) -> bool:
    """Write a bounce down; False when there was one."""
    if await returned_mails.was_told(tx, message.submission_id, recipient):
        return False
    kind = "hard-bounced" if bounce.hard else "soft-bounced"
    words = bounce.diagnostic or bounce.status
    if bounce.hard:
        await suppressions.put(
            tx,
            account=message.account,
            target=recipient,
            reason=BOUNCE,
            description=words[:500],
            subject=message.subject,
            now=now,
            expires_at=now + BOUNCE_LIFE,
        )
    event = NewEvent(kind, now, recipient, host=bounce.host, reply=words[:1_000])
    await sending_events.add(tx, about(message), [event])
    return True


async def note_complaint(
    tx: Transaction, message: SentMessage, recipient: str, complaint: Complaint, now: int
) -> bool:
    """Write a complaint down; False when there was one."""
    there = await suppressions.among(tx, account=message.account, targets=[recipient], now=now)
    if there.get(recipient) == "spam":
        return False
    await suppressions.put(
        tx,
        account=message.account,
        target=recipient,
        reason="spam",
        complaint=complaint.kind,
        subject=message.subject,
        now=now,
    )
    event = NewEvent("spam", now, recipient, reason=complaint.kind)
    await sending_events.add(tx, about(message), [event])
    return True


async def pass_on(
    tx: Transaction, message: SentMessage, content: bytes, served: frozenset[str], now: int
) -> None:
    """Put a bounce into the mailbox of whoever is told of them, when it is one of ours. Nothing
    leaves the house because somebody sent us a letter."""
    wanted = "from" if message.traits is None else read_traits.decode(message.traits).bounces_to
    address = message.sender if wanted == "from" else wanted
    if wanted == "drop" or served_by(split(address)[1], served) is None:
        return
    await locks.order_messages(tx)
    await messages.add(
        tx,
        addresses=(canonical(address),),
        reverse_path="",
        content=content,
        now=now,
        quiet=True,
    )


def about(message: SentMessage) -> About:
    return About(
        message.account,
        message.submission_id,
        message.username,
        message.sender,
        message.subject,
    )
