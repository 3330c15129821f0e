"""Sending and delivering on a store, for tests: real parts, and a next hop on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailbox_service.core.compose import Draft, NamedAddress
from mailbox_service.core.envelope import Envelope, Principal, Receipt
from mailbox_service.core.stored import Excerpt
from mailbox_service.outbound.sender import Outbound
from mailbox_service.services.delivering import Delivering
from mailbox_service.services.sending import Sending
from mailbox_service.services.sent import SentMail, SentMessage
from mailbox_service.services.signing import Signing
from mailbox_service.storage import contents, events, message_lists, send_queue
from tests.databases import AnyDatabase
from tests.nexthop import NextHop
from tests.services.parts import Mailboxes

ANN = Principal("address", "ann@x.test", 1)
ADMIN = Principal("admin", "")
LETTER = b"From: Ann <ann@x.test>\r\nTo: bob@next.test\r\nSubject: Hello\r\n\r\nHow are you?\r\n"


def draft(*to: str, **changes: Any) -> Draft:
    """A short letter from Ann."""
    values: dict[str, Any] = {"subject": "Hello", "text": "How are you?", **changes}
    people = tuple(NamedAddress(address) for address in to)
    return Draft(sender=NamedAddress("ann@x.test", "Ann"), to=people, **values)


class Post(Mailboxes):
    """Mailboxes that can send: through `hop`, or holding mail for foreign domains."""

    def __init__(self, database: AnyDatabase, hop: NextHop | None = None, **settings: Any) -> None:
        if hop is not None:
            relay = {"outbound": "relay", "relay_url": f"smtp://127.0.0.1:{hop.port}"}
            settings = {**relay, **settings}
        super().__init__(database, **{"default_send_balance": 100, **settings})
        common: dict[str, Any] = {"clock": self.clock}
        self.sending = Sending(database, self.config, self.administering, self.signals, **common)
        self.sent = SentMail(database, self.signals, **common)
        self.signing = Signing(database, self.config, algorithms=("ed25519",), **common)
        self.outbound = Outbound.of(self.config)
        self.delivering = self.worker()

    def worker(self) -> Delivering:
        """Another delivery worker on the same store."""
        return Delivering(
            self.database,
            self.config,
            self.receiving,
            self.signing,
            self.outbound,
            self.signals,
            clock=self.clock,
            jitter=lambda: 0.0,
        )

    async def post(self, *to: str, **changes: Any) -> Receipt:
        """Send a short letter from Ann."""
        return await self.sending.submit_draft(ANN, draft(*to, **changes))

    async def submit(self, *to: str, content: bytes = LETTER, **options: Any) -> Receipt:
        """Send a message of Ann's own making."""
        envelope = Envelope("ann@x.test", to)
        return await self.sending.submit(ANN, envelope, content, door="smtp", **options)

    async def only(self, queue_id: str | None = None) -> SentMessage:
        """The newest message of Ann's sent box, or the one with that queue id."""
        page = await self.sent.page("ann@x.test", limit=100)
        for message in page.messages:
            if queue_id in (None, message.submission.queue_id):
                return message
        raise AssertionError("nothing was sent")

    async def states(self, queue_id: str | None = None) -> list[str]:
        """The states of the recipients of a message."""
        return [one.state for one in (await self.only(queue_id)).recipients]

    async def kinds(self, address: str = "ann@x.test") -> list[str]:
        """What happened to an address, in order."""
        found = await self.database.read(events.after, address, after_id=0, limit=1000)
        return [event.kind for event in found]

    async def inbox(self, address: str) -> list[bytes]:
        """The messages of a mailbox, oldest first."""
        rows = await self.database.read(message_lists.page, address, Excerpt(100, after_id=0))
        return [await self.database.read(contents.read, row.content_id) for row in rows]

    async def attempts(self) -> Sequence[send_queue.Attempt]:
        """Every attempt at the newest message."""
        message = await self.only()
        return await self.database.read(send_queue.attempts_of, message.submission.id)

    def wait(self, minutes: float) -> None:
        """Let time pass."""
        self.clock.now += int(minutes * 60_000_000)
