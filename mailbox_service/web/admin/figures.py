"""How much happened over time, and how much there is now."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from mailbox_service.services.clock import now_micros
from mailbox_service.services.counting import Point
from mailbox_service.web.answers import Answer
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time

routes = Routes("admin figures")


class FiguresQuery(Struct):
    """Which figures are wanted."""

    range: Annotated[str, Meta(description="24h, 7d, 30d or 90d.")] = "24h"


class Sums(Struct, frozen=True):
    """What happened: mail that arrived, recipients that a next hop took, put off or refused for
    good, and addresses that were opened."""

    received: int
    sent: int
    deferred: int
    bounced: int
    addresses: int


class FiguresPoint(Sums, frozen=True):
    """What happened in the step that begins at `at`."""

    at: str


class FiguresNow(Struct, frozen=True):
    """How much there is: addresses, mails, recipients that wait and those of them that were put
    off, since when the oldest waits, and octets of the store and of its disk. Addresses and
    mails are counted every half a minute. `mail_bytes` are the octets of all arrived mail, as they
    were added up last, and `retention_bytes` what they may be (`retention_octets`); null without
    such a bound."""

    addresses: int
    mails: int
    queue: int
    deferred: int
    oldest_queued_at: str | None
    store_bytes: int
    disk_free_bytes: int
    disk_total_bytes: int
    mail_bytes: int | None
    retention_bytes: int | None


class FiguresOverTime(Struct, frozen=True):
    """A point for every step of the range, the last one being that of now."""

    range: str
    step_seconds: int
    points: list[FiguresPoint]
    totals: Sums
    now: FiguresNow


@routes.get("/admin/figures", ADMIN, query=FiguresQuery, returns=FiguresOverTime)
async def figures(call: Call) -> FiguresOverTime:
    """What happened over the last 24 hours, 7, 30 or 90 days, and how much there is now."""
    found = await call.services.counting.figures(call.query.get("range", "24h"))
    now, queue = found.now, found.now.queue
    return FiguresOverTime(
        found.range,
        found.step_seconds,
        [FiguresPoint(*numbers(point), at=wire_time(point.at)) for point in found.points],
        Sums(*numbers(found.totals)),
        FiguresNow(
            addresses=now.addresses,
            mails=now.mails,
            queue=queue.waiting,
            deferred=queue.deferred,
            oldest_queued_at=None if queue.oldest_at is None else wire_time(queue.oldest_at),
            store_bytes=now.store_octets,
            disk_free_bytes=now.disk_free,
            disk_total_bytes=now.disk_total,
            mail_bytes=now.mail_octets,
            retention_bytes=now.retention_octets or None,
        ),
    )


# The sums of a range, in the order of the wire.
HAPPENED = (
    "Mails that arrived",
    "Recipients that a next hop took",
    "Recipients that were put off",
    "Recipients that were refused for good",
    "Addresses that were opened",
)
METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


@routes.get("/admin/metrics", ADMIN, returns=str, media_type="text/plain")
async def metrics(call: Call) -> Answer:
    """The same for Prometheus and whatever reads its text format: what there is now, and what
    happened over the last 24 hours."""
    found = await call.services.counting.figures("24h")
    now, queue = found.now, found.now.queue
    age = 0.0
    if queue.oldest_at is not None:
        age = max(0.0, (now_micros() - queue.oldest_at) / 1_000_000)
    gauges: list[tuple[str, str, float]] = [
        ("addresses", "Open addresses.", now.addresses),
        ("mails", "Mails in all mailboxes.", now.mails),
        ("queue_recipients", "Recipients that wait.", queue.waiting),
        ("queue_deferred_recipients", "Those of them that were put off.", queue.deferred),
        ("queue_oldest_age_seconds", "How long the oldest has been waiting.", age),
        ("store_bytes", "Octets of the store.", now.store_octets),
        ("disk_free_bytes", "Free octets of its disk.", now.disk_free),
        ("disk_total_bytes", "All octets of its disk.", now.disk_total),
    ]
    if now.mail_octets is not None:
        gauges += [
            ("mail_bytes", "Octets of all arrived mail.", now.mail_octets),
            ("retention_bytes", "What they may be.", now.retention_octets),
        ]
    happened = zip(Sums.__struct_fields__, HAPPENED, numbers(found.totals), strict=True)
    gauges += [
        (f"{name}_24h", f"{words} within 24 hours.", number) for name, words, number in happened
    ]
    lines = [
        f"# HELP mailbox_{name} {words}\n# TYPE mailbox_{name} gauge\nmailbox_{name} {number}\n"
        for name, words, number in gauges
    ]
    return Answer("".join(lines).encode(), METRICS_TYPE)


def numbers(point: Point) -> tuple[int, int, int, int, int]:
    """The sums of a point, in the order of the wire."""
    return (point.received, point.sent, point.deferred, point.bounced, point.addresses)
