"""All mail, for administrators. Whoever opens one is in the audit log: its handler says which
mail it opened."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress
from mailbox_service.core.stored import Excerpt, Filters
from mailbox_service.web.admin.actions import Opened
from mailbox_service.web.answers import SUCCESS, Answer, Success
from mailbox_service.web.downloads import A_MESSAGE, OCTETS
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.mailbox.inbox import (
    OpenedMail,
    mail_file,
    part_answer,
    read_mail,
    whole_mail,
)
from mailbox_service.web.mailbox.mails import named_page, named_row
from mailbox_service.web.mailbox.sent import (
    OpenedSentMail,
    opened_row,
    opened_sent,
    sent_file,
    whole_sent,
)
from mailbox_service.web.queries import AddressPageQuery, OpenedQuery, PageQuery
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import LightRow, MailPage, MailRow, light_row
from mailbox_service.web.slow_answers import ADMINISTRATORS

routes = Routes("admin mails")


class EverybodysQuery(AddressPageQuery):
    """Whose mail is wanted."""

    unknown: Annotated[int, Meta(ge=0, le=1, description="1: for addresses nobody opened.")] = 0
    q: Annotated[str, Meta(description="Part of the sender, subject or text, in any case.")] = ""


class EverybodysPage(Struct, frozen=True):
    """A page of light rows; `count` is the total on the first page, and 0 on all others."""

    results: list[LightRow]
    count: int


def wanted_address(call: Call) -> str | None:
    """The address asked for, None for all. What is no address is kept as it is: it then has no
    mail."""
    wanted = call.search_text("address")
    if not wanted:
        return None
    try:
        return canonical(wanted)
    except BadAddress:
        return wanted


@routes.get("/admin/mails", ADMIN, query=AddressPageQuery, returns=MailPage)
async def list_mails(call: Call) -> Answer | Response:
    """A page of all mails, or of one address."""
    return await page_of(call, wanted_address(call), unknown_only=False)


@routes.get("/admin/mails_unknow", ADMIN, query=PageQuery, returns=MailPage)
async def list_unknown_mails(call: Call) -> Answer | Response:
    """A page of the mails for addresses that nobody has opened."""
    return await page_of(call, None, unknown_only=True)


async def page_of(call: Call, address: str | None, *, unknown_only: bool) -> Answer | Response:
    """A page of mails with their sources, newest first."""
    limit, offset = call.page()
    page, sources = await call.services.reading.page_with_contents(
        address, Excerpt(limit, offset, unknown_only=unknown_only), counted=offset == 0
    )
    return await named_page(call, page, sources, reader=ADMINISTRATORS)


@routes.get("/admin/mails/{id}", ADMIN, returns=MailRow | None)
async def one_mail(call: Call) -> Opened | None:
    """One mail of anybody; null when it is not there."""
    mail_id = call.path_id()
    found = None if mail_id is None else await call.services.reading.content(None, mail_id)
    if found is None:
        return None
    return Opened(await named_row(call, *found), found[0].id, found[0].address)


@routes.delete("/admin/mails/{id}", ADMIN, returns=Success)
async def delete_mail(call: Call) -> Success:
    """Delete one mail of anybody."""
    mail_id = call.path_id()
    if mail_id is not None:
        await call.services.reading.delete(None, [mail_id])
    return SUCCESS


# As the page shows mail: without the sources of twenty mails at a time, and taken apart


@routes.get("/admin/inbox", ADMIN, query=EverybodysQuery, returns=EverybodysPage)
async def list_everybodys(call: Call) -> EverybodysPage:
    """A page of light rows of all mails, of one address, or of addresses that nobody has opened,
    newest first."""
    limit, offset = call.page()
    page = await call.services.reading.page(
        wanted_address(call),
        Excerpt(
            limit,
            offset,
            filters=Filters(q=call.search_text("q")),
            unknown_only=call.switch("unknown"),
        ),
        counted=offset == 0,
    )
    names = await call.services.registering.names_of(one.address for one in page.messages)
    rows = [
        msgspec.structs.replace(light_row(one), address=names.get(one.address, one.address))
        for one in page.messages
    ]
    return EverybodysPage(rows, page.count)


@routes.get("/admin/inbox/{id}", ADMIN, query=OpenedQuery, returns=OpenedMail | None)
async def open_anybodys(call: Call) -> Opened | None:
    """One mail of anybody opened for reading, as its owner reads it; it is not marked as seen.
    Null when it is not there."""
    mail = await read_mail(call, None)
    return None if mail is None else Opened(mail, mail.id, mail.address)


@routes.get("/admin/mails/{id}/raw", ADMIN, **A_MESSAGE)
async def download_anybodys(call: Call) -> Opened:
    """A message of anybody octet for octet as it is stored, as a file; with `score_header`, under
    fields that tell its score and where it comes from."""
    message, raw = await whole_mail(call, None)
    return Opened(mail_file(call, message, raw), message.id, message.address)


@routes.get("/admin/mails/{id}/attachments/{index}", ADMIN, **OCTETS)
async def download_attachment(call: Call) -> Opened:
    """One part of anybody's mail, decoded, as a file; `index` is that of its row."""
    message, raw = await whole_mail(call, None)
    return Opened(await part_answer(call, raw), message.id, message.address)


@routes.get("/admin/sent/{id}", ADMIN, returns=OpenedSentMail | None)
async def open_sent(call: Call) -> Opened | None:
    """One mail that anybody sent, with its text and every attempt at it; null when it is not
    there."""
    opened = await opened_sent(call, None)
    if opened is None:
        return None
    sent = opened.message.submission
    return Opened(await asyncio.to_thread(opened_row, opened), sent.id, sent.address)


@routes.get("/admin/sent/{id}/raw", ADMIN, **A_MESSAGE)
async def download_sent(call: Call) -> Opened:
    """A message that anybody sent octet for octet as it was queued, as a file."""
    sent = await whole_sent(call, None)
    return Opened(sent_file(sent), sent.id, sent.address)


@routes.get("/admin/sent/{id}/attachments/{index}", ADMIN, **OCTETS)
async def download_sent_attachment(call: Call) -> Opened:
    """One part of a mail that anybody sent, decoded, as a file; `index` is that of its row."""
    sent = await whole_sent(call, None)
    return Opened(await part_answer(call, sent.raw), sent.id, sent.address)
