"""A submission backend in front of a service somewhere else, over HTTP.

The message travels whole and unchanged: attachments, Bcc by envelope and every header survive.
Two routes of the service are used. All JSON in headers is ASCII (`\\uXXXX` beyond it).

    POST {service}/external/api/smtp/authenticate
        X-Peer: {"ip": "192.0.2.7", "port": 4711, "helo": "me.test", "protocol": "ESMTP"}
        {"username": "jwt", "password": "<address token, or an address's password>"}
        or a user or a key of the sending API
      200 {"kind": "address", "address": "ann@example.test", "address_id": 7,
           "unlimited": false, "token": "<bearer for submit>"}
          `kind` is "credential" and `address` empty where the service judges each sender.
          `token` may be missing when the password is an address token already.
      401 or 403: proves nobody.   429: slow down.

    POST {service}/external/api/smtp/submit
        Authorization: Bearer <token>
        Content-Type: message/rfc822
        X-Reverse-Path: "ann@example.test"            JSON text, canonical
        X-Recipients: ["bob@far.test", "carol@far.test"]   JSON list, canonical, at most 100
        X-Envelope: {"smtputf8": false, "eight_bit": true}
        X-Peer: as above
        the message, octet for octet as after DATA, dots unstuffed
      200 {"queue_id": "..."} once the message is on disk
      4xx/5xx with the reason as text/plain, and
        X-Mail-Error: FromNotYours      the kind of `core.errors`
        X-Enhanced-Status: 5.7.1        its status (RFC 3463)

What a refusal means comes from these two headers: the kind when it is known here, else the
class of the status. Without them only 413 is final; everything else is `451 4.3.0`: the client
comes back, and nothing is lost by a proxy in between that answers for the service.

Without an answer after the message was sent, the service may have queued it. The client is told
to come back and may then send it twice; RFC 5321 §6.1 forbids the other choice, losing it. A
service that wants to drop repeats finds the same Message-ID.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import httpx2

from mailbox_service.core import errors
from mailbox_service.core.envelope import Envelope, Peer, Principal, Receipt
from mailbox_service.core.errors import MailError, TemporaryFailure
from smtp_proxy import log
from smtp_proxy.replies import CODES

# RFC 5321 §4.5.3.1.8 asks for 100 recipients, and 100 fit into the headers of a request
# wherever a reverse proxy stands in between.
RECIPIENTS = 100
# The client waits 10 minutes for the reply to the final dot (RFC 5321 §4.5.3.2.6), and the
# service answers in less than a second when it is well.
TIMEOUT = httpx2.Timeout(30.0, read=120.0, write=120.0)
# Requests under way at once; more wait for their turn within TIMEOUT.
REQUESTS = httpx2.Limits(max_connections=100, max_keepalive_connections=20)
# Answers are small; what is longer is not from our service.
LONGEST_ANSWER = 64 * 1024

# Every kind of refusal by its name, as X-Mail-Error gives it.
KINDS: dict[str, type[MailError]] = {kind.__name__: kind for kind in CODES}


@dataclass(frozen=True, slots=True)
class RemotePrincipal(Principal):
    """A principal with its bearer token, kept in this session's memory and nowhere else."""

    token: str = field(default="", repr=False)


class RemoteService:
    """The `SubmissionBackend` of `smtp-proxy --service URL`."""

    def __init__(self, service: str) -> None:
        self._client = httpx2.AsyncClient(
            base_url=service.rstrip("/"),
            timeout=TIMEOUT,
            limits=REQUESTS,
            follow_redirects=False,  # a credential goes where the operator said
            trust_env=False,
            headers={"User-Agent": "smtp-proxy"},
        )
        self._under_way: set[asyncio.Task[Receipt]] = set()

    async def close(self) -> None:
        """Close the connections to the service."""
        await self._client.aclose()

    async def authenticate(self, username: str, password: str, peer: Peer) -> Principal:
        status, _, answer = await self._post(
            "/external/api/smtp/authenticate",
            headers={"X-Peer": _header(asdict(peer)), "Content-Type": "application/json"},
            content=json.dumps({"username": username, "password": password}).encode(),
        )
        if status in (401, 403):
            raise errors.BadCredential("Authentication credentials invalid")
        if status == 429:
            raise errors.TooManyRequests("Too many logins, try again later")
        if status != 200:
            raise _unexpected("authenticate", status)
        try:
            found = json.loads(answer)
            return RemotePrincipal(
                kind=str(found["kind"]),
                address=str(found["address"]),
                address_id=int(found.get("address_id") or 0),
                unlimited=found.get("unlimited") is True,
                token=str(found.get("token") or password),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unexpected("authenticate", status) from error

    async def known_by_address(self, peer: Peer) -> Principal | None:
        """Nobody: the service hears of addresses only from a door of its own."""
        return None

    def submit(
        self, principal: Principal, envelope: Envelope, content: bytes, peer: Peer
    ) -> asyncio.Future[Receipt]:
        task = asyncio.ensure_future(self._submit(principal, envelope, content, peer))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _submit(
        self, principal: Principal, envelope: Envelope, content: bytes, peer: Peer
    ) -> Receipt:
        if not isinstance(principal, RemotePrincipal):
            raise TemporaryFailure("The login is gone, connect again")
        status, answered, answer = await self._post(
            "/external/api/smtp/submit",
            headers={
                "Authorization": f"Bearer {principal.token}",
                "Content-Type": "message/rfc822",
                "X-Reverse-Path": _header(envelope.reverse_path),
                "X-Recipients": _header(envelope.recipients),
                "X-Envelope": _header(
                    {"smtputf8": envelope.smtputf8, "eight_bit": envelope.eight_bit}
                ),
                "X-Peer": _header(asdict(peer)),
            },
            content=content,
        )
        if status != 200:
            raise _refusal(status, answered, answer)
        try:
            return Receipt(queue_id=str(json.loads(answer)["queue_id"]))
        except (ValueError, KeyError, TypeError) as error:
            raise _unexpected("submit", status) from error

    async def _post(
        self, path: str, *, headers: dict[str, str], content: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body. Raises TemporaryFailure when there is no answer."""
        try:
            async with self._client.stream("POST", path, headers=headers, content=content) as got:
                answer = bytearray()
                async for piece in got.aiter_bytes():
                    answer += piece
                    if len(answer) > LONGEST_ANSWER:
                        raise _unexpected(path, got.status_code)
                return got.status_code, got.headers, bytes(answer)
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            # A ValueError is a token that cannot stand in a header.
            log.event("service_away", level=logging.WARNING, error=type(error).__name__)
            raise TemporaryFailure("The service cannot be reached, try again later") from error


def _refusal(status: int, headers: Mapping[str, str], answer: bytes) -> MailError:
    detail = answer[:200].decode("utf-8", "replace").strip() or "Refused"
    kind = KINDS.get(headers.get("X-Mail-Error", ""))
    if kind is not None:
        return kind(detail)
    match headers.get("X-Enhanced-Status", "")[:2]:
        case "5.":
            return MailError(detail)
        case "4.":
            return TemporaryFailure(detail)
    if status == 413:
        return errors.MessageTooBig("Message too big")
    return _unexpected("submit", status)


def _unexpected(what: str, status: int) -> TemporaryFailure:
    log.event("service_unexpected", level=logging.WARNING, request=what, status=status)
    return TemporaryFailure("The service has trouble, try again later")


def _header(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
