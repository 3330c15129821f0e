"""Short messages on their way to a gateway, and what the gateway tells (sending-api §11.2).

A worker hands over what is due; receipts and messages from phones come by a callback or a
session, and are on disk before they are acknowledged.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlencode

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.api_values import DAY
from mailbox_service.core.errors import MailError
from mailbox_service.core.sending_api import MASTER
from mailbox_service.core.sms import (
    ENROUTE,
    FAILED,
    FINAL,
    LONGEST_CONTENT,
    PROCESSING,
    QUEUED,
    SUBMITTED,
    GatewayProblem,
    Inbound,
    Outgoing,
    Receipt,
    next_try,
    opts_out,
)
from mailbox_service.services.clock import Clock, new_id, now_micros
from mailbox_service.services.sending_api.sms_events import EVENTS, post
from mailbox_service.signals import Signals
from mailbox_service.storage import sms
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.sms import ReceivedSms, Sms

log = logging.getLogger("mailbox.sms")

# Handed over at once; gateways allow some ten a second.
MOST_AT_ONCE = 10
LEASE_MICROS = 5 * 60 * 1_000_000
LOOK_AGAIN_SECONDS = 10.0
TROUBLE_SECONDS = 2.0
TIDY_EVERY = 60 * 60 * 1_000_000

# How far a message came; a receipt that comes late takes nothing back.
ORDER = {QUEUED: 0, PROCESSING: 1, SUBMITTED: 2, ENROUTE: 3}

Telling = Callable[[Receipt | Inbound], Awaitable[None]]


class Gateway(Protocol):
    """What carries messages (`outbound.sms_http`, `outbound.sms_smpp`)."""

    @property
    def name(self) -> str: ...

    async def send(self, message: Outgoing, callback: str) -> str:
        """Hand a message over; the gateway's id of it, perhaps empty. Raises GatewayProblem."""
        ...

    async def run(self, tell: Telling) -> None:
        """Keep a session up, when the gateway has one, and tell what comes."""
        ...


class HandingOver:
    """Hands short messages to the gateway. `gateway` None: there is none."""

    def __init__(
        self, database: Database, config: Config, signals: Signals, *, clock: Clock = now_micros
    ) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock
        self._kept = config.sending_history_days * DAY
        self.preset = config.sms_preset
        key = hmac.digest(config.jwt_secret.encode(), b"sms callback", hashlib.sha256)
        self._callback_key = key.hex()[:40]
        url = (config.frontend_url or f"http://{config.http_listen}").rstrip("/")
        self.callback = f"{url}/sms/callback?{urlencode({'key': self._callback_key})}"
        self._holder = secrets.token_hex(8)
        self._tidied = 0
        self.gateway: Gateway | None = None

    # What the gateway tells.

    def proves(self, key: str) -> bool:
        """Whether a callback shows the secret."""
        shown = key.encode("utf-8", "replace")
        return hmac.compare_digest(shown, self._callback_key.encode())

    async def tell(self, told: Receipt | Inbound) -> None:
        """Write down what the gateway tells; it is on disk when this returns."""
        if isinstance(told, Receipt):
            posts = await self._database.write(receipt, told, now=self._clock())
        else:
            posts = await self._database.write(inbound, told, new_id(), now=self._clock())
        if posts:
            self._signals.notify(topics.WEBHOOKS)

    # The worker.

    async def run(self) -> None:
        """Hand messages over until cancelled."""
        gateway = self.gateway
        if gateway is None:
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(gateway.run(self.tell))
            group.create_task(self._hand_over_all())

    async def _hand_over_all(self) -> None:
        with self._signals.watch(topics.SMS) as watch:
            while True:
                seconds = LOOK_AGAIN_SECONDS
                try:
                    while await self.hand_over_some():
                        pass
                    seconds = await self._pause()
                except MailError as error:
                    log.warning("sms-wait reason=%s", error.detail)
                    seconds = TROUBLE_SECONDS
                await watch.wait(seconds)

    async def _pause(self) -> float:
        now = self._clock()
        if now - self._tidied >= TIDY_EVERY:
            self._tidied = now
            await self._database.write(sms.purge, before=now - self._kept)
        turn = await self._database.read(sms.next_turn, now=now)
        if turn is None:
            return LOOK_AGAIN_SECONDS
        return min(max((turn - now) / 1_000_000, 0.01), LOOK_AGAIN_SECONDS)

    async def hand_over_some(self) -> int:
        """Lease what is due and hand it over; how many messages."""
        gateway = self.gateway
        if gateway is None:
            return 0
        now = self._clock()
        claims = await self._database.write(
            sms.claim_due,
            now=now,
            lease_until=now + LEASE_MICROS,
            holder=self._holder,
            limit=MOST_AT_ONCE,
        )
        await asyncio.gather(*(self._hand_over(gateway, one) for one in claims))
        return len(claims)

    async def _hand_over(self, gateway: Gateway, message: Sms) -> None:
        out = Outgoing(message.public_id, message.sender, message.destination, message.content)
        status, gateway_id, error, again = SUBMITTED, "", "", None
        try:
            gateway_id = await gateway.send(out, self.callback)
        except GatewayProblem as problem:
            status, error = FAILED, str(problem)[:500]
            if problem.passes:
                again = next_try(message.attempts, created_at=message.created_at, now=self._clock())
            if again is not None:
                status = QUEUED
        log.info(
            "sms id=%s gateway=%s attempt=%d status=%s",
            message.public_id,
            gateway.name,
            message.attempts,
            status,
        )
        posts = await asyncio.shield(
            self._database.write(
                settle,
                message,
                status=status,
                gateway_id=gateway_id,
                error=error,
                again=again,
                holder=self._holder,
                now=self._clock(),
            )
        )
        if posts:
            self._signals.notify(topics.WEBHOOKS)


async def settle(
    tx: Transaction,
    message: Sms,
    *,
    status: str,
    gateway_id: str,
    error: str,
    again: int | None,
    holder: str,
    now: int,
) -> int:
    """Write an attempt down; how many webhook posts that made."""
    state = await sms.settle(
        tx,
        message,
        status=status,
        holder=holder,
        now=now,
        gateway_id=gateway_id,
        error=error,
        again=again,
        submitted_at=now if status == SUBMITTED else None,
    )
    if state != status or status == QUEUED:
        return 0
    return await post(tx, message, EVENTS[status], now)


async def receipt(tx: Transaction, told: Receipt, *, now: int) -> int:
    """A gateway told what became of a message; how many webhook posts that made."""
    message = await sms.find(tx, ours=told.ours, gateway_id=told.gateway_id)
    if message is None or message.status == told.status or message.status in FINAL:
        return 0
    if ORDER.get(told.status, 9) < ORDER.get(message.status, 0):
        return 0
    await sms.set_status(tx, message, told.status, now=now)
    return await post(tx, message, EVENTS.get(told.status, ""), now)


async def inbound(tx: Transaction, told: Inbound, public_id: str, *, now: int) -> int:
    """A phone wrote: to whoever wrote there last. How many webhook posts that made."""
    last = await sms.last_to(tx, told.source)
    account, username = (last.account, last.username) if last is not None else (MASTER, "")
    message = ReceivedSms(
        public_id,
        account,
        username,
        told.source,
        told.destination,
        told.content.replace("\0", "")[: LONGEST_CONTENT * 2],
        now,
    )
    if not await sms.add_received(tx, message, gateway_id=told.gateway_id):
        return 0
    if not opts_out(told.content) or last is None:
        return 0
    await sms.opt_out(tx, account, told.source, now=now)
    return await post(tx, last, "opt-out", now)
