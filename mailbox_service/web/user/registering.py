"""Open an account, come back to it, and get back in with a mailed code."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mailbox_service.core.accounts import is_password, refusal
from mailbox_service.core.texts import localised
from mailbox_service.services.accounts import UnknownDefaultRole
from mailbox_service.services.verify_codes import CODE_SECONDS, NotSent
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Refused, Uncaught, code_of, message
from mailbox_service.web.errors import refusal as refused
from mailbox_service.web.guards import OPEN
from mailbox_service.web.humans import check_human, check_human_at_login
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("account")


class AccountLogin(Struct, frozen=True):
    """An e-mail and the lower-case hex SHA-256 of the account's password."""

    email: str | None = None
    password: str | None = None
    cf_token: str | None = None


class AccountToken(Struct, frozen=True):
    """The token of an account, for `x-user-token`."""

    jwt: str


class CodeWish(Struct, frozen=True):
    """Where the code goes."""

    email: str | None = None
    cf_token: str | None = None


class CodeSent(Struct, frozen=True, rename="camel"):
    """The code is on its way, and good for so many seconds."""

    success: bool
    expiration_ttl: int


class Registration(Struct, frozen=True):
    """An e-mail, the lower-case hex SHA-256 of a password, and the mailed code where one is
    asked for."""

    email: str | None = None
    password: str | None = None
    code: str | int | None = None
    cf_token: str | None = None


read_login = msgspec.json.Decoder(AccountLogin)
read_wish = msgspec.json.Decoder(CodeWish)
read_registration = msgspec.json.Decoder(Registration)


@routes.post("/user_api/login", OPEN, body=AccountLogin, returns=AccountToken)
async def login(call: Call) -> AccountToken:
    """Come back to an account by its password."""
    told = await call.json(read_login)
    if not told.email or not told.password:
        raise refusal("InvalidEmailOrPasswordMsg")
    await check_human_at_login(call, told.cf_token)
    return AccountToken(
        await call.services.accounts.login(told.email, told.password, ip=call.client_ip)
    )


@routes.post("/user_api/verify_code", OPEN, body=CodeWish, returns=CodeSent)
async def verify_code(call: Call) -> CodeSent:
    """Have a code of six digits mailed, which proves the e-mail when registering."""
    wish = await call.json(read_wish)
    await check_human(call, wish.cf_token)
    try:
        await call.services.accounts.send_code(wish.email or "", ip=call.client_ip)
    except NotSent as error:
        why = error.reason
        words = localised(why.detail, why.message_key, call.language)
        raise Refused(refused(500, f"Failed to send verify code: {words}", code_of(why))) from None
    return CodeSent(success=True, expiration_ttl=CODE_SECONDS)


@routes.post("/user_api/register", OPEN, body=Registration, returns=Success)
async def register(call: Call) -> Success:
    """Open an account. Where codes are mailed, the right one also gives an account that exists
    this password: it is the way back in for whoever forgot theirs."""
    told = await call.json(read_registration)
    accounts = call.services.accounts
    email, digest = told.email or "", told.password or ""
    accounts.check_registration(email, digest)
    if not is_password(digest):
        raise Uncaught("Error", "Invalid password")
    if not accounts.settings.enable_mail_verify:
        await check_human(call, told.cf_token)
    try:
        await accounts.register(email, digest, typed_code(told.code), ip=call.client_ip)
    except UnknownDefaultRole:
        raise Refused(message(500, "InvalidUserDefaultRoleMsg", call.language)) from None
    return SUCCESS


def typed_code(code: str | int | None) -> str:
    """A code as text; a client that sends a number has lost the zeros before it."""
    return f"{code:06}" if isinstance(code, int) else code or ""
