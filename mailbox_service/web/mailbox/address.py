"""Open an address, come back to it, change its password, give it up."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import BadCredential, BadRequest, MailError, NotYours
from mailbox_service.core.lifetime import read_lifetime
from mailbox_service.core.texts import text
from mailbox_service.services.authenticating import Opened
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Refused, Uncaught, message, wrapped
from mailbox_service.web.guards import MAILBOX, MAILBOX_PASSWORD, OPEN, TOKEN, bearer_token
from mailbox_service.web.humans import check_human, check_human_at_login
from mailbox_service.web.request import Call
from mailbox_service.web.roles import ACCESS_TOKEN, USER_TOKEN, with_role
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time

routes = Routes("address")

# A digest has 64 characters. The contract takes any text for one, and so do we, within reason.
LONGEST_DIGEST = 256


class Wish(Struct, frozen=True, rename="camel"):
    """What a new address should be like; nothing is needed."""

    name: str | None = None
    domain: str | None = None
    cf_token: str | None = msgspec.field(default=None, name="cf_token")
    enable_random_subdomain: bool | float | str | None = None
    expires_in: Any = msgspec.field(default=None, name="expires_in")


def is_switched_on(value: object) -> bool:
    """Whether a switch is on that clients write as `true` or as the text of it (mailbox-api §16,
    10); anything else is off."""
    return value is True or value == "true"


class NewAddress(Struct, frozen=True):
    """An opened address. `password` is shown this once, when addresses have passwords;
    `expires_at` is there when it has a lifetime."""

    jwt: str
    address: str
    password: str | None
    address_id: int
    expires_at: str | UnsetType = UNSET


class NotWritten(Struct, frozen=True):
    """Why an address is not there that was opened the short way (`opening_way`)."""

    error: BaseException


class MailboxState(Struct, frozen=True):
    """The mailbox of a token, and how many mails it may still send; when it ends, when it does."""

    address: str
    send_balance: int
    expires_at: str | UnsetType = UNSET


class Login(Struct, frozen=True):
    """An address and the lower-case hex SHA-256 of its password."""

    email: str | None = None
    password: str | None = None
    cf_token: str | None = None


class LoggedIn(Struct, frozen=True):
    """A token for the address."""

    jwt: str
    address: str


class NewPassword(Struct, frozen=True):
    """The lower-case hex SHA-256 of the new password."""

    new_password: str | None = None


read_wish = msgspec.json.Decoder(Wish)
read_login = msgspec.json.Decoder(Login)
read_new_password = msgspec.json.Decoder(NewPassword)


@routes.post("/api/new_address", OPEN, body=Wish, returns=NewAddress, headers=USER_TOKEN)
async def new_address(call: Call) -> NewAddress:
    """Open an address: the name that is wished for, or one of our choosing. An `x-user-token`
    brings the domains and the prefix of the account's role; the account binds the address by a
    call of its own."""
    account = await call.services.accounts.visiting(call.header(b"x-user-token"))
    call.services.registering.check_visitors_may_open(signed_in=account is not None)
    if account is not None and call.config.disable_anonymous_user_create_email:
        await call.services.account_addresses.check_room(account)
    wish = await call.json(read_wish)
    await check_human(call, wish.cf_token)
    try:
        if isinstance(call.note, NotWritten):
            raise call.note.error
        opened = await call.services.registering.open_for_visitor(
            name=wish.name or "",
            domain=wish.domain,
            random_subdomain=is_switched_on(wish.enable_random_subdomain),
            ip=call.client_ip,
            signed_in=account is not None,
            role=call.services.accounts.opening_role(account),
            lifetime=read_lifetime(wish.expires_in),
        )
    except MailError as error:
        raise creation_refused(call, error, wish.name) from None
    return opened_answer(opened)


def opened_answer(opened: Opened) -> NewAddress:
    """The wire form of an opened address."""
    return NewAddress(
        opened.jwt,
        opened.address,
        opened.password,
        opened.address_id,
        end_shown(opened.expires_at),
    )


def end_shown(expires_at: int | None) -> str | UnsetType:
    """When an address ends; absent when it does not."""
    return UNSET if expires_at is None else wire_time(expires_at)


def creation_refused(call: Call, error: MailError, name: str | None) -> MailError | Refused:
    """`Failed to create address: <reason>`, except where the contract says the reason alone: a
    blocked name as it was typed, and what has a status of its own."""
    bare = isinstance(error, BadRequest) and error.detail == f"Name[{name}]is blocked"
    if bare or isinstance(error, NotYours):
        return error
    prefix = text("FailedCreateAddressMsg", call.language) + ": "
    return Refused(wrapped(error, prefix, call.language))


@routes.get("/api/settings", TOKEN, returns=MailboxState, headers=ACCESS_TOKEN)
async def mailbox_state(call: Call) -> MailboxState:
    """The address of the token and its sending balance."""
    owner = await owner_of_token(call)
    if owner is None:
        raise Refused(message(400, "InvalidAddressMsg", call.language))
    balance = await call.services.sending.balance(await with_role(call, owner))
    await call.services.reading.touch(owner.address)
    ends = await call.services.registering.end_of(owner.address_id)
    return MailboxState(call.claims.get("address") or owner.address, balance, end_shown(ends))


@routes.post("/api/revoke_tokens", MAILBOX, returns=LoggedIn)
async def revoke_tokens(call: Call) -> LoggedIn:
    """End every token of the address, the one shown included; the answer has the one that counts
    from now on. Sessions of mail programs and streams that logged in with another end, too."""
    opened = await call.services.registering.revoke_tokens(call.principal.address_id)
    return LoggedIn(opened.jwt, opened.address)


async def owner_of_token(call: Call) -> Principal | None:
    """Whom the token proves; None when its address is closed."""
    try:
        return await call.services.authenticating.address_token(bearer_token(call))
    except BadCredential:
        return None


@routes.post("/api/address_login", OPEN, body=Login, returns=LoggedIn)
async def address_login(call: Call) -> LoggedIn:
    """Come back to an address by its password."""
    login = await call.json(read_login)
    if not call.config.enable_address_password:
        raise NotYours(text("PasswordLoginDisabledMsg"), message_key="PasswordLoginDisabledMsg")
    if not login.email or not login.password:
        key = "EmailPasswordRequiredMsg"
        raise BadRequest(text(key), message_key=key)
    await check_human_at_login(call, login.cf_token)
    opened = await call.services.authenticating.password_login(
        login.email, login.password, call.client_ip
    )
    return LoggedIn(opened.jwt, opened.address)


@routes.post("/api/address_change_password", MAILBOX_PASSWORD, body=NewPassword, returns=Success)
async def change_password(call: Call) -> Success:
    """Give the address a password of its owner's choosing."""
    wanted = await call.json(read_new_password)
    check_passwords_change(call, wanted.new_password)
    if not call.principal.address_id or not has_id(call):
        key = "InvalidAddressTokenMsg"
        raise BadRequest(text(key), message_key=key)
    await call.services.registering.set_password(
        call.principal.address_id, wanted.new_password or ""
    )
    return SUCCESS


