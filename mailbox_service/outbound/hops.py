"""Next hops: where mail goes when it leaves, and how we speak there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

# How STARTTLS is used (RFC 3207). `required` also means a certificate that verifies.
Tls = Literal["none", "opportunistic", "required", "implicit"]

_TLS_OPTIONS: Mapping[str, Tls] = {
    "none": "none",
    "opportunistic": "opportunistic",
    "required": "required",
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait; RFC 5321 §4.5.3.2 names the waits, and its values are the longest that a
    polite client needs. Ours are shorter where nothing is lost by coming back."""

    connect: float = 30.0
    # The greeting, EHLO, STARTTLS, AUTH, MAIL and RCPT: greeting delays against spam last a
    # minute at most.
    command: float = 90.0
    data: float = 120.0
    # One block of content accepted by the network.
    block: float = 180.0
    # After the final dot. Giving up early here is what makes duplicates, so the RFC's own value.
    final: float = 600.0


@dataclass(frozen=True, slots=True)
class Relay:
    """A next hop that takes mail for everybody. `methods` are the login mechanisms to use, in
    lower case; none named: any that is offered."""

    host: str
    port: int
    tls: Tls = "opportunistic"
    verify: bool = True
    username: str = ""
    password: str = field(default="", repr=False)
    methods: tuple[str, ...] = ()
    timeouts: Timeouts = Timeouts()


class Credentials(Protocol):
    """A login, as the configuration has it."""

    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...


class Channel(Protocol):
    """A relay of one domain, as the configuration has it (mailbox API §10.7)."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def secure(self) -> bool: ...
    @property
    def start_tls(self) -> bool: ...
    @property
    def auth_type(self) -> str | list[str] | None: ...
    @property
    def credentials(self) -> Credentials | None: ...
    @property
    def socket_timeout_ms(self) -> int: ...
    @property
    def response_timeout_ms(self) -> int: ...


def parse_relay_url(url: str) -> Relay:
    """`smtp://user:password@host:port?tls=required&verify=no` or `smtps://…`.

    smtp: STARTTLS when it is offered, `?tls=required` insists on it and `?tls=none` never uses
    it; port 587 by default. smtps: TLS from the first byte, port 465 by default. A relay that
    gets a password must have a certificate that verifies, unless `verify=no`. User name and
    password are percent-encoded. Raises ValueError, whose text holds no part of the URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("not a URL with a host and a port") from None
    if parts.scheme not in ("smtp", "smtps"):
        raise ValueError("begins neither with smtp:// nor with smtps://")
    if not parts.hostname:
        raise ValueError("names no host")
    options = parse_qs(parts.query)
    unknown = set(options) - {"tls", "verify"}
    if unknown or parts.path not in ("", "/"):
        raise ValueError("has options other than tls and verify")
    implicit = parts.scheme == "smtps"
    wish = options.get("tls", ["opportunistic"])[-1]
    if wish not in _TLS_OPTIONS:
        raise ValueError("tls is none, opportunistic or required")
    username = unquote(parts.username or "")
    return Relay(
        host=parts.hostname,
        port=port or (465 if implicit else 587),
        tls="implicit" if implicit else _TLS_OPTIONS[wish],
        verify=options.get("verify", ["yes"])[-1] != "no",
        username=username,
        password=unquote(parts.password or ""),
    )


def relay_of(channel: Channel) -> Relay:
    """The relay that `smtp_config` describes for one domain."""
    wished = channel.auth_type or []
    methods = [wished] if isinstance(wished, str) else wished
    tls: Tls = "opportunistic" if channel.start_tls else "none"
    login = channel.credentials
    reply_seconds = channel.response_timeout_ms / 1000
    return Relay(
        host=channel.host,
        port=channel.port,
        tls="implicit" if channel.secure else tls,
        username=login.username if login else "",
        password=login.password if login else "",
        methods=tuple(method.lower() for method in methods),
        timeouts=Timeouts(
            connect=channel.socket_timeout_ms / 1000,
            command=reply_seconds,
            data=reply_seconds,
            block=channel.socket_timeout_ms / 1000,
        ),
    )
