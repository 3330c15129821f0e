"""One request as handlers see it: headers, query, paging, JSON, client address."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope

from mailbox_service.config import Config
from mailbox_service.core.accounts import SignedIn
from mailbox_service.core.api_values import read_date
from mailbox_service.core.envelope import Peer, Principal
from mailbox_service.core.errors import BadRequest, TemporaryFailure
from mailbox_service.core.texts import Language, choose_language, text
from mailbox_service.web.answers import Answer
from mailbox_service.web.errors import ClientGone, Refused, Uncaught, message, refusal
from mailbox_service.web.exchange import NOTE
from mailbox_service.web.json_text import mended
from mailbox_service.web.peers import TrustedProxies
from mailbox_service.web.rates import Guesses
from mailbox_service.web.services import Services
from mailbox_service.web.streams import Streams
from mailbox_service.web.waiting import within

T = TypeVar("T")

LARGEST_PAGE = 100  # mailbox-api §1.5
MOST_QUERY_FIELDS = 50
LONGEST_SEARCH = 1000  # characters of one search text
LONGEST_ORGANISATION = 200  # characters; registries allow about half
# A body that stops coming: one chunk must follow another within this time. It is longer than
# any honest pause of a phone that changes networks.
CHUNK_SECONDS = 30.0
# A few of the largest messages at a time; bodies up to `UNCOUNTED` are not counted.
MOST_HELD = 512 << 20
UNCOUNTED = 65_536
# Nesting of free-form values (headers, rules). Types bound it everywhere else.
DEEPEST_JSON = 32
LARGEST_ID = (1 << 63) - 1  # what both engines' integers hold

_PARSE_INT = re.compile(r"\s*([+-]?)(?:0[xX]([0-9a-fA-F]{1,30})|(\d{1,30}))", re.ASCII)
# A query of names and values in which nothing is encoded.
_plain_query = re.compile(rb"(?:[\w.~@-]+=[\w.~@-]*&)*[\w.~@-]+=[\w.~@-]*", re.ASCII).fullmatch
_ID = re.compile(r"[0-9]{1,19}", re.ASCII)


class Memory:
    """Octets of large request bodies held at once: many together must not fill the machine."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self.left = most

    def take(self, octets: int) -> None:
        """Count octets that are held from now on. Raises TemporaryFailure when it is too much."""
        if octets > self.left:
            raise TemporaryFailure("Too many large requests at once. Try again soon.")
        self.left -= octets

    def give_back(self, octets: int) -> None:
        """They are held no longer."""
        self.left += octets


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all requests of one application."""

    services: Services
    config: Config
    proxies: TrustedProxies
    guesses: Guesses
    streams: Streams
    memory: Memory


class Call:
    """One request. A guard fills in `principal`, `account` or `claims`; everything else is read on
    demand."""

    __slots__ = (
        "_around",
        "_held",
        "_query",
        "_receive",
        "_scope",
        "_server",
        "account",
        "actor",
        "body_kept",
        "body_limit",
        "claims",
        "headers",
        "method",
        "noted_body",
        "path",
        "path_values",
        "principal",
        "request_id",
    )

    def __init__(
        self, scope: Scope, receive: Receive, around: Surroundings, request_id: str = ""
    ) -> None:
        self._scope = scope
        self._receive = self._server = receive
        self._around = around
        self._query: dict[str, str] | None = None
        self.headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))  # the first one counts
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.path_values: Mapping[str, str] = {}
        self.principal = NOBODY
        self.account = SIGNED_OUT
        # Who administers, in words for the audit log; and the body for it, when it is no larger
        # than what is to be kept.
        self.actor = ""
        self.body_kept = 0
        self.noted_body = b""
        self.claims: Mapping[str, Any] = {}
        self._held = 0
        self.body_limit = 0
        self.request_id = request_id

    @property
    def services(self) -> Services:
        return self._around.services

    @property
    def config(self) -> Config:
        return self._around.config

    @property
    def guesses(self) -> Guesses:
        return self._around.guesses

    @property
    def streams(self) -> Streams:
        return self._around.streams

    @property
    def address(self) -> str:
        """The mailbox whose token the request bears."""
        return self.principal.address

    @property
    def language(self) -> Language:
        """Of the messages in the answer (mailbox-api §1.3)."""
        return choose_language(self.header(b"x-lang"), self.config.default_lang)

    @property
    def client_ip(self) -> str:
        """The client's address; empty when the door has none (a Unix socket)."""
        client = self._scope.get("client")
        return self._around.proxies.client_ip(client[0] if client else "", self.headers)

    def believed_ip(self, told: str) -> str:
        """The address of whoever stands behind the caller, when the caller is to be believed."""
        client = self._scope.get("client")
        return self._around.proxies.believed(client[0] if client else "", told)

    @property
    def scheme(self) -> str:
        """`http` or `https`, as the client said it: a trusted proxy tells what it heard."""
        client = self._scope.get("client")
        told = (self.header(b"x-forwarded-proto") or "").strip().lower()
        if told in ("http", "https") and self._around.proxies.trusts(client[0] if client else ""):
            return told
        return str(self._scope["scheme"])

    @property
    def organisation(self) -> str:
        """Who owns the client's network, as a trusted proxy tells it in `x-as-organization`; empty
        when none does."""
        client = self._scope.get("client")
        told = (self.header(b"x-as-organization") or "").strip()[:LONGEST_ORGANISATION]
        trusted = told and self._around.proxies.trusts(client[0] if client else "")
        return told if trusted else ""

    @property
    def peer(self) -> Peer:
        """The client, for trace fields and limits."""
        return Peer(ip=self.client_ip, protocol="HTTP")

    @property
    def note(self) -> object:
        """What a short way found out about the request before it handed it over."""
        state = self._scope.get("state")
        return state.get(NOTE) if state else None

    def header(self, name: bytes) -> str | None:
        """A header, name in lower case. Passwords in headers are UTF-8 where they can be."""
        value = self.headers.get(name)
        if value is None:
            return None
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")

    # Query

    @property
    def query(self) -> Mapping[str, str]:
        """The query; of a key that repeats the first value counts."""
        if self._query is None:
            self._query = read_query(self._scope["query_string"])
        return self._query

    def search_text(self, key: str) -> str:
        """A text to look for. Raises BadRequest when it is longer than any sensible one."""
        value = self.query.get(key, "")
        if len(value) > LONGEST_SEARCH:
            raise BadRequest(f"{key} is longer than {LONGEST_SEARCH} characters")
        return value.replace("\0", "")  # no mail text has one, and PostgreSQL takes none

    def switch(self, key: str) -> bool:
        """Whether a query switch is on."""
        return self.query.get(key, "") in ("1", "true")

    def page(self, *, limit: int | None = None, offset: int | None = None) -> tuple[int, int]:
        """`limit` and `offset` (mailbox-api §1.5), or these defaults. Raises BadRequest."""
        return self.limit(limit), self._offset(offset)

    def limit(self, default: int | None = None) -> int:
        """How many rows are wanted: 1 to 100, never clamped. Raises BadRequest."""
        limit = parse_int(self.query.get("limit"), default)
        if limit is None or not 1 <= limit <= LARGEST_PAGE:
            raise BadRequest(text("InvalidLimitMsg"), message_key="InvalidLimitMsg")
        return limit

    def _offset(self, default: int | None) -> int:
        offset = parse_int(self.query.get("offset"), default)
        if offset is None or not 0 <= offset < LARGEST_ID:
            raise BadRequest(text("InvalidOffsetMsg"), message_key="InvalidOffsetMsg")
        return offset

    def number(self, key: str) -> int | None:
        """An id in the query; None when absent or empty. Raises BadRequest for anything else."""
        value = self.query.get(key, "")
        if not value:
            return None
        number = read_id(value)
        if number is None:
            raise BadRequest(f"{key} is not a number")
        return number

    def moment(self, key: str) -> int | None:
        """A time in the query, microseconds UTC; None when absent or empty. Raises BadRequest."""
        value = self.query.get(key, "")
        if not value:
            return None
        try:
            moment = read_date(value)
        except BadRequest:
            raise BadRequest(f"{key} is not a time") from None
        return moment

    # Path

    def path_id(self, name: str = "id") -> int | None:
        """An id in the path. None when it is no number: it then names nothing, and no row is
        found (mailbox-api §16, 9)."""
        return read_id(self.path_values[name])

    # Body

    async def body(self) -> bytes:
        """The whole body, once: nothing more comes behind it. Raises Refused (408, 413),
        ClientGone, or RuntimeError for whoever asks again."""
        receive, self._receive = self._receive, nothing_left
        body = await read_body(receive, self.body_limit, self._hold)
        if len(body) <= self.body_kept:
            self.noted_body = body
        return body

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, once, for whoever does not hold it. Raises Refused (408),
        ClientGone, or RuntimeError for whoever asks again."""
        receive, self._receive = self._receive, nothing_left
        more = True
        while more:
            part = await next_message(receive)
            if chunk := part.get("body", b""):
                yield chunk
            more = part.get("more_body", False)

    async def until_left(self) -> None:
        """Wait for the client to go, dropping what is left of the body. For routes that wait for
        something else meanwhile."""
        while (await self._server())["type"] != "http.disconnect":
            pass

    def _hold(self, octets: int) -> None:
        self._around.memory.take(octets)
        self._held += octets

    @property
    def held(self) -> int:
        """Octets of the body that are counted, being many."""
        return self._held

    def let_go(self) -> None:
        """The request is over, and its body no longer held."""
        if self._held:
            self._around.memory.give_back(self._held)
            self._held = 0

    async def json(self, decoder: msgspec.json.Decoder[T]) -> T:
        """The body as JSON, whatever its content type says.

        Trouble is worded as the contract's uncaught failures are: `SyntaxError …` for what is
        not JSON, `TypeError …` for a value of the wrong type, both with status 500.
        """
        return read_json(await self.body(), decoder)

    async def own_json(self, decoder: msgspec.json.Decoder[T]) -> T:
        """The body of a route that the contract does not have: what is wrong with it is the
        client's doing and is told so, with status 400."""
        try:
            return await self.json(decoder)
        except Uncaught as error:
            raise BadRequest(error.message) from None


