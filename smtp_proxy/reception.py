"""The reception door: mail from the world's mail servers for our mailboxes (RFC 5321 §2.1)."""

from __future__ import annotations

from typing import Unpack

from mailbox_service.core.envelope import Envelope, Peer, Principal
from mailbox_service.core.errors import BadCredential
from smtp_proxy.backend import Answer, ReceptionBackend
from smtp_proxy.door import Door, DoorOptions


class ReceptionRules:
    """Anybody may send, to our mailboxes only: there is no relaying to be had by any login."""

    accepted_as = "Accepted"
    offers_auth = False
    foreign_senders = True
    repairs_lines = False

    def __init__(self, backend: ReceptionBackend) -> None:
        self._backend = backend

    async def authenticate(self, username: str, password: str, peer: Peer) -> Principal:
        raise BadCredential("This door knows no login")

    async def known_by_address(self, peer: Peer) -> Principal | None:
        return None  # nobody logs in here

    def check_sender(self, reverse_path: str, principal: Principal | None) -> None:
        """Every reverse-path, the null one too (RFC 5321 §4.5.5); the service judges it with
        the recipient, whose rules may differ."""

    def recipient_now(self, recipient: str, reverse_path: str) -> bool:
        return self._backend.recipient_now(recipient, reverse_path)

    async def check_recipient(self, recipient: str, reverse_path: str) -> None:
        await self._backend.check_recipient(recipient, reverse_path)

    def take(
        self, envelope: Envelope, content: bytes, peer: Peer, principal: Principal | None
    ) -> Answer:
        return self._backend.receive(envelope, content, peer)


class ReceptionDoor(Door):
    """Port 25 in production, 2525 by default.

    `250 2.0.0 Accepted as <queue id>` means the message is on disk in every mailbox named.
    """

    def __init__(self, backend: ReceptionBackend, **options: Unpack[DoorOptions]) -> None:
        super().__init__(ReceptionRules(backend), name="reception", **options)
