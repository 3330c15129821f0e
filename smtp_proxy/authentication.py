"""AUTH PLAIN and AUTH LOGIN (RFC 4954, RFC 4616): from lines of base64 to name and password."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from smtp_proxy import replies

# Sends one `334` and returns the peer's line, decoded by nobody.
Challenge = Callable[[bytes], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a peer claims. The password stays out of every repr, and so out of every log."""

    username: str
    password: str = field(repr=False)


class ExchangeFailed(Exception):
    """The exchange ended without credentials; `reply` says why."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply)
        self.reply = reply


async def exchange(argument: bytes, challenge: Challenge) -> Credentials:
    """Run the exchange that `AUTH <argument>` begins. Raises ExchangeFailed."""
    words = argument.split()
    if not 1 <= len(words) <= 2:
        raise ExchangeFailed(replies.AUTH_SYNTAX)
    mechanism = words[0].upper()
    initial = words[1] if len(words) == 2 else None
    if mechanism == b"PLAIN":
        return _plain(_decoded(initial if initial is not None else await challenge(b"")))
    if mechanism == b"LOGIN":
        name = initial if initial is not None else await challenge(b64encode(b"Username:"))
        username = _decoded(name)
        password = _decoded(await challenge(b64encode(b"Password:")))
        return _credentials(username, password)
    raise ExchangeFailed(replies.UNKNOWN_MECHANISM)


def _plain(response: bytes) -> Credentials:
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise ExchangeFailed(replies.AUTH_UNREADABLE)
    act_as, username, password = parts
    if act_as and act_as != username:
        # Nobody may act as somebody else here (RFC 4616 §2, authzid).
        raise ExchangeFailed(replies.BAD_CREDENTIAL)
    return _credentials(username, password)


def _credentials(username: bytes, password: bytes) -> Credentials:
    if b"\0" in username or b"\0" in password:
        raise ExchangeFailed(replies.AUTH_UNREADABLE)
    if not password:
        raise ExchangeFailed(replies.BAD_CREDENTIAL)
    try:
        return Credentials(username.decode(), password.decode())
    except UnicodeDecodeError:
        raise ExchangeFailed(replies.BAD_CREDENTIAL) from None


def _decoded(response: bytes) -> bytes:
    if response == b"*":
        raise ExchangeFailed(replies.AUTH_CANCELLED)
    if response == b"=":  # RFC 4954 §4: an empty response
        return b""
    try:
        return b64decode(response, validate=True)
    except binascii.Error:
        raise ExchangeFailed(replies.AUTH_UNREADABLE) from None