NOBODY = Principal("nobody", "")
SIGNED_OUT = SignedIn(0, "", 0, 0)


def read_json(body: bytes, decoder: msgspec.json.Decoder[T], *, mend: bool = True) -> T:
    """The value of a body. Raises Uncaught, in the words of `Call.json`."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Uncaught("TypeError", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        better = mended(body) if mend and not isinstance(error, RecursionError) else None
        if better is not None:
            return read_json(better, decoder, mend=False)
        raise Uncaught("SyntaxError", syntax_problem(error)) from None


def syntax_problem(error: Exception) -> str:
    if isinstance(error, msgspec.DecodeError) and str(error) == "Input data was truncated":
        return "Unexpected end of JSON input"
    if isinstance(error, RecursionError):
        return "Unexpected nesting in JSON"
    return "Unexpected token in JSON"


def read_query(query_string: bytes) -> dict[str, str]:
    """The fields of a query, each with its first value. Raises Refused when it is too long."""
    if not query_string:
        return {}
    fields: dict[str, str] = {}
    try:
        if _plain_query(query_string) and query_string.count(b"&") < MOST_QUERY_FIELDS:
            # As nearly every program asks; the general way takes five times as long.
            pairs = [
                (key, value)
                for key, _, value in (
                    field.partition("=") for field in query_string.decode("ascii").split("&")
                )
            ]
        else:
            pairs = parse_qsl(
                query_string.decode("utf-8", "replace"),
                keep_blank_values=True,
                max_num_fields=MOST_QUERY_FIELDS,
            )
    except ValueError:
        raise Refused(refusal(400, "Too many query parameters", "QueryTooLong")) from None
    for key, value in pairs:
        fields.setdefault(key, value)
    return fields


def parse_int(value: str | None, default: int | None = None) -> int | None:
    """A number as JavaScript's parseInt reads it: `10abc` is 10, `1.9` is 1, `0x10` is 16, `x`
    is none."""
    if value is None:
        return default
    match = _PARSE_INT.match(value)
    if match is None:
        return None
    number = int(match[2], 16) if match[2] else int(match[3])
    return -number if match[1] == "-" else number


def read_id(value: str) -> int | None:
    """A row id; None for what cannot be one."""
    if not _ID.fullmatch(value):
        return None
    number = int(value)
    return number if number < LARGEST_ID else None


# An id in a body: a number, which some clients write with a fraction (5.0), or a text.
BodyId = int | float | str | None


def read_body_id(value: BodyId) -> int | None:
    """A row id of a body; None for what cannot be one."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return read_id(str(value))


