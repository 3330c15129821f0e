"""Pages of a mailbox for a door that has shown most of it before.

What a door made of a message it keeps (`services.shown`) as long as the message has the state that
it had then. So a list that is asked for again costs a look at states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mailbox_service.core.stored import Excerpt, State, StoredMessage
from mailbox_service.services.reading import Reading, check_octets, sources
from mailbox_service.services.shown import Shown
from mailbox_service.storage import message_lists, messages
from mailbox_service.storage.database import SMALL_OCTETS, Database, TooLarge, Transaction


@dataclass(frozen=True, slots=True)
class Glance:
    """A page of a mailbox for a door that has shown some of it before: the messages that it did
    not know in their present states, with their bytes where it asked for them, unless they are too
    many to be held (`Reading.source`), and what it kept of the others."""

    states: list[State]
    kept: dict[State, bytes]
    fresh: dict[int, StoredMessage]
    contents: dict[int, bytes] | None
    count: int = 0
    unread: int = 0


class Glancing:
    """Looks at mailboxes whose rows were mostly shown before."""

    def __init__(self, database: Database, reading: Reading) -> None:
        self._database = database
        self._reading = reading
        self.shown = Shown()

    async def page(
        self,
        address: str,
        known: Callable[[State], bytes | None],
        wanted: Excerpt,
        *,
        counted: bool = True,
        unread_counted: bool = False,
        with_contents: bool = False,
    ) -> Glance:
        """A page of a mailbox as `Reading.page` and `page_with_contents` give it, less what the
        caller has `known` before; the owner was here. With contents, the summary of what was not
        read yet is missing."""
        filters = wanted.filters

        async def unit(tx: Transaction, most: int | None = None) -> Glance:
            states = await message_lists.states(tx, address, wanted)
            kept, missing = parted(states, known)
            fresh = {one.id: one for one in await messages.by_ids(tx, missing)}
            raw: dict[int, bytes] | None = {}
            if with_contents and fresh:
                found = list(fresh.values())
                check_octets(found, most)
                octets = await sources(tx, found)
                raw = None if octets is None else dict(zip(fresh, octets, strict=True))
            total = unread = 0
            if unread_counted:
                total, unread = await message_lists.count_with_unread(tx, address)
            if filters or not unread_counted:
                total = await message_lists.count(tx, address, filters=filters) if counted else 0
            return Glance(states, kept, fresh, raw, total, unread)

        await self._reading.prepare(address, filters)
        try:
            small = partial(unit, most=SMALL_OCTETS)
            glance = await self._reading.read_page(address, wanted, small)
        except TooLarge:
            glance = await self._database.read(unit)
        if wanted.offset == 0:
            await self._reading.touch(address)
        if not with_contents:
            for message in await self._reading.summarised(list(glance.fresh.values())):
                glance.fresh[message.id] = message
        return glance


def parted(
    states: Sequence[State], known: Callable[[State], bytes | None]
) -> tuple[dict[State, bytes], list[int]]:
    """What was kept of messages in these states, and the ids of the others."""
    kept: dict[State, bytes] = {}
    missing: list[int] = []
    for state in states:
        octets = known(state)
        if octets is None:
            missing.append(state[0])
        else:
            kept[state] = octets
    return kept, missing
