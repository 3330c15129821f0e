"""The mini app: a person proved by initData, and their addresses (mailbox-api §3.7)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.errors import NotFound
from mailbox_service.core.stored import StoredMessage
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import OPEN, needs_bot
from mailbox_service.web.humans import check_human
from mailbox_service.web.mailbox.address import is_switched_on
from mailbox_service.web.mailbox.inbox import OpenedMail, opened_mail
from mailbox_service.web.mailbox.mails import named_row
from mailbox_service.web.request import BodyId, Call, read_body_id
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import MailRow

routes = Routes("telegram")


class Person(Struct, frozen=True, rename="camel"):
    """Who asks: what Telegram gave the mini app, good for five minutes."""

    init_data: str | None = None


class Wish(Struct, frozen=True):
    """`name@domain`, `name`, or empty for any."""

    initData: str | None = None
    address: str | None = None
    cf_token: str | None = None
    enableRandomSubdomain: bool | float | str | None = None


class Binding(Struct, frozen=True):
    """An address by its token."""

    initData: str | None = None
    jwt: str | None = None


class Unbinding(Struct, frozen=True):
    """An address of the person."""

    initData: str | None = None
    address: str | None = None


class MailWish(Struct, frozen=True):
    """A mail of the person."""

    initData: str | None = None
    mailId: BodyId = None
    remote: bool = False


class HeldRow(Struct, frozen=True):
    """An address of the person, with a token for it."""

    address: str
    jwt: str


class OpenedRow(Struct, frozen=True):
    """A new address; `password` is told once."""

    jwt: str
    address: str
    password: str | None
    address_id: int


read_person = msgspec.json.Decoder(Person)
read_wish = msgspec.json.Decoder(Wish)
read_binding = msgspec.json.Decoder(Binding)
read_unbinding = msgspec.json.Decoder(Unbinding)
read_mail_wish = msgspec.json.Decoder(MailWish)


@routes.post("/telegram/get_bind_address", OPEN, body=Person, returns=list[HeldRow])
async def bound_addresses(call: Call) -> list[HeldRow]:
    """The person's addresses."""
    await needs_bot(call)
    told = await call.json(read_person)
    user = call.services.telegram.proved_user(told.init_data or "")
    return [HeldRow(one.address, one.jwt) for one in await call.services.telegram.held(user)]


@routes.post("/telegram/new_address", OPEN, body=Wish, returns=OpenedRow)
async def new_address(call: Call) -> OpenedRow:
    """Open an address and bind it to the person."""
    await needs_bot(call)
    told = await call.json(read_wish)
    user = call.services.telegram.proved_user(told.initData or "")
    await check_human(call, told.cf_token)
    opened = await call.services.telegram.open(
        user, told.address or "", random_subdomain=is_switched_on(told.enableRandomSubdomain)
    )
    return OpenedRow(opened.jwt, opened.address, opened.password, opened.address_id)


@routes.post("/telegram/bind_address", OPEN, body=Binding, returns=Success)
async def bind_address(call: Call) -> Success:
    """Bind an address to the person, who is told of its mail from now on."""
    await needs_bot(call)
    told = await call.json(read_binding)
    user = call.services.telegram.proved_user(told.initData or "")
    await call.services.telegram.bind(user, told.jwt or "")
    return SUCCESS


@routes.post("/telegram/unbind_address", OPEN, body=Unbinding, returns=Success)
async def unbind_address(call: Call) -> Success:
    """Take an address from the person's list."""
    await needs_bot(call)
    told = await call.json(read_unbinding)
    user = call.services.telegram.proved_user(told.initData or "")
    await call.services.telegram.unbind(user, told.address or "")
    return SUCCESS


@routes.post("/telegram/get_mail", OPEN, body=MailWish, returns=MailRow | None)
async def get_mail(call: Call) -> Any:
    """A mail of one of the person's addresses; null when there is none. The admin password in
    `x-admin-auth` opens any mail."""
    await needs_bot(call)
    found = await wished_mail(call, await call.json(read_mail_wish))
    return None if found is None else await named_row(call, *found)


@routes.post("/telegram/open_mail", OPEN, body=MailWish, returns=OpenedMail | None)
async def open_mail(call: Call) -> OpenedMail | None:
    """The same mail taken apart for reading, its HTML sanitised; with `remote` it keeps what it
    would load from the web."""
    await needs_bot(call)
    told = await call.json(read_mail_wish)
    found = await wished_mail(call, told)
    if found is None:
        return None
    return await asyncio.to_thread(lambda: opened_mail(*found, allow_remote=told.remote))


async def wished_mail(call: Call, told: MailWish) -> tuple[StoredMessage, bytes] | None:
    """The mail that the person, or the administrator, may see."""
    mail_id = read_body_id(told.mailId)
    if await is_administrator(call):
        found = None if mail_id is None else await call.services.reading.content(None, mail_id)
        if found is None:
            raise NotFound("Mail not found")
        return found
    user = call.services.telegram.proved_user(told.initData or "")
    return None if mail_id is None else await call.services.telegram.mail(user, mail_id)


async def is_administrator(call: Call) -> bool:
    """Whether the admin password was shown; a wrong one counts as none, and is counted."""
    shown = call.header(b"x-admin-auth") or ""
    known = call.services.authenticating.admin_password
    return await call.guesses.prove(call.client_ip, "admin", shown, known)
