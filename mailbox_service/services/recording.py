"""Writing down what an attempt brought: one transaction for everything that follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from mailbox_service.core.errors import MailError
from mailbox_service.core.events import EventKind
from mailbox_service.services.attempts import Outcome
from mailbox_service.services.receiving import store
from mailbox_service.services.sending_api import outcomes
from mailbox_service.services.sending_api.tracking import MAILBOX_API
from mailbox_service.storage import addresses, events, leases, send_queue
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.events import first_detail
from mailbox_service.storage.submissions import Submission

KIND = {
    send_queue.DELIVERED: EventKind.DELIVERED,
    send_queue.DEFERRED: EventKind.DEFERRED,
    send_queue.FAILED: EventKind.FAILED,
    send_queue.QUARANTINED: EventKind.FAILED,
}


class Record(Struct, frozen=True, gc=False):
    """The outcomes of one group of recipients.

    `notice` goes into the sender's mailbox if somebody of them failed; `deposit` is the message
    for those recipients of our own (`deposit_to`) that took it.
    """

    submission: Submission
    outcomes: tuple[Outcome, ...]
    holder: str
    now: int
    notice: bytes | None
    notice_id: str
    deposit_to: tuple[str, ...] = ()
    # Whether mail for `name+tag` lands in `name`.
    sub_addresses: bool = False
    deposit: bytes = b""

    @property
    def octets(self) -> int:
        """About how many octets it writes."""
        said = sum([len(one.settled.conversation) for one in self.outcomes])
        return said + len(self.deposit) + len(self.notice or b"")


async def record_all(tx: Transaction, entries: Sequence[Record]) -> list[bool | MailError]:
    """Write several attempts of one worker down; for each whether a notice was put into the
    sender's mailbox.

    Recipients whose lease was lost belong to another worker: their state is left to it, and
    nothing is deposited for them here.
    """
    settled = await leases.settle_all(
        tx,
        [outcome.settled for entry in entries for outcome in entry.outcomes],
        holder=entries[0].holder,
    )
    kept: list[tuple[Record, list[Outcome]]] = []
    for entry in entries:
        ours = [outcome for outcome in entry.outcomes if outcome.settled.claim.id in settled]
        if ours:
            kept.append((entry, ours))
            if entry.deposit_to:
                await deposit(tx, entry, ours)
    if not kept:
        return [False] * len(entries)
    states = await leases.states_after(
        tx, [outcome.settled for _, ours in kept for outcome in ours]
    )
    facts = [
        fact_of(entry.submission, outcome, state=states[entry.submission.id], now=entry.now)
        for entry, ours in kept
        for outcome in ours
    ]
    await events.add_all(tx, facts)
    through_api = [
        (entry.submission.id, ours, entry.now)
        for entry, ours in kept
        if entry.submission.door != MAILBOX_API
    ]
    if through_api:
        await outcomes.note_all(tx, through_api)
    noticed = set()
    for entry, _ in kept:
        if entry.notice is not None:
            await put_notice(tx, entry, entry.notice, states[entry.submission.id])
            noticed.add(id(entry))
    return [id(entry) in noticed for entry in entries]


async def deposit(tx: Transaction, entry: Record, ours: Sequence[Outcome]) -> None:
    """Put a message into those mailboxes of our own that took it."""
    settled = {outcome.settled.claim.recipient for outcome in ours}
    deposit_to = tuple(name for name in entry.deposit_to if name in settled)
    if deposit_to:
        await store(
            tx,
            await mailboxes_of(tx, entry, deposit_to),
            entry.submission.reverse_path,
            entry.deposit,
            entry.submission.queue_id,
            entry.now,
        )


def fact_of(submission: Submission, outcome: Outcome, *, state: str, now: int) -> events.NewEvent:
    """The event about one recipient."""
    one = outcome.settled
    detail = first_detail(
        submission.id,
        queue_id=submission.queue_id,
        state=state,
        recipient=one.claim.recipient,
        recipient_state=send_queue.worst((one.state,)),
        last_reply=one.reply,
    )
    return (KIND[one.state], now, submission.address, submission.id, one.claim.id, detail)


async def put_notice(tx: Transaction, entry: Record, notice: bytes, state: str) -> None:
    """Put the notice of a failure into the sender's mailbox."""
    submission = entry.submission
    sender = await mailboxes_of(tx, entry, (submission.reverse_path,))
    await store(tx, sender, "", notice, entry.notice_id, entry.now)
    await events.add(
        tx,
        EventKind.REPORTED,
        at=entry.now,
        address=submission.address,
        submission_id=submission.id,
        detail={"id": submission.id, "queue_id": submission.queue_id, "state": state},
    )


async def mailboxes_of(
    tx: Transaction, entry: Record, recipients: tuple[str, ...]
) -> tuple[str, ...]:
    """The mailboxes in which mail for addresses of our own lands, each once."""
    if not entry.sub_addresses:
        return recipients
    found = [await addresses.mailbox_of(tx, recipient) for recipient in recipients]
    return tuple(dict.fromkeys(found))
