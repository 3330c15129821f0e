"""The mail of all addresses of an account as one inbox."""

from __future__ import annotations

from starlette.responses import Response

from mailbox_service.core.errors import NotFound
from mailbox_service.core.stored import Excerpt
from mailbox_service.web.answers import SUCCESS, Answer, Success
from mailbox_service.web.downloads import A_MESSAGE
from mailbox_service.web.guards import ACCOUNT
from mailbox_service.web.mailbox.inbox import (
    DEFAULT_PAGE,
    InboxPage,
    Marked,
    MarkMany,
    mail_file,
    read_mark_many,
    whole_mail,
)
from mailbox_service.web.mailbox.mails import check_deletion, filters, named_page
from mailbox_service.web.queries import AccountInboxQuery, AddressPageQuery
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import MailPage, light_row

routes = Routes("account mails")


@routes.get("/user_api/mails", ACCOUNT, query=AddressPageQuery, returns=MailPage)
async def list_mails(call: Call) -> Answer | Response:
    """A page of the mail of all addresses of the account, or of one of them, newest first."""
    limit, offset = call.page()
    page, sources = await call.services.account_addresses.mails(
        call.account.user_id, address=call.search_text("address"), limit=limit, offset=offset
    )
    return await named_page(call, page, sources, reader=f"account {call.account.user_id}")


@routes.get("/user_api/inbox", ACCOUNT, query=AccountInboxQuery, returns=InboxPage)
async def list_inbox(call: Call) -> InboxPage:
    """The same mail as light rows, newest first; behind `after_id` oldest first."""
    limit = call.limit(DEFAULT_PAGE)
    after_id = call.number("after_id")
    wanted = Excerpt(
        limit, before_id=call.number("before_id"), after_id=after_id, filters=filters(call)
    )
    page = await call.services.account_addresses.inbox(
        call.account.user_id, wanted, address=call.search_text("address")
    )
    full = len(page.messages) == limit and after_id is None
    return InboxPage(
        [light_row(message) for message in page.messages],
        page.count,
        page.unread,
        page.messages[-1].id if full else None,
    )


@routes.get("/user_api/mails/{id}/raw", ACCOUNT, **A_MESSAGE)
async def download_mail(call: Call) -> Answer:
    """A mail of an address of the account, octet for octet as it is stored, as a file; with
    `score_header`, under fields that tell its score and where it comes from."""
    mail_id = call.path_id()
    address = None
    if mail_id is not None:
        address = await call.services.account_addresses.mailbox_of(call.account.user_id, mail_id)
    if address is None:
        raise NotFound("There is no such mail")
    return mail_file(call, *await whole_mail(call, address))


@routes.post("/user_api/mails/mark", ACCOUNT, body=MarkMany, returns=Marked)
async def mark_mails(call: Call) -> Marked:
    """Set or clear the same marks of several mails, of whichever addresses of the account;
    anybody else's stay as they are."""
    marks = await call.own_json(read_mark_many)
    changed = await call.services.account_addresses.mark(
        call.account.user_id,
        marks.ids,
        seen=marks.seen,
        flagged=marks.flagged,
        answered=marks.answered,
    )
    return Marked(True, changed)


@routes.delete("/user_api/mails/{id}", ACCOUNT, returns=Success)
async def delete_mail(call: Call) -> Success:
    """Delete a mail of an address of the account; anybody else's is kept."""
    check_deletion(call)
    mail_id = call.path_id()
    if mail_id is not None:
        await call.services.account_addresses.delete_mail(call.account.user_id, mail_id)
    return SUCCESS
