"""Short messages by way of a gateway (sending-api §11): taken, handed over, told about.

A message is a durable row before the call is answered. A worker hands it to the gateway; what the
gateway tells later, receipts and messages from phones, comes by a callback or a session, and is
on disk before it is acknowledged. Without a gateway nothing is taken, and it is said so.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.api_values import DAY, is_day, precise_time, read_date
from mailbox_service.core.errors import BadRequest, Conflict, MailError, NoChannel
from mailbox_service.core.sending_api import (
    MASTER,
    SANDBOX,
    BadField,
    Caller,
    PaymentRequired,
)
from mailbox_service.core.sms import (
    DELIVERED,
    ENROUTE,
    EXPIRED,
    FAILED,
    FINAL,
    HELD,
    LONGEST_CONTENT,
    MOST_DESTINATIONS,
    PROCESSING,
    QUEUED,
    REJECTED,
    SUBMITTED,
    GatewayProblem,
    Inbound,
    Outgoing,
    Receipt,
    next_try,
    number_of,
    opts_out,
    units_of,
)
from mailbox_service.core.webhook import HttpRequest
from mailbox_service.services.clock import Clock, as_datetime, new_id, now_micros
from mailbox_service.services.queueing import KEY_LIFE
from mailbox_service.services.sending_api.documents import HOOKS, SUBACCOUNTS, Documents
from mailbox_service.services.sending_api.hooks import Hook, owner_of, target_and_login
from mailbox_service.services.sending_api.paging import Page, Paging
from mailbox_service.services.sending_api.policies import Subaccount
from mailbox_service.services.sending_api.reporting import MOST_WAITING
from mailbox_service.signals import Signals
from mailbox_service.storage import idempotency, sending_records, sms, webhooks
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.sms import NewSms, ReceivedSms, Sms
from mailbox_service.storage.webhooks import NewPost

log = logging.getLogger("mailbox.sms")

NOT_CONFIGURED = "SMS sending is not configured on this server"
NOT_ENABLED = "SMS is not enabled for this subaccount"
LARGEST_PAGE = 500
# Handed over at once; gateways allow some ten a second.
MOST_AT_ONCE = 10
LEASE_MICROS = 5 * 60 * 1_000_000
LOOK_AGAIN_SECONDS = 10.0
TROUBLE_SECONDS = 2.0
TIDY_EVERY = 60 * 60 * 1_000_000

# State -> the event that webhooks subscribe to (sending-api §6.4).
EVENTS: Mapping[str, str] = {
    SUBMITTED: "submitted",
    DELIVERED: "delivered",
    FAILED: "failed",
    EXPIRED: "failed",
    REJECTED: "rejected",
}
# How far a message came; a receipt that comes late takes nothing back.
ORDER = {QUEUED: 0, PROCESSING: 1, SUBMITTED: 2, ENROUTE: 3}

# A message as it is told of.
SentSms = Sms

read_hook = msgspec.json.Decoder(Hook)
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


class SmsForm(Struct, kw_only=True):
    """One text to several numbers."""

    destination: list[str]
    content: str
    sender: str = ""


class SmsRange(Struct, kw_only=True):
    """From when to when."""

    start_date: str = ""
    end_date: str = ""
    unix_start: int | None = None
    unix_end: int | None = None
    username: str = ""
    limit: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What an account sent; the price in millionths."""

    messages: int
    units: int
    cost: int
    gateway: str
    subaccounts: tuple[tuple[str, int, int], ...] = ()


