"""What is posted to `/send-email` and its kin, and what they answer (§12)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.api_values import zulu
from mailbox_service.services.own_servers.connections import ShownConnection, Tested
from mailbox_service.services.own_servers.queued import QueuedMail
from mailbox_service.services.own_servers.together import Batch, Result


class MailForm(Struct, kw_only=True):
    """A mail; connectors' other names for the fields are understood too (docs/integrations.md)."""

    to: str | list[str]
    subject: str
    html: str | None = None
    text: str | None = None
    reply_to: str | list[str] | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    cc: str | list[str] | None = None
    bcc: str | list[str] | None = None
    attachments: list[dict[str, str]] | dict[str, str] | None = None
    connection: str | None = None


class MailsForm(Struct, kw_only=True):
    """Up to fifty mails."""

    emails: list[MailForm]
    connection: str | None = None


class TestForm(Struct, kw_only=True):
    """Which connection; `default` when it is not said."""

    connection: str | None = None


class MailState(Struct, kw_only=True):
    """A queued mail: `queued`, `sending`, `sent` or `failed`. `rejected` are recipients that the
    server refused, each with its words."""

    id: str
    status: str
    attempts: int
    queued_at: str
    sent_at: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    response: str | UnsetType = UNSET
    rejected: Mapping[str, str] | UnsetType = UNSET


class MailResult(Struct, kw_only=True):
    """What became of one mail: `sent`, `partial` or `failed`. `smtp_response` are the words of a
    server that refused it."""

    index: int
    to: tuple[str, ...]
    status: str
    response: str | UnsetType = UNSET
    rejected: Mapping[str, str] | UnsetType = UNSET
    error: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    smtp_code: int | UnsetType = UNSET
    smtp_response: str | UnsetType = UNSET


class BatchResult(Struct, kw_only=True):
    """What became of several mails, in the order of the request."""

    success: bool
    total: int
    sent: int
    failed: int
    duration_ms: int
    connections: int
    results: list[MailResult]


class TestResult(Struct, kw_only=True):
    """What a test found; milliseconds."""

    success: bool
    duration_ms: int
    host: str
    port: int
    tls: str | UnsetType = UNSET
    auth: bool | UnsetType = UNSET
    error: str | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    smtp_code: int | UnsetType = UNSET
    smtp_response: str | UnsetType = UNSET


class ConnectionRow(Struct, kw_only=True):
    """A connection, without its password."""

    name: str
    host: str
    port: int
    use_tls: bool
    ignore_self_signed: bool
    allow_insecure_auth: bool
    username: str
    has_password: bool
    from_address: str
    from_name: str


class ConnectionRows(Struct):
    """All connections of the caller's account."""

    results: list[ConnectionRow]


def state_row(kept: QueuedMail) -> MailState:
    return MailState(
        id=kept.public_id,
        status=kept.state,
        attempts=kept.attempts,
        queued_at=zulu(kept.created_at),
        sent_at=UNSET if kept.sent_at is None else zulu(kept.sent_at),
        error=kept.error or UNSET,
        error_code=kept.error_code or UNSET,
        response=kept.response or UNSET,
        rejected=kept.rejected or UNSET,
    )


def batch_row(batch: Batch) -> BatchResult:
    """What became of a batch, on the wire."""
    # What reached some of its recipients was sent (§12.3).
    failed = sum(one.status == "failed" for one in batch.results)
    return BatchResult(
        success=all(one.status == "sent" for one in batch.results),
        total=len(batch.results),
        sent=len(batch.results) - failed,
        failed=failed,
        duration_ms=batch.duration_ms,
        connections=batch.connections,
        results=[result_row(index, one) for index, one in enumerate(batch.results)],
    )


def result_row(index: int, one: Result) -> MailResult:
    return MailResult(
        index=index,
        to=one.to,
        status=one.status,
        response=one.response if one.status != "failed" else UNSET,
        rejected=one.rejected or UNSET,
        error=one.error or UNSET,
        error_code=one.error_code or UNSET,
        smtp_code=one.smtp_code or UNSET,
        smtp_response=one.said or UNSET,
    )


def tested_row(tested: Tested) -> TestResult:
    """What a test found, on the wire."""
    row = TestResult(
        success=tested.problem is None,
        duration_ms=tested.duration_ms,
        host=tested.connection.host,
        port=tested.connection.port,
    )
    if tested.problem is not None:
        row.error, row.error_code = str(tested.problem), tested.problem.code
        row.smtp_code = tested.problem.smtp_code or UNSET
        row.smtp_response = tested.problem.said or UNSET
    elif tested.reached is not None:
        row.tls, row.auth = tested.reached.tls or UNSET, tested.reached.auth
    return row


def connection_row(one: ShownConnection) -> ConnectionRow:
    told = {name: getattr(one.connection, name) for name in one.connection.__struct_fields__}
    return ConnectionRow(name=one.name, has_password=one.has_password, **told)
