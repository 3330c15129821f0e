"""Where IMAP listens."""

from __future__ import annotations

from typing import Any

from smtp_proxy.client_door import ClientDoor
from smtp_proxy.imap.facts import Library
from smtp_proxy.imap.session import ImapSession
from smtp_proxy.mailboxes import MailboxBackend
from smtp_proxy.wire import Wire


class ImapDoor(ClientDoor):
    """Port 143, and 993 with implicit TLS."""

    name = "imap"

    def __init__(self, backend: MailboxBackend, **options: Any) -> None:
        super().__init__(backend, **options)
        self.library = Library()

    def farewell(self, reason: str) -> bytes:
        return b"* BYE " + reason.encode("ascii", "replace") + b"\r\n"

    async def talk(self, wire: Wire) -> None:
        await ImapSession(self, wire).run()
