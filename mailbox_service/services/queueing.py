"""Everything that a submission changes, as one transaction: its key, its price, the counters, the
content, the sent box, the queue, the first events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mailbox_service.core.envelope import Receipt
from mailbox_service.core.errors import Conflict, FromNotYours, MailError, QuotaReached
from mailbox_service.core.policy import SendLimits
from mailbox_service.core.texts import text
from mailbox_service.services.allowances import may_send
from mailbox_service.services.clock import as_datetime
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
    suppressions,
    user_addresses,
)
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.send_queue import NewRecipient
from mailbox_service.storage.sending_events import About, NewEvent
from mailbox_service.storage.sending_messages import NewMessage
from mailbox_service.storage.submissions import NewSubmission

# A client that repeats a request does so within minutes; a day covers a stopped machine.
KEY_LIFE = 24 * 3_600 * 1_000_000
# Counters of accounts, by UTC day and month; the id of the account follows. Their names sort as
# those of the service do, which are forgotten by their order (`delivering.tidy`).
ACCOUNT_DAY = "day:%Y-%m-%d:account"
ACCOUNT_MONTH = "month-of-account:%Y-%m"
# Stands where the receipt of a submission will be.
NOT_YET = Receipt("")


class Price(Struct, frozen=True, gc=False):
    """What a submission takes from an allowance: nothing (`address` empty), one message, or
    the proof alone that there is one left."""

    address: str = ""
    default: int = 0
    debit: bool = True


class Key(Struct, frozen=True, gc=False):
    """The name under which a client may repeat a request."""

    principal: str
    text: str
    fingerprint: str


class SentBy(Struct, frozen=True):
    """What a submission through the sending API brings along.

    `credential` names who submitted, and owns the idempotency key; `fingerprint` is that of the
    request. `rejected` are recipients that will not be sent to, each with the reason; `due_at`
    is when the message is to go out, 0 for now. `message` and `about` are what is remembered of
    it. `rates` are counters to pass: name, limit, and the refusal at the limit. `message_id` is
    that of a message that was composed here; empty for one that somebody wrote. Recipients that
    the account suppresses are left out as well, but for `always`; None: they are not looked for.
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
    message_id: str = ""
    always: str | None = None


class Order(Struct, frozen=True):
    """A submission that passed every check that needs no store."""

    submission: NewSubmission
    content: bytes
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
    # The kind of principal, for the log.
    submitted_by: str = ""
    # What accounts may send, by role: the sender's address may belong to one.
    by_role: Mapping[str, SendLimits] | None = None


async def enqueue(tx: Transaction, order: Order) -> Receipt:
    """Everything that a submission changes, as one unit."""
    kept = await admit(tx, order)
    if kept is not None:
        return kept
    (receipt,) = await accept(tx, [order])
    if order.key is not None:
        await idempotency.fill(
            tx,
            principal=order.key.principal,
            key=order.key.text,
            submission_id=receipt.submission_id,
        )
    return receipt


async def enqueue_all(tx: Transaction, orders: Sequence[Order]) -> list[Receipt | MailError]:
    """Several submissions in one unit, each refused alone; all of them are `undoes_nothing`."""
    answers: list[Receipt | MailError] = []
    accepted = []
    to_admit = [order for order in orders if not is_admitted(order)]
    if not to_admit:
        return [*await accept(tx, orders)]
    paid = await pay_together(tx, to_admit)
    for order in orders:
        try:
            pays_alone = order.price.address not in paid or order.unopened or not order.price.debit
            if pays_alone and not is_admitted(order):
                await admit(tx, order)
        except MailError as refusal:
            answers.append(refusal)
        else:
            answers.append(NOT_YET)
            accepted.append(order)
    receipts = iter(await accept(tx, accepted) if accepted else ())
    return [next(receipts) if answer is NOT_YET else answer for answer in answers]


