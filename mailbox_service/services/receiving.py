"""Accept arriving mail or refuse it: the service behind the reception door, and the last step
of mail between our own mailboxes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Protocol

from msgspec.structs import replace as with_values

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.address import split, without_detail
from mailbox_service.core.attachment_removal import LARGE_MESSAGE, without_attachments
from mailbox_service.core.envelope import Envelope, Peer, Receipt
from mailbox_service.core.errors import BadContent, MessageTooBig, NotOurDomain, UnknownMailbox
from mailbox_service.core.mime_parts import read_header
from mailbox_service.core.policy import (
    authentication_results,
    black_list_entries,
    check_reverse_path,
    is_junk,
    served_by,
)
from mailbox_service.core.stored import StoredSummary
from mailbox_service.core.trace_fields import (
    claims_to_be,
    count_received,
    needs_no_look,
    received_field,
    without_claims,
)
from mailbox_service.services.administering import Administering
from mailbox_service.services.arrivals import Arrivals
from mailbox_service.services.clock import Clock, new_id, now_micros, second_of
from mailbox_service.services.limiting import Taken, limiting_for
from mailbox_service.services.overruling import Overruling
from mailbox_service.services.summarising import summary_and_words
from mailbox_service.signals import Signals
from mailbox_service.storage import addresses, locks, messages, summaries
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.messages import NewMessage
from mailbox_service.storage.promise import Promise

log = logging.getLogger("mailbox.receiving")

Answer = asyncio.Future[Receipt] | Promise[Receipt]

# What our trace field may add to a message, for its room in a mailbox.
TRACE_OCTETS = 512


class Returns(Protocol):
    """Addresses that mail of the sending API comes back to (`services.sending_api.returns`)."""

    def takes(self, recipient: str) -> bool:
        """Whether an address is one of them."""
        ...

    async def keep(self, recipients: Sequence[str], content: bytes) -> Receipt:
        """Take a mail for some of them; it is on disk when this returns."""
        ...


class Receiving:
    """Judges recipients, and stores messages with our trace field on top.

    Mail for any name of a served domain is taken, whether the address is open or not, unless
    an administrator wants it otherwise: whoever opens the address later finds it there.
    """

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
        self._administering = administering
        self._signals = signals
        self._clock = clock
        self._new_queue_id = new_queue_id
        self._domains = frozenset(config.served_domains)
        self._black_list = black_list_entries(config.black_list)
        self._own_name = config.own_name
        self._sub_addresses = config.enable_sub_addresses
        self._arrivals = Arrivals(database, packs=config.enable_mail_gzip)
        self._max_size = config.max_message_size
        self._limiting = limiting_for(database, config, clock=clock)
        self._overruling = Overruling(config, administering)
        self._drops_files = config.remove_all_attachment or config.remove_exceed_size_attachment
        self._drops_all_files = config.remove_all_attachment
        self.returns: Returns | None = None
        # What only the text of a recipient decides; mail comes in bursts.
        self._is_plain = lru_cache(maxsize=4_096)(self._looks_plain)
        database.when_kept(self._tell_of)

    def serves(self, recipient: str) -> bool:
        """Whether a canonical address is of a domain of ours, or below one."""
        domain = split(recipient)[1]
        return domain in self._domains or served_by(domain, self._domains) is not None

    def recipient_now(self, recipient: str, reverse_path: str) -> bool:
        """Judge a recipient from memory; False when the store must be asked.

        Raises NotOurDomain, SenderRefused, MailboxFull or TooManyRequests.
        """
        plain = self._is_plain(recipient)
        if not plain:
            if self._comes_back(recipient):
                return True
            if not self.serves(recipient):
                raise NotOurDomain("Relaying denied: this host does not serve that domain")
        rules = self._administering.rules
        if reverse_path:
            check_reverse_path(reverse_path, self._black_list)
            check_reverse_path(reverse_path, rules.from_block_list)
        if rules.email_rule_settings.block_receive_unknow_address_email:
            return False
        if self._limiting is None:
            return True
        # What is not plain is for name+tag here, and only the store knows whose mail that is.
        return plain and self._limiting.allows_now(recipient)

    def _looks_plain(self, recipient: str) -> bool:
        """Whether a canonical address is of a domain of ours, and of a mailbox like any other:
        no sub-address, and none that mail comes back to."""
        return (
            self.serves(recipient)
            and self._below(recipient) is None
            and not self._comes_back(recipient)
        )

    async def check_recipient(self, recipient: str, reverse_path: str) -> None:
        """Judge a recipient with the store. Raises UnknownMailbox or TemporaryFailure too."""
        if self.recipient_now(recipient, reverse_path):
            return
        mailbox = await self._mailbox_of(recipient)
        rules = self._administering.rules.email_rule_settings
        if (
            rules.block_receive_unknow_address_email
            and await self._database.read_quick(addresses.by_address, mailbox) is None
        ):
            raise UnknownMailbox("Unknown address")
        if self._limiting is not None:
            await self._limiting.allow(mailbox)

    async def check_delivery(self, recipient: str, reverse_path: str, size: int) -> Taken | None:
        """Judge a recipient of ours for a message of so many octets that our own queue is about
        to put there; the room it has, where that is limited. Raises like `check_recipient`."""
        await self.check_recipient(recipient, reverse_path)
        if self._limiting is None or self._comes_back(recipient):
            return None
        mailbox = await self._mailbox_of(recipient)
        return await self._limiting.take((mailbox,), size + TRACE_OCTETS)

    async def _mailbox_of(self, recipient: str) -> str:
        if self._below(recipient) is None:
            return recipient
        return await self._database.read_quick(addresses.mailbox_of, recipient)

    def _below(self, recipient: str) -> str | None:
        return without_detail(recipient) if self._sub_addresses else None

    def _is_below(self, envelope: Envelope) -> bool:
        return self._sub_addresses and any(map(self._below, envelope.recipients))

    def receive(self, envelope: Envelope, content: bytes, peer: Peer) -> Answer:
        """Store a message for all its recipients; once it is on disk the answer comes. The
        receipt has no message ids, which mail gets a moment later.

        Raises RoutingLoop, MessageTooBig, BadContent (junk), or what is wrong with the room in
        its mailboxes, at once.
        """
        looked = needs_no_look(content)
        plain = all(map(self._is_plain, envelope.recipients))
        if not plain and any(map(self._comes_back, envelope.recipients)):
            if not looked:
                count_received(content)
            return asyncio.ensure_future(self._take_back(envelope, content, peer))
        self._check_content(content, counted=looked)
        if not looked:
            content = without_claims(content, self._own_name)
        if self._has_files_to_drop(content) or (not plain and self._is_below(envelope)):
            return asyncio.ensure_future(self._receive_slowly(envelope, content, peer))
        if self._limiting is None:
            return self._receive(envelope, content, peer)
        taken = self._limiting.take_now(envelope.recipients, len(content) + TRACE_OCTETS)
        if taken is None:
            return asyncio.ensure_future(self._receive_slowly(envelope, content, peer))
        return self._receive(envelope, content, peer, taken=taken)

    def _comes_back(self, recipient: str) -> bool:
        return self.returns is not None and self.returns.takes(recipient)

    async def take_back(self, recipients: Sequence[str], content: bytes) -> tuple[str, ...]:
        """Take a mail of our own for those of its recipients that are such addresses; which."""
        back = tuple(one for one in recipients if self._comes_back(one))
        if back and self.returns is not None:
            await self.returns.keep(back, content)
        return back

    async def _take_back(self, envelope: Envelope, content: bytes, peer: Peer) -> Receipt:
        """A mail for return-paths of ours, and perhaps for others besides."""
        assert self.returns is not None
        back = tuple(one for one in envelope.recipients if self.returns.takes(one))
        others = tuple(one for one in envelope.recipients if one not in back)
        receipt = await self.returns.keep(back, content)
        if others:
            receipt = await self.receive(with_values(envelope, recipients=others), content, peer)
        return receipt

    def _check_content(self, content: bytes, *, counted: bool = False) -> None:
        if not counted:
            count_received(content)
        if len(content) > self._max_size:
            raise MessageTooBig(f"The message is larger than {self._max_size} octets")
        self.check_junk(content)

    async def _receive_slowly(self, envelope: Envelope, content: bytes, peer: Peer) -> Receipt:
        mailboxes = await self._mailboxes(envelope)
        content = await self.reduced(content)
        taken = await self._take_room(mailboxes, content)
        return await self._receive(envelope, content, peer, mailboxes, taken=taken)

    async def _take_room(self, mailboxes: tuple[str, ...], content: bytes) -> Taken | None:
        if self._limiting is None:
            return None
        return await self._limiting.take(mailboxes, len(content) + TRACE_OCTETS)

    async def _mailboxes(self, envelope: Envelope) -> tuple[str, ...]:
        """The mailboxes of an envelope, each once."""
        return tuple(dict.fromkeys([await self._mailbox_of(one) for one in envelope.recipients]))

    def _receive(
        self,
        envelope: Envelope,
        content: bytes,
        peer: Peer,
        mailboxes: tuple[str, ...] = (),
        *,
        with_ids: bool = False,
        taken: Taken | None = None,
    ) -> Answer:
        now = self._clock()
        queue_id = self._new_queue_id()
        only = envelope.recipients[0] if len(envelope.recipients) == 1 else None
        field = received_field(
            peer,
            by=self._own_name,
            queue_id=queue_id,
            recipient=only,
            date=second_of(now // 1_000_000),
        )
        mailboxes = mailboxes or envelope.recipients
        message = NewMessage(mailboxes, envelope.reverse_path, field + content, now)
        receipt: Answer | None = None
        if not with_ids:
            receipt = self._arrivals.keep(message, Receipt(queue_id))
        if receipt is None:
            receipt = asyncio.ensure_future(self._add(message, queue_id))
            receipt.add_done_callback(partial(self._tell, message))
        if taken is not None:
            receipt.add_done_callback(taken.landed)
        return receipt

    async def _add(self, message: NewMessage, queue_id: str) -> Receipt:
        return Receipt(queue_id, tuple(await self._arrivals.add(message)))

    def _tell(self, message: NewMessage, receipt: asyncio.Future[Receipt]) -> None:
        """Wake whoever waits for this mail."""
        if not receipt.cancelled() and receipt.exception() is None:
            self._tell_of([message])

    def _tell_of(self, arrived: Iterable[NewMessage]) -> None:
        """Wake whoever waits for mail that is on disk."""
        for mailbox in {mailbox for message in arrived for mailbox in message.addresses}:
            self._signals.notify(topics.mailbox(mailbox))
        self._signals.notify(topics.MESSAGES)

    async def accept(self, envelope: Envelope, content: bytes, peer: Peer) -> Receipt:
        """Judge every recipient and store: the whole of reception for doors that are not SMTP.
        The receipt names the ids."""
        for recipient in envelope.recipients:
            self.recipient_now(recipient, envelope.reverse_path)
        if any(map(self._comes_back, envelope.recipients)):
            return await self.receive(envelope, content, peer)
        self._check_content(content)
        for recipient in envelope.recipients:
            await self.check_recipient(recipient, envelope.reverse_path)
        content = await self.reduced(without_claims(content, self._own_name))
        mailboxes = await self._mailboxes(envelope)
        taken = await self._take_room(mailboxes, content)
        receipt = await self._receive(
            envelope, content, peer, mailboxes, with_ids=True, taken=taken
        )
        # The mail doors have a line of their own for what they accept.
        log.info(
            "received queue_id=%s reverse_path=%s recipients=%d",
            receipt.queue_id,
            envelope.reverse_path,
            len(envelope.recipients),
        )
        return receipt

    def check_junk(self, content: bytes) -> None:
        """Raises BadContent for what the results in its header make junk (mailbox-api §9.4)."""
        now = self._overruling.now
        if not now.enable_check_junk_mail:
            return
        header = read_header(content)
        told = header.all("authentication-results")
        own = self._own_name
        results = authentication_results(
            header.all("received-spf"),
            # Nobody outside can know what we found out (RFC 8601 §5).
            [one for one in told if not claims_to_be(one.encode("utf-8", "replace"), own)],
        )
        if is_junk(results, now.junk_mail_check_list, now.junk_mail_force_pass_list):
            raise BadContent("Junk mail")

    def _has_files_to_drop(self, content: bytes) -> bool:
        return self._drops_files and (self._drops_all_files or len(content) >= LARGE_MESSAGE)

    async def reduced(self, content: bytes) -> bytes:
        """A message as it is to be kept: without attachments where they are not wanted."""
        if not self._has_files_to_drop(content):
            return content
        return await asyncio.to_thread(without_attachments, content)

    async def store_notice(
        self, address: str, reverse_path: str, content: bytes, *, message_id: str = ""
    ) -> int:
        """Put a message of our own into a mailbox as it is; its id. Nothing follows from it.
        `message_id` is shown for it whatever its header says."""
        read = await asyncio.to_thread(summary_and_words, content) if message_id else None
        receipt = await self._database.write(
            store,
            (address,),
            reverse_path,
            content,
            self._new_queue_id(),
            self._clock(),
            quiet=True,
            read=(with_values(read[0], message_id=message_id), read[1]) if read else None,
        )
        self._signals.notify(topics.mailbox(address))
        self._signals.notify(topics.MESSAGES)
        return receipt.message_ids[0]


async def store(
    tx: Transaction,
    recipients: tuple[str, ...],
    reverse_path: str,
    content: bytes,
    queue_id: str,
    now: int,
    *,
    quiet: bool = False,
    read: tuple[StoredSummary, str] | None = None,
) -> Receipt:
    """Put one message into the mailboxes of its recipients. `quiet`: nothing follows from it.
    `read`: its summary and the words of it, when they are known already."""
    await locks.order_messages(tx)
    ids = await messages.add(
        tx, addresses=recipients, reverse_path=reverse_path, content=content, now=now, quiet=quiet
    )
    if read is not None:
        for message_id in ids:
            await summaries.add(tx, message_id, read[0], search_text=read[1])
    return Receipt(queue_id, tuple(ids))
