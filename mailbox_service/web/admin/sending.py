"""Allowances, all sent mail, and sending in any name of ours."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from mailbox_service.core.compose import NamedAddress
from mailbox_service.core.errors import BadRequest, MailError
from mailbox_service.core.stored import Allowance
from mailbox_service.core.texts import MESSAGES, text
from mailbox_service.web.admin.mails import wanted_address
from mailbox_service.web.answers import OK, SUCCESS, Sent, Success
from mailbox_service.web.errors import KEPT_WHEN_WRAPPED, Uncaught, status_of
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.mailbox.sending import MailBody, draft_of, record_of, words
from mailbox_service.web.mailbox.sent import SendboxPage, sendbox_page
from mailbox_service.web.queries import AddressPageQuery
from mailbox_service.web.request import BodyId, Call, invalid_input, read_body_id
from mailbox_service.web.routing import WHOLE_MESSAGE, Routes
from mailbox_service.web.rows import wire_time

routes = Routes("admin sending")

LARGEST_BALANCE = 1 << 53  # what JavaScript counts exactly
ENGLISH = frozenset(english for english, _ in MESSAGES.values())


class AllowanceRow(Struct, frozen=True):
    """How many mails an address may send; `enabled` is 0 or 1."""

    id: int
    address: str
    balance: int
    enabled: int
    created_at: str


class AllowancePage(Struct, frozen=True):
    """A page of allowances; `count` is the total on the first page, and 0 on all others."""

    results: list[AllowanceRow]
    count: int


class AllowanceChange(Struct, frozen=True):
    """A new allowance. `address_id` is the id of the allowance's row."""

    address: str | None = None
    address_id: BodyId = None
    balance: float | str | None = None
    enabled: bool | float | str | None = None


class AdminMailBody(MailBody, frozen=True, kw_only=True):
    """A mail to send, and in whose name: any address of our domains."""

    from_mail: str | None = None


read_change = msgspec.json.Decoder(AllowanceChange)
read_mail = msgspec.json.Decoder(AdminMailBody)


@routes.get("/admin/address_sender", ADMIN, query=AddressPageQuery, returns=AllowancePage)
async def list_allowances(call: Call) -> AllowancePage:
    """A page of allowances, of one address or of all."""
    limit, offset = call.page()
    rows, count = await call.services.sending.allowances.list(
        limit=limit, offset=offset, address=wanted_address(call)
    )
    return AllowancePage([allowance_row(row) for row in rows], count if offset == 0 else 0)


def allowance_row(row: Allowance) -> AllowanceRow:
    """The wire form of an allowance."""
    return AllowanceRow(
        row.id, row.address, row.balance, int(row.enabled), wire_time(row.created_at)
    )


@routes.post("/admin/address_sender", ADMIN, body=AllowanceChange, returns=Success)
async def change_allowance(call: Call) -> Success:
    """Grant, change or take an allowance; its owner gets a note."""
    change = await call.json(read_change)
    row_id = read_body_id(change.address_id)
    if not row_id:
        raise BadRequest(text("InvalidAddressIdMsg"), message_key="InvalidAddressIdMsg")
    balance = read_balance(change.balance)
    await call.services.sending.allowances.change(
        row_id, balance=balance, enabled=bool(change.enabled), address=change.address or ""
    )
    return SUCCESS


def read_balance(value: float | str | None) -> int:
    """A number, as number or text; its fraction counts nothing. Raises BadRequest."""
    try:
        balance = int(value or 0)
    except (ValueError, OverflowError):
        balance = -LARGEST_BALANCE - 1
    if abs(balance) > LARGEST_BALANCE:
        raise BadRequest(text("InvalidInputMsg"), message_key="InvalidInputMsg")
    return balance


@routes.delete("/admin/address_sender/{id}", ADMIN, returns=Success)
async def remove_allowance(call: Call) -> Success:
    """Forget an allowance; the default one is made again when it is needed."""
    row_id = call.path_id()
    if row_id is not None:
        await call.services.sending.allowances.remove(row_id)
    return SUCCESS


@routes.get("/admin/sendbox", ADMIN, query=AddressPageQuery, returns=SendboxPage)
async def list_sendbox(call: Call) -> SendboxPage:
    """A page of the sent mails of one address, or of all."""
    return await sendbox_page(call, wanted_address(call))


@routes.delete("/admin/sendbox/{id}", ADMIN, returns=Success)
async def delete_sent(call: Call) -> Success:
    """Take one mail out of anybody's sent box."""
    sent_id = call.path_id()
    if sent_id is not None:
        await call.services.sent.delete(None, sent_id)
    return SUCCESS


@routes.post("/admin/send_mail", ADMIN, body=AdminMailBody, returns=Sent, body_limit=WHOLE_MESSAGE)
async def send_mail(call: Call) -> Sent:
    """Queue a mail in the name of any address of our domains, without allowance."""
    try:
        body = await call.json(read_mail)
    except Uncaught:
        raise invalid_input(call) from None
    try:
        await call.services.sending.submit_draft(
            call.principal,
            draft_of(body, NamedAddress(body.from_mail or "", words(body.from_name))),
            door="admin",
            record=record_of(body) | {"from_mail": body.from_mail or ""},
            ip=call.client_ip,
        )
    except MailError as error:
        raise told_to_admin(error) from None
    return OK


def told_to_admin(error: MailError) -> MailError:
    """The refusal when it is exactly a message of the contract, else `Operation failed`."""
    if status_of(error) in KEPT_WHEN_WRAPPED:
        return error
    if error.detail in ENGLISH:
        return BadRequest(error.detail, message_key=error.message_key)
    return BadRequest(text("OperationFailedMsg"), message_key="OperationFailedMsg")
