"""Writing down what an attempt brought: one transaction for everything that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailbox_service.core.events import EventKind
from mailbox_service.services.attempts import Outcome
from mailbox_service.services.receiving import store
from mailbox_service.services.sending_api import outcomes
from mailbox_service.storage import addresses, events, send_queue
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.events import sent_detail
from mailbox_service.storage.submissions import Submission

KIND = {
    send_queue.DELIVERED: EventKind.DELIVERED,
    send_queue.DEFERRED: EventKind.DEFERRED,
    send_queue.FAILED: EventKind.FAILED,
    send_queue.QUARANTINED: EventKind.FAILED,
}


@dataclass(frozen=True, slots=True)
class Record:
    """The outcomes of one group of recipients.

    `notice` goes into the sender's mailbox if somebody of them failed; `deposit` is the message
    for those recipients of our own (`deposit_to`) that took it.
    """

    submission: Submission
    outcomes: tuple[Outcome, ...]
    holder: str
    now: int
    notice: bytes | None = field(repr=False)
    notice_id: str
    deposit_to: tuple[str, ...] = ()
    # Whether mail for `name+tag` lands in `name`.
    sub_addresses: bool = False
    deposit: bytes = field(default=b"", repr=False)


async def record(tx: Transaction, entry: Record) -> bool:
    """Write an attempt down; whether a notice was put into the sender's mailbox.

    Recipients whose lease was lost belong to another worker: their state is left to it, and
    nothing is deposited for them here.
    """
    submission = entry.submission
    ours = [
        outcome
        for outcome in entry.outcomes
        if await send_queue.settle(tx, outcome.settled, holder=entry.holder)
    ]
    if not ours:
        return False
    settled = {outcome.settled.claim.recipient for outcome in ours}
    deposit_to = tuple(name for name in entry.deposit_to if name in settled)
    if deposit_to:
        await store(
            tx,
            await mailboxes_of(tx, entry, deposit_to),
            submission.reverse_path,
            entry.deposit,
            submission.queue_id,
            entry.now,
        )
    state = await send_queue.state_of(tx, submission.id)
    for outcome in ours:
        one = outcome.settled
        await events.add(
            tx,
            KIND[one.state],
            at=entry.now,
            address=submission.address,
            submission_id=submission.id,
            recipient_id=one.claim.id,
            detail=sent_detail(
                submission.id,
                queue_id=submission.queue_id,
                state=state,
                recipient=one.claim.recipient,
                recipient_state=send_queue.worst((one.state,)),
                last_reply=one.reply,
            ),
        )
    await outcomes.note(tx, submission.id, ours, now=entry.now)
    if entry.notice is None:
        return False
    sender = await mailboxes_of(tx, entry, (submission.reverse_path,))
    await store(tx, sender, "", entry.notice, entry.notice_id, entry.now)
    await events.add(
        tx,
        EventKind.REPORTED,
        at=entry.now,
        address=submission.address,
        submission_id=submission.id,
        detail={"id": submission.id, "queue_id": submission.queue_id, "state": state},
    )
    return True


async def mailboxes_of(
    tx: Transaction, entry: Record, recipients: tuple[str, ...]
) -> tuple[str, ...]:
    """The mailboxes in which mail for addresses of our own lands, each once."""
    if not entry.sub_addresses:
        return recipients
    found = [await addresses.mailbox_of(tx, recipient) for recipient in recipients]
    return tuple(dict.fromkeys(found))
