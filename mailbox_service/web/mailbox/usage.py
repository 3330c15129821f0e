"""How full a mailbox is, and what it may hold."""

from __future__ import annotations

from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.mailbox_limits import MailboxLimits
from mailbox_service.services.limiting import limits_of
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("inbox")


class LimitsOfMailboxes(Struct, frozen=True, rename="camel"):
    """What every mailbox may hold, and what may arrive for it in a minute and an hour of the clock
    (UTC); 0: any."""

    mails: int
    octets: int
    per_minute: int
    per_hour: int


class Usage(Struct, frozen=True):
    """The mails and octets in a mailbox, and the mails that arrived for it in this minute and hour
    of the clock (UTC); `max_…` and `…_per_…` are its limits, 0: any. `full`: further mail waits
    with its sender until something is deleted."""

    mails: int
    octets: int
    in_minute: int
    in_hour: int
    max_mails: int
    max_octets: int
    mails_per_minute: int
    mails_per_hour: int
    full: bool


def told_limits(config: Config) -> LimitsOfMailboxes | None:
    """The limits of mailboxes; None when there are none."""
    limits = limits_of(config)
    if not limits:
        return None
    return LimitsOfMailboxes(limits.mails, limits.octets, limits.per_minute, limits.per_hour)


@routes.get("/api/usage", MAILBOX, returns=Usage)
async def usage(call: Call) -> Usage:
    """How full the mailbox is, counted now, and its limits."""
    limits: MailboxLimits = limits_of(call.config)
    fill = await call.services.reading.fill(call.address)
    return Usage(
        mails=fill.mails,
        octets=fill.octets,
        in_minute=fill.in_minute,
        in_hour=fill.in_hour,
        max_mails=limits.mails,
        max_octets=limits.octets,
        mails_per_minute=limits.per_minute,
        mails_per_hour=limits.per_hour,
        full=limits.is_full(fill),
    )