def undoes_nothing(order: Order) -> bool:
    """Whether a refusal of this submission leaves nothing behind that would have to be undone:
    it takes no key, and passes one counter at most."""
    counters = bool(order.price.address) + len(order.limits)
    if order.sent_by is not None:
        counters += len(order.sent_by.rates) + bool(order.sent_by.due_at)
    if order.by_role:
        return False
    return order.key is None and (counters == 0 or (counters == 1 and order.obstacle is None))


def is_admitted(order: Order) -> bool:
    """Whether a submission without a key has nothing to pay and nothing to pass."""
    if order.price.address or order.limits or order.unopened or order.obstacle is not None:
        return False
    if order.by_role:
        return False
    sent_by = order.sent_by
    return sent_by is None or not (sent_by.rates or sent_by.due_at)


async def admit(tx: Transaction, order: Order) -> Receipt | None:
    """Take the key and the price, and pass the counters. The receipt of a request that is
    repeated; None for one that is new. Raises what is in its way."""
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
    if order.by_role:
        await pass_role(tx, submission.address, order.by_role, now)
    if order.obstacle is not None:
        raise order.obstacle
    if order.sent_by is not None:
        await pass_limits(tx, order.sent_by, now)
    return None


async def pass_role(
    tx: Transaction, address: str, by_role: Mapping[str, SendLimits], now: int
) -> None:
    """Count one more message for the account of an address, where its role has a limit. Raises
    QuotaReached in the words of the server's limits."""
    found = await user_addresses.owner_and_role(tx, address)
    limits = by_role.get(found[1] or "") if found is not None else None
    if found is None or limits is None:
        return
    today = as_datetime(now)
    for period, limit, message_key in (
        (today.strftime(ACCOUNT_DAY), limits.daily, "ServerSendMailDailyLimitMsg"),
        (today.strftime(ACCOUNT_MONTH), limits.monthly, "ServerSendMailMonthlyLimitMsg"),
    ):
        if limit is None:
            continue
        if not await send_counts.add_within(tx, f"{period}:{found[0]}", limit=limit):
            raise QuotaReached(text(message_key), message_key=message_key)


async def pass_limits(tx: Transaction, sent_by: SentBy, now: int) -> None:
    """The limits of a credential of the sending API. Raises what `rates` say, QuotaReached when
    too much is scheduled."""
    for period, limit, refusal in sent_by.rates:
        if not await send_counts.add_within(tx, period, limit=limit):
            raise refusal
    if sent_by.due_at:
        waiting = await sending_messages.count_scheduled(tx, sent_by.message.account, now=now)
        if waiting >= sent_by.most_scheduled:
            raise QuotaReached(f"There are {waiting} scheduled emails already")


async def accept(tx: Transaction, orders: Sequence[Order]) -> list[Receipt]:
    """Store and queue submissions that were admitted, and what is remembered of them."""
    orders = await without_suppressed(tx, orders)
    await addresses.touch_all(
        tx, {order.submission.address for order in orders}, max(order.now for order in orders)
    )
    ids = await put_all_into_queue(tx, orders)
    sent = [
        (order, order.sent_by, number, content_id)
        for order, (number, content_id) in zip(orders, ids, strict=True)
        if order.sent_by is not None
    ]
    if sent:
        await sending_messages.add_all(
            tx,
            [
                (
                    sent_by.message,
                    number,
                    content_id if sent_by.message.archived else None,
                    order.now,
                )
                for order, sent_by, number, content_id in sent
            ],
        )
        await sending_events.add_all(
            tx, [facts_about(order, sent_by, number) for order, sent_by, number, _ in sent]
        )
    return [
        Receipt(order.submission.queue_id, (), number, order.submission.message_id)
        for order, (number, _) in zip(orders, ids, strict=True)
    ]


async def without_suppressed(tx: Transaction, orders: Sequence[Order]) -> Sequence[Order]:
    """Submissions as they are, but those of the sending API without the recipients that their
    account suppresses: these fail at once."""
    accounts = {
        order.sent_by.message.account
        for order in orders
        if order.sent_by is not None and order.sent_by.always is not None
    }
    suppressing = {one for one in accounts if await suppressions.has_any(tx, one)}
    if not suppressing:
        return orders
    asked = {
        (order.sent_by.message.account, new.recipient)
        for order in orders
        if order.sent_by is not None and order.sent_by.always is not None
        for new in order.recipients
        if new.recipient != order.sent_by.always and order.sent_by.message.account in suppressing
    }
    if not asked:
        return orders
    found = await suppressions.among_all(tx, asked, now=orders[0].now)
    if not found:
        return orders
    return [leave_out(order, found) for order in orders]


