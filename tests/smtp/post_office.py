"""A service behind the doors that keeps its mail in memory: small, and a real one.

It knows mailboxes, tokens and passwords, keeps what was handed over, and can have trouble.
"""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass, field
from email import message_from_bytes
from email.utils import parseaddr

from mailbox_service.core.envelope import Envelope, Peer, Principal, Receipt
from mailbox_service.core.errors import (
    BadCredential,
    FromNotYours,
    NotOurDomain,
    RoutingLoop,
    UnknownMailbox,
)

DOMAIN = "example.test"
TOKEN = "eyJ.token-of-ann.sig"
PASSWORD = "correct horse"


@dataclass(frozen=True, slots=True)
class Kept:
    """One message that the office answered for."""

    envelope: Envelope
    content: bytes
    peer: Peer
    principal: Principal | None


@dataclass(slots=True)
class PostOffice:
    """Both backends. `trouble` is raised instead of doing the work."""

    mailboxes: set[str] = field(default_factory=lambda: {f"ann@{DOMAIN}", f"bob@{DOMAIN}"})
    in_memory: bool = True  # False: recipients are judged by a coroutine
    at_once: bool = True  # False: the future ends one turn of the loop later
    trouble: Exception | None = None
    gate: asyncio.Event | None = None  # messages wait here before they are kept
    kept: list[Kept] = field(default_factory=list)
    # Addresses of peers that need no login.
    trusted: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    attempts: list[tuple[str, str]] = field(default_factory=list)
    handed_over: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: set[asyncio.Task[None]] = field(default_factory=set)

    async def authenticate(self, username: str, password: str, peer: Peer) -> Principal:
        self.attempts.append((username, password))
        if self.trouble is not None:
            raise self.trouble
        token = hmac.compare_digest(password.encode(), TOKEN.encode())
        own = hmac.compare_digest(password.encode(), PASSWORD.encode())
        if not (token or (own and username == f"ann@{DOMAIN}")):
            raise BadCredential("nobody")
        return Principal("address", f"ann@{DOMAIN}", 1)

    async def known_by_address(self, peer: Peer) -> Principal | None:
        self.asked.append(peer.ip)
        if self.trouble is not None:
            raise self.trouble
        return Principal("address", f"ann@{DOMAIN}", 1) if peer.ip in self.trusted else None

    def submit(
        self, principal: Principal, envelope: Envelope, content: bytes, peer: Peer
    ) -> asyncio.Future[Receipt]:
        header = message_from_bytes(content)
        for name in ("From", "Sender"):
            if header[name] and parseaddr(header[name])[1].lower() != principal.address:
                raise FromNotYours(f"{name} is not yours")
        return self._keep(Kept(envelope, content, peer, principal))

    def recipient_now(self, recipient: str, reverse_path: str) -> bool:
        if not recipient.endswith(f"@{DOMAIN}"):
            raise NotOurDomain("Relaying denied")
        if not self.in_memory:
            return False
        self._judge(recipient)
        return True

    async def check_recipient(self, recipient: str, reverse_path: str) -> None:
        await asyncio.sleep(0)
        if self.trouble is not None:
            raise self.trouble
        self._judge(recipient)

    def receive(self, envelope: Envelope, content: bytes, peer: Peer) -> asyncio.Future[Receipt]:
        if content.count(b"Received:") > 50:
            raise RoutingLoop("Too many Received fields")
        return self._keep(Kept(envelope, content, peer, None))

    def _judge(self, recipient: str) -> None:
        if recipient not in self.mailboxes:
            raise UnknownMailbox("No such mailbox")

    def _keep(self, message: Kept) -> asyncio.Future[Receipt]:
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        if self.at_once and self.gate is None:
            self._end(message, future)
        else:
            task = asyncio.ensure_future(self._keep_later(message, future))
            self.waiting.add(task)
            task.add_done_callback(self.waiting.discard)
        self.handed_over.set()
        return future

    async def _keep_later(self, message: Kept, future: asyncio.Future[Receipt]) -> None:
        await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        self._end(message, future)

    def _end(self, message: Kept, future: asyncio.Future[Receipt]) -> None:
        if self.trouble is not None:
            future.set_exception(self.trouble)
        else:
            self.kept.append(message)
            future.set_result(Receipt(f"Q{len(self.kept)}"))
