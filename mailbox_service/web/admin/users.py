"""All accounts and their roles, for administrators (mailbox-api §3.6)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.accounts import is_password, refusal
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.texts import text
from mailbox_service.web.admin.addresses import AddressRow, PasswordOf, address_row, read_password
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Refused
from mailbox_service.web.errors import refusal as refused
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.queries import AccountsQuery
from mailbox_service.web.request import BodyId, Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time
from mailbox_service.web.user.addresses import wanted_id
from mailbox_service.web.user.settings import RoleOfAccount

routes = Routes("admin users")

LARGEST_SETTINGS = 1 << 18  # some thousand domains, or some hundred roles
MOST_ADDRESSES = 10_000  # of one account, listed at once


class AccountRow(Struct, frozen=True):
    """An account and how many addresses it holds."""

    id: int
    user_email: str
    created_at: str
    updated_at: str
    role_text: str | None
    address_count: int


class AccountPage(Struct, frozen=True):
    """A page of accounts; `count` is the total on the first page, and 0 on all others."""

    results: list[AccountRow]
    count: int


class NewAccount(Struct, frozen=True):
    """An e-mail and the lower-case hex SHA-256 of a password."""

    email: str | None = None
    password: str | None = None


class RoleChange(Struct, frozen=True):
    """An account and its role; the empty text takes it away."""

    user_id: BodyId = None
    role_text: str | None = None


class RoleLimits(Struct, frozen=True):
    """How many addresses the members of each role may hold."""

    configs: Any = None


class Binding(Struct, frozen=True):
    """An account and an address, each by its id or by its text."""

    user_email: str | None = None
    user_id: BodyId = None
    address: str | None = None
    address_id: BodyId = None


class AddressList(Struct, frozen=True):
    """All addresses of an account."""

    results: list[AddressRow]


read_account = msgspec.json.Decoder(NewAccount)
read_role = msgspec.json.Decoder(RoleChange)
read_limits = msgspec.json.Decoder(RoleLimits)
read_binding = msgspec.json.Decoder(Binding)
read_settings = msgspec.json.Decoder(dict[str, Any])


@routes.get("/admin/user_settings", ADMIN, returns=dict[str, Any])
async def user_settings(call: Call) -> dict[str, Any]:
    """The rules about accounts; a key that was never set is left out."""
    return (await call.services.administering.refresh()).accounts.as_json()


@routes.post(
    "/admin/user_settings",
    ADMIN,
    body=dict[str, Any],
    returns=Success,
    body_limit=LARGEST_SETTINGS,
)
async def change_user_settings(call: Call) -> Success:
    """Set the rules about accounts: who may register, how they prove their e-mail, and how many
    addresses an account holds."""
    wanted = await call.json(read_settings)
    await call.services.accounts.change_settings(wanted)
    return SUCCESS


@routes.get("/admin/users", ADMIN, query=AccountsQuery, returns=AccountPage)
async def list_accounts(call: Call) -> AccountPage:
    """A page of accounts, found by a part of their e-mail."""
    limit, offset = call.page()
    found, count = await call.services.accounts.list_accounts(
        limit=limit, offset=offset, query=call.search_text("query")
    )
    rows = [
        AccountRow(
            row.id,
            row.email,
            wire_time(row.created_at),
            wire_time(row.updated_at),
            row.role,
            row.address_count,
        )
        for row in found
    ]
    return AccountPage(rows, count if offset == 0 else 0)


@routes.post("/admin/users", ADMIN, body=NewAccount, returns=Success)
async def create_account(call: Call) -> Success:
    """Open an account for somebody."""
    told = await call.json(read_account)
    if not told.email or not told.password:
        raise refusal("InvalidEmailOrPasswordMsg")
    check_password(call, told.password, "FailedToRegisterMsg")
    await call.services.accounts.create(told.email, told.password, ip=call.client_ip)
    return SUCCESS


def check_password(call: Call, digest: str, key: str) -> None:
    """Raises Refused (500) for what can be no password: what failed, and why."""
    if not is_password(digest):
        words = text(key, call.language) + ": Invalid password"
        raise Refused(refused(500, words, key.removesuffix("Msg")))


@routes.delete("/admin/users/{user_id}", ADMIN, returns=Success)
async def delete_account(call: Call) -> Success:
    """Delete an account with its role and passkeys; its addresses stay open, and are nobody's."""
    user_id = call.path_id("user_id")
    if user_id is not None:
        await call.services.accounts.remove(user_id)
    return SUCCESS


@routes.post("/admin/users/{user_id}/reset_password", ADMIN, body=PasswordOf, returns=Success)
async def reset_password(call: Call) -> Success:
    """Give an account another password."""
    wanted = await call.json(read_password)
    check_password(call, wanted.password or "", "FailedUpdatePasswordMsg")
    user_id = call.path_id("user_id")
    if user_id is not None:
        await call.services.accounts.set_password(user_id, wanted.password or "")
    return SUCCESS


@routes.get("/admin/user_roles", ADMIN, returns=list[RoleOfAccount])
async def list_roles(call: Call) -> list[RoleOfAccount]:
    """The roles of the configuration."""
    return [RoleOfAccount(one.role, one.domains, one.prefix) for one in call.config.user_roles]


@routes.post("/admin/user_roles", ADMIN, body=RoleChange, returns=Success)
async def change_role(call: Call) -> Success:
    """Give an account a role of the configuration, or take its role away."""
    told = await call.json(read_role)
    user_id = wanted_id(told.user_id)
    if user_id is None:
        raise refusal("InvalidUserIdMsg")
    await call.services.accounts.set_role(user_id, told.role_text or "")
    return SUCCESS


@routes.get("/admin/role_address_config", ADMIN, returns=RoleLimits)
async def role_limits(call: Call) -> RoleLimits:
    """How many addresses the members of each role may hold."""
    return RoleLimits((await call.services.administering.refresh()).role_limits)


@routes.post(
    "/admin/role_address_config",
    ADMIN,
    body=RoleLimits,
    returns=Success,
    body_limit=LARGEST_SETTINGS,
)
async def change_role_limits(call: Call) -> Success:
    """Set how many addresses the members of each role may hold: `{role: {"maxAddressCount": n}}`;
    0 is any number, a role that is left out has the general limit. `sendLimitDay` and
    `sendLimitMonth` beside it are how many messages all addresses of one account send in a UTC day
    and month; left out or -1: any number, 0: none."""
    told = await call.json(read_limits)
    await call.services.accounts.change_role_config(told.configs)
    return SUCCESS


@routes.get("/admin/users/bind_address/{user_id}", ADMIN, returns=AddressList)
async def addresses_of(call: Call) -> AddressList:
    """All addresses of an account."""
    user_id = call.path_id("user_id")
    if user_id is None:
        return AddressList([])
    rows, _ = await call.services.account_addresses.page(user_id, limit=MOST_ADDRESSES, offset=0)
    return AddressList([address_row(row) for row in rows])


@routes.post("/admin/users/bind_address", ADMIN, body=Binding, returns=Success)
async def bind_address(call: Call) -> Success:
    """Give an account an address, within the general limit."""
    told = await call.json(read_binding)
    for words in (told.user_email, told.address):
        if words and not words.isprintable():
            raise BadRequest(text("InvalidInputMsg"), message_key="InvalidInputMsg")
    await call.services.account_addresses.bind_by_admin(
        user_id=wanted_id(told.user_id),
        email=told.user_email or "",
        address_id=wanted_id(told.address_id),
        address=told.address or "",
    )
    return SUCCESS
