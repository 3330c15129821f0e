"""What the role in an `x-user-access-token` changes for the mailbox that is called."""

from __future__ import annotations

from dataclasses import replace

from mailbox_service.core.envelope import Principal
from mailbox_service.web.request import Call

# For the documentation of the routes that read them.
ACCESS_TOKEN = {"x-user-access-token": "The access token of an account, which tells its role."}
USER_TOKEN = {"x-user-token": "The token of an account, whose role has domains and a prefix."}


async def access_role(call: Call) -> str | None:
    """The role of a good access token; None without one."""
    return await call.services.accounts.access_role(call.header(b"x-user-access-token"))


async def with_role(call: Call, principal: Principal) -> Principal:
    """The principal, sending without an allowance where its role may (mailbox-api §10.3)."""
    if not call.config.no_limit_send_role:
        return principal
    free = call.services.accounts.sends_without_limit(await access_role(call))
    return replace(principal, unlimited=True) if free else principal
