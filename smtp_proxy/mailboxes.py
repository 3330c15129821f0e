"""What the doors of mail clients, IMAP and POP3, ask of the service behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from mailbox_service.core.envelope import Peer
from mailbox_service.core.mailboxes import Box, Changes, Mark, Numbers


class Watching(Protocol):
    """Waits for what happens next to the mailboxes of an account."""

    async def wait(self, seconds: float) -> bool:
        """True when something happened, False when the time passed."""
        ...


class Account(Protocol):
    """The mailboxes of whoever logged in. Every refusal is a `MailError`: NotYours when the
    address was closed meanwhile or its tokens were revoked, TemporaryFailure in trouble."""

    @property
    def address(self) -> str: ...

    @property
    def key(self) -> str:
        """Who this is, for the log."""
        ...

    @property
    def uid_validity(self) -> int:
        """Another number when the address was closed and opened anew (RFC 9051 §2.3.1.1)."""
        ...

    @property
    def may_delete(self) -> bool: ...

    @property
    def takes_keywords(self) -> bool:
        """Whether arrived messages can be marked with words of the owner's."""
        ...

    async def folders(self) -> Sequence[str]:
        """The names of all mailboxes; a slash parts a name from the one it is below."""
        ...

    async def folder(self, name: str) -> tuple[str, Account, Box] | None:
        """A mailbox by its name: how it is spelled, and where it is; None: there is none. Only
        IMAP asks for it: the mailboxes of an address are known."""
        ...

    async def numbers(self, box: Box) -> Numbers: ...

    async def changes(self, box: Box, since: Mark | None) -> Changes:
        """What happened since a mark; without one, all messages there are."""
        ...

    async def contents(self, box: Box, uids: Sequence[int]) -> Mapping[int, bytes]:
        """The bytes of messages. Those that are gone are missing; damaged ones are empty."""
        ...

    async def mark(self, box: Box, uids: Sequence[int], *, with_flags: int, kept: int) -> None:
        """Set flags, and clear those that are not `kept`."""
        ...

    async def keywords(self) -> Mapping[int, str]:
        """The keywords that mark arrived messages, by their flags (`core.stored`)."""
        ...

    async def learn_keywords(self, names: Sequence[str]) -> Mapping[int, str]:
        """All keywords, with these added as far as there is room."""
        ...

    async def delete(self, box: Box, uids: Sequence[int]) -> None:
        """Delete messages for good."""
        ...

    def watch(self) -> AbstractContextManager[Watching]: ...


class MailboxBackend(Protocol):
    """The service behind the doors of mail clients."""

    async def login(self, username: str, password: str, peer: Peer) -> Account:
        """Prove who logs in: an address token as password with any user name, or an address
        with its password. Raises BadCredential, TooManyRequests or TemporaryFailure."""
        ...
