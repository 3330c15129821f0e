"""Settings of the configuration that are overruled while the service runs."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.overrides import InForce, Overrides
from mailbox_service.services.overruling import configured
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin overrides")

# Two lists of a thousand domains.
LARGEST_WISH = 1 << 19


class OverrideState(Struct, frozen=True):
    """What is stored (only what overrules), what the configuration says, and what holds."""

    stored: Overrides
    configured: InForce
    effective: InForce


read_anything = msgspec.json.Decoder(Any)


@routes.get("/admin/overrides", ADMIN, returns=OverrideState)
async def overrides(call: Call) -> OverrideState:
    """Which settings of the configuration are overruled: the prefix and the lengths of names,
    random subdomains, and what makes mail junk."""
    rules = await call.services.administering.refresh()
    return OverrideState(rules.overrides, configured(call.config), call.services.overruling.now)


@routes.post("/admin/overrides", ADMIN, body=Overrides, returns=Success, body_limit=LARGEST_WISH)
async def overrule(call: Call) -> Success:
    """Overrule settings of the configuration. What is absent stays as it is, null gives a value
    back to the configuration; all or nothing. It holds at once."""
    wish = await call.json(read_anything)
    if not isinstance(wish, dict):
        raise BadRequest("An object of settings is needed")
    await call.services.administering.overrule(
        wish, configured=configured(call.config), served=call.config.served_domains
    )
    return SUCCESS
