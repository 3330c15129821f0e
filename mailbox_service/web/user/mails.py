"""The mail of all addresses of an account as one inbox."""

from __future__ import annotations

from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.guards import ACCOUNT
from mailbox_service.web.mailbox.mails import check_deletion
from mailbox_service.web.queries import AddressPageQuery
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes
from mailbox_service.web.rows import MailPage, mail_row

routes = Routes("account mails")


@routes.get("/user_api/mails", ACCOUNT, query=AddressPageQuery, returns=MailPage)
async def list_mails(call: Call) -> MailPage:
    """A page of the mail of all addresses of the account, or of one of them, newest first."""
    limit, offset = call.page()
    found, count = await call.services.account_addresses.mails(
        call.account.user_id, address=call.search_text("address"), limit=limit, offset=offset
    )
    return MailPage([mail_row(message, raw) for message, raw in found], count)


@routes.delete("/user_api/mails/{id}", ACCOUNT, returns=Success)
async def delete_mail(call: Call) -> Success:
    """Delete a mail of an address of the account; anybody else's is kept."""
    check_deletion(call)
    mail_id = call.path_id()
    if mail_id is not None:
        await call.services.account_addresses.delete_mail(call.account.user_id, mail_id)
    return SUCCESS
