"""The short way of letters: a plain `POST /v3/email/send` from its octets to its answer.

Programs send one letter a request, thousands of them. Here such a request meets the rules of the
door (`door`) one after the other in one function, without the objects that the application makes
for any request, and its answer leaves in the moment in which the letter is on disk. It is taken
only when all is well and everything about the caller is known already; whatever is unusual, or is
to be refused, goes the usual way from its beginning, so there is one place for each refusal. What
goes wrong later, at the disk, is worded there too.
"""

from __future__ import annotations

import logging
from asyncio import get_running_loop
from functools import lru_cache
from typing import cast

from msgspec import Struct

from mailbox_service.core.email_id import email_id_of
from mailbox_service.core.envelope import Receipt
from mailbox_service.services.gathering import Preparing
from mailbox_service.services.randomness import random_uuid
from mailbox_service.services.sending_api.api import SendingApi
from mailbox_service.services.sending_api.ip_lists import allows
from mailbox_service.services.sending_api.letters import read_letter
from mailbox_service.web.exchange import Exchange
from mailbox_service.web.front import LARGEST_HEADERS, NAMED_JSON
from mailbox_service.web.peers import TrustedProxies
from mailbox_service.web.sending.rates import Allowed, Rates

log = logging.getLogger("mailbox.web")

LETTERS_PATH, LETTERS_TARGET = "email/send", b"/v3/email/send"
# What is larger is looked at once: most of it is files.
LARGEST_LETTER = 65_536
# Programs that send have some ten; whoever has many more is counted in the usual way.
MOST_HEADERS = 32

RATE_LINES = b"x-ratelimit-limit: %d\r\nx-ratelimit-remaining: %d\r\nx-ratelimit-reset: %d\r\n"
BODY = (
    '{"request_id":"%s","data":'
    '{"succeeded":1,"failed":0,"failures":[],"email_id":"%s"}}'
)  # fmt: skip
# Both ids are as long in every answer.
BODY_OCTETS = len(BODY % ("-" * 36, "-" * 23))
LINES = b"x-request-id: %%b\r\n%%bcontent-length: %d\r\n%b" % (BODY_OCTETS, NAMED_JSON)


class Failed(Struct, frozen=True):
    """Why a letter is not sent that was on its short way, and what was counted for it."""

    error: BaseException
    allowed: Allowed


class Reply(Preparing):
    """The answer to a letter, once it is on disk."""

    __slots__ = ("_allowed", "_body", "_exchange", "_lines", "_queue_id")

    def __init__(self, exchange: Exchange, allowed: Allowed, queue_id: str) -> None:
        self._exchange = exchange
        self._allowed = allowed
        self._queue_id = queue_id
        self._lines = self._body = b""

    def prepare(self) -> None:
        """Write the answer."""
        if not self._body:
            request_id = random_uuid()
            body = BODY % (request_id, email_id_of(self._queue_id))
            self._lines = LINES % (request_id.encode(), rate_lines(self._allowed))
            self._body = body.encode()

    def done(self) -> bool:
        """It is told once, and it does not matter whether somebody still listens."""
        return False

    def set_result(self, _: Receipt) -> None:
        """It is on disk."""
        self.prepare()
        self._exchange.send_short(self._lines, self._body)

    def set_exception(self, error: BaseException) -> None:
        """It is not, and the usual way says why."""
        self._exchange.hand_over(Failed(error, self._allowed))

    def cancel(self) -> None:
        """Nobody knows whether it is."""
        self.set_exception(RuntimeError("a letter was given up on its way to the disk"))


class LetterWay:
    """Takes plain letters of keys that were proved a moment ago."""

    def __init__(self, api: SendingApi, proxies: TrustedProxies, rates: Rates) -> None:
        self._api = api
        self._proxies = proxies
        self._rates = rates

    def __call__(self, exchange: Exchange) -> bool:
        """Take a request; False when it has to go the usual way."""
        scope, body = exchange.scope, exchange.body
        fields = cast(list[tuple[bytes, bytes]], scope["headers"])
        if scope["method"] != "POST" or len(body) > LARGEST_LETTER or len(fields) > MOST_HEADERS:
            return False
        headers = dict(fields)
        key = headers.get(b"x-smtp2go-api-key")
        if not key or not key.isascii() or b"idempotency-key" in headers:
            return False
        if len(headers) < len(fields) or exchange.head_octets > LARGEST_HEADERS:
            return False
        if log.isEnabledFor(logging.DEBUG):  # each request has a line there
            return False
        api, now = self._api, get_running_loop().time()
        credential = api.api_keys.proved(key.decode().strip(), now)
        if credential is None:
            return False
        policy = api.policies.kept(credential.account, now)
        if policy is None or not credential.may(f"/{LETTERS_PATH}"):
            return False
        client = scope["client"]
        ip = self._proxies.client_ip(client[0] if client else "", headers)
        listed = policy.ip_lists["api"]
        if listed.enabled and not allows([one.ip_address for one in listed.entries], ip):
            return False
        if self._rates.is_shut_out(ip):
            return False
        letter = read_letter(body)
        if letter is None:
            return False
        order = api.letters.order(credential, policy, letter, ip)
        if order is None:
            return False
        allowed, refusal = self._rates.pass_(LETTERS_PATH, credential.username)
        if refusal is not None:
            return False  # nothing was counted
        api.letters.send(order, Reply(exchange, allowed, order.submission.queue_id))
        return True


@lru_cache(maxsize=64)  # where nothing is counted, all answers of a second have the same
def rate_lines(allowed: Allowed) -> bytes:
    """What the header says of the caller's rate."""
    return RATE_LINES % (allowed.limit, allowed.remaining, allowed.reset)
