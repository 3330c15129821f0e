"""Owners who have the mail of their mailboxes forwarded, to an address that they prove first.

The target gets a code by mail, and nothing is forwarded until the code was shown here. The code's
mail has the null reverse-path and is nobody's sent mail: a server that sends it back whole would
otherwise hand the code to whoever asked for it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core import owner_forwarding as rules
from mailbox_service.core.address import split
from mailbox_service.core.compose import compose
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadCredential, BadRequest, NotYours, TooManyRequests
from mailbox_service.core.owner_forwarding import OwnerForward
from mailbox_service.core.policy import served_by
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, new_id, now_micros, second_of
from mailbox_service.services.kept_requests import new_message_id
from mailbox_service.services.queueing import Order, admit, put_into_queue
from mailbox_service.services.sending import Sending
from mailbox_service.services.throttling import CodeLimits
from mailbox_service.signals import Signals
from mailbox_service.storage import addresses, owner_forwards
from mailbox_service.storage.database import Database, Transaction

DOOR = "verify"


class OwnerForwarding:
    """Shows, proves and ends what owners want."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        sending: Sending,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
        new_code: Callable[[], str] = lambda: (
            f"{secrets.randbelow(10**rules.CODE_DIGITS):0{rules.CODE_DIGITS}}"
        ),
    ) -> None:
        self._database = database
        self._enabled = config.enable_owner_forwarding
        self._domains = frozenset(config.served_domains)
        self._administering = administering
        self._sending = sending
        self._signals = signals
        secret = config.jwt_secret.encode()
        self._key = hashlib.sha256(b"mailbox owner forwarding key\0" + secret).digest()
        self._clock = clock
        self._new_queue_id = new_queue_id
        self._new_code = new_code
        self._limits = CodeLimits()

    def check_enabled(self) -> None:
        """Raises NotYours where owners do not forward."""
        if not self._enabled:
            raise NotYours("Forwarding by owners is disabled")

    async def get(self, address: str) -> OwnerForward:
        """What the owner of a mailbox wants, as it is now."""
        return (await self._database.read(owner_forwards.get, address)).at(self._clock())

    async def ask(self, owner: Principal, target: str, *, ip: str) -> OwnerForward:
        """Mail a code to a target; what was forwarded goes on as it did until the code is shown.

        Raises BadRequest for what is no address, RecipientBlocked, TooManyRequests, NoChannel,
        QuotaReached, BadCredential when the address was closed meanwhile.
        """
        target = rules.target_of(target, owner.address, self._administering.rules.send_block_list)
        forward = await self.get(owner.address)
        if forward.target == target:
            return forward
        await self._limits.take(ip)
        code = self._new_code()
        order = self._code_order(owner.address, target, code)
        code_mac = self._mac(owner.address, target, code)
        await self._database.write(begin, owner, target, code_mac, order)
        self._signals.notify(topics.QUEUE)
        return await self.get(owner.address)

    async def prove(self, address: str, code: str) -> OwnerForward:
        """Forward from now on, if the code is the one that was mailed. Raises BadRequest."""
        now = self._clock()

        def is_good(target: str, code_mac: str) -> bool:
            return hmac.compare_digest(code_mac, self._mac(address, target, code.strip()))

        if not await self._database.write(try_code, address, is_good, now):
            raise BadRequest("The code is wrong, was used, or has ended")
        return await self.get(address)

    async def end(self, address: str) -> None:
        """Forward no more, and await no code."""
        await self._database.write(owner_forwards.remove_of, address)

    def _code_order(self, address: str, target: str, code: str) -> Order:
        domain = split(address)[1]
        # Addresses below a domain may not be allowed to send; the domain itself always is.
        sender = f"postmaster@{served_by(domain, self._domains) or domain}"
        queue_id = self._new_queue_id()
        draft = rules.letter(sender, address, target, code)
        content = compose(
            draft,
            message_id=new_message_id(queue_id, sender),
            date=second_of(self._clock() // 1_000_000),
        )
        return self._sending.orders.code_of_ours(
            sender, target, content, queue_id=queue_id, door=DOOR, subject=draft.subject
        )

    def _mac(self, address: str, target: str, code: str) -> str:
        words = f"{address}\0{target}\0{code}".encode(errors="replace")
        return hmac.new(self._key, words, hashlib.sha256).hexdigest()


async def begin(
    tx: Transaction, owner: Principal, target: str, code_mac: str, order: Order
) -> None:
    """Await a code and queue its mail, within the limits; or nothing of it."""
    found = await addresses.by_address(tx, owner.address)
    if found is None or owner.address_id not in (0, found.id):
        raise BadCredential("The address was closed")
    now = order.now
    for name, most in (
        (f"to:{target}", rules.MOST_TO_A_TARGET),
        (f"of:{owner.address}", rules.MOST_OF_A_MAILBOX),
    ):
        if not await owner_forwards.count_within(
            tx, name, most=most, now=now, window=rules.WINDOW_MICROS
        ):
            raise TooManyRequests(
                "Too many codes were asked for. Try again in an hour.", retry_after=3_600.0
            )
    await owner_forwards.ask(
        tx,
        owner.address,
        target,
        code_mac=code_mac,
        tries=rules.TRIES,
        ends_at=now + rules.CODE_MICROS,
    )
    await admit(tx, order)
    await put_into_queue(tx, order)


async def try_code(
    tx: Transaction, address: str, is_good: Callable[[str, str], bool], now: int
) -> bool:
    """Count a try, and begin to forward if its code is good, which ends the code."""
    asked = await owner_forwards.try_once(tx, address, now=now)
    if asked is None or not is_good(*asked):
        return False
    await owner_forwards.confirm(tx, address, now=now)
    return True
