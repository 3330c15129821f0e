"""The services that the HTTP doors call, as one typed value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mailbox_service.services.administering import Administering
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.reading import Reading
from mailbox_service.services.receiving import Receiving
from mailbox_service.services.registering import Registering
from mailbox_service.services.sending import Sending
from mailbox_service.services.sent import SentMail


class Health(Protocol):
    """Whether the service can do its work now."""

    async def check(self) -> None:
        """Return when all doors are open and the store answers. Raises TemporaryFailure."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the doors. A handler calls one method of one of them."""

    registering: Registering
    authenticating: Authenticating
    reading: Reading
    receiving: Receiving
    sending: Sending
    sent: SentMail
    administering: Administering
    health: Health
