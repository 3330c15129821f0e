"""`/send-email`, `/send-emails`, `/test-connection`: mail through a server of the caller's (§12).

Whoever calls shows a key of the sending API, or the administrator's password. Refusals are JSON
with `success`, `error` and `error_code`, as the answers to what was done are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core import errors
from mailbox_service.core.api_values import zulu
from mailbox_service.core.errors import BadCredential, MailError, TemporaryFailure, TooManyRequests
from mailbox_service.core.own_server import DEFAULT, Connection, check_connection
from mailbox_service.core.sending_api import (
    MASTER,
    SANDBOX,
    BadField,
    EndpointDenied,
    PaymentRequired,
)
from mailbox_service.services.own_servers.connections import (
    Asked,
    ConnectionForm,
)
from mailbox_service.web.answers import SUCCESS, Answer, Headers, Success, json_answer
from mailbox_service.web.errors import COME_BACK_AFTER, status_of
from mailbox_service.web.guards import OPEN, administrator
from mailbox_service.web.integration_fields import read_mail, read_mails
from mailbox_service.web.integration_rows import (
    BatchResult,
    ConnectionRow,
    ConnectionRows,
    MailForm,
    MailsForm,
    MailState,
    TestForm,
    TestResult,
    batch_row,
    connection_row,
    state_row,
    tested_row,
)
from mailbox_service.web.request import Call
from mailbox_service.web.routing import WHOLE_MESSAGE, Handler, Routes
from mailbox_service.web.sending.door import check_place, shown_key

routes = Routes("integration")

# What a key may be allowed to do, besides the endpoints of `/v3`.
SEND, SEND_MANY = "/send-email", "/send-emails"
TEST, CONNECTIONS = "/test-connection", "/smtp-connections"
ENDPOINTS = (SEND, SEND_MANY, TEST, CONNECTIONS)
LONGEST_KEY = 256

decode = msgspec.json.Decoder().decode


class IntegrationRefusal(Struct, kw_only=True):
    """Why not: `error_code` is for programs; `field` names what of the request was wrong."""

    success: bool = False
    error: str
    error_code: str
    field: str | UnsetType = UNSET


REFUSALS = {"application/json": IntegrationRefusal}


# Here, since there is another `Queued`, and so the module is part of its name in the description.
class Queued(Struct, kw_only=True):
    """A mail was queued."""

    success: bool = True
    status: str = "queued"
    id: str
    queued_at: str
    recipients: int


@dataclass(frozen=True, slots=True)
class Who:
    """Who calls: an account, and whether it is the operator in person."""

    account: str
    administrator: bool


def in_json(handler: Handler) -> Handler:
    """Words every refusal of a handler as these endpoints do."""

    @wraps(handler)
    async def answering(call: Call) -> Any:
        try:
            return await handler(call)
        except MailError as error:
            return refused(error)

    return answering


def refused(error: MailError) -> Answer:
    """A refusal: status, words, and a name for programs."""
    status, code = status_of(error), "invalid_request"
    headers: Headers = ()
    if isinstance(error, BadField):
        code = "invalid_field"
    elif isinstance(error, BadCredential):
        code, headers = "unauthorized", ((b"www-authenticate", b"Bearer"),)
    elif isinstance(error, EndpointDenied):
        code = "forbidden"
    elif isinstance(error, PaymentRequired):
        status, code = 402, "not_configured"
    elif isinstance(error, errors.NotFound):
        code = "not_found"
    elif isinstance(error, errors.Conflict):
        code = "conflict"
    elif isinstance(error, errors.MessageTooBig):
        code = "message_too_big"
    elif isinstance(error, TooManyRequests):
        code = "too_many_requests"
        headers = ((b"retry-after", b"%d" % max(1, round(error.retry_after))),)
    elif isinstance(error, TemporaryFailure):
        code = "temporary_failure"
        headers = ((b"retry-after", b"%d" % COME_BACK_AFTER),)
    body = IntegrationRefusal(error=error.detail[:1_000], error_code=code)
    if isinstance(error, BadField) and error.field:
        body.field = error.field
    return json_answer(body, status, headers)


async def known(call: Call, endpoint: str) -> tuple[Who, dict[str, Any], bytes]:
    """Who calls, and the fields and octets of the request. Raises MailError."""
    key = shown_key(call)
    shown = (call.header(name) for name in (b"x-admin-auth", b"x-user-access-token"))
    if key is None and any(value is not None for value in shown):
        await administrator(call)
        body = await call.body()
        return Who(MASTER, administrator=True), read_fields(body), body
    if key is None:
        # Nobody is known yet: a body that may name a key is small.
        call.body_limit = min(call.body_limit, 1 << 20)
    elif not key.startswith("api-"):
        raise BadCredential("The API key is missing or malformed.")
    account = None if key is None else await proved(call, key, endpoint)
    body = await call.body()
    fields = read_fields(body)
    if account is None:
        told = fields.get("api_key")
        account = await proved(call, told if isinstance(told, str) else "", endpoint)
    return Who(account, administrator=False), fields, body


async def proved(call: Call, key: str, endpoint: str) -> str:
    """The account of a key that may use an endpoint. Raises BadCredential, EndpointDenied."""
    api = call.services.sending_api
    credential = await api.api_keys.prove(key)
    await check_place(api, credential, call.client_ip)
    if not credential.may(endpoint):
        raise EndpointDenied(f"The API key has no permission for {endpoint}")
    if credential.settings.status == SANDBOX:
        raise EndpointDenied("A sandbox key sends nothing through a server of its own")
    return credential.account


def read_fields(body: bytes) -> dict[str, Any]:
    """The fields of a request; an empty body has none. Raises BadField."""
    if not body.strip():
        return {}
    try:
        fields = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadField("", "The request body is not JSON") from None
    if not isinstance(fields, dict):
        raise BadField("", "The request body is not a JSON object")
    return fields


def asked(call: Call, who: Who, fields: Mapping[str, Any], body: bytes) -> Asked:
    """On whose behalf, and through which connection. Raises BadField."""
    wanted = fields.get("connection")
    repeat = call.header(b"idempotency-key")
    if repeat and len(repeat) > LONGEST_KEY:
        raise BadField("Idempotency-Key", f"Longer than {LONGEST_KEY} characters")
    return Asked(
        who.account,
        connection_from(who, wanted),
        repeat or None,
        hashlib.sha256(body).hexdigest(),
    )


def connection_from(who: Who, wanted: Any) -> str | tuple[Connection, str]:
    """The connection that a request names. Raises BadField."""
    if wanted is None or wanted == "":
        return DEFAULT
    if isinstance(wanted, str):
        return wanted
    if not isinstance(wanted, dict) or not who.administrator:
        raise BadField("connection", "The name of a connection")
    form = converted(wanted)
    password = "" if form.password is UNSET else form.password
    told = {
        name: getattr(form, name) for name in Connection.__struct_fields__ if hasattr(form, name)
    }
    return check_connection(Connection(**told), password), password


def converted(fields: Mapping[str, Any]) -> ConnectionForm:
    """A connection as it is posted. Raises BadField."""
    known_ones = {
        name: value
        for name, value in fields.items()
        if name in ConnectionForm.__struct_fields__ and value is not None
    }
    if "host" not in known_ones:
        raise BadField("host", "The name or address of a server is required")
    try:
        return msgspec.convert(known_ones, ConnectionForm, strict=False)
    except msgspec.ValidationError as error:
        words, _, path = str(error).partition(" - at `$.")
        raise BadField(path.rstrip("`"), words) from None


@routes.post(SEND, OPEN, body=MailForm, returns=Queued, refusals=REFUSALS, body_limit=WHOLE_MESSAGE)
@in_json
async def send_email(call: Call) -> Queued:
    """Queue one mail through a server of yours. Proves an API key or the admin password; it is
    tried again for a day while the server is away."""
    who, fields, body = await known(call, SEND)
    mail = await read_mail(fields)
    kept = await call.services.integrating.queue.send(asked(call, who, fields, body), mail)
    return Queued(
        id=kept.public_id, queued_at=zulu(kept.created_at), recipients=len(mail.recipients)
    )


@routes.get(SEND + "/{mail_id}", OPEN, returns=MailState, refusals=REFUSALS)
@in_json
async def mail_state(call: Call) -> MailState:
    """What became of a mail that was queued."""
    who, _, _ = await known(call, SEND)
    mail_id = call.path_values["mail_id"]
    return state_row(await call.services.integrating.queue.state(who.account, mail_id))


@routes.post(
    SEND_MANY,
    OPEN,
    body=MailsForm,
    returns=BatchResult,
    refusals=REFUSALS,
    body_limit=WHOLE_MESSAGE,
)
@in_json
async def send_emails(call: Call) -> BatchResult:
    """Send up to fifty mails over one connection, and wait for what the server says to each."""
    who, fields, body = await known(call, SEND_MANY)
    mails = await read_mails(fields)
    return batch_row(
        await call.services.integrating.together.send(asked(call, who, fields, body), mails)
    )


@routes.post(TEST, OPEN, body=TestForm, returns=TestResult, refusals=REFUSALS)
@in_json
async def test_connection(call: Call) -> TestResult:
    """Connect, encrypt and log in, and leave again; no mail is sent."""
    who, fields, body = await known(call, TEST)
    return tested_row(
        await call.services.integrating.connections.test(asked(call, who, fields, body))
    )


@routes.get(CONNECTIONS, OPEN, returns=ConnectionRows, refusals=REFUSALS)
@in_json
async def list_connections(call: Call) -> ConnectionRows:
    """The SMTP connections of the account, without passwords."""
    who, _, _ = await known(call, CONNECTIONS)
    found = await call.services.integrating.connections.all(who.account)
    return ConnectionRows([connection_row(one) for one in found])


@routes.add(
    "PUT",
    CONNECTIONS + "/{name}",
    OPEN,
    body=ConnectionForm,
    returns=ConnectionRow,
    refusals=REFUSALS,
)
@in_json
async def keep_connection(call: Call) -> ConnectionRow:
    """Keep an SMTP connection under a name; `default` is used when a call names none. The
    password is kept encrypted, and forgotten when the connection leads elsewhere."""
    who, fields, _ = await known(call, CONNECTIONS)
    kept = await call.services.integrating.connections.keep(
        who.account, call.path_values["name"], converted(fields)
    )
    await note_change(call, who, fields)
    return connection_row(kept)


@routes.delete(CONNECTIONS + "/{name}", OPEN, returns=Success, refusals=REFUSALS)
@in_json
async def forget_connection(call: Call) -> Success:
    """Forget an SMTP connection and its password."""
    who, _, _ = await known(call, CONNECTIONS)
    await call.services.integrating.connections.forget(who.account, call.path_values["name"])
    await note_change(call, who, {})
    return SUCCESS


async def note_change(call: Call, who: Who, fields: Mapping[str, Any]) -> None:
    """What an administrator changes stands in the audit log; what a program does, does not."""
    if who.administrator:
        await call.services.auditing.note(
            "sending.servers",
            actor=call.actor,
            peer=call.client_ip,
            subject=f"{call.method} {call.path_values['name']}",
            detail=fields,
        )
