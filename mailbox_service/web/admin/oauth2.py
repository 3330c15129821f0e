"""The providers that people may sign in at (mailbox-api §3.6, §8.5)."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Uncaught
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.mailbox.webhook import posted_settings
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin sign-in")

# Providers with an icon each, some kilobytes of SVG.
LARGEST_SETTINGS = 1 << 20


class ProviderRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A provider as it was posted, its secret included."""

    name: str
    clientID: str
    clientSecret: str
    authorizationURL: str
    accessTokenURL: str
    accessTokenFormat: str
    userInfoURL: str
    redirectURL: str
    userEmailKey: str
    scope: str
    icon: str = ""
    logoutURL: str = ""
    enableEmailFormat: bool = False
    userEmailFormat: str = ""
    userEmailReplace: str = ""
    enableMailAllowList: bool = False
    mailAllowList: list[str] = []


@routes.get("/admin/user_oauth2_settings", ADMIN, returns=list[ProviderRow])
async def oauth2_settings(call: Call) -> list[Any]:
    """The providers as they were saved."""
    return await call.services.oauth2.settings()


@routes.post(
    "/admin/user_oauth2_settings",
    ADMIN,
    body=list[ProviderRow],
    returns=Success,
    body_limit=LARGEST_SETTINGS,
)
async def save_oauth2_settings(call: Call) -> Success:
    """Replace the providers: all of them, or none when one is incomplete."""
    value = await posted_settings(call)
    try:
        await call.services.oauth2.change_settings(value)
    except TypeError as error:
        raise Uncaught("TypeError", str(error)) from None
    return SUCCESS
