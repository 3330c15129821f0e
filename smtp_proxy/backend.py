"""What a mail door asks of the service behind it, in the same process or over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from mailbox_service.core.envelope import Envelope, Peer, Principal, Receipt


class Answer(Protocol):
    """The service's answer to a message, which comes once it is on disk, or a `MailError`: a
    future of asyncio, or what tells its callbacks without another round of the loop."""

    def done(self) -> bool: ...

    def cancelled(self) -> bool: ...

    def result(self) -> Receipt: ...

    def exception(self) -> BaseException | None: ...

    def add_done_callback(self, callback: Callable[[Any], object], /) -> None: ...


class SubmissionBackend(Protocol):
    """The service behind the submission door. Every refusal is a `MailError`."""

    async def authenticate(self, username: str, password: str, peer: Peer) -> Principal:
        """Prove who logs in: an address token as password with any username, or an address
        with its password. Raises BadCredential, NotYours for a place that they may not
        come from, TooManyRequests or TemporaryFailure."""
        ...

    async def known_by_address(self, peer: Peer) -> Principal | None:
        """Who may submit from an address without a login, if anybody. Raises
        TemporaryFailure."""
        ...

    def submit(
        self, principal: Principal, envelope: Envelope, content: bytes, peer: Peer
    ) -> Answer:
        """Queue one message; the answer comes when it is on disk."""
        ...


class ReceptionBackend(Protocol):
    """The service behind the reception door. Every refusal is a `MailError`."""

    def recipient_now(self, recipient: str, reverse_path: str) -> bool:
        """Judge a recipient from memory alone. `recipient` is canonical (`core.address`).

        True: accepted. False: only storage can tell, call `check_recipient`. Raises
        NotOurDomain, UnknownMailbox or SenderRefused when memory is enough to refuse."""
        ...

    async def check_recipient(self, recipient: str, reverse_path: str) -> None:
        """Judge a recipient with storage. Raises like `recipient_now`, or TemporaryFailure."""
        ...

    def receive(self, envelope: Envelope, content: bytes, peer: Peer) -> Answer:
        """Store one message for all its recipients, trace fields added; the answer comes when
        it is on disk."""
        ...
