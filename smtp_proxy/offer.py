"""What a door allows, and what it therefore says to EHLO."""

from __future__ import annotations

from typing import Protocol

from mailbox_service.core.envelope import Envelope, Peer, Principal
from smtp_proxy.backend import Answer
from smtp_proxy.limits import Limits


class Rules(Protocol):
    """What one door allows. Every refusal is a `MailError`."""

    accepted_as: str  # "Queued" or "Accepted"
    offers_auth: bool
    foreign_senders: bool  # their local parts are kept as written; ours are canonical
    repairs_lines: bool  # a bare LF in a content becomes CRLF, or is refused

    def check_sender(self, reverse_path: str, principal: Principal | None) -> None:
        """Judge a reverse-path; the empty one is null."""
        ...

    def recipient_now(self, recipient: str, reverse_path: str) -> bool:
        """True: accepted. False: ask `check_recipient`."""
        ...

    async def check_recipient(self, recipient: str, reverse_path: str) -> None:
        """Judge a canonical recipient with storage."""
        ...

    def take(
        self, envelope: Envelope, content: bytes, peer: Peer, principal: Principal | None
    ) -> Answer:
        """Hand the message over; the answer comes when it is on disk."""
        ...

    async def authenticate(self, username: str, password: str, peer: Peer) -> Principal:
        """Prove who logs in."""
        ...

    async def known_by_address(self, peer: Peer) -> Principal | None:
        """Who may submit from an address without a login. Raises TemporaryFailure."""
        ...


class Offer:
    """What a door says to EHLO, as bytes made once (RFC 5321 §4.1.1.1)."""

    def __init__(
        self,
        rules: Rules,
        limits: Limits,
        *,
        hostname: str,
        starttls: bool,
        require_tls_for_auth: bool,
    ) -> None:
        self.rules = rules
        self.limits = limits
        self.hostname = hostname
        self.starttls = starttls
        self.require_tls_for_auth = require_tls_for_auth
        self.helo = f"250 {hostname}\r\n".encode("ascii")
        self.greeting = f"220 {hostname} ESMTP\r\n".encode("ascii")
        self._ehlo = {tls: self._lines(tls=tls) for tls in (False, True)}

    def ehlo(self, *, tls: bool) -> bytes:
        return self._ehlo[tls]

    def auth_allowed(self, *, tls: bool) -> bool:
        return self.rules.offers_auth and (tls or not self.require_tls_for_auth)

    def _lines(self, *, tls: bool) -> bytes:
        words = [
            self.hostname,
            "PIPELINING",  # RFC 2920
            f"SIZE {self.limits.message_size}",  # RFC 1870
            "8BITMIME",  # RFC 6152
            "SMTPUTF8",  # RFC 6531
            "ENHANCEDSTATUSCODES",  # RFC 2034
            f"LIMITS RCPTMAX={self.limits.recipients}",  # RFC 9422
        ]
        if self.starttls and not tls:
            words.append("STARTTLS")  # RFC 3207
        if self.auth_allowed(tls=tls):
            words.append("AUTH PLAIN LOGIN")  # RFC 4954
        text = "".join(f"250-{word}\r\n" for word in words[:-1]) + f"250 {words[-1]}\r\n"
        return text.encode("ascii")
