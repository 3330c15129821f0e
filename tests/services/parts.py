"""The services of mailboxes on a store, for tests: real parts, only the clock is ours."""

from __future__ import annotations

from typing import Any

from mailbox_service.config import Config
from mailbox_service.core.envelope import Envelope, Peer
from mailbox_service.services.administering import Administering
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.following import Following
from mailbox_service.services.passwords import Passwords
from mailbox_service.services.reading import Reading
from mailbox_service.services.receiving import Receiving
from mailbox_service.services.registering import Registering
from mailbox_service.services.throttling import GuessLimits
from mailbox_service.signals import Signals
from tests.databases import AnyDatabase

SECRET = "a secret of the tests, long enough to be one"
NOON = 1_795_262_400_000_000  # 2026-11-21 12:00:00 UTC
PEER = Peer("192.0.2.7", 4711, "mx.sender.example", "ESMTP")
LETTER = b"From: Ann <ann@sender.example>\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


class Mailboxes:
    """Everything that opens, fills and reads mailboxes, on one store."""

    def __init__(self, database: AnyDatabase, **settings: Any) -> None:
        self.config = Config(
            **{
                "domains": ["x.test", "y.test"],
                "jwt_secret": SECRET,
                "enable_user_create_email": True,
                "enable_address_password": True,
                **settings,
            }
        )
        self.clock = Clock()
        self.database = database
        self.signals = Signals()
        self.administering = Administering(database, self.signals, clock=self.clock)
        passwords = Passwords(SECRET)
        self.authenticating = Authenticating(
            database, self.config, passwords, GuessLimits(), clock=self.clock
        )
        self.registering = Registering(
            database,
            self.config,
            self.administering,
            self.authenticating,
            passwords,
            self.signals,
            clock=self.clock,
        )
        self.receiving = Receiving(
            database, self.config, self.administering, self.signals, clock=self.clock
        )
        self.reading = Reading(database, self.signals, clock=self.clock)
        self.following = Following(database, self.reading, self.signals)

    async def receive(self, *recipients: str, content: bytes = LETTER) -> tuple[int, ...]:
        """Have a letter arrive; the ids it got."""
        envelope = Envelope("ann@sender.example", recipients)
        return (await self.receiving.accept(envelope, content, PEER)).message_ids
