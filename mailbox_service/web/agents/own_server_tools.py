"""The three tools for an SMTP server of the caller's own (sending-api §13); their operations are
those of the integration endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Annotated, Any

from msgspec import Meta, Struct, json, to_builtins

from mailbox_service.core.api_values import zulu
from mailbox_service.core.errors import MailError
from mailbox_service.services.own_servers.connections import Asked
from mailbox_service.web.agents.tool import Hints, OperationFailed, Schema, Tool, Visit
from mailbox_service.web.integration import SEND, SEND_MANY, TEST, Queued, refused
from mailbox_service.web.integration_fields import read_mail, read_mails
from mailbox_service.web.integration_rows import batch_row, tested_row

MOST_RECIPIENTS = 50
MOST_EMAILS = 50

Recipients = str | Annotated[list[str], Meta(max_length=MOST_RECIPIENTS)]


class Email(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One mail."""

    to: Recipients
    subject: str
    html: str = ""
    text: str = ""
    reply_to: str | list[str] = ""


class Emails(Struct, frozen=True, kw_only=True):
    """Several mails, over one connection. A bad one fails alone, so each is looked at where it
    is sent."""

    emails: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=MOST_EMAILS)]


class Nothing(Struct, frozen=True):
    """A call that says nothing."""


EMAIL: Schema = {
    "type": "object",
    "properties": {
        "to": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "maxItems": MOST_RECIPIENTS},
            ],
            "description": "Recipients, at most 50.",
        },
        "subject": {"type": "string"},
        "html": {"type": "string", "description": "HTML body; html or text is needed."},
        "text": {"type": "string", "description": "Plain text body; html or text is needed."},
        "reply_to": {"type": "string", "description": "Default: the sender."},
    },
    "required": ["to", "subject"],
}
EMAILS: Schema = {
    "type": "object",
    "properties": {
        "emails": {"type": "array", "minItems": 1, "maxItems": MOST_EMAILS, "items": EMAIL}
    },
    "required": ["emails"],
}
NOTHING: Schema = {"type": "object", "properties": {}}


async def smtp_send_email(visit: Visit, form: Email) -> dict[str, Any]:
    """Queue one mail through the configured SMTP server. Answers at once; the mail is sent in
    the background, and tried again when the server asks for it."""
    with as_operations():
        mail = await read_mail(to_builtins(form))
        kept = await visit.services.integrating.queue.send(asked(visit, form), mail)
    return told(
        Queued(id=kept.public_id, queued_at=zulu(kept.created_at), recipients=len(mail.recipients))
    )


async def smtp_send_emails(visit: Visit, form: Emails) -> dict[str, Any]:
    """Send 1 to 50 mails through the configured SMTP server over one connection; the answer has
    a status for each."""
    with as_operations():
        mails = await read_mails(to_builtins(form))
        batch = await visit.services.integrating.together.send(asked(visit, form), mails)
    return told(batch_row(batch))


async def smtp_test_connection(visit: Visit, form: Nothing) -> dict[str, Any]:
    """Connect to the configured SMTP server, with TLS and log-in, and send nothing."""
    with as_operations():
        tested = await visit.services.integrating.connections.test(asked(visit, form))
    return told(tested_row(tested))


def asked(visit: Visit, form: Struct) -> Asked:
    """On whose behalf: the account of the key. Raises NotYours for a sandbox."""
    credential = visit.agent.credential
    assert credential is not None  # the toolbox offers these tools to keys alone
    visit.agents.check_may_send(visit.agent)
    return Asked(credential.account, fingerprint=sha256(json.encode(form)).hexdigest())


@contextmanager
def as_operations() -> Iterator[None]:
    """Words refusals as the endpoints do."""
    try:
        yield
    except MailError as error:
        raise OperationFailed(json.decode(refused(error).body)) from None


def told(row: Struct) -> dict[str, Any]:
    """A result. Raises OperationFailed when it says that it failed."""
    result: dict[str, Any] = to_builtins(row)
    if not result["success"]:
        raise OperationFailed(result)
    return result


SENDS = Hints(reaches_out=True)

TOOLS: tuple[Tool, ...] = (
    Tool("smtp_send_email", "Send", Email, smtp_send_email, 60, SENDS, EMAIL, endpoint=SEND),
    Tool(
        "smtp_send_emails",
        "Send many",
        Emails,
        smtp_send_emails,
        10,
        SENDS,
        EMAILS,
        endpoint=SEND_MANY,
    ),
    Tool(
        "smtp_test_connection",
        "Test the SMTP connection",
        Nothing,
        smtp_test_connection,
        10,
        Hints(reads_only=True, reaches_out=True),
        NOTHING,
        endpoint=TEST,
    ),
)
