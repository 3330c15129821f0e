"""Everything that a submission changes, as one transaction: its key, its price, the counters, the
content, the sent box, the queue, the first events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mailbox_service.core.envelope import Receipt
from mailbox_service.core.errors import Conflict, FromNotYours, MailError, QuotaReached
from mailbox_service.core.texts import text
from mailbox_service.services.allowances import may_send
from mailbox_service.storage import (
    addresses,
    allowances,
    contents,
    events,
    idempotency,
    send_counts,
    send_queue,
    sending_events,
    sending_messages,
    submissions,
)
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.send_queue import NewRecipient
from mailbox_service.storage.sending_events import About
from mailbox_service.storage.sending_messages import NewMessage
from mailbox_service.storage.submissions import NewSubmission

# A client that repeats a request does so within minutes; a day covers a stopped machine.
KEY_LIFE = 24 * 3_600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a submission takes from an allowance: nothing (`address` empty), one message, or
    the proof alone that there is one left."""

    address: str = ""
    default: int = 0
    debit: bool = True


@dataclass(frozen=True, slots=True)
class Key:
    """The name under which a client may repeat a request."""

    principal: str
    text: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class SentBy:
    """What a submission through the sending API brings along.

    `credential` names who submitted, and owns the idempotency key; `fingerprint` is that of the
    request. `rejected` are recipients that will not be sent to, each with the reason; `due_at`
    is when the message is to go out, 0 for now. `message` and `about` are what is remembered of
    it. `rates` are counters to pass: name, limit, and the refusal at the limit.
    """

    queue_id: str
    credential: str
    fingerprint: str
    rejected: Mapping[str, str]
    due_at: int
    message: NewMessage
    about: About
    rates: tuple[tuple[str, int, MailError], ...] = ()
    most_scheduled: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """A submission that passed every check that needs no store."""

    submission: NewSubmission
    content: bytes = field(repr=False)
    recipients: tuple[NewRecipient, ...]
    priority: int
    price: Price
    key: Key | None
    limits: tuple[tuple[str, int, str], ...]
    obstacle: MailError | None
    now: int
    sent_by: SentBy | None = None
    # Sub-addresses that the sender writes in, and that nobody else may have opened.
    unopened: tuple[str, ...] = ()


async def enqueue(tx: Transaction, order: Order) -> Receipt:
    """Everything that a submission changes, as one unit."""
    submission, now = order.submission, order.now
    for address in order.unopened:
        if await addresses.by_address(tx, address) is not None:
            raise FromNotYours("the sender address is not yours")
    if order.key is not None:
        kept = await idempotency.take(
            tx,
            principal=order.key.principal,
            key=order.key.text,
            fingerprint=order.key.fingerprint,
            queue_id=submission.queue_id,
            message_id=submission.message_id,
            now=now,
            too_old=now - KEY_LIFE,
        )
        if kept is not None:
            if kept.fingerprint != order.key.fingerprint:
                raise Conflict("The idempotency key was used for another request")
            return Receipt(kept.queue_id, (), kept.submission_id, kept.message_id)
    await pay(tx, order.price, now)
    for period, limit, message_key in order.limits:
        if not await send_counts.add_within(tx, period, limit=limit):
            raise QuotaReached(text(message_key), message_key=message_key)
    if order.obstacle is not None:
        raise order.obstacle
    await addresses.touch(tx, submission.address, now)
    submission_id = await put_into_queue(tx, order)
    if order.key is not None:
        await idempotency.fill(
            tx,
            principal=order.key.principal,
            key=order.key.text,
            submission_id=submission_id,
        )
    if order.sent_by is not None:
        await remember(tx, submission_id, order.sent_by, order)
    return Receipt(submission.queue_id, (), submission_id, submission.message_id)


async def remember(tx: Transaction, submission_id: int, sent_by: SentBy, order: Order) -> None:
    """What the sending API wants to know later, and the limits of the credential. Raises what
    `rates` say, QuotaReached when too much is scheduled."""
    now = order.now
    for period, limit, refusal in sent_by.rates:
        if not await send_counts.add_within(tx, period, limit=limit):
            raise refusal
    if sent_by.due_at:
        waiting = await sending_messages.count_scheduled(tx, sent_by.message.account, now=now)
        if waiting >= sent_by.most_scheduled:
            raise QuotaReached(f"There are {waiting} scheduled emails already")
    await sending_messages.add(tx, submission_id, sent_by.message, now=now)
    first = order.recipients[0].recipient
    await sending_events.add(
        tx,
        replace(sent_by.about, submission_id=submission_id, size=len(order.content)),
        [
            sending_events.NewEvent("processed", now, first),
            *(
                sending_events.NewEvent("rejected", now, recipient, reason=reason)
                for recipient, reason in sent_by.rejected.items()
            ),
        ],
    )


async def put_into_queue(tx: Transaction, order: Order) -> int:
    """Store a message and queue it for its recipients, with their first events; its id."""
    submission, now = order.submission, order.now
    content_id = await contents.add(tx, order.content, uses=1)
    submission_id = await submissions.add(
        tx, submission, content_id=content_id, size=len(order.content), now=now
    )
    await send_queue.add(tx, submission_id, order.recipients, priority=order.priority, now=now)
    await events.add_first(
        tx,
        submission_id,
        address=submission.address,
        queue_id=submission.queue_id,
        state=send_queue.worst(new.state for new in order.recipients),
        now=now,
    )
    return submission_id


async def pay(tx: Transaction, price: Price, now: int) -> None:
    """Take the price of a submission. Raises QuotaReached when nothing is left."""
    if not price.address:
        return
    if price.debit and await allowances.debit(tx, price.address):
        return
    if price.default > 0:
        await allowances.open_allowance(
            tx, price.address, balance=price.default, enabled=True, now=now
        )
    if price.debit:
        paid = price.default > 0 and await allowances.debit(tx, price.address)
    else:
        paid = await may_send(tx, price.address, 0)
    if not paid:
        raise no_balance()


def no_balance() -> QuotaReached:
    return QuotaReached(text("NoBalanceMsg"), message_key="NoBalanceMsg")
