"""How much there is of everything."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin statistics")


class Figures(Struct, frozen=True, rename="camel"):
    """Totals; an address is active when its owner was there within the days named."""

    mail_count: int
    address_count: int
    active_7_days: int = msgspec.field(name="activeAddressCount7days")
    active_30_days: int = msgspec.field(name="activeAddressCount30days")
    user_count: int
    send_mail_count: int


@routes.get("/admin/statistics", ADMIN, returns=Figures)
async def statistics(call: Call) -> Figures:
    """Totals of mails, addresses, accounts and sent mails."""
    found = await call.services.counting.statistics()
    return Figures(
        found.mail_count,
        found.address_count,
        found.active_7_days,
        found.active_30_days,
        found.user_count,
        found.send_count,
    )
