"""The addresses of an account: bind, let go, hand over, get their tokens."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mailbox_service.core.accounts import refusal
from mailbox_service.web.admin.addresses import AddressPage, Token, address_row
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import ACCOUNT, ACCOUNT_AND_MAILBOX
from mailbox_service.web.queries import BoundPageQuery
from mailbox_service.web.request import BodyId, Call, read_body_id
from mailbox_service.web.roles import ACCESS_TOKEN, access_role
from mailbox_service.web.routing import Routes

routes = Routes("account addresses")

PAGE = 20  # rows where no limit is asked for, this route alone (mailbox-api §1.5)
NOTHING = -1  # an id that no row has


class BoundAddress(Struct, frozen=True):
    """The id of an address of the account."""

    address_id: BodyId = None


class Transfer(Struct, frozen=True):
    """An address of the account, and the e-mail of the account that gets it."""

    address_id: BodyId = None
    target_user_email: str | None = None


read_bound = msgspec.json.Decoder(BoundAddress)
read_transfer = msgspec.json.Decoder(Transfer)


def wanted_id(value: BodyId) -> int | None:
    """An id in a body, as number or text; None when there is none."""
    if not value:
        return None
    found = read_body_id(value)
    return NOTHING if found is None else found


@routes.get(
    "/user_api/bind_address", ACCOUNT_AND_MAILBOX, query=BoundPageQuery, returns=AddressPage
)
async def list_addresses(call: Call) -> AddressPage:
    """A page of the account's addresses, newest first; with `query` of those that contain it."""
    limit, offset = call.page(limit=PAGE, offset=0)
    rows, count = await call.services.account_addresses.page(
        call.account.user_id, limit=limit, offset=offset, query=call.search_text("query")
    )
    return AddressPage([address_row(row) for row in rows], count if offset == 0 else 0)


@routes.post("/user_api/bind_address", ACCOUNT_AND_MAILBOX, returns=Success, headers=ACCESS_TOKEN)
async def bind_address(call: Call) -> Success:
    """Give the account the address whose token is in `Authorization`."""
    await call.services.account_addresses.bind_by_token(
        call.account.user_id, call.claims, role=await access_role(call)
    )
    return SUCCESS


@routes.get("/user_api/bind_address_jwt/{address_id}", ACCOUNT_AND_MAILBOX, returns=Token)
async def address_token(call: Call) -> Token:
    """A token for an address of the account."""
    address_id = call.path_id("address_id")
    if not address_id:
        key = "AddressNotBindedMsg" if address_id is None else "InvalidAddressOrUserTokenMsg"
        raise refusal(key)
    return Token(await call.services.account_addresses.credential(call.account.user_id, address_id))


@routes.post("/user_api/unbind_address", ACCOUNT, body=BoundAddress, returns=Success)
async def unbind_address(call: Call) -> Success:
    """Let an address go: it stays open, and is nobody's. Fine when it was not the account's."""
    told = await call.json(read_bound)
    address_id = wanted_id(told.address_id)
    if address_id is None:
        raise refusal("InvalidAddressOrUserTokenMsg")
    await call.services.account_addresses.unbind(call.account.user_id, address_id)
    return SUCCESS


@routes.post("/user_api/transfer_address", ACCOUNT, body=Transfer, returns=Success)
async def transfer_address(call: Call) -> Success:
    """Hand an address over to another account. It gets a new id, so that every token of it ends;
    its password and webhook end too, its mail stays."""
    told = await call.json(read_transfer)
    email = told.target_user_email or ""
    await call.services.account_addresses.transfer(
        call.account.user_id,
        wanted_id(told.address_id) or NOTHING,
        email if email.isprintable() else "",  # no account has either
    )
    return SUCCESS
