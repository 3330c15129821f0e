"""The outermost layer: CORS before anything else (mailbox-api §1.2), and what every answer has."""

from __future__ import annotations

import itertools
import logging
import secrets
from collections.abc import Iterable
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailbox_service.web.answers import JSON, WHOLE, Headers, WriteWhole, write
from mailbox_service.web.errors import refusal
from mailbox_service.web.log import neutral

log = logging.getLogger("mailbox.web")

ALLOWED_METHODS = b"GET,HEAD,PUT,POST,DELETE,PATCH"
# Any page may call the API: the credentials are headers that a foreign page does not have, never
# cookies. So there is nothing to allow by origin, and no credentials header.
ON_ALL: Headers = (
    (b"access-control-allow-origin", b"*"),
    (b"x-content-type-options", b"nosniff"),
)
NEVER_KEPT = (b"cache-control", b"no-store")  # unless an answer says otherwise: mail is private
# What JSON needs none of: no browser makes a document of it, and its headers say nothing more.
UNLESS_JSON: Headers = (
    (
        b"access-control-expose-headers",
        b"X-Error-Code,X-Request-Id,Retry-After,Content-Disposition",
    ),
    (b"referrer-policy", b"no-referrer"),
)
NO_DOCUMENT = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
# Octets of a request head that we look at; the server refuses larger ones before us.
LONGEST_TARGET = 16_384
LONGEST_ECHO = 4_096
MOST_HEADERS = 100
LARGEST_HEADERS = 49_152  # 100 recipients in one field, and the rest

JSON_TYPE = (b"content-type", JSON)
CONTENT_LENGTH = b"content-length"
# What every JSON answer has that says nothing else in its header, as it leaves.
PLAIN_JSON = b"".join(b"%b: %b\r\n" % field for field in (JSON_TYPE, *ON_ALL, NEVER_KEPT))
# The same where a route names the request itself, as those of the sending API do.
NAMED_JSON = b"".join(
    b"%b: %b\r\n" % field for field in (JSON_TYPE, *ON_ALL, *UNLESS_JSON, NEVER_KEPT, NO_DOCUMENT)
)
NAMED_FIELDS = [
    b"x-request-id",
    b"x-ratelimit-limit",
    b"x-ratelimit-remaining",
    b"x-ratelimit-reset",
]
CLOSING: Headers = ((b"connection", b"close"),)
TOO_LARGE = {
    414: refusal(414, "The address of the request is too long", "TargetTooLong", CLOSING),
    431: refusal(431, "The header fields are too large", "HeadersTooLarge", CLOSING),
}


class Front:
    """Answers OPTIONS, refuses oversized heads, adds the headers of every answer. What is no
    HTTP request goes `otherwise`."""

    def __init__(self, app: ASGIApp, *, otherwise: ASGIApp) -> None:
        self._app = app
        self._otherwise = otherwise
        # Unique among processes, countable within one, and telling nothing of time or load.
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        request_id = f"{self._run}-{next(self._numbers):x}".encode()
        extensions = scope.get("extensions")
        whole = extensions.get(WHOLE) if extensions else None
        outgoing = Outgoing(scope["method"], scope["path"], request_id, send, whole)
        if extensions is not None and whole is not None:
            extensions[WHOLE] = outgoing.send_whole
        if scope["method"] == "OPTIONS":
            await answer_preflight(outgoing.send, scope["headers"])
        elif (status := head_problem(scope)) is not None:
            await write(TOO_LARGE[status], scope, outgoing.send)
        else:
            await self._app(scope, receive, outgoing.send)


class Outgoing:
    """The answer on its way out: it is given what every answer has, and told to the log. It knows
    no scope, which knows it: each request would be a circle for the collector to find."""

    __slots__ = ("_method", "_path", "_request_id", "_send", "_started", "_whole")

    def __init__(
        self, method: str, path: str, request_id: bytes, send: Send, whole: WriteWhole | None
    ) -> None:
        self._method = method
        self._path = path
        self._request_id = request_id
        self._send = send
        self._whole = whole
        self._started = perf_counter()

    async def send(self, message: Message) -> None:
        """Send a message of ASGI."""
        if message["type"] == "http.response.start":
            complete(message["headers"], self._request_id)
            self._tell(message["status"])
        await self._send(message)

    def send_whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send a whole answer in one step, where the server can."""
        assert self._whole is not None
        if len(headers) == 2 and headers[0] == JSON_TYPE:
            further = (headers[1], (b"x-request-id", self._request_id))
            sent = self._whole(status, PLAIN_JSON, further, body)
        elif len(headers) == 6 and headers[0] == JSON_TYPE and is_named(headers):
            sent = self._whole(status, NAMED_JSON, headers[1:], body)
        else:
            completed = headers.copy()
            complete(completed, self._request_id)
            sent = self._whole(status, b"", completed, body)
        if sent:
            self._tell(status)
        return sent

    def _tell(self, status: int) -> None:
        if status >= 500 or log.isEnabledFor(logging.DEBUG):
            report(self._method, self._path, status, self._request_id, self._started)


def is_named(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether an answer has its type, the fields of the sending API, its length, and no other."""
    return [name for name, _ in headers[1:5]] == NAMED_FIELDS and headers[5][0] == CONTENT_LENGTH


def complete(headers: list[tuple[bytes, bytes]], request_id: bytes) -> None:
    """Add what every answer has."""
    plain_json = len(headers) == 2 and headers[0] == JSON_TYPE
    headers.extend(ON_ALL)
    if plain_json:
        headers.append((b"x-request-id", request_id))
        headers.append(NEVER_KEPT)
        return
    headers.extend(UNLESS_JSON)
    present = {name for name, _ in headers}
    if b"x-request-id" not in present:
        headers.append((b"x-request-id", request_id))
    headers.extend(pair for pair in (NEVER_KEPT, NO_DOCUMENT) if pair[0] not in present)


async def answer_preflight(send: Send, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """The answer to any OPTIONS: everything is allowed, and asked-for headers are echoed."""
    allowed = [(b"access-control-allow-methods", ALLOWED_METHODS)]
    for name, value in headers:
        if name == b"access-control-request-headers" and len(value) <= LONGEST_ECHO:
            allowed.append((b"access-control-allow-headers", value))
            allowed.append((b"vary", b"Access-Control-Request-Headers"))
            break
    await send({"type": "http.response.start", "status": 204, "headers": allowed})
    await send({"type": "http.response.body", "body": b""})


def head_problem(scope: Scope) -> int | None:
    """The status for a request head that is too large, None for one that is not."""
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > LONGEST_TARGET:
        return 414
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS:
        return 431
    octets = 0
    for name, value in headers:
        octets += len(name) + len(value)
    return 431 if octets > LARGEST_HEADERS else None


def report(method: str, path: str, status: int, request_id: bytes, started: float) -> None:
    """One line a request; the path without its query."""
    log.log(
        logging.WARNING if status >= 500 else logging.DEBUG,
        "request method=%s path=%s status=%d ms=%d request_id=%s",
        neutral(method),
        neutral(path),
        status,
        (perf_counter() - started) * 1000,
        request_id.decode(),
    )
