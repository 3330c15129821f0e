"""What a new administrator does next."""

from __future__ import annotations

from msgspec import Struct

from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin first steps")


class FirstStep(Struct, frozen=True):
    """One step: password, domain, reception, dns, outbound, tls, backup or address; what to do, or
    what was found."""

    key: str
    done: bool
    title: str
    message: str


class FirstStepsList(Struct, frozen=True):
    """The steps in the order in which they are best done."""

    steps: list[FirstStep]


@routes.get("/admin/first_steps", ADMIN, returns=FirstStepsList)
async def first_steps(call: Call) -> FirstStepsList:
    """What to do next, from how things stand: settings, doors, DNS, backups, mail. DNS is asked
    every five minutes at most, for three domains."""
    found = await call.services.first_steps.steps()
    return FirstStepsList([FirstStep(s.key, s.done, s.title, s.message) for s in found])
