"""Sign-in at a provider (mailbox-api §3.5, OAuth2)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from mailbox_service.services.accounts import UnknownDefaultRole
from mailbox_service.web.errors import Refused, message
from mailbox_service.web.guards import OPEN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("sign-in")


class LoginUrlQuery(Struct, kw_only=True, rename={"client_id": "clientID"}):
    """Which provider, and a text by which the page knows its own sign-in again."""

    client_id: str
    state: Annotated[str, Meta(max_length=512, description="Random; good for one way back.")] = ""


class LoginUrl(Struct, frozen=True):
    """Where the browser goes."""

    url: str


class CameBack(Struct, frozen=True, rename={"client_id": "clientID"}):
    """What the provider sent along. With `state` it must be one that was given out, once."""

    client_id: str | None = None
    code: str | None = None
    state: str | None = None


class UserToken(Struct, frozen=True):
    """The token of an account, for `x-user-token`."""

    jwt: str


read_callback = msgspec.json.Decoder(CameBack)


@routes.get("/user_api/oauth2/login_url", OPEN, query=LoginUrlQuery, returns=LoginUrl)
async def login_url(call: Call) -> LoginUrl:
    """Where a person agrees to sign in by a provider. The page makes the state, and compares it
    when the person comes back."""
    client_id, state = call.query.get("clientID", ""), call.query.get("state", "")
    return LoginUrl(await call.services.oauth2.login_url(client_id, state))


@routes.post("/user_api/oauth2/callback", OPEN, body=CameBack, returns=UserToken)
async def callback(call: Call) -> UserToken:
    """Sign in whoever came back with a code; an account is opened when there is none."""
    told = await call.json(read_callback)
    try:
        token = await call.services.oauth2.callback(
            told.client_id or "", told.code or "", told.state
        )
    except UnknownDefaultRole:
        raise Refused(message(500, "InvalidUserDefaultRoleMsg", call.language)) from None
    return UserToken(token)
