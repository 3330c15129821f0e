"""All addresses, for administrators."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.errors import BadRequest, MailError, UnknownMailbox
from mailbox_service.core.lifetime import read_lifetime
from mailbox_service.core.stored import Address, CountedAddress
from mailbox_service.core.texts import text
from mailbox_service.services.batches import BatchWish
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Refused, wrapped
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.mailbox.address import (
    NewAddress,
    check_passwords_change,
    end_shown,
    is_switched_on,
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
    enable_prefix: bool | float | str | None = None
    enable_random_subdomain: bool | float | str | None = None
    expires_in: Any = msgspec.field(default=None, name="expires_in")


class ManyWishes(Struct, frozen=True, rename="camel"):
    """The addresses to open: these names, or so many (`count`) with names of our choosing. All
    are in one domain, each below a random label of its own with `enableRandomSubdomain`;
    `expires_in` is their lifetime in seconds."""

    names: list[str] | None = None
    count: int | None = None
    domain: str | None = None
    enable_prefix: bool = False
    enable_random_subdomain: bool = False
    expires_in: int | None = msgspec.field(default=None, name="expires_in")


class NewAddresses(Struct, frozen=True):
    """The opened addresses, in the order of their names."""

    results: list[NewAddress]


class Lifetime(Struct, frozen=True):
    """Seconds from now on; null: without end."""

    expires_in: int | None


class Ends(Struct, frozen=True):
    """When the address ends; null: never."""

    expires_at: str | None
    success: bool = True


class AddressRow(Struct, frozen=True):
    """An address and how much mail it has."""

    id: int
    name: str
    source_meta: str | None
    created_at: str
    updated_at: str
    mail_count: int
    send_count: int
    expires_at: str | UnsetType = UNSET


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
read_wishes = msgspec.json.Decoder(ManyWishes)
read_new_lifetime = msgspec.json.Decoder(Lifetime)
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
            random_subdomain=is_switched_on(wish.enable_random_subdomain),
            lifetime=read_lifetime(wish.expires_in),
        )
    except MailError as error:
        raise creation_refused(call, error) from None
    return opened_answer(opened)


def creation_refused(call: Call, error: MailError) -> Refused:
    """`Failed to create address: <reason>`."""
    prefix = text("FailedCreateAddressMsg", call.language) + ": "
    return Refused(wrapped(error, prefix, call.language))


@routes.post(
    "/admin/new_addresses",
    ADMIN,
    body=ManyWishes,
    returns=NewAddresses,
    headers={"Idempotency-Key": "The same key opens the same addresses, for a day."},
)
async def new_addresses(call: Call) -> NewAddresses:
    """Open many addresses at once: all of them, or none when one cannot be opened."""
    wishes = await call.own_json(read_wishes)
    try:
        opened = await call.services.registering.open_many(
            BatchWish(
                names=None if wishes.names is None else tuple(wishes.names),
                count=wishes.count,
                domain=wishes.domain,
                with_prefix=wishes.enable_prefix,
                random_subdomain=wishes.enable_random_subdomain,
                lifetime=read_lifetime(wishes.expires_in),
            ),
            key=call.header(b"idempotency-key") or "",
        )
    except MailError as error:
        raise creation_refused(call, error) from None
    return NewAddresses([opened_answer(one) for one in opened])


@routes.post("/admin/address/{id}/revoke_tokens", ADMIN, returns=Token)
async def revoke_tokens(call: Call) -> Token:
    """End every token of an address; the answer has the one that counts from now on."""
    opened = await call.services.registering.revoke_tokens(call.path_id() or 0)
    return Token(opened.jwt)


@routes.post("/admin/address/{id}/lifetime", ADMIN, body=Lifetime, returns=Ends)
async def set_lifetime(call: Call) -> Ends:
    """Have an address end some time from now, or never."""
    wanted = await call.own_json(read_new_lifetime)
    ends = await call.services.registering.set_lifetime(
        call.path_id() or 0, read_lifetime(wanted.expires_in)
    )
    return Ends(None if ends is None else wire_time(ends))


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
        end_shown(row.expires_at),
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
    return Token(call.services.authenticating.token_of(address))


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
    if address_id is not None:
        with suppress(UnknownMailbox):  # as every change by an id that names nothing
            await call.services.registering.set_password(address_id, wanted.password or "")
    return SUCCESS