async def read_body(receive: Receive, limit: int, hold: Callable[[int], None]) -> bytes:
    """Read to the end, and never hold more than `limit` octets and one chunk of the server's."""
    part = await next_message(receive)
    body: bytes = part.get("body", b"")
    if not part.get("more_body", False) and len(body) <= min(limit, UNCOUNTED):
        return body
    # A list of chunks and their sum would be the body twice.
    whole, size = BytesIO(), len(body)
    whole.write(body)
    hold(size)
    while part.get("more_body", False):
        if size > limit:
            raise Refused(too_big(limit))
        part = await next_message(receive)
        chunk = part.get("body", b"")
        hold(len(chunk))
        whole.write(chunk)
        size += len(chunk)
    if size > limit:
        raise Refused(too_big(limit))
    return whole.getvalue()


async def nothing_left() -> NoReturn:
    """Where a body comes from that was read already; the server would let us wait for it until
    the client has gone."""
    raise RuntimeError("The body of a request is read once: keep what Call.body() gave")


async def next_message(receive: Receive) -> Mapping[str, Any]:
    try:
        received = await within(CHUNK_SECONDS, receive())
    except TimeoutError:
        closing = ((b"connection", b"close"),)
        raise Refused(refusal(408, "The request body did not come", "Timeout", closing)) from None
    if received["type"] == "http.disconnect":
        raise ClientGone
    return received


def too_big(limit: int) -> Answer:
    """413; the connection ends, since nobody wants to read the rest."""
    words = f"The request body is larger than {limit} octets"
    return refusal(413, words, "BodyTooBig", ((b"connection", b"close"),))


def shallow(value: object, depth: int = DEEPEST_JSON) -> bool:
    """Whether a free-form JSON value nests no deeper than `depth`."""
    if isinstance(value, dict):
        return depth > 0 and all(shallow(item, depth - 1) for item in value.values())
    if isinstance(value, list):
        return depth > 0 and all(shallow(item, depth - 1) for item in value)
    return True


def invalid_input(call: Call) -> Refused:
    """400, the contract's word for a body that makes no sense."""
    return Refused(message(400, "InvalidInputMsg", call.language))
