"""Short messages (sending-api §11): taken, and looked at.

A message is a durable row before the call is answered; `sms_handing_over.py` does the rest.
Without a gateway nothing is taken, and it is said so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from msgspec import Struct

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.api_values import DAY, is_day
from mailbox_service.core.errors import Conflict, NoChannel
from mailbox_service.core.sending_api import (
    MASTER,
    SANDBOX,
    BadField,
    Caller,
    PaymentRequired,
)
from mailbox_service.core.sms import (
    FAILED,
    HELD,
    LONGEST_CONTENT,
    MOST_DESTINATIONS,
    QUEUED,
    REJECTED,
    number_of,
    units_of,
)
from mailbox_service.services.clock import Clock, as_datetime, new_id, now_micros
from mailbox_service.services.queueing import KEY_LIFE
from mailbox_service.services.sending_api.dates import date_of
from mailbox_service.services.sending_api.documents import SUBACCOUNTS, Documents
from mailbox_service.services.sending_api.paging import Page, Paging
from mailbox_service.services.sending_api.policies import Subaccount
from mailbox_service.services.sending_api.sms_events import EVENTS, post
from mailbox_service.services.sending_api.sms_handing_over import HandingOver
from mailbox_service.signals import Signals
from mailbox_service.storage import idempotency, sms
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.sms import NewSms, ReceivedSms, Sms

NOT_CONFIGURED = "SMS sending is not configured on this server"
NOT_ENABLED = "SMS is not enabled for this subaccount"
LARGEST_PAGE = 500
# A message as it is told of.
SentSms = Sms


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
    """Takes short messages and tells of them."""

    def __init__(
        self,
        database: Database,
        config: Config,
        signals: Signals,
        handing_over: HandingOver,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock
        self._sender = config.sms_sender
        self._price = config.sms_price
        self._limit = config.sms_limit
        self._handing_over = handing_over
        self._subaccounts = Documents(database, SUBACCOUNTS, Subaccount, clock)

    # Taking.

    async def send(self, caller: Caller, form: SmsForm) -> list[Sms]:
        """Take a text for several numbers. Raises NoChannel without a gateway, BadField."""
        gateway = self._handing_over.gateway
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
        new = []
        for number in numbers:
            status, error = beginning_of(number, caller)
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
        gateway = self._handing_over.gateway
        name = "" if gateway is None else gateway.name
        return Summary(count, units, units * self._price, name, tuple(parts))

    def _range(self, form: SmsRange, *, days: int) -> tuple[int, int]:
        now = self._clock()
        start, end = now - now % DAY - days * DAY, now + 1
        if form.unix_start is not None:
            start = date_of("unix_start", form.unix_start)
        if form.unix_end is not None:
            end = date_of("unix_end", form.unix_end)
        if form.start_date:
            start = date_of("start_date", form.start_date)
        if form.end_date:
            end = date_of("end_date", form.end_date)
        if end <= start and not is_day(form.end_date):
            raise BadField("end_date", "Must be after start_date")
        return start, end


def beginning_of(number: str, caller: Caller) -> tuple[str, str]:
    """The state in which a message to a number is kept, and what is wrong with it."""
    if not number_of(number):
        return FAILED, "Not a number in the form of E.164"
    if caller.credential.settings.status == SANDBOX:
        return REJECTED, "The credential is a sandbox"
    return QUEUED, ""


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
    return replace(one, status=status, error=error)
