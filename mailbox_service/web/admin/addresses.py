"""All addresses, for administrators."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mailbox_service.core.errors import BadRequest, MailError, UnknownMailbox
from mailbox_service.core.stored import Address, CountedAddress
from mailbox_service.core.texts import text
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Refused, wrapped
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.mailbox.address import (
    NewAddress,
    check_passwords_change,
    opened_answer,
)
from mailbox_service.web.queries import AddressesQuery
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import wire_time

routes = Routes("admin addresses")

SORTABLE = frozenset(
    ("id", "name", "created_at", "updated_at", "source_meta", "mail_count", "send_count")
)


class AdminWish(Struct, frozen=True, rename="camel"):
    """The address to open."""

    name: str | None = None
    domain: str | None = None
    enable_prefix: bool | None = None
    enable_random_subdomain: bool | str | None = None


class AddressRow(Struct, frozen=True):
    """An address and how much mail it has."""

    id: int
    name: str
    source_meta: str | None
    created_at: str
    updated_at: str
    mail_count: int
    send_count: int


class AddressPage(Struct, frozen=True):
    """A page of addresses; `count` is the total on the first page, and 0 on all others."""

    results: list[AddressRow]
    count: int


class Token(Struct, frozen=True):
    """A token for an address."""

    jwt: str


class PasswordOf(Struct, frozen=True):
    """The lower-case hex SHA-256 of the new password."""

    password: str | None = None


read_wish = msgspec.json.Decoder(AdminWish)
read_password = msgspec.json.Decoder(PasswordOf)


@routes.post("/admin/new_address", ADMIN, body=AdminWish, returns=NewAddress)
async def new_address(call: Call) -> NewAddress:
    """Open an address in any served domain."""
    wish = await call.json(read_wish)
    if not wish.name:
        raise BadRequest(text("RequiredFieldMsg"), message_key="RequiredFieldMsg")
    try:
        opened = await call.services.registering.open_by_admin(
            name=wish.name,
            domain=wish.domain,
            with_prefix=bool(wish.enable_prefix),
            random_subdomain=wish.enable_random_subdomain in (True, "true"),
        )
    except MailError as error:
        prefix = text("FailedCreateAddressMsg", call.language) + ": "
        raise Refused(wrapped(error, prefix, call.language)) from None
    return opened_answer(opened)


@routes.get("/admin/address", ADMIN, query=AddressesQuery, returns=AddressPage)
async def list_addresses(call: Call) -> AddressPage:
    """A page of addresses, found by a part of them and sorted by any column."""
    limit, offset = call.page()
    sort_by = call.query.get("sort_by", "id")
    rows, count = await call.services.registering.list_addresses(
        limit=limit,
        offset=offset,
        query=call.search_text("query"),
        sort_by=sort_by if sort_by in SORTABLE else "id",
        descending=call.query.get("sort_order") != "ascend",
    )
    return AddressPage([address_row(row) for row in rows], count if offset == 0 else 0)


def address_row(row: CountedAddress) -> AddressRow:
    """The wire form of an address."""
    return AddressRow(
        row.id,
        row.name,
        row.source_meta,
        wire_time(row.created_at),
        wire_time(row.updated_at),
        row.mail_count,
        row.send_count,
    )


async def address_of(call: Call) -> Address | None:
    """The address whose id is in the path."""
    address_id = call.path_id()
    return None if address_id is None else await call.services.registering.find(address_id)


@routes.get("/admin/show_password/{id}", ADMIN, returns=Token)
async def show_password(call: Call) -> Token:
    """A token for an address."""
    address = await address_of(call)
    if address is None:
        raise BadRequest(text("AddressNotFoundMsg"), message_key="AddressNotFoundMsg")
    return Token(call.services.authenticating.token_for(address.name, address.id))


@routes.delete("/admin/delete_address/{id}", ADMIN, returns=Success)
async def delete_address(call: Call) -> Success:
    """Close an address and delete all that belongs to it."""
    address = await address_of(call)
    if address is not None:
        await call.services.registering.close(address.id, address.address)
    return SUCCESS


@routes.delete("/admin/clear_inbox/{id}", ADMIN, returns=Success)
async def clear_inbox(call: Call) -> Success:
    """Delete every mail of an address."""
    address = await address_of(call)
    if address is not None:
        await call.services.registering.clear_inbox(address.address)
    return SUCCESS


@routes.delete("/admin/clear_sent_items/{id}", ADMIN, returns=Success)
async def clear_sent_items(call: Call) -> Success:
    """Empty the sent box of an address."""
    address = await address_of(call)
    if address is not None:
        await call.services.sent.clear(address.address)
    return SUCCESS


@routes.post("/admin/address/{id}/reset_password", ADMIN, body=PasswordOf, returns=Success)
async def reset_password(call: Call) -> Success:
    """Give an address another password."""
    wanted = await call.json(read_password)
    check_passwords_change(call, wanted.password)
    address_id = call.path_id()
    if address_id is None:
        raise UnknownMailbox(text("AddressNotFoundMsg"), message_key="AddressNotFoundMsg")
    await call.services.registering.set_password(address_id, wanted.password or "")
    return SUCCESS
