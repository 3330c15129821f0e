"""What a new administrator does next."""

from __future__ import annotations

from msgspec import Struct

from mailbox_service.core.first_steps import Step
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.told import ToldRow, told_row

routes = Routes("admin first steps")


class FirstStep(Struct, frozen=True):
    """One step: password, domain, reception, dns, outbound, tls, backup or address; what to do, or
    what was found."""

    key: str
    done: bool
    title: str
    message: str
    title_told: ToldRow
    message_told: ToldRow


class FirstStepsList(Struct, frozen=True):
    """The steps in the order in which they are best done."""

    steps: list[FirstStep]


@routes.get("/admin/first_steps", ADMIN, returns=FirstStepsList)
async def first_steps(call: Call) -> FirstStepsList:
    """What to do next, from how things stand: settings, doors, DNS, backups, mail. DNS is asked
    every five minutes at most, for three domains."""
    found = await call.services.first_steps.steps()
    return FirstStepsList([first_step(step) for step in found])


def first_step(step: Step) -> FirstStep:
    """The wire form of a step."""
    return FirstStep(
        key=step.key,
        done=step.done,
        title=str(step.title),
        message=str(step.message),
        title_told=told_row(step.title),
        message_told=told_row(step.message),
    )
