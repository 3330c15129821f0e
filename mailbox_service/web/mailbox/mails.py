"""The mails of one mailbox as the contract lists them: whole sources, and mails taken apart."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from starlette.responses import Response

from mailbox_service.core.errors import NotYours
from mailbox_service.core.parsing import parse
from mailbox_service.core.stored import NO_FILTERS, Excerpt, Filters, StoredMessage
from mailbox_service.core.texts import text
from mailbox_service.services.reading import Page
from mailbox_service.web.answers import SUCCESS, Answer, Success
from mailbox_service.web.glances import Rows
from mailbox_service.web.guards import MAILBOX, MAILBOX_LIST
from mailbox_service.web.mail_pages import glance_page, mail_page
from mailbox_service.web.queries import MailsQuery
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import MailPage, MailRow, ParsedPage, ParsedRow, mail_row, parsed_row

routes = Routes("mails")

FILTERS = frozenset(("q", "from", "subject", "unread", "flagged", "codes", "since"))


def check_deletion(call: Call) -> None:
    """Raises NotYours when owners may not delete."""
    if not call.config.enable_user_delete_email:
        key = "UserDeleteEmailDisabledMsg"
        raise NotYours(text(key), message_key=key)


def filters(call: Call) -> Filters:
    """The filters of a query that every list of mails takes."""
    if call.query.keys().isdisjoint(FILTERS):
        return NO_FILTERS
    return Filters(
        q=call.search_text("q"),
        sender=call.search_text("from"),
        subject=call.search_text("subject"),
        unread=call.switch("unread"),
        flagged=call.switch("flagged"),
        codes=call.switch("codes"),
        since=call.moment("since"),
    )


async def named_row(call: Call, message: StoredMessage, raw: bytes) -> MailRow:
    """A mail with its source, its address as it was opened."""
    names = await call.services.registering.names_of([message.address])
    return mail_row(message, raw, names.get(message.address, ""))


async def named_page(
    call: Call, page: Page, sources: Sequence[bytes] | None, *, reader: str
) -> Answer | Response:
    """A page of mails of several addresses, each address as it was opened."""
    names = await call.services.registering.names_of(one.address for one in page.messages)

    def row(message: StoredMessage, raw: bytes) -> MailRow:
        return mail_row(message, raw, names.get(message.address, ""))

    return await mail_page(call, page, sources, row, reader=reader)


@routes.get("/api/mails", MAILBOX_LIST, query=MailsQuery, returns=MailPage)
async def list_mails(call: Call) -> Answer | Response:
    """A page of mails with their sources, newest first; behind `after_id` oldest first."""
    limit, offset = call.page()
    name = call.principal.name
    glancing = call.services.glancing
    rows = Rows(glancing.shown, "mail", name)
    glance = await glancing.page(
        call.address,
        rows.known,
        Excerpt(limit, offset, after_id=call.number("after_id"), filters=filters(call)),
        counted=offset == 0,
        with_contents=True,
    )
    return glance_page(call, glance, rows, lambda message, raw: mail_row(message, raw, name))


@routes.get("/api/mail/{mail_id}", MAILBOX, returns=MailRow | None)
async def one_mail(call: Call) -> MailRow | None:
    """One mail with its source; null when it is not there."""
    mail_id = call.path_id("mail_id")
    if mail_id is None:
        return None
    found = await call.services.reading.content(call.address, mail_id)
    return None if found is None else mail_row(*found, call.principal.name)


@routes.get("/api/parsed_mails", MAILBOX_LIST, query=MailsQuery, returns=ParsedPage)
async def list_parsed_mails(call: Call) -> Answer | Response:
    """A page of mails taken apart: sender, subject, text, HTML and what is attached."""
    limit, offset = call.page()
    page, contents = await call.services.reading.page_with_contents(
        call.address,
        Excerpt(limit, offset, after_id=call.number("after_id"), filters=filters(call)),
        counted=offset == 0,
        touch=offset == 0,
    )
    name = call.principal.name

    def row(message: StoredMessage, raw: bytes) -> ParsedRow:
        return parsed_row(message, raw, parse(raw), name)

    return await mail_page(call, page, contents, row, reader=call.address)


@routes.get("/api/parsed_mail/{mail_id}", MAILBOX, returns=ParsedRow | None)
async def one_parsed_mail(call: Call) -> ParsedRow | None:
    """One mail taken apart; null when it is not there."""
    mail_id = call.path_id("mail_id")
    if mail_id is None:
        return None
    found = await call.services.reading.content(call.address, mail_id)
    if found is None:
        return None
    message, raw = found
    name = call.principal.name
    return await asyncio.to_thread(lambda: parsed_row(message, raw, parse(raw), name))


@routes.delete("/api/mails/{id}", MAILBOX, returns=Success)
async def delete_mail(call: Call) -> Success:
    """Delete one mail; also a success when it was not there."""
    check_deletion(call)
    mail_id = call.path_id()
    if mail_id is not None:
        await call.services.reading.delete(call.address, [mail_id])
    return SUCCESS


@routes.delete("/api/clear_inbox", MAILBOX, returns=Success)
async def clear_inbox(call: Call) -> Success:
    """Delete every mail of the mailbox."""
    check_deletion(call)
    await call.services.registering.clear_inbox(call.address)
    return SUCCESS
