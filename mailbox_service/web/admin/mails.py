"""All mail, for administrators."""

from __future__ import annotations

from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.mailbox.mails import named_rows
from mailbox_service.web.queries import AddressPageQuery, PageQuery
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import MailPage, MailRow

routes = Routes("admin mails")


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
async def list_mails(call: Call) -> MailPage:
    """A page of all mails, or of one address."""
    return await page_of(call, wanted_address(call), unknown_only=False)


@routes.get("/admin/mails_unknow", ADMIN, query=PageQuery, returns=MailPage)
async def list_unknown_mails(call: Call) -> MailPage:
    """A page of the mails for addresses that nobody has opened."""
    return await page_of(call, None, unknown_only=True)


async def page_of(call: Call, address: str | None, *, unknown_only: bool) -> MailPage:
    """A page of mails with their sources, newest first."""
    limit, offset = call.page()
    page, contents = await call.services.reading.page_with_contents(
        address, limit=limit, offset=offset, counted=offset == 0, unknown_only=unknown_only
    )
    found = list(zip(page.messages, contents, strict=True))
    return MailPage(await named_rows(call, found), page.count)


@routes.get("/admin/mails/{id}", ADMIN, returns=MailRow | None)
async def one_mail(call: Call) -> MailRow | None:
    """One mail of anybody; null when it is not there."""
    mail_id = call.path_id()
    found = None if mail_id is None else await call.services.reading.content(None, mail_id)
    return None if found is None else (await named_rows(call, [found]))[0]


@routes.delete("/admin/mails/{id}", ADMIN, returns=Success)
async def delete_mail(call: Call) -> Success:
    """Delete one mail of anybody."""
    mail_id = call.path_id()
    if mail_id is not None:
        await call.services.reading.delete(None, [mail_id])
    return SUCCESS
