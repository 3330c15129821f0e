"""The log of all webhooks: looking into a delivery, making it again, giving it up."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailbox_service import signals as topics
from mailbox_service.core.errors import BadRequest, Conflict, NotFound
from mailbox_service.core.webhook_log import Delivery, DeliveryFilter, PostAttempt
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, webhook_log
from mailbox_service.storage.database import Database, Transaction

STATES = ("waiting", "delivered", "failed")
KINDS = ("mailbox", "sending")
# What is shown of a body; people look at the beginning.
SHOWN_BODY = 65_536
CANCELLED = "cancelled by hand"
EVERY = DeliveryFilter()


@dataclass(frozen=True, slots=True)
class OpenedDelivery:
    """A delivery with the beginning of its body (None when it is not kept any more) and its
    newest attempts, oldest first."""

    delivery: Delivery
    body: str | None = field(repr=False)
    attempts: list[PostAttempt]


class WebhookLog:
    """The log, for administrators, and for the account whose webhooks they are."""

    def __init__(self, database: Database, signals: Signals, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock

    async def page(
        self, wanted: DeliveryFilter = EVERY, *, limit: int, before_id: int | None = None
    ) -> tuple[list[Delivery], int]:
        """A page of deliveries, newest first, and how many fit. Raises BadRequest."""
        if wanted.state and wanted.state not in STATES:
            raise BadRequest(f"state is one of {', '.join(STATES)}")
        if wanted.kind and wanted.kind not in KINDS:
            raise BadRequest(f"kind is one of {', '.join(KINDS)}")
        return await self._database.read(webhook_log.page, wanted, limit=limit, before_id=before_id)

    async def open(self, delivery_id: int, wanted: DeliveryFilter = EVERY) -> OpenedDelivery:
        """One delivery. Raises NotFound."""
        return await self._database.read(opened, delivery_id, wanted)

    async def replay(self, delivery_id: int, wanted: DeliveryFilter = EVERY) -> int:
        """Make a delivery again as it was, with the same `webhook-id`, with all the tries that a
        new one has; what waits comes due. Its id. Raises NotFound, Conflict."""
        found = await self._database.write(replay_one, delivery_id, wanted, self._clock())
        if found:
            raise Conflict(found)
        self._signals.notify(topics.WEBHOOKS)
        return delivery_id

    async def cancel(self, delivery_id: int, wanted: DeliveryFilter = EVERY) -> int:
        """Give up a delivery that waits. Its id. Raises NotFound, Conflict."""
        if not await self._database.write(cancel_one, delivery_id, wanted, self._clock()):
            raise Conflict("The delivery does not wait")
        return delivery_id


def no_delivery() -> NotFound:
    return NotFound("There is no such delivery")


async def opened(tx: Transaction, delivery_id: int, wanted: DeliveryFilter) -> OpenedDelivery:
    """One delivery with everything that is shown of it. Raises NotFound."""
    found = await webhook_log.one(tx, delivery_id, wanted)
    if found is None:
        raise no_delivery()
    delivery, content_id = found
    body = None
    if content_id is not None:
        try:
            body = (await contents.read(tx, content_id))[:SHOWN_BODY].decode("utf-8", "replace")
        except contents.Damaged:
            body = None
    return OpenedDelivery(delivery, body, await webhook_log.attempts_at(tx, delivery_id))


async def replay_one(tx: Transaction, delivery_id: int, wanted: DeliveryFilter, now: int) -> str:
    """Have a post made again; why not, or empty. Raises NotFound."""
    found = await webhook_log.one(tx, delivery_id, wanted)
    if found is None:
        raise no_delivery()
    if await webhook_log.replay(tx, delivery_id, now=now):
        return ""
    if found[1] is None:
        return "The body of this delivery is not kept any more, so it cannot be made again"
    return "The delivery is being made at this moment"


async def cancel_one(tx: Transaction, delivery_id: int, wanted: DeliveryFilter, now: int) -> bool:
    """Give a post up; False when it does not wait. Raises NotFound."""
    if await webhook_log.one(tx, delivery_id, wanted) is None:
        raise no_delivery()
    return await webhook_log.cancel(tx, delivery_id, reason=CANCELLED, now=now)
