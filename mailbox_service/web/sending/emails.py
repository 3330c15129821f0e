"""Sending e-mail (sending-api §2)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.api_values import plain_time, zulu
from mailbox_service.core.email_id import email_id_of
from mailbox_service.core.envelope import Receipt
from mailbox_service.core.errors import MailError
from mailbox_service.core.sending_api import BadField
from mailbox_service.services.sending_api.archive import Archived, ArchiveSearch, EmailId
from mailbox_service.services.sending_api.composing import EmailForm
from mailbox_service.services.sending_api.email_search import (
    EmailSearch,
    FoundEmail,
    FoundEmails,
    Opening,
)
from mailbox_service.services.sending_api.emails import BatchForm, MimeForm, Sent
from mailbox_service.services.sending_api.paging import Page
from mailbox_service.services.sending_api.scheduling import (
    Scheduled,
    ScheduledRemove,
    ScheduledSearch,
    recipients_text,
)
from mailbox_service.web.sending.refusals import data_of
from mailbox_service.web.sending.rows import Row, convert

LETTER = b'{"succeeded":1,"failed":0,"failures":[],"email_id":"%s"}'
# `""` is a subject, and a body of it is none.
KEEPS = frozenset(("subject",))


class BatchFields(Struct):
    """A batch as it is written; each item is read alone."""

    emails: list[EmailForm]


def sent(result: Sent) -> dict[str, Any]:
    """One accepted message: a client judges by `succeeded` alone."""
    if result.fast:
        return short(result)
    data: dict[str, Any] = {
        "succeeded": 1,
        "failed": 0,
        "failures": [],
        "email_id": result.email_id,
    }
    if result.schedule_id is not None:
        data["schedule_id"] = result.schedule_id
    return data


def sent_letter(receipt: Receipt) -> msgspec.Raw:
    """The same of a plain letter, as JSON: an e-mail id has nothing that would be escaped."""
    return msgspec.Raw(LETTER % email_id_of(receipt.queue_id).encode())


def short(result: Sent) -> dict[str, Any]:
    """Its id alone."""
    if result.schedule_id is not None:
        return {"schedule_id": result.schedule_id}
    return {"email_id": result.email_id}


def batch(results: list[Sent | MailError]) -> list[dict[str, Any]]:
    """In the order of the request; a refusal stands where its message would."""
    return [short(one) if isinstance(one, Sent) else data_of(one) for one in results]


def read_item(item: Any) -> EmailForm | MailError:
    """One item of a batch, or why it is none."""
    if not isinstance(item, dict):
        return BadField("emails", "Each of them is an object")
    try:
        form: EmailForm = convert({**item, "fastaccept": None}, EmailForm, KEEPS)
    except BadField as error:
        return error
    return form


def read_batch(fields: dict[str, Any]) -> BatchForm:
    """A batch, each item read alone: one that is wrong fails alone. Raises BadField when there
    is no list."""
    emails = fields.get("emails")
    if isinstance(emails, dict):
        emails = [emails]
    if not isinstance(emails, list):
        raise BadField("emails", "The field emails is required, a list")
    return BatchForm([read_item(item) for item in emails])


def opening(one: Opening) -> dict[str, Any]:
    """One look at a message. How long it lasted nobody measures."""
    return {
        "user_agent": one.agent,
        "opened_at": zulu(one.at),
        "read_secs": 0,
        "recipient": one.recipient,
        "ip_address": one.ip,
    }


def found_email(one: FoundEmail, wanted: tuple[str, ...]) -> dict[str, Any]:
    """One recipient of one message."""
    row = one.row
    reply = row.last_reply or ""
    code = reply[:3] if reply[:3].isdigit() else ""
    known = [*one.fields.get("headers", [])]
    chosen = {name.lower() for name in wanted}
    status = "processing" if row.state in ("queued", "sending", "held", "deferred") else "completed"
    return {
        "sender": one.fields.get("from", row.sender),
        "email_id": one.email_id,
        "smtpcode": int(code) if code else 0,
        "response": reply,
        "process_status": "rejected" if one.status in ("rejected", "cancelled") else status,
        "host": row.remote or "",
        "recipient": row.recipient,
        "delivered_at": zulu(row.updated_at) if one.status == "delivered" else "",
        "email_ts": zulu(row.created_at),
        "status": one.status,
        "subject": row.subject,
        "username": row.username,
        "total_opens": len(one.opens),
        "opens": [opening(look) for look in one.opens],
        "headers": [
            {"key": name, "value": text}
            for name, text in known
            if not chosen or name.lower() in chosen
        ],
    }


def found_emails(found: FoundEmails) -> dict[str, Any]:
    """A page of the old search."""
    data: dict[str, Any] = {
        "count": len(found.emails),
        "emails": [found_email(one, found.wanted_headers) for one in found.emails],
        "continue_token": found.continue_token,
        "total": found.total,
    }
    if found.status_counts is not None:
        data["status_counts"] = found.status_counts
    return data


def scheduled(found: list[Scheduled]) -> list[dict[str, Any]]:
    """What waits for its time."""
    return [
        {
            "schedule_id": one.schedule_id,
            "schedule": zulu(one.message.scheduled_at or 0),
            "sender": one.fields.get("from", one.message.sender),
            "subject": one.message.subject,
            "recipients": recipients_text(one.fields),
            "client_ip": one.message.client_ip,
        }
        for one in found
    ]


def cancelled(schedule_id: str) -> str:
    """That it is done."""
    return f"Successfully removed scheduled email '{schedule_id}'"


def archived(one: Archived) -> dict[str, Any]:
    """One full copy."""
    files = one.fields.get("attachments", [])
    message = one.message
    return {
        "attachment_count": len(files),
        "attachments": files,
        "byte_count": message.size,
        "email_id": one.email_id,
        "envelope_from": message.sender,
        "headers": dict(one.fields.get("headers", [])),
        "recipient": recipients_text(one.fields),
        "sender": one.fields.get("from", message.sender),
        "sent": plain_time(message.created_at),
        "subject": message.subject,
        "to": ", ".join(one.fields.get("to", [])),
        "url": one.url,
        "username": message.username,
    }


def archive_page(page: Page[Archived]) -> dict[str, Any]:
    """A page of full copies."""
    return {
        "email_count": len(page.rows),
        "emails": [archived(one) for one in page.rows],
        "continue_token": page.continue_token,
        "total": page.total,
    }


ROWS = (
    Row("email/send", EmailForm, lambda api: api.accepting.send, sent, keeps=KEEPS),
    Row("email/mime", MimeForm, lambda api: api.emails.mime, sent),
    Row("email/batch", BatchFields, lambda api: api.emails.batch, batch, reader=read_batch),
    Row("email/search", EmailSearch, lambda api: api.email_search.search, found_emails,
        only_asks=True),
    Row("email/scheduled/search", ScheduledSearch, lambda api: api.scheduling.search, scheduled,
        only_asks=True),
    Row("email/scheduled/remove", ScheduledRemove, lambda api: api.scheduling.cancel, cancelled),
    Row("archive/search", ArchiveSearch, lambda api: api.archive.search, archive_page,
        only_asks=True),
    Row("archive/email", EmailId, lambda api: api.archive.email, archived, only_asks=True),
)  # fmt: skip
