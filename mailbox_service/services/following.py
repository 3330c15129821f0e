"""What comes next in a mailbox: wait for a mail, or hear of all that happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from mailbox_service import signals as topics
from mailbox_service.core.errors import BadCredential
from mailbox_service.core.stored import Excerpt, Filters, StoredMessage
from mailbox_service.core.texts import text
from mailbox_service.services.reading import Reading
from mailbox_service.signals import Signals
from mailbox_service.storage import addresses, events, message_lists, messages
from mailbox_service.storage.database import Database, Transaction

# A waiter looks again after this many seconds without a signal: one may have been lost, and a
# client that is gone is noticed when there is something to write to it.
LOOK_AGAIN_SECONDS = 15.0
# What a stream sends after a reconnection. A client that was away longer loads its list anew.
CATCH_UP = 500


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader of updates has come, in messages and in events."""

    message_id: int
    event_id: int

    def __str__(self) -> str:
        return f"{self.message_id}-{self.event_id}"

    @classmethod
    def read(cls, text: str) -> Position | None:
        """From the id of an update; None when it is none."""
        parts = text.split("-")
        if len(parts) != 2 or not all(
            part.isascii() and part.isdigit() and len(part) < 19 for part in parts
        ):
            return None
        return cls(int(parts[0]), int(parts[1]))


@dataclass(frozen=True, slots=True)
class Update:
    """Something that happened to a mailbox. `message` for new mail, `event` for the rest."""

    position: Position
    message: StoredMessage | None = None
    event: events.Event | None = None


class Following:
    """Waits at mailboxes, each in the name of its owner."""

    def __init__(self, database: Database, reading: Reading, signals: Signals) -> None:
        self._database = database
        self._reading = reading
        self._signals = signals

    async def wait(
        self,
        address: str,
        *,
        after_id: int | None,
        filters: Filters,
        seconds: float,
        registration: int = 0,
    ) -> StoredMessage | None:
        """The first message behind `after_id` that the filters let through, waiting for it to
        come if need be; None after `seconds`. Without `after_id`: one that comes from now on.

        Whoever opens the address anew meanwhile is somebody else, and tokens may be revoked: with
        a `registration` (the address's id) the wait ends then, with BadCredential.
        """
        tokens = await self._tokens(registration)
        deadline = asyncio.get_running_loop().time() + seconds
        last = after_id
        with self._signals.watch(topics.mailbox(address)) as watch:
            if last is None:
                last = await self._database.read(messages.newest_id)
            while True:
                wanted = Excerpt(1, after_id=last, filters=filters)
                page = await self._reading.page(address, wanted, counted=False)
                if registration and not await self._database.read(
                    holds, address, registration, tokens
                ):
                    key = "InvalidAddressCredentialMsg"
                    raise BadCredential(text(key), message_key=key)
                if page.messages:
                    return page.messages[0]
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    return None
                await watch.wait(min(left, LOOK_AGAIN_SECONDS))

    async def position(self, address: str) -> Position:
        """Where the updates of a mailbox stand now."""

        async def unit(tx: Transaction) -> Position:
            return Position(await messages.newest_id(tx), await events.newest_id(tx, address))

        return await self._database.read(unit)

    async def updates(
        self, address: str, start: Position | None, *, registration: int = 0
    ) -> AsyncIterator[Update | None]:
        """What happens to a mailbox from a position on, for ever; None when nothing happened
        for a while, so that a stream can tell that it is alive. With a `registration` (the
        address's id) it ends when the address closes, is somebody else's, or its tokens are
        revoked."""
        tokens = await self._tokens(registration)
        with self._signals.watch(topics.mailbox(address)) as watch:
            position = start or await self.position(address)
            while True:
                quiet = True
                news = await self._since(address, position, registration, tokens)
                if news is None:
                    return
                for update in news:
                    position, quiet = update.position, False
                    yield update
                if quiet and not await watch.wait(LOOK_AGAIN_SECONDS):
                    yield None

    async def _tokens(self, registration: int) -> int:
        """From when tokens of an address count; 0 without one."""
        row = await self._database.read(addresses.by_id, registration) if registration else None
        return row.tokens_from if row else 0

    async def _since(
        self, address: str, position: Position, registration: int, tokens: int
    ) -> list[Update] | None:
        async def unit(
            tx: Transaction,
        ) -> tuple[list[StoredMessage], list[events.Event]] | None:
            if registration and not await holds(tx, address, registration, tokens):
                return None
            new = await message_lists.page(
                tx, address, Excerpt(CATCH_UP, after_id=position.message_id)
            )
            happened = await events.after(tx, address, after_id=position.event_id, limit=CATCH_UP)
            return new, happened

        both = await self._database.read(unit)
        if both is None:
            return None
        new, happened = both
        updates = []
        for message in await self._reading.summarised(new):
            position = Position(message.id, position.event_id)
            updates.append(Update(position, message=message))
        for event in happened:
            position = Position(position.message_id, event.id)
            updates.append(Update(position, event=event))
        return updates


async def holds(tx: Transaction, address: str, registration: int, tokens: int) -> bool:
    """Whether an address is still open under this id, for tokens from then on."""
    row = await addresses.by_id(tx, registration)
    return row is not None and (row.address, row.tokens_from) == (address, tokens)
