"""The submission door: mail from people and programs that prove who they are (RFC 6409)."""

from __future__ import annotations

from typing import Unpack

from mailbox_service.core.address import without_detail
from mailbox_service.core.envelope import Envelope, Peer, Principal
from mailbox_service.core.errors import FromNotYours, SenderRefused, TemporaryFailure
from smtp_proxy.backend import Answer, SubmissionBackend
from smtp_proxy.door import Door, DoorOptions


class SubmissionRules:
    """Nothing before AUTH, unless the peer's address counts as one; the reverse-path is the
    principal's own address, or one below it (RFC 5233)."""

    accepted_as = "Queued"
    offers_auth = True
    foreign_senders = False
    repairs_lines = True

    def __init__(self, backend: SubmissionBackend) -> None:
        self._backend = backend

    async def authenticate(self, username: str, password: str, peer: Peer) -> Principal:
        return await self._backend.authenticate(username, password, peer)

    async def known_by_address(self, peer: Peer) -> Principal | None:
        return await self._backend.known_by_address(peer)

    def check_sender(self, reverse_path: str, principal: Principal | None) -> None:
        """Raises FromNotYours, or SenderRefused for the null reverse-path: a submission has a
        sender who hears about failures (RFC 6409 §6.1; hazard 12)."""
        if not reverse_path:
            raise SenderRefused("A submission needs a sender that can be answered")
        # An administrator has no address of its own and may use any. Whether somebody else has
        # opened an address below the principal's own, the service knows.
        own = principal.address if principal is not None else ""
        if own and own not in (reverse_path, without_detail(reverse_path)):
            raise FromNotYours("The sender is not the address you are logged in as")

    def recipient_now(self, recipient: str, reverse_path: str) -> bool:
        """Any well-formed recipient; the service judges them with the whole message."""
        return True

    async def check_recipient(self, recipient: str, reverse_path: str) -> None:
        """Nothing that storage would have to tell."""

    def take(
        self, envelope: Envelope, content: bytes, peer: Peer, principal: Principal | None
    ) -> Answer:
        if principal is None:
            raise TemporaryFailure("The login is gone, connect again")
        return self._backend.submit(principal, envelope, content, peer)


class SubmissionDoor(Door):
    """Port 8025, and 465 with implicit TLS.

    `250 2.0.0 Queued as <queue id>` means the message is on disk and ours to deliver or report.
    """

    def __init__(self, backend: SubmissionBackend, **options: Unpack[DoorOptions]) -> None:
        super().__init__(SubmissionRules(backend), name="submission", **options)
