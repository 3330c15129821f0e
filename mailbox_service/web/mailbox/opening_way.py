"""The short way of new addresses: `POST /api/new_address` from its octets to its answer.

Most who open an address wish for a name at most, and are nobody we know. Such a request is judged
here in one function, without the objects that the application makes for any request, and its
answer leaves in the moment in which the address is on disk. Whatever is unusual, or is to be
refused, goes the usual way from its beginning, where each refusal has its one place.
"""

from __future__ import annotations

import itertools
import logging
import secrets

from msgspec import DecodeError

from mailbox_service.core.errors import MailError, NameTaken
from mailbox_service.services.registering import Opening, Registering
from mailbox_service.web.answers import encode_json
from mailbox_service.web.exchange import Exchange
from mailbox_service.web.front import LARGEST_HEADERS, PLAIN_JSON
from mailbox_service.web.humans import asks
from mailbox_service.web.mailbox.address import NotWritten, Wish, opened_answer, read_wish
from mailbox_service.web.request import Surroundings

log = logging.getLogger("mailbox.web")

TARGET = b"/api/new_address"
# A wish has some ten octets, and a client some ten header fields.
LARGEST_WISH = 1_024
MOST_HEADERS = 32

LINES = b"content-length: %%d\r\nx-request-id: %%b\r\n%b" % PLAIN_JSON


class Reply:
    """The answer to whoever opened an address, once it is on disk."""

    __slots__ = ("_begun", "_exchange", "_registering", "_request_id")

    def __init__(
        self, registering: Registering, begun: Opening, exchange: Exchange, request_id: bytes
    ) -> None:
        self._registering = registering
        self._begun = begun
        self._exchange = exchange
        self._request_id = request_id

    def done(self) -> bool:
        """It is told once, and it does not matter whether somebody still listens."""
        return False

    def set_result(self, address_id: int) -> None:
        """It is on disk."""
        body = encode_json(opened_answer(self._registering.opened(self._begun, address_id)))
        self._exchange.send_short(LINES % (len(body), self._request_id), body)

    def set_exception(self, error: BaseException) -> None:
        """It is not: another name may be free, and the usual way tries that; or it says why."""
        self._exchange.hand_over(None if isinstance(error, NameTaken) else NotWritten(error))

    def cancel(self) -> None:
        """Nobody knows whether it is."""
        self.set_exception(RuntimeError("an address was given up on its way to the disk"))


class OpeningWay:
    """Takes what visitors without an account wish for, where all of them may open addresses."""

    def __init__(self, around: Surroundings) -> None:
        config = around.config
        self._registering = around.services.registering
        self._access = around.services.access
        self._proxies = around.proxies
        # Where somebody has to prove something, or is counted, the doors do it.
        self._open = bool(config.jwt_secret) and not (
            any(config.passwords) or config.rate_limit_requests or asks(config)
        )
        self._run = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def __call__(self, exchange: Exchange) -> bool:
        """Take a request; False when it has to go the usual way."""
        scope, body = exchange.scope, exchange.body
        fields: list[tuple[bytes, bytes]] = scope["headers"]  # type: ignore[assignment]
        if not self._open or scope["method"] != "POST" or not self._access.is_open:
            return False
        if len(body) > LARGEST_WISH or len(fields) > MOST_HEADERS:
            return False
        headers = dict(reversed(fields))  # the first one counts
        octets = sum(map(len, headers)) + sum(map(len, headers.values()))
        if (
            len(headers) < len(fields)
            or octets > LARGEST_HEADERS
            or b"x-user-token" in headers
            or log.isEnabledFor(logging.DEBUG)
        ):
            return False
        wish = plain_wish(body)
        if wish is None:
            return False
        client = scope["client"]
        ip = self._proxies.client_ip(client[0] if client else "", headers)
        try:
            begun = self._registering.begin_for_visitor(
                name=wish.name or "", domain=wish.domain, ip=ip
            )
        except MailError:
            return False
        request_id = f"{self._run}-{next(self._numbers):x}".encode()
        self._registering.write(begun, Reply(self._registering, begun, exchange, request_id))
        return True


def plain_wish(body: bytes | bytearray) -> Wish | None:
    """A wish for a name and a domain at most; None for any other."""
    try:
        wish = read_wish.decode(body)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if wish.enable_random_subdomain or wish.expires_in is not None else wish
