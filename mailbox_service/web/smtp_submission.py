"""The two routes behind a submission door that runs elsewhere (`smtp-proxy --service URL`).

`smtp_proxy.remote` holds the other end and describes the form.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from mailbox_service.core.address import canonical
from mailbox_service.core.envelope import Envelope, Peer
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.sending_api import SendingPrincipal
from mailbox_service.web.guards import OPEN, Guard, bearer_token
from mailbox_service.web.request import Call
from mailbox_service.web.routing import WHOLE_MESSAGE, Routes

routes = Routes("external")

T = TypeVar("T")

# RFC 5321 §4.5.3.1.8 asks for 100, and 100 fit into a header wherever a proxy stands between.
MOST_RECIPIENTS = 100
LONGEST_HELO = 255

ENVELOPE = {
    "X-Reverse-Path": "The reverse-path, as JSON text.",
    "X-Recipients": "The recipients, as a JSON list of at most 100.",
    "X-Envelope": 'As JSON: {"smtputf8": false, "eight_bit": false}.',
    "X-Peer": 'As JSON: {"ip": "…", "port": 0, "helo": "…", "protocol": "ESMTP"}.',
}


class SmtpLogin(Struct, frozen=True):
    """What a mail program said at AUTH."""

    username: str = ""
    password: str = ""


class Proved(Struct, frozen=True):
    """Whom it proves, and the bearer token for submitting."""

    kind: str
    address: str
    address_id: int
    unlimited: bool
    token: str


class Accepted(Struct, frozen=True):
    """The message is on disk and ours to deliver or to report."""

    queue_id: str


class Extensions(Struct, frozen=True):
    """What was agreed on at MAIL (RFC 6531, RFC 6152)."""

    smtputf8: bool = False
    eight_bit: bool = False


class PeerHeader(Struct, frozen=True):
    """Who speaks to the other door."""

    ip: str = ""
    port: int = 0
    helo: str = ""
    protocol: str = "ESMTP"


read_login = msgspec.json.Decoder(SmtpLogin)
read_path = msgspec.json.Decoder(str)
read_recipients = msgspec.json.Decoder(Annotated[list[str], Meta(max_length=MOST_RECIPIENTS)])
read_extensions = msgspec.json.Decoder(Extensions)
read_peer = msgspec.json.Decoder(PeerHeader)


def json_header(call: Call, name: bytes, decoder: msgspec.json.Decoder[T]) -> T | None:
    """A header that holds JSON; None when it is absent. Raises BadRequest."""
    value = call.headers.get(name)
    if value is None:
        return None
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"{name.decode()}: {error}") from None


def told_peer(call: Call) -> Peer:
    """The client of the other door. Its address counts only from a proxy that we trust; from
    anybody else the caller itself is counted."""
    told = json_header(call, b"x-peer", read_peer) or PeerHeader()
    ip = call.believed_ip(told.ip)
    return Peer(ip=ip, port=told.port, helo=told.helo[:LONGEST_HELO], protocol=told.protocol[:10])


async def submitter(call: Call) -> None:
    """What `authenticate` gave: the token of a mailbox that is open, or of a credential."""
    authenticating = call.services.authenticating
    call.principal = await authenticating.submitter(bearer_token(call), told_peer(call))


SUBMITTER = Guard("mailbox or credential", submitter, "addressToken")


@routes.post("/external/api/smtp/authenticate", OPEN, body=SmtpLogin, returns=Proved)
async def authenticate(call: Call) -> Proved:
    """Prove a login of a mail program."""
    login = await call.own_json(read_login)
    authenticating = call.services.authenticating
    principal = await authenticating.login(login.username, login.password, told_peer(call))
    token = await authenticating.submission_token(principal)
    return Proved(
        principal.kind, principal.address, principal.address_id, principal.unlimited, token
    )


@routes.post(
    "/external/api/smtp/submit",
    SUBMITTER,
    body=bytes,
    returns=Accepted,
    headers=ENVELOPE,
    body_limit=WHOLE_MESSAGE,
)
async def submit(call: Call) -> Accepted:
    """Queue one whole message, octet for octet."""
    reverse_path = json_header(call, b"x-reverse-path", read_path)
    recipients = json_header(call, b"x-recipients", read_recipients)
    if reverse_path is None or not recipients:
        raise BadRequest("X-Reverse-Path and X-Recipients are needed")
    extensions = json_header(call, b"x-envelope", read_extensions) or Extensions()
    envelope = Envelope(
        canonical(reverse_path) if reverse_path else "",
        tuple(canonical(recipient) for recipient in recipients),
        smtputf8=extensions.smtputf8,
        eight_bit=extensions.eight_bit,
    )
    content = await call.body()
    if isinstance(call.principal, SendingPrincipal):
        emails = call.services.sending_api.emails
        receipt = await emails.submit_smtp(call.principal, envelope, content, told_peer(call))
    else:
        receipt = await call.services.sending.submit(call.principal, envelope, content, door="smtp")
    return Accepted(receipt.queue_id)
