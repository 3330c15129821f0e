"""Every request below `/v3`: who calls, may they, which row, and the envelope of the answer."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec

from mailbox_service.core.errors import BadCredential, Conflict, MailError
from mailbox_service.core.sending_api import (
    MASTER,
    Caller,
    Credential,
    EndpointDenied,
    Refusal,
)
from mailbox_service.services.randomness import random_uuid
from mailbox_service.services.sending_api.api import SendingApi
from mailbox_service.services.sending_api.ip_lists import allows
from mailbox_service.services.sending_api.letters import read_letter
from mailbox_service.services.sending_api.policies import Policy
from mailbox_service.web.answers import JSON, Answer
from mailbox_service.web.errors import ClientGone, Refused
from mailbox_service.web.log import describe, neutral
from mailbox_service.web.request import Call
from mailbox_service.web.sending.aliases import PATHS
from mailbox_service.web.sending.description import document
from mailbox_service.web.sending.emails import sent_letter
from mailbox_service.web.sending.letter_way import LARGEST_LETTER, LETTERS_PATH, Failed
from mailbox_service.web.sending.rates import Allowed, Rates
from mailbox_service.web.sending.refusals import API_EXCEPTION, BAD_PAYLOAD, error_data, worded
from mailbox_service.web.sending.rows import Row, read_form

log = logging.getLogger("mailbox.web")

PREFIX = "/v3"
# Octets of a request. A message of 50 MB is a third more in base64 (sending-api §1.1).
EMAIL_BODY, OTHER_BODY = 70 << 20, 1 << 20
LONGEST_KEY = 256
# A request takes six times its size while it is decoded, composed and written; so of those that
# are larger than this only two are worked on at a time. What waits is held once, and counted.
LARGE_BODY, LARGE_AT_ONCE = 1 << 20, 2

_slashes = re.compile("/+")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
REFUSED_TEXT = {408: "The request body did not come", 413: "The request body is too large"}


class SendingDoor:
    """Answers `/v3`."""

    def __init__(self, areas: Mapping[str, tuple[Row, ...]], *, rate: int) -> None:
        rows = [row for of_area in areas.values() for row in of_area]
        self._areas = areas
        self._document: bytes | None = None
        self._rows = {(row.verb, row.path): row for row in rows}
        # As nearly everybody writes them; every other spelling of a path is looked at.
        self._plain = {(row.verb, f"{PREFIX}/{row.path}"): row for row in rows}
        self._letters = self._rows.get(("POST", LETTERS_PATH))
        self._paths = frozenset(row.path for row in rows)
        self.rates = Rates(rate)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        # Calls with an idempotency key that are under way: account, user, key.
        self._running: set[tuple[str, str, str]] = set()
        self.endpoints = tuple(sorted(f"/{path}" for path in self._paths))

    def is_for(self, path: str) -> bool:
        """Whether a path is below ours, however many slashes it has."""
        if path.startswith("//"):
            path = "/" + path.lstrip("/")
        return path == PREFIX or path.startswith("/v3/")

    def _description(self, api: SendingApi) -> bytes:
        """The OpenAPI document, written when first asked for."""
        if self._document is None:
            self._document = _encode(document(self._areas, api))
        return self._document

    async def answer(self, call: Call) -> Answer:
        """Answer one request; every failure has the shape of the contract."""
        request_id = random_uuid()
        allowed: list[Allowed] = []
        allow = ""
        if call.path == f"{PREFIX}/openapi.json" and call.method in ("GET", "HEAD"):
            return Answer(self._description(call.services.sending_api), JSON)
        try:
            data = await self._data(call, request_id, allowed)
            status, retry = 200, 0.0
        except Refused as refused:
            status, retry = refused.answer.status, 0.0
            data = error_data(REFUSED_TEXT.get(status, "The request was refused"), API_EXCEPTION)
        except MailError as error:
            status, data, retry = worded(error)
            if isinstance(error, BadCredential):
                self.rates.refused(call.client_ip)
        except HttpProblem as problem:
            status, retry = problem.status, 0.0
            data, allow = error_data(str(problem), problem.code), problem.allow
        except ClientGone:
            raise
        except Exception as error:
            log.error("request-failed %s %s", neutral(call.path), describe(error))
            status, retry = 500, 0.0
            data = error_data("Internal server error", API_EXCEPTION)
        if call.held > LARGE_BODY:
            # A refusal knows the frames that it came through, and they the whole message: a
            # cycle, for which the collector would come late.
            gc.collect(0)
        body = _encode({"request_id": request_id, "data": data})
        told = headers(request_id, allowed[0] if allowed else self.rates.idle(), retry)
        if allow:
            told = (*told, (b"allow", allow.encode()))
        return Answer(body, JSON, status=status, headers=told)

    async def _data(self, call: Call, request_id: str, allowed: list[Allowed]) -> Any:
        """What a request gets. Raises MailError, HttpProblem, Refused, ClientGone."""
        failed = call.note
        if isinstance(failed, Failed):  # on the short way of letters
            allowed.append(failed.allowed)
            raise failed.error
        row = self._plain.get((call.method, call.path))
        if row is None:
            path = named_path(call.path)
            if path == "api/index" and call.method in ("GET", "HEAD"):
                return list(self.endpoints)
            row = self._row(call.method, path)
        ip = call.client_ip
        self.rates.check_peer(ip)
        api = call.services.sending_api
        key = shown_key(call)
        credential = None if key is None else await api.api_keys.prove(key)
        check_size(call, row.path)
        # Taken out when it is read: a frame that waits for the end would hold it until then.
        held = [await call.body()]
        if len(held[0]) <= LARGE_BODY:
            return await self._done(call, ip, row, credential, allowed, request_id, held)
        async with self._large:
            return await self._done(call, ip, row, credential, allowed, request_id, held)

    def _row(self, method: str, path: str) -> Row:
        """Who answers a method at the path of a row. Raises HttpProblem."""
        if path == "api/index":
            words = f"{method} is not allowed on /{path}; use GET"
            raise HttpProblem(405, words, allow="GET, HEAD")
        if path not in self._paths:
            raise HttpProblem(404, f"There is no endpoint /{path[:100]}")
        row = self._rows.get((method, path))
        if row is None:
            verbs = ", ".join(sorted(verb for verb, name in self._rows if name == path))
            words = f"{method} is not allowed on /{path}; use {verbs}"
            raise HttpProblem(405, words, allow=verbs)
        return row

    async def _done(
        self,
        call: Call,
        ip: str,
        row: Row,
        credential: Credential | None,
        allowed: list[Allowed],
        request_id: str,
        held: list[bytes],
    ) -> Any:
        """What a request with this body gets; `credential` None: the body names one."""
        path, api = row.path, call.services.sending_api
        body = held.pop()
        repeat = call.header(b"idempotency-key") or ""
        letter = None
        if row is self._letters and not repeat and len(body) <= LARGEST_LETTER and credential:
            letter = read_letter(body)
        fields = {} if letter is not None else read_body(body)
        fingerprint = fingerprint_of(path, body) if repeat else ""
        if letter is None:
            body = b""
        if credential is None:
            key = fields.get("api_key")
            credential = await api.api_keys.prove(key if isinstance(key, str) else "")
        policy = await check_place(api, credential, ip)
        now_allowed, refusal = self.rates.pass_(path, credential.username)
        allowed.append(now_allowed)
        if refusal is not None:
            raise refusal
        if not row.open_to_keys and not credential.may(f"/{path}"):
            raise EndpointDenied(f"You do not have permission to access the endpoint /{path}")
        if letter is not None:
            begun = api.letters.begin(credential, policy, letter, ip)
            if begun is not None:
                return sent_letter(await begun)
            fields = read_body(body)
        caller = await self._caller(call, api, credential, row, fields)
        if repeat:
            if len(repeat) > LONGEST_KEY:
                raise Refusal(f"The Idempotency-Key is longer than {LONGEST_KEY} characters")
            caller = replace(caller, idempotency_key=repeat, fingerprint=fingerprint)
        with self._alone(caller):
            form = read_form(row, fields)
            fields.clear()  # the form has it now, and lets go of its files one by one
            result = await row.asks(api)(caller, form)
        data = row.writes(result)
        if row.names_itself:
            data = {"request_id": request_id, **data}
        return data

    @contextmanager
    def _alone(self, caller: Caller) -> Iterator[None]:
        """While a call with an idempotency key runs, another with the same key is told so: its
        answer is not there yet (§2.1). Raises Conflict."""
        if caller.idempotency_key is None:
            yield
            return
        key = (caller.credential.account, caller.credential.username, caller.idempotency_key)
        if key in self._running:
            raise Conflict("The first call with this Idempotency-Key is still running")
        self._running.add(key)
        try:
            yield
        finally:
            self._running.discard(key)

    async def _caller(
        self,
        call: Call,
        api: SendingApi,
        credential: Credential,
        row: Row,
        fields: dict[str, Any],
    ) -> Caller:
        """Who calls, and for which account. Raises Refusal for one that is not theirs."""
        account = credential.account
        wanted = fields.get("subaccount_id")
        if wanted not in (None, "") and row.path != "subaccounts/usage":
            if not isinstance(wanted, str) or (account != MASTER and wanted != account):
                raise Refusal("There is no such subaccount")
            if account == MASTER:
                if not await api.subaccounts.exists(wanted):
                    raise Refusal("There is no such subaccount")
                account = wanted
        return Caller(credential, account, call.client_ip)


class HttpProblem(Exception):
    """A request that finds nobody: no such path, no such method, no JSON. `allow` lists the
    methods that there are (RFC 9110 §15.5.6)."""

    def __init__(
        self, status: int, words: str, code: str = API_EXCEPTION, *, allow: str = ""
    ) -> None:
        super().__init__(words)
        self.status = status
        self.code = code
        self.allow = allow


def shown_key(call: Call) -> str | None:
    """The key in a header: ours first, then a bearer token (§1.2). None: look into the body."""
    key = call.header(b"x-smtp2go-api-key")
    if key:
        return key.strip()
    words = (call.header(b"authorization") or "").split()
    if len(words) == 2 and words[0].lower() == "bearer":
        return words[1]
    return None


def check_size(call: Call, path: str) -> None:
    """Refuse what is too large before it is read. Raises HttpProblem."""
    call.body_limit = EMAIL_BODY if path.startswith("email/") else OTHER_BODY
    declared = call.headers.get(b"content-length", b"")
    if declared and (not declared.isdigit() or int(declared[:20]) > call.body_limit):
        raise HttpProblem(413, f"The request body is larger than {call.body_limit} octets")


def read_body(body: bytes) -> dict[str, Any]:
    """The fields of a request; an empty body has none, nor has `null`. Raises HttpProblem."""
    if not body.strip():
        return {}
    try:
        fields = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HttpProblem(400, "The request body is not JSON", BAD_PAYLOAD) from None
    if fields is None:
        return {}
    if not isinstance(fields, dict):
        raise HttpProblem(400, "The request body is not a JSON object", BAD_PAYLOAD)
    return fields


def fingerprint_of(path: str, body: bytes) -> str:
    """What tells a request that is repeated under its key from another one."""
    digest = hashlib.sha256(path.encode() + b"\n")
    digest.update(body)
    return digest.hexdigest()


async def check_place(api: SendingApi, credential: Credential, ip: str) -> Policy:
    """Refuse a caller whose address is not on the account's list, when there is one (§9.3); the
    policy that says so. Raises EndpointDenied."""
    policy = await api.policies.of(credential.account)
    listed = policy.ip_lists["api"]
    if listed.enabled and not allows([one.ip_address for one in listed.entries], ip):
        raise EndpointDenied("Your IP address is not on the list of allowed addresses")
    return policy


def named_path(path: str) -> str:
    """The path of a row, however many slashes there are, and by its other name."""
    plain = _slashes.sub("/", path).removeprefix(PREFIX).strip("/")
    return PATHS.get(plain, plain)


def headers(request_id: str, allowed: Allowed, retry: float) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of every answer; numbers are plain integers, since clients convert them."""
    found = (
        (b"x-request-id", request_id.encode()),
        (b"x-ratelimit-limit", b"%d" % allowed.limit),
        (b"x-ratelimit-remaining", b"%d" % allowed.remaining),
        (b"x-ratelimit-reset", b"%d" % allowed.reset),
    )
    if retry:
        return (*found, (b"retry-after", b"%d" % max(1, round(retry))))
    return found