def check_passwords_change(call: Call, digest: str | None) -> None:
    """Raises NotYours or BadRequest when this cannot become a password."""
    if not call.config.enable_address_password:
        raise NotYours(text("PasswordChangeDisabledMsg"), message_key="PasswordChangeDisabledMsg")
    if not digest:
        raise BadRequest(text("NewPasswordRequiredMsg"), message_key="NewPasswordRequiredMsg")
    if len(digest) > LONGEST_DIGEST:
        raise BadRequest(text("InvalidInputMsg"), message_key="InvalidInputMsg")


def has_id(call: Call) -> bool:
    """Whether the token itself names the registration."""
    claims = call.services.authenticating.claims(bearer_token(call))
    return bool(claims.get("address_id"))


@routes.delete("/api/delete_address", TOKEN, returns=Success)
async def delete_address(call: Call) -> Success:
    """Give the address up, with its mail, what it sent and what it may send."""
    if not call.config.enable_user_delete_email:
        raise Uncaught("Error", text("UserDeleteEmailDisabledMsg", call.language))
    name, address_id = call.claims.get("address"), call.claims.get("address_id")
    owner = await owner_of_token(call)
    if owner is not None:
        await call.services.registering.close(owner.address_id, owner.address)
    elif not name and not address_id:
        raise Uncaught("Error", text("RequiredFieldMsg", call.language))
    elif not address_id:
        raise Uncaught("Error", text("AddressNotFoundMsg", call.language))
    # Else it is gone already, or its name is somebody else's now: nothing of this token is left.
    return SUCCESS
