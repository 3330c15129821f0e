"""Taking messages that are to be sent: the one way in, whatever door they came through.

Everything that follows from a submission happens in one transaction: its key, its price, the
server's counters, the content, the sent box, the queue and the first events. When the receipt is
out, the message is ours to deliver or to report (RFC 5321 §6.1).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.address import canonical, split
from mailbox_service.core.compose import Draft, compose
from mailbox_service.core.envelope import Envelope, Peer, Principal, Receipt
from mailbox_service.core.errors import (
    BadAddress,
    BadRequest,
    FromNotYours,
    MailError,
    MessageTooBig,
)
from mailbox_service.core.header_section import read_fields, unfolded_value
from mailbox_service.core.header_words import decoded
from mailbox_service.core.policy import (
    check_draft_filled,
    check_from,
    check_recipients,
    check_sender_domain,
)
from mailbox_service.core.submission_fields import from_addresses, prepare_submission
from mailbox_service.core.texts import text
from mailbox_service.core.trace_fields import count_received
from mailbox_service.log_lines import info_lines
from mailbox_service.services.administering import Administering
from mailbox_service.services.allowances import Allowances, may_send
from mailbox_service.services.clock import Clock, new_id, now_micros, second_of
from mailbox_service.services.departures import Departures
from mailbox_service.services.gathering import Waiter
from mailbox_service.services.kept_requests import (
    LONGEST_KEY,
    draft_fingerprint,
    envelope_fingerprint,
    json_text,
    key_of,
    new_message_id,
    record_of,
)
from mailbox_service.services.orders import KEPT_SUBJECT, NOTHING, Orders
from mailbox_service.services.queueing import Key, Order, Price, SentBy, no_balance
from mailbox_service.signals import Signals
from mailbox_service.storage import send_queue
from mailbox_service.storage.database import Database
from mailbox_service.storage.submissions import NewSubmission

log = logging.getLogger("mailbox.sending")


class Sending:
    """Takes submissions, and knows what each address may still send."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
    ) -> None:
        self._database = database
        self._departures = Departures(database, self._queued)
        self._administering = administering
        self._signals = signals
        self._clock = clock
        self._new_queue_id = new_queue_id
        self._domains = frozenset(config.served_domains)
        self._below = config.domains_to_send_below
        self._max_size = config.max_message_size
        self._sub_addresses = config.enable_sub_addresses
        self.orders = Orders(config, administering, clock)
        self.allowances = Allowances(
            database, config, administering, signals, clock=clock, new_queue_id=new_queue_id
        )

    async def balance(self, principal: Principal) -> int:
        """How many messages a principal may send (mailbox API §10.3)."""
        return await self.allowances.balance(principal)

    async def request_access(self, principal: Principal) -> None:
        """Ask for an allowance (mailbox API §10.4). Raises BadRequest when asked before."""
        await self.allowances.request(principal)

    # Submitting.

    def submit(
        self,
        principal: Principal,
        envelope: Envelope,
        content: bytes,
        *,
        door: str,
        record: Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
        charge: bool = True,
        listed: bool = True,
        lines_checked: bool = False,
        peer: Peer | None = None,
        sent_by: SentBy | None = None,
    ) -> asyncio.Future[Receipt]:
        """Queue a message as its author's program made it; the future ends when it is on disk.

        The principal must own the reverse-path, From and Sender (RFC 6409 §6.1). Missing From,
        Date and Message-ID are added and Bcc is taken out, the rest stays as it is. `door` is
        the way it came in, or the protocol of the `peer`; `record` the mailbox API's JSON of
        the request. With an `idempotency_key` the same request again gives the same receipt for
        a day, another one Conflict. `charge` False: costs nothing. `listed` False: not shown in
        the sent box. `sent_by`: it came through the sending API, which has judged the sender.

        The future ends with FromNotYours, BadContent, MessageTooBig, RoutingLoop, NotYours,
        QuotaReached, BadRequest, RecipientBlocked, NoChannel, Conflict or TemporaryFailure.
        """
        if sent_by is not None:
            return self._submit_sent(principal, envelope, content, door, idempotency_key, sent_by)
        try:
            key = None
            if idempotency_key:
                fingerprint = envelope_fingerprint(envelope, content)
                key = key_of(principal, idempotency_key, fingerprint)
            order = self._read_message(
                principal,
                envelope,
                content,
                lines_checked=lines_checked,
                door=door if peer is None else peer.protocol.lower(),
                record=None if record is None else json_text(record),
                listed=listed,
                price=self._price(principal, envelope.recipients, charge),
                key=key,
            )
        except MailError as refusal:
            return refused(refusal)
        return self._departures.add(order)

    def depart(self, order: Order) -> asyncio.Future[Receipt]:
        """Queue what was judged and composed elsewhere (`sending_api.letters`)."""
        return self._departures.add(order)

    def depart_for(self, order: Order, waiter: Waiter[Receipt]) -> None:
        """The same; `waiter` is told in the moment in which it is on disk."""
        self._departures.add_for(order, waiter)

    def _submit_sent(
        self,
        principal: Principal,
        envelope: Envelope,
        content: bytes,
        door: str,
        idempotency_key: str | None,
        sent_by: SentBy,
    ) -> asyncio.Future[Receipt]:
        """Queue a message of the sending API: it costs no allowance, may come from domains that
        are not served here, and may wait for its time or have recipients that are left out."""
        reverse_path = envelope.reverse_path
        try:
            recipients = tuple(dict.fromkeys(envelope.recipients))
            check_recipients(recipients, self._administering.rules.send_block_list)
            now = self._clock()
            queue_id, message_id = sent_by.queue_id, sent_by.message_id
            if not message_id:  # what was composed here needs no second look
                count_received(content)
                content = prepare_submission(
                    content,
                    sender=reverse_path,
                    message_id=new_message_id(queue_id, reverse_path),
                    date=second_of(now // 1_000_000),
                )
                message_id = first_fields(content).get("message-id", "")
            submission = NewSubmission(
                queue_id=queue_id,
                address=reverse_path,
                reverse_path=reverse_path,
                door=door,
                message_id=message_id[:LONGEST_KEY],
                from_address=reverse_path,
                subject=sent_by.message.subject[:KEPT_SUBJECT],
                smtputf8=envelope.smtputf8,
            )
            key = None
            if idempotency_key:
                owner = Principal("credential", sent_by.credential)
                key = key_of(owner, idempotency_key, sent_by.fingerprint)
            order = self.orders.make(
                submission,
                recipients,
                content,
                now,
                key=key,
                sent_by=sent_by,
                submitted_by=principal.kind,
            )
        except MailError as refusal:
            return refused(refusal)
        return self._departures.add(order)

    def submit_draft(
        self,
        principal: Principal,
        draft: Draft,
        *,
        door: str = "api",
        record: Mapping[str, object] | None = None,
        ip: str = "unknown",
        idempotency_key: str | None = None,
        charge: bool = True,
        listed: bool = True,
    ) -> asyncio.Future[Receipt]:
        """Compose a draft and queue it. `record` is the request by the mailbox API's keys, of
        which the sent box keeps a copy without credentials and files; `ip` is the caller's.

        The checks come in the order of mailbox API §10.2. The future ends like that of `submit`.
        """
        sender = draft.sender.address
        if not sender:
            return refused(BadRequest(text("AddressNotFoundMsg"), message_key="AddressNotFoundMsg"))
        try:
            reverse_path = canonical(sender)
            check_from(principal, (reverse_path,))
            check_sender_domain(split(reverse_path)[1], self._domains, self._below)
        except MailError as refusal:
            return refused(refusal)
        try:
            recipients = recipients_of(draft)
            order = self._compose(
                principal,
                draft,
                reverse_path,
                recipients,
                door,
                record=None if record is None else json_text(record_of(record, ip)),
                listed=listed,
                price=self._price(principal, recipients, charge),
                idempotency_key=idempotency_key,
            )
        except MailError as refusal:
            return self._after_balance(principal, refusal, charge)
        return self._departures.add(order)

    def _compose(
        self,
        principal: Principal,
        draft: Draft,
        reverse_path: str,
        recipients: tuple[str, ...],
        door: str,
        *,
        record: str | None,
        listed: bool,
        price: Price,
        idempotency_key: str | None,
    ) -> Order:
        check_recipients(
            recipients,
            self._administering.rules.send_block_list,
            written=[one.address for one in (*draft.to, *draft.cc, *draft.bcc)],
        )
        check_draft_filled(draft.subject, draft.text or draft.html or "")
        now = self._clock()
        queue_id = self._new_queue_id()
        message_id = new_message_id(queue_id, reverse_path)
        content = compose(draft, message_id=message_id, date=second_of(now // 1_000_000))
        submission = NewSubmission(
            queue_id=queue_id,
            address=reverse_path,
            reverse_path=reverse_path,
            door=door,
            message_id=message_id,
            from_address=reverse_path,
            subject=draft.subject[:KEPT_SUBJECT],
            smtputf8=not content.isascii(),
            record=record,
            listed=listed,
        )
        key = None
        if idempotency_key:
            key = key_of(principal, idempotency_key, draft_fingerprint(draft))
        return self.orders.make(
            submission,
            recipients,
            content,
            now,
            price=price,
            key=key,
            submitted_by=principal.kind,
        )

    def _read_message(
        self,
        principal: Principal,
        envelope: Envelope,
        content: bytes,
        *,
        lines_checked: bool,
        door: str,
        record: str | None,
        listed: bool,
        price: Price,
        key: Key | None,
    ) -> Order:
        reverse_path = envelope.reverse_path
        if not reverse_path:
            raise FromNotYours("a submission needs a reverse-path of your own")
        if len(content) > self._max_size:
            raise MessageTooBig(f"The message is larger than {self._max_size} octets")
        authors = (reverse_path, *from_addresses(content))
        lent = check_from(principal, authors, sub_addresses=self._sub_addresses)
        check_sender_domain(split(reverse_path)[1], self._domains, self._below)
        count_received(content)
        recipients = tuple(dict.fromkeys(envelope.recipients))
        check_recipients(recipients, self._administering.rules.send_block_list)
        now = self._clock()
        queue_id = self._new_queue_id()
        content = prepare_submission(
            content,
            sender=reverse_path,
            message_id=new_message_id(queue_id, reverse_path),
            date=second_of(now // 1_000_000),
            lines_checked=lines_checked,
        )
        fields = first_fields(content)
        submission = NewSubmission(
            queue_id=queue_id,
            address=principal.address if lent else reverse_path,
            reverse_path=reverse_path,
            door=door,
            message_id=fields.get("message-id", "")[:LONGEST_KEY],
            from_address=reverse_path,
            subject=decoded(fields.get("subject", ""))[:KEPT_SUBJECT],
            smtputf8=envelope.smtputf8,
            record=record,
            listed=listed,
        )
        return self.orders.make(
            submission,
            recipients,
            content,
            now,
            price=price,
            key=key,
            unopened=lent,
            submitted_by=principal.kind,
        )

    def _price(self, principal: Principal, recipients: tuple[str, ...], charge: bool) -> Price:
        if not charge or self.allowances.unlimited(principal):
            return NOTHING
        free = self.orders.are_verified(recipients)
        return Price(principal.address, self.allowances.default, debit=not free)

    def _after_balance(
        self, principal: Principal, refusal: MailError, charge: bool
    ) -> asyncio.Future[Receipt]:
        """A refusal that the contract gives only to those who have something to send."""
        if not charge or self.allowances.unlimited(principal):
            return refused(refusal)

        async def judge() -> Receipt:
            default = self.allowances.default
            if not await self._database.read(may_send, principal.address, default):
                raise no_balance()
            raise refusal

        return asyncio.ensure_future(judge())

    def _queued(self, orders: Sequence[Order], answers: Sequence[Receipt | MailError]) -> None:
        """Log what is new, and wake the workers and whoever watches these sent boxes."""
        senders: set[str] = set()
        waits = reported = False
        write = info_lines(log)
        for order, answer in zip(orders, answers, strict=True):
            submission = order.submission
            if not isinstance(answer, Receipt) or answer.queue_id != submission.queue_id:
                continue  # refused; or a repeated request, of which nothing is new
            if write is not None:
                write(
                    f"queued queue_id={submission.queue_id} sender={submission.address} "
                    f"recipients={len(order.recipients)} size={len(order.content)} "
                    f"door={submission.door} principal={order.submitted_by}"
                )
            senders.add(submission.address)
            reported = reported or order.sent_by is not None
            waits = waits or any(one.state == send_queue.QUEUED for one in order.recipients)
        if waits:
            self._signals.notify(topics.QUEUE)
        for sender in senders:
            self._signals.notify(topics.mailbox(sender))
        if reported:
            self._signals.notify(topics.SENDING_EVENTS)


def refused(refusal: MailError) -> asyncio.Future[Receipt]:
    """A future that has ended with a refusal."""
    future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
    future.set_exception(refusal)
    return future


def recipients_of(draft: Draft) -> tuple[str, ...]:
    """The recipients of a draft. Raises BadRequest when one is no address."""
    people = (*draft.to, *draft.cc, *draft.bcc)
    if not people or not all(one.address.strip() for one in people):
        return ()
    try:
        return draft.recipients()
    except BadAddress as error:
        key = "InvalidToMailMsg"
        raise BadRequest(f"{text(key)}: {error.detail}", message_key=key) from error


def first_fields(content: bytes) -> dict[str, str]:
    """The header fields of a checked message by their names, the first of each, on one line."""
    found: dict[str, str] = {}
    for name, raw in read_fields(content)[0]:
        found.setdefault(name.decode("ascii", "replace"), unfolded_value(raw))
    return {name: value.encode(errors="replace").decode() for name, value in found.items()}
