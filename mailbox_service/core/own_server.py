"""SMTP servers that users name, and through which their mail goes (sending-api §12).

What a connection may be, what can go wrong with a server and in which words, and when a message
is tried again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress
from mailbox_service.core.sending_api import BadField

DEFAULT = "default"
# Between servers; a log-in belongs to the submission ports (RFC 6409).
FORBIDDEN_PORT = 25
IMPLICIT_TLS_PORT = 465
# RFC 1035 §2.3.4: what a name of the DNS can be.
LONGEST_HOST = 253
# Log-ins of cloud services are addresses; their passwords are tokens of some hundred characters.
LONGEST_USERNAME = 320
LONGEST_PASSWORD = 4_096
LONGEST_NAME = 200

MINUTE = 60 * 1_000_000
# After the first attempts, once an hour; a day after it was queued nobody waits for it any more.
PAUSES = tuple(minutes * MINUTE for minutes in (1, 5, 15, 60))
GIVE_UP_AFTER = 24 * 60 * MINUTE

_is_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch
_is_host = re.compile(r"[A-Za-z0-9._:\[\]-]+").fullmatch
_controls = re.compile(r"[\x00-\x1f\x7f]").search

# Kinds of trouble and what people are told (sending-api §12.5).
WORDS: Mapping[str, str] = {
    "dns_error": "The server name could not be found.",
    "host_not_allowed": "The server has no public address, and private ones are not allowed.",
    "port_not_allowed": "Port 25 is not allowed.",
    "connection_refused": "Nothing is listening on that host and port.",
    "unreachable": "The server cannot be reached.",
    "timeout": "The server did not answer in time.",
    "tls_expected": "The port seems to expect TLS from the start.",
    "tls_not_spoken": "The port does not speak TLS; use STARTTLS (587).",
    "tls_failed": "The TLS handshake failed.",
    "cert_self_signed": "Self-signed or unknown certificate.",
    "cert_hostname": "The certificate is for another host name.",
    "cert_expired": "The certificate has expired.",
    "starttls_unsupported": "The server offers no STARTTLS.",
    "auth_unsupported": "The server offers no log-in.",
    "auth_failed": "The server rejected the username or password.",
    "auth_insecure": "The password is not sent without TLS.",
    "auth_required": "The server requires a log-in.",
    "sender_refused": "The sender address was refused.",
    "recipient_refused": "All recipients were refused.",
    "message_refused": "The message was refused.",
    "server_busy": "The server is busy.",
    "server_refused": "The server refuses our connection.",
    "disconnected": "The server closed the connection.",
    "smtputf8_unsupported": "The server takes no internationalised addresses.",
    "password_lost": "The stored password can no longer be read; save the connection again.",
    "protocol_error": "The server answered what is not SMTP.",
}
# Trouble that another hour may end, whatever the code.
PASSING = frozenset(
    ("dns_error", "connection_refused", "unreachable", "timeout", "server_busy", "disconnected")
)


class ServerProblem(Exception):
    """Something went wrong with a server. `code` is a key of WORDS, `smtp_code` what the server
    answered with (0: nothing). `said` are its own words. `begun`: it may have the message."""

    def __init__(
        self,
        code: str,
        *,
        smtp_code: int = 0,
        said: str = "",
        begun: bool = False,
        rejected: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(WORDS[code])
        self.code = code
        self.smtp_code = smtp_code
        self.said = said
        self.begun = begun
        self.rejected = dict(rejected or {})

    @property
    def words(self) -> str:
        """What people are told: the kind of trouble, and what the server said."""
        if not self.said:
            return WORDS[self.code]
        return f"{WORDS[self.code]} ({self.said})"

    @property
    def passes(self) -> bool:
        """Whether it is worth another try."""
        if self.rejected:
            return any(said.startswith("4") for said in self.rejected.values())
        if self.smtp_code:
            return self.smtp_code // 100 == 4
        return self.code in PASSING


class Connection(Struct, frozen=True, kw_only=True):
    """How a server is reached. The password is kept beside it, sealed."""

    host: str
    port: int = 587
    use_tls: bool = True
    ignore_self_signed: bool = False
    allow_insecure_auth: bool = False
    username: str = ""
    from_address: str = ""
    from_name: str = ""

    @property
    def sender(self) -> str:
        """The address that mail comes from when a call names none; empty without one."""
        return self.from_address or (self.username if "@" in self.username else "")


@dataclass(frozen=True, slots=True)
class Taken:
    """What a server said to a message: its reply, and recipients that it refused."""

    response: str
    rejected: Mapping[str, str] = field(default_factory=dict)
    # Among those, the ones that it may take at another time.
    deferred: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reached:
    """What is known of a server that was reached and left again."""

    tls: str
    auth: bool


def check_name(name: str) -> str:
    """The name of a connection. Raises BadField."""
    if not _is_name(name):
        raise BadField("connection", "A name of 1 to 64 letters, digits, dots, dashes")
    return name


def check_connection(connection: Connection, password: str) -> Connection:
    """A connection that may be kept. Raises BadField."""
    if not connection.host or len(connection.host) > LONGEST_HOST or not _is_host(connection.host):
        raise BadField("host", "The name or address of a server is required")
    if connection.port == FORBIDDEN_PORT:
        raise BadField("port", "Port 25 is not allowed")
    if not 1 <= connection.port <= 65_535:
        raise BadField("port", "A number from 1 to 65535")
    for name, text, longest in (
        ("username", connection.username, LONGEST_USERNAME),
        ("password", password, LONGEST_PASSWORD),
        ("from_name", connection.from_name, LONGEST_NAME),
    ):
        if len(text) > longest or _controls(text):
            raise BadField(name, f"At most {longest} characters, none of them a control character")
    if password and not connection.username:
        raise BadField("username", "A password needs a username")
    if connection.from_address:
        try:
            canonical(connection.from_address)
        except BadAddress as error:
            raise BadField("from_address", error.detail) from None
    return connection


def next_try(attempt: int, *, created_at: int, now: int) -> int | None:
    """When a message is tried again after `attempt` attempts; None: never. Microseconds."""
    at = now + PAUSES[min(attempt, len(PAUSES)) - 1]
    return None if at > created_at + GIVE_UP_AFTER else at
