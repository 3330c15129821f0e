"""The log of all webhooks: what was posted, what was answered, and posting it again."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from mailbox_service.core.errors import NotFound
from mailbox_service.core.webhook_log import (
    Delivery,
    DeliveryFilter,
    PostAttempt,
    masked_headers,
    masked_url,
)
from mailbox_service.core.webhook_words import reason_words
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.queries import Limit
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time
from mailbox_service.web.told import ToldRow, told_row

routes = Routes("admin deliveries")

DEFAULT_PAGE = 50
SENDING = "sending:"


class DeliveriesQuery(Struct):
    """Which deliveries are wanted."""

    state: Annotated[str, Meta(description="waiting, delivered or failed; empty: all.")] = ""
    kind: Annotated[str, Meta(description="mailbox or sending; empty: both.")] = ""
    url: Annotated[str, Meta(description="Part of the receiver's address.")] = ""
    limit: Limit = DEFAULT_PAGE
    before_id: Annotated[int | None, Meta(description="Only deliveries before this id.")] = None


class DeliveryRow(Struct, frozen=True):
    """A delivery: waiting, delivered or failed. `kind` is mailbox (mail that arrived) or sending
    (an event of the sending API); `owner` whose webhook it is. What may be a secret in the `url`
    is hidden. `last_status` is null when nothing was answered."""

    id: int
    webhook_id: str
    kind: str
    owner: str
    url: str
    event: str
    recipient: str
    state: str
    attempts: int
    last_status: int | None
    last_error: str | None
    last_error_told: ToldRow | None
    created_at: str
    next_attempt_at: str | None
    replayable: bool


class DeliveryPage(Struct, frozen=True):
    """A page of deliveries, newest first; `count` is of all that fit, ten thousand at most."""

    results: list[DeliveryRow]
    count: int
    next_before_id: int | None


class AttemptAtDelivery(Struct, frozen=True):
    """One attempt; `status` is null when nothing was answered, and `error` says why."""

    at: str
    status: int | None
    error: str | None
    error_told: ToldRow | None
    duration_ms: int
    answer: str


class OpenedDeliveryRow(DeliveryRow, frozen=True):
    """A delivery with the beginning of its body (empty when it is not kept any more), its headers,
    of which those that may be secret are hidden, and the newest hundred attempts."""

    method: str
    request_body: str
    request_headers: dict[str, str]
    attempts_made: list[AttemptAtDelivery]


class Replayed(Struct, frozen=True):
    """The delivery that is made again."""

    id: int
    success: bool = True


@routes.get("/admin/webhook_deliveries", ADMIN, query=DeliveriesQuery, returns=DeliveryPage)
async def list_deliveries(call: Call) -> DeliveryPage:
    """What was posted to all webhooks, newest first. The log goes back a week; of a mailbox it has
    the newest two hundred."""
    limit = call.limit(DEFAULT_PAGE)
    wanted = DeliveryFilter(
        call.search_text("state"), call.search_text("kind"), call.search_text("url")
    )
    found, count = await call.services.webhook_log.page(
        wanted, limit=limit, before_id=call.number("before_id")
    )
    rows = [delivery_row(one) for one in found]
    return DeliveryPage(rows, count, rows[-1].id if len(rows) == limit else None)


@routes.get("/admin/webhook_deliveries/{id}", ADMIN, returns=OpenedDeliveryRow)
async def open_delivery(call: Call) -> OpenedDeliveryRow:
    """One delivery with what was posted and every answer."""
    opened = await call.services.webhook_log.open(delivery_id(call))
    return OpenedDeliveryRow(
        **msgspec.structs.asdict(delivery_row(opened.delivery)),
        method=opened.delivery.method,
        request_body=opened.body or "",
        request_headers=masked_headers(opened.delivery.headers),
        attempts_made=[attempt_row(one) for one in opened.attempts],
    )


@routes.post("/admin/webhook_deliveries/{id}/replay", ADMIN, returns=Replayed)
async def replay_delivery(call: Call) -> Replayed:
    """Post it again as it was, with the same `webhook-id` and a new signature; what waits comes
    due. 409 when its body is not kept any more."""
    return Replayed(await call.services.webhook_log.replay(delivery_id(call)))


@routes.post("/admin/webhook_deliveries/{id}/cancel", ADMIN, returns=Replayed)
async def cancel_delivery(call: Call) -> Replayed:
    """Give up a delivery that waits."""
    return Replayed(await call.services.webhook_log.cancel(delivery_id(call)))


def delivery_id(call: Call) -> int:
    """The id in the path. Raises NotFound."""
    number = call.path_id()
    if number is None:
        raise NotFound("There is no such delivery")
    return number


def delivery_row(one: Delivery) -> DeliveryRow:
    """The wire form of a delivery."""
    sending = one.owner.startswith(SENDING)
    error = error_of(one.status, one.reason)
    owner = f"webhook {one.owner.removeprefix(SENDING)}" if sending else one.owner or "all mail"
    return DeliveryRow(
        id=one.id,
        webhook_id=one.webhook_id,
        kind="sending" if sending else "mailbox",
        owner=owner,
        url=masked_url(one.url),
        event=one.event,
        recipient=one.recipient,
        state="waiting" if one.state == "posting" else one.state,
        attempts=one.attempts,
        last_status=one.status or None,
        last_error=error,
        last_error_told=error_told(error),
        created_at=wire_time(one.created_at),
        next_attempt_at=None if one.next_attempt_at is None else wire_time(one.next_attempt_at),
        replayable=one.has_body and one.state != "posting",
    )


def attempt_row(one: PostAttempt) -> AttemptAtDelivery:
    """The wire form of an attempt."""
    error = error_of(one.status, one.reason)
    return AttemptAtDelivery(
        wire_time(one.at),
        one.status or None,
        error,
        error_told(error),
        one.duration // 1_000,
        one.answer,
    )


def error_of(status: int, reason: str) -> str | None:
    """Why a delivery was not taken; None when it was, or was not tried."""
    return None if status // 100 == 2 or not (status or reason) else reason or f"status {status}"


def error_told(error: str | None) -> ToldRow | None:
    """The code of an error; None when it is the receiver's own words."""
    told = reason_words(error or "")
    return told_row(told) if told else None
