"""Where the owner of a mailbox has its mail forwarded."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from mailbox_service.core.owner_forwarding import OwnerForward
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import MAILBOX
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time

routes = Routes("forwarding")


class ForwardingState(Struct, frozen=True):
    """`on`: mail goes on to `target` since that time. `asked`: a code was mailed to that address
    and not shown yet; it ends at `code_ends_at` and may be tried `tries_left` times. Both may be
    so at once, while one target is to take the place of another; then the state is `on`."""

    state: Literal["off", "asked", "on"]
    target: str | None
    since: str | None
    asked: str | None
    code_ends_at: str | None
    tries_left: int


class Target(Struct, frozen=True):
    """An address that is to get the mail."""

    target: str


class Code(Struct, frozen=True):
    """The code that was mailed to the target."""

    code: str


read_target = msgspec.json.Decoder(Target)
read_code = msgspec.json.Decoder(Code)


def shown(forward: OwnerForward) -> ForwardingState:
    """What an owner wants, as it is told."""
    asked = bool(forward.asked)
    return ForwardingState(
        state="on" if forward.target else "asked" if asked else "off",
        target=forward.target or None,
        since=wire_time(forward.proved_at) if forward.target else None,
        asked=forward.asked or None,
        code_ends_at=wire_time(forward.ends_at) if asked else None,
        tries_left=forward.tries_left,
    )


@routes.get("/api/forwarding", MAILBOX, returns=ForwardingState)
async def forwarding_state(call: Call) -> ForwardingState:
    """Where the mail of the mailbox is forwarded."""
    call.services.owner_forwarding.check_enabled()
    return shown(await call.services.owner_forwarding.get(call.address))


@routes.post("/api/forwarding", MAILBOX, body=Target, returns=ForwardingState)
async def ask_target(call: Call) -> ForwardingState:
    """Mail a code to an address that is to get the mail."""
    call.services.owner_forwarding.check_enabled()
    body = await call.own_json(read_target)
    owner = call.services.owner_forwarding
    return shown(await owner.ask(call.principal, body.target, ip=call.client_ip))


@routes.post("/api/forwarding/code", MAILBOX, body=Code, returns=ForwardingState)
async def prove_target(call: Call) -> ForwardingState:
    """Show the code, and have the mail forwarded from now on."""
    call.services.owner_forwarding.check_enabled()
    body = await call.own_json(read_code)
    return shown(await call.services.owner_forwarding.prove(call.address, body.code))


@routes.delete("/api/forwarding", MAILBOX, returns=Success)
async def end_forwarding(call: Call) -> Success:
    """Forward no more, and forget a code that was mailed."""
    call.services.owner_forwarding.check_enabled()
    await call.services.owner_forwarding.end(call.address)
    return SUCCESS
