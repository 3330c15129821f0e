"""Orders for the queue: what a submission means for its recipients, by the settings of the server.

How a message leaves, or that it is held; the counters that it passes; what it may not do.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from mailbox_service.config import Config
from mailbox_service.core import simulated_recipients
from mailbox_service.core.address import split
from mailbox_service.core.errors import BadRequest, MessageTooBig, NoChannel
from mailbox_service.core.letter import Correspondent
from mailbox_service.core.policy import domain_of_way_out, served_by
from mailbox_service.core.settings import Rules
from mailbox_service.core.texts import text
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, as_datetime
from mailbox_service.services.queueing import Key, Order, Price, SentBy
from mailbox_service.storage import send_queue
from mailbox_service.storage.send_queue import NewRecipient
from mailbox_service.storage.submissions import NewSubmission

# RFC 5321 §4.5.3.1.8 asks for 100; a thousand is Postfix's `smtpd_recipient_limit`.
MOST_RECIPIENTS = 1_000
# A message to more than these waits behind letters, where both go to one domain.
LETTER_RECIPIENTS = 20
# Characters kept of a subject for lists; the message has the rest.
KEPT_SUBJECT = 500
# Recipients that are remembered: a megabyte.
MOST_KNOWN = 4_096
# What costs nothing.
NOTHING = Price()


class Orders:
    """Makes orders out of submissions that were checked."""

    def __init__(self, config: Config, administering: Administering, clock: Clock) -> None:
        self._administering = administering
        self._clock = clock
        self._domains = frozenset(config.served_domains)
        self._max_size = config.max_message_size
        self._holds = config.outbound == "hold"
        self._relayed = frozenset(
            domain.lower() for domain in (*config.smtp_config, *config.resend_keys)
        )
        # Recipients of plain messages; nearly all are written to again.
        self._known: dict[tuple[str, bool], NewRecipient] = {}
        self._may_go_out = frozenset(domain.lower() for domain in config.send_mail_domains)
        self._below = config.domains_to_send_below

    def of_ours(
        self,
        address: str,
        recipients: tuple[str, ...],
        content: bytes,
        *,
        queue_id: str,
        reverse_path: str,
        door: str,
        subject: str,
    ) -> Order | None:
        """A message that this service sends by itself for one of its mailboxes: a forward or an
        automatic reply. It costs nothing, counts against no limit and is in no sent box. None
        when no way out is configured; `put_into_queue` queues it."""
        domain = split(address)[1]
        if self._missing_channel(domain, recipients) is not None:
            return None
        holds = self._holds and self._way_out(domain) not in self._relayed
        submission = NewSubmission(
            queue_id=queue_id,
            address=address,
            reverse_path=reverse_path,
            door=door,
            message_id="",
            from_address=address,
            subject=subject[:KEPT_SUBJECT],
            smtputf8=not (reverse_path.isascii() and all(one.isascii() for one in recipients)),
            listed=False,
        )
        return Order(
            submission=submission,
            content=content,
            recipients=tuple(self._new_recipient(one, holds) for one in recipients),
            priority=send_queue.NORMAL,
            price=NOTHING,
            key=None,
            limits=(),
            obstacle=None,
            now=self._clock(),
        )

    def code_of_ours(
        self,
        sender: str,
        recipient: str,
        content: bytes,
        *,
        queue_id: str,
        door: str,
        subject: str,
    ) -> Order:
        """A code that this service mails by itself. Whatever happens to it makes no mail, and no
        sent box shows it; it counts against the limits of the server. `admit` raises what is in
        its way."""
        order = self.of_ours(
            sender,
            (recipient,),
            content,
            queue_id=queue_id,
            reverse_path="",
            door=door,
            subject=subject,
        )
        if order is None:
            raise self._no_channel(split(sender)[1])
        return replace(order, limits=self._limits(order.now))

    def make(
        self,
        submission: NewSubmission,
        recipients: tuple[str, ...],
        content: bytes,
        now: int,
        *,
        price: Price = NOTHING,
        key: Key | None = None,
        sent_by: SentBy | None = None,
        unopened: tuple[str, ...] = (),
        submitted_by: str = "",
    ) -> Order:
        """A submission with what follows from its recipients and its sender's domain. Raises
        BadRequest, MessageTooBig."""
        if len(recipients) > MOST_RECIPIENTS:
            raise BadRequest(f"There are more than {MOST_RECIPIENTS} recipients")
        if len(content) > self._max_size:
            raise MessageTooBig(f"The message is larger than {self._max_size} octets")
        sender_domain = split(submission.reverse_path)[1]
        owners = submitted_by == "address"  # nobody else sends for the account of an address
        holds = self._holds and self._way_out(sender_domain) not in self._relayed
        few = len(recipients) <= LETTER_RECIPIENTS
        return Order(
            submission=submission,
            content=content,
            recipients=tuple([self._new_recipient(one, holds, sent_by) for one in recipients]),
            priority=send_queue.NORMAL if few else send_queue.BULK,
            price=price,
            key=key,
            limits=self._limits(now),
            obstacle=self._missing_channel(sender_domain, recipients),
            now=now,
            sent_by=sent_by,
            unopened=unopened,
            submitted_by=submitted_by,
            by_role=self._administering.rules.role_send_limits if owners else None,
        )

    @property
    def rules(self) -> Rules:
        """The administrator's rules as they are now: the same object until they change."""
        return self._administering.rules

    def plain_way(self, sender_domain: str) -> bool | None:
        """Whether what leaves from a domain is held, for recipients of other servers; None where a
        message has more to pass than that: counters, a block list, a way out that only some
        recipients have. It holds for as long as the rules do."""
        rules = self._administering.rules
        if rules.send_mail_limit_config is not None or rules.send_block_list:
            return None
        way = self._way_out(sender_domain)
        if way in self._relayed:
            return False
        if self._may_go_out and self._may_go_out.isdisjoint((sender_domain, way)):
            return None
        return self._holds

    def recipient(self, one: Correspondent, holds: bool) -> NewRecipient:
        """A recipient to whom a plain message goes now, where it is held or not."""
        known = self._known.get((one.address, holds))
        if known is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            known = self._known[one.address, holds] = self._new_recipient(one.address, holds)
        return known

    def _new_recipient(
        self, recipient: str, holds: bool, sent_by: SentBy | None = None
    ) -> NewRecipient:
        domain = split(recipient)[1]
        if sent_by is not None:
            reason = sent_by.rejected.get(recipient)
            if reason is not None:  # left out
                return NewRecipient(recipient, domain, send_queue.FAILED, reply=reason)
            if sent_by.due_at:  # whether it is held is seen when its time has come
                return NewRecipient(recipient, domain, send_queue.QUEUED, sent_by.due_at)
        leaves = domain != simulated_recipients.DOMAIN and served_by(domain, self._domains) is None
        held = holds and leaves
        return NewRecipient(recipient, domain, send_queue.HELD if held else send_queue.QUEUED)

    def _way_out(self, sender_domain: str) -> str:
        """The domain whose relay takes the mail of a sender's domain, where there is one."""
        return domain_of_way_out(sender_domain, self._relayed, self._below)

    def _missing_channel(self, sender_domain: str, recipients: Sequence[str]) -> NoChannel | None:
        """The refusal where no way out is configured for a domain of ours (§10.5). Verified
        recipients are reached by `outbound` from every domain."""
        way = self._way_out(sender_domain)
        if way in self._relayed:
            return None
        if not self._holds and self.are_verified(recipients):
            return None
        if not self._may_go_out or not self._may_go_out.isdisjoint((sender_domain, way)):
            return None
        return self._no_channel(sender_domain)

    def _no_channel(self, sender_domain: str) -> NoChannel:
        key = "EnableResendOrSmtpOrSendMailMsg"
        return NoChannel(f"{text(key)} ({sender_domain})", message_key=key)

    def _limits(self, now: int) -> tuple[tuple[str, int, str], ...]:
        """The counters that a message now goes through: period, limit, message (§10.6)."""
        config = self._administering.rules.send_limits
        if config.daily is None and config.monthly is None:
            return ()
        today = as_datetime(now)
        limits = []
        if config.daily is not None:
            day = today.strftime("day:%Y-%m-%d")
            limits.append((day, config.daily, "ServerSendMailDailyLimitMsg"))
        if config.monthly is not None:
            month = today.strftime("month:%Y-%m")
            limits.append((month, config.monthly, "ServerSendMailMonthlyLimitMsg"))
        return tuple(limits)

    def are_verified(self, recipients: Sequence[str]) -> bool:
        """Whether all recipients are addresses that an administrator vouches for."""
        listed = self._administering.rules.verified_address_list
        if not listed:
            return False
        verified = {address.strip().lower() for address in listed}
        return all(recipient in verified for recipient in recipients)
