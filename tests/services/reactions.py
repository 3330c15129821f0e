"""Everything that follows from a mail, on a store, for tests: real parts and a real receiver."""

from __future__ import annotations

import email.policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from mailbox_service.core.envelope import Envelope
from mailbox_service.core.webhook import Post as LogLine
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.webhook import HttpOut
from mailbox_service.services.auto_replying import AutoReplying
from mailbox_service.services.consequences import Fate
from mailbox_service.services.notifying import Notifying
from mailbox_service.services.reacting import Reacting
from mailbox_service.services.webhooks import Webhooks
from mailbox_service.storage import contents, submissions
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.submissions import Submission
from tests.databases import AnyDatabase
from tests.nexthop import NextHop
from tests.services.parts import PEER
from tests.services.posting import Post

LETTER = (
    b"From: Ann <ann@sender.example>\r\nTo: bob@x.test\r\nSubject: Hello\r\n"
    b"Message-ID: <1@sender.example>\r\n\r\nHow are you?\r\n"
)
ENABLED: dict[str, Any] = {"enable_webhook": True, "enable_auto_reply": True}
# Mail for foreign domains is queued, and nobody takes it.
NO_HOP: dict[str, Any] = {"outbound": "relay", "relay_url": "smtp://127.0.0.1:1"}


class Reactions(Post):
    """Mailboxes with what follows from their mail. `seconds` is how long a receiver may take."""

    def __init__(
        self,
        database: AnyDatabase,
        hop: NextHop | None = None,
        *,
        private: bool = True,
        seconds: float = 5.0,
        **settings: Any,
    ) -> None:
        way_out = {} if hop is not None else NO_HOP
        super().__init__(database, hop, **{**ENABLED, **way_out, **settings})
        self.http_out = HttpOut(
            Resolver(["127.0.0.1:9"]), private_addresses=private, seconds=seconds
        )
        self.hooks = Webhooks(
            database, self.config, self.administering, self.http_out, clock=self.clock
        )
        self.auto_replying = AutoReplying(database, self.config, clock=self.clock)
        self.reacting = self.another_worker()
        self.notifying = self.another_poster()

    def another_worker(self) -> Reacting:
        """A worker that reacts, as after a restart or in another process."""
        return Reacting(
            self.database, self.config, self.administering, self.sending, self.signals,
            clock=self.clock,
        )  # fmt: skip

    def another_poster(self) -> Notifying:
        """A worker that posts."""
        return Notifying(
            self.database, self.hooks, self.http_out, self.signals, clock=self.clock,
            jitter=lambda: 0.0,
        )  # fmt: skip

    async def mail(
        self, to: str = "bob@x.test", content: bytes = LETTER, sender: str = "ann@sender.example"
    ) -> Fate:
        """Have a mail arrive, and what follows from it decided."""
        receipt = await self.receiving.accept(Envelope(sender, (to,)), content, PEER)
        return await self.reacting.react_to(receipt.message_ids[0])

    async def post_all(self) -> None:
        """Make every post that is due."""
        while await self.notifying.start_some():
            await self.notifying.settled()

    async def log(self, owner: str = "bob@x.test") -> list[LogLine]:
        return await self.hooks.log(owner, limit=100, before_id=None)

    async def queued(self) -> list[tuple[Submission, tuple[str, ...], bytes]]:
        """Everything in the queue: submission, recipients, content."""

        async def unit(tx: Transaction) -> list[tuple[Submission, tuple[str, ...], bytes]]:
            found = []
            for (number,) in await tx.fetch_all("SELECT id FROM submissions ORDER BY id"):
                submission = await submissions.by_id(tx, number)
                assert submission is not None
                rows = await tx.fetch_all(
                    "SELECT recipient FROM recipients WHERE submission_id = :id ORDER BY id",
                    {"id": number},
                )
                names = tuple(str(row[0]) for row in rows)
                content = await contents.read(tx, submission.content_id)
                found.append((submission, names, content))
            return found

        return await self.database.read(unit)

    async def count(self, table: str) -> int:
        async def unit(tx: Transaction) -> int:
            row = await tx.fetch_one(f"SELECT count(*) FROM {table}")
            assert row is not None
            return int(row[0])

        return await self.database.read(unit)


def read(content: bytes) -> EmailMessage:
    message = BytesParser(policy=email.policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    return message