class ShortMessages:
    """Takes short messages and carries them on. `gateway` None: there is none."""

    def __init__(
        self,
        database: Database,
        config: Config,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock
        self._sender = config.sms_sender
        self._price = config.sms_price
        self._limit = config.sms_limit
        self._kept = config.sending_history_days * DAY
        self.preset = config.sms_preset
        key = hmac.digest(config.jwt_secret.encode(), b"sms callback", hashlib.sha256)
        self._callback_key = key.hex()[:40]
        url = (config.frontend_url or f"http://{config.http_listen}").rstrip("/")
        self.callback = f"{url}/sms/callback?{urlencode({'key': self._callback_key})}"
        self._subaccounts = Documents(database, SUBACCOUNTS, Subaccount, clock)
        self._holder = secrets.token_hex(8)
        self._tidied = 0
        self.gateway: Gateway | None = None

    # Taking.

    async def send(self, caller: Caller, form: SmsForm) -> list[Sms]:
        """Take a text for several numbers. Raises NoChannel without a gateway, BadField."""
        gateway = self.gateway
        if gateway is None:
            raise NoChannel(NOT_CONFIGURED)
        if not form.content:
            raise BadField("content", "A text is required")
        if len(form.content) > LONGEST_CONTENT or "\0" in form.content:
            raise BadField("content", f"At most {LONGEST_CONTENT} characters")
        if not 1 <= len(form.destination) <= MOST_DESTINATIONS:
            raise BadField("destination", f"1 to {MOST_DESTINATIONS} numbers")
        sender = self._sender_of(form.sender)
        numbers = list(dict.fromkeys(number_of(one) or one[:50] for one in form.destination))
        if not any(map(number_of, numbers)):
            raise BadField("destination", "No number in the form of E.164")
        most = await self._most(caller.account)
        now = self._clock()
        units = units_of(form.content)
        sandbox = caller.credential.settings.status == SANDBOX
        new = []
        for number in numbers:
            status, error = QUEUED, ""
            if not number_of(number):
                status, error = FAILED, "Not a number in the form of E.164"
            elif sandbox:
                status, error = REJECTED, "The credential is a sandbox"
            new.append(
                NewSms(
                    new_id(),
                    caller.account,
                    caller.credential.username,
                    sender,
                    number,
                    form.content,
                    units,
                    status,
                    gateway.name,
                    error,
                )
            )
        kept, posts = await self._database.write(
            take,
            new,
            batch=new_id(),
            most=most,
            now=now,
            key=caller.idempotency_key,
            fingerprint=caller.fingerprint,
        )
        self._signals.notify(topics.SMS)
        if posts:
            self._signals.notify(topics.WEBHOOKS)
        return kept

    def _sender_of(self, wanted: str) -> str:
        if not wanted:
            return self._sender
        number = number_of(wanted)
        if not number:
            raise BadField("sender", "Not a number in the form of E.164")
        return number

    async def _most(self, account: str) -> int:
        """Messages that an account may send this month; 0 for any number."""
        if account == MASTER:
            return self._limit
        found = await self._subaccounts.get(MASTER, account)
        if found is None or not found.value.sms_enabled:
            raise PaymentRequired(NOT_ENABLED)
        return max(1, found.value.sms_limit)

    # Looking.

    async def sent(self, caller: Caller, form: SmsRange) -> Page[Sms]:
        """What was sent, newest first; of seven days when no range is said."""
        return await self._page(sms.sent, caller, form)

    async def received(self, caller: Caller, form: SmsRange) -> Page[ReceivedSms]:
        """What came in, newest first."""
        return await self._page(sms.received, caller, form)

    async def _page(self, read: Any, caller: Caller, form: SmsRange) -> Page[Any]:
        start, end = self._range(form, days=7)
        paging = Paging.read(form, default=100, largest=LARGEST_PAGE)
        rows, total = await self._database.read(
            read,
            caller.account,
            start=start,
            end=end,
            username=form.username or None,
            limit=paging.limit,
            offset=paging.offset,
        )
        return paging.page(rows, total)

    async def summary(self, caller: Caller, form: SmsRange) -> Summary:
        """Sums of a range, of today when none is said."""
        start, end = self._range(form, days=0)
        count, units = await self._database.read(sms.sums, caller.account, start=start, end=end)
        parts = []
        if caller.account == MASTER:
            for one in await self._subaccounts.all(MASTER):
                of_one = await self._database.read(sms.sums, one.name, start=start, end=end)
                if of_one[0]:
                    parts.append((one.name, *of_one))
        name = "" if self.gateway is None else self.gateway.name
        return Summary(count, units, units * self._price, name, tuple(parts))

    def _range(self, form: SmsRange, *, days: int) -> tuple[int, int]:
        now = self._clock()
        start, end = now - now % DAY - days * DAY, now + 1
        if form.unix_start is not None:
            start = form.unix_start * 1_000_000
        if form.unix_end is not None:
            end = form.unix_end * 1_000_000
        try:
            if form.start_date:
                start = read_date(form.start_date)
            if form.end_date:
                end = read_date(form.end_date)
        except BadRequest as error:
            raise BadField("start_date", error.detail) from None
        if end <= start and not is_day(form.end_date):
            raise BadField("end_date", "Must be after start_date")
        return start, end

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


async def take(
    tx: Transaction,
    new: list[NewSms],
    *,
    batch: str,
    most: int,
    now: int,
    key: str | None,
    fingerprint: str,
) -> tuple[list[Sms], int]:
    """Keep the messages of one call, or find those that its key had kept; and how many webhook
    posts that made. Raises Conflict."""
    first = new[0]
    if key is not None:
        kept = await idempotency.take(
            tx,
            principal=f"sms:{first.account}/{first.username}",
            key=key,
            fingerprint=fingerprint,
            queue_id=batch,
            message_id="",
            now=now,
            too_old=now - KEY_LIFE,
        )
        if kept is not None:
            if kept.fingerprint != fingerprint:
                raise Conflict("The idempotency key was used for another request")
            return await sms.of_batch(tx, kept.queue_id), 0
    out = await sms.opted_out(tx, first.account, [one.destination for one in new])
    month = as_datetime(now).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    used, _ = await sms.sums(
        tx, first.account, start=round(month.timestamp() * 1_000_000), end=now + 1
    )
    found, posts = [], 0
    for one in new:
        if one.status == QUEUED and one.destination in out:
            one = changed(one, REJECTED, "The number opted out")
        if one.status == QUEUED:
            used += 1
            if most and used > most:
                one = changed(one, HELD, f"The plan of {most} messages a month is used up")
        message = await sms.add(tx, one, batch=batch, now=now, waits=one.status == QUEUED)
        event = "sending" if one.status == QUEUED else EVENTS.get(one.status, "")
        posts += await post(tx, message, event, now)
        found.append(message)
    return found, posts


def changed(one: NewSms, status: str, error: str) -> NewSms:
    """The same message with another fate."""
    return NewSms(
        one.public_id,
        one.account,
        one.username,
        one.sender,
        one.destination,
        one.content,
        one.units,
        status,
        one.gateway,
        error,
    )


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


async def post(tx: Transaction, message: Sms, event: str, now: int) -> int:
    """Write the webhook posts about a message; how many."""
    if not event:
        return 0
    made = 0
    for row in await sending_records.of_kind(tx, account=message.account, kind=HOOKS):
        hook = read_hook.decode(row.value)
        if event not in hook.sms_events:
            continue
        if hook.usernames and message.username not in hook.usernames:
            continue
        new = post_of(row.id, hook, message, event, now)
        made += await webhooks.add(tx, new, now=now, most_waiting=MOST_WAITING)
    return made


def post_of(hook_id: int, hook: Hook, message: Sms, event: str, now: int) -> NewPost:
    """The post about one message to one webhook (sending-api §6.4)."""
    about = f"{hook_id} sms {message.public_id} {event}"
    digest = hashlib.sha256(about.encode()).hexdigest()[:32]
    payload: dict[str, Any] = {
        "event": event if event == "opt-out" else f"sms_{event}",
        "id": digest,
        "message_id": message.public_id,
        "destination_number": message.destination,
        "source_number": message.sender,
        "message_content": message.content,
        "received_timestamp": precise_time(message.created_at),
        "submitted_timestamp": precise_time(message.submitted_at or now),
        "retry_count": max(message.attempts - 1, 0),
        "status_code": message.error,
        "region": "",
        "sender_email": "",
        "email_subject": "",
    }
    url, host, login = target_and_login(hook)
    if hook.output_format == "json":
        kind, body = "application/json", json.dumps(payload, ensure_ascii=False).encode()
    else:
        kind, body = "application/x-www-form-urlencoded", urlencode(payload).encode()
    headers = [("Content-Type", kind)]
    if login:
        headers.append(("Authorization", login))
    request = HttpRequest(url, host, "POST", tuple(headers), body)
    return NewPost(digest, owner_of(hook_id), 0, message.destination, request)
