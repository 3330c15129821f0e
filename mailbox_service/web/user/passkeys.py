"""Passkeys of an account (mailbox-api §3.5, Passkeys)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.passkeys import NotVerified, Passkey
from mailbox_service.services.passkeys import BadSignature
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Refused, Uncaught, message
from mailbox_service.web.guards import ACCOUNT, OPEN
from mailbox_service.web.request import Call, invalid_input
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time
from mailbox_service.web.user.oauth2 import UserToken

routes = Routes("passkeys")


class PasskeyRow(Struct, frozen=True):
    """A passkey of the account."""

    passkey_name: str
    passkey_id: str
    created_at: str
    updated_at: str


class Renamed(Struct, frozen=True):
    """A passkey and its new name, 1 to 255 characters."""

    passkey_id: str | None = None
    passkey_name: Any = None


class Asked(Struct, frozen=True):
    """The host of the page that asks."""

    domain: str | None = None


class Registered(Struct, frozen=True):
    """What the authenticator answered (RegistrationResponseJSON), on which page."""

    credential: dict[str, Any] | None = None
    origin: str | None = None
    passkey_name: str | None = None


class Answered(Struct, frozen=True):
    """What the authenticator answered (AuthenticationResponseJSON), on which page."""

    domain: str | None = None
    origin: str | None = None
    credential: dict[str, Any] | None = None


read_renamed = msgspec.json.Decoder(Renamed)
read_asked = msgspec.json.Decoder(Asked)
read_registered = msgspec.json.Decoder(Registered)
read_answered = msgspec.json.Decoder(Answered)


def row_of(passkey: Passkey) -> PasskeyRow:
    """The wire form of a passkey."""
    return PasskeyRow(
        passkey.name,
        passkey.passkey_id,
        wire_time(passkey.created_at),
        wire_time(passkey.updated_at),
    )


@routes.get("/user_api/passkey", ACCOUNT, returns=list[PasskeyRow])
async def passkeys(call: Call) -> list[PasskeyRow]:
    """The passkeys of the account, newest first."""
    found = await call.services.passkeys.list_of(call.account.user_id)
    return [row_of(passkey) for passkey in found]


@routes.post("/user_api/passkey/rename", ACCOUNT, body=Renamed, returns=Success)
async def rename(call: Call) -> Success:
    """Give a passkey another name."""
    told = await call.json(read_renamed)
    await call.services.passkeys.rename(
        call.account.user_id, told.passkey_id or "", told.passkey_name
    )
    return SUCCESS


@routes.delete("/user_api/passkey/{passkey_id}", ACCOUNT, returns=Success)
async def remove(call: Call) -> Success:
    """Forget a passkey."""
    await call.services.passkeys.remove(call.account.user_id, call.path_values["passkey_id"])
    return SUCCESS


@routes.post("/user_api/passkey/register_request", ACCOUNT, body=Asked, returns=dict[str, Any])
async def register_request(call: Call) -> dict[str, Any]:
    """Options for `navigator.credentials.create`: a challenge that is good for five minutes."""
    told = await call.json(read_asked)
    account = await call.services.passkeys.account_of(call.account.user_id)
    return await call.services.passkeys.creation_options(
        account.id, account.email, told.domain or ""
    )


@routes.post("/user_api/passkey/register_response", ACCOUNT, body=Registered, returns=Success)
async def register_response(call: Call) -> Success:
    """Keep the passkey that an authenticator made for a challenge of ours."""
    told = await call.json(read_registered)
    if told.credential is None:
        raise Uncaught("TypeError", "The credential is missing")
    account = await call.services.passkeys.account_of(call.account.user_id)
    try:
        await call.services.passkeys.register(
            account.id,
            told.credential,
            origin=told.origin or "",
            name=told.passkey_name or "",
        )
    except NotVerified:
        raise Refused(message(400, "RegistrationFailedMsg", call.language)) from None
    except ValueError as error:
        raise Uncaught("Error", str(error)) from None
    return SUCCESS


@routes.post("/user_api/passkey/authenticate_request", OPEN, body=Asked, returns=dict[str, Any])
async def authenticate_request(call: Call) -> dict[str, Any]:
    """Options for `navigator.credentials.get`: any passkey of this host may answer."""
    told = await call.json(read_asked)
    return await call.services.passkeys.request_options(told.domain or "")


@routes.post("/user_api/passkey/authenticate_response", OPEN, body=Answered, returns=UserToken)
async def authenticate_response(call: Call) -> UserToken:
    """Sign in by a passkey; a challenge is answered once. What an authenticator signed for
    another page, challenge or host is an uncaught failure by the contract."""
    told = await call.json(read_answered)
    if not told.credential:
        raise invalid_input(call)
    try:
        token = await call.services.passkeys.login(
            told.credential, domain=told.domain or "", origin=told.origin or ""
        )
    except BadSignature:
        raise BadRequest("Authentication failed", message_key="AuthenticationFailedMsg") from None
    except NotVerified as error:
        raise Uncaught("Error", error.detail) from None
    except ValueError as error:
        raise Uncaught("Error", str(error)) from None
    return UserToken(token)