def leave_out(order: Order, found: Mapping[tuple[str, str], str]) -> Order:
    """A submission without recipients that are suppressed, by account and address."""
    sent_by = order.sent_by
    if sent_by is None or sent_by.always is None:
        return order
    reasons = {
        new.recipient: f"The recipient is suppressed ({reason})"
        for new in order.recipients
        if new.recipient != sent_by.always
        and (reason := found.get((sent_by.message.account, new.recipient))) is not None
    }
    if not reasons:
        return order
    recipients = tuple(
        replace(new, state=send_queue.FAILED, due_at=0, reply=reasons[new.recipient])
        if new.recipient in reasons
        else new
        for new in order.recipients
    )
    return replace(
        order,
        recipients=recipients,
        sent_by=replace(sent_by, rejected={**sent_by.rejected, **reasons}),
    )


def facts_about(order: Order, sent_by: SentBy, number: int) -> tuple[About, list[NewEvent]]:
    """The first events of a message of the sending API: it is on its way, but not to all."""
    facts = [NewEvent("processed", order.now, order.recipients[0].recipient)]
    for recipient, reason in sent_by.rejected.items():
        facts.append(NewEvent("rejected", order.now, recipient, reason=reason))
    return sent_by.about.of(number, len(order.content)), facts


async def put_into_queue(tx: Transaction, order: Order) -> int:
    """Store a message and queue it for its recipients, with their first events; its id."""
    return (await put_all_into_queue(tx, [order]))[0][0]


async def put_all_into_queue(tx: Transaction, orders: Sequence[Order]) -> list[tuple[int, int]]:
    """Store messages and queue each for its recipients, with their first events; their ids, and
    those of their contents. An archived content has one more use."""
    content_ids = await contents.add_all(
        tx, [(order.content, uses_of(order), None) for order in orders]
    )
    ids = await submissions.add_all(
        tx,
        [
            (order.submission, content_id, len(order.content), order.now)
            for order, content_id in zip(orders, content_ids, strict=True)
        ],
    )
    queued = list(zip(orders, ids, strict=True))
    rows = await send_queue.add_all(
        tx, [(number, order.recipients, order.priority, order.now) for order, number in queued]
    )
    facts: list[events.NewEvent] = []
    row_ids = iter(rows)
    for order, number in queued:
        submission, recipients = order.submission, order.recipients
        queue_id, address = submission.queue_id, submission.address
        if len(recipients) == 1:
            state = recipients[0].state
        else:
            state = send_queue.worst(new.state for new in recipients)
        for new in recipients:
            detail = events.first_detail(number, queue_id, state, new.recipient, new.state)
            facts.append((new.state, order.now, address, number, next(row_ids), detail))
    await events.add_all(tx, facts)
    return list(zip(ids, content_ids, strict=True))


def uses_of(order: Order) -> int:
    """How many rows will refer to the content of a submission."""
    archived = order.sent_by is not None and order.sent_by.message.archived
    return 2 if archived else 1


async def pay_together(tx: Transaction, orders: Sequence[Order]) -> frozenset[str]:
    """Take the price of all submissions of an address at once, where it is enough for all of
    them; the addresses that have paid. Of a submission with a price (`undoes_nothing`) nothing
    else is to be admitted, but for sub-addresses, which are looked at first and pay alone."""
    wanted = Counter(
        order.price.address for order in orders if order.price.debit and not order.unopened
    )
    several = [address for address, messages in wanted.items() if address and messages > 1]
    paid = set()
    for address in sorted(several):  # in one order, so that no two processes wait for each other
        if await allowances.debit_several(tx, address, wanted[address]):
            paid.add(address)
    return frozenset(paid)


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
