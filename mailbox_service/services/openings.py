"""Addresses that are opened together are written together.

The store would group single openings too; a group that is one statement from the start costs
half as much an address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mailbox_service.core.errors import MailError
from mailbox_service.services.gathering import Gathering, Waiter
from mailbox_service.storage import addresses, closed_names
from mailbox_service.storage.addresses import NewAddress
from mailbox_service.storage.database import Database, Transaction

# Addresses of one group. Each is rows of five indexes, some 10 microseconds of the event loop.
MOST = 64
# A group of few pays for each of its addresses some pages of indexes; while one of these is on its
# way to the disk, as many others are read, judged and made ready.
ENOUGH = 16


class Openings:
    """The line of addresses that are being opened. Names that were closed less than `held`
    microseconds ago are not given to visitors."""

    def __init__(self, database: Database, *, held: int = 0) -> None:
        self._database = database
        self._held = held
        self._line: Gathering[NewAddress, int] = Gathering(
            self._write, lambda new: 1, most=MOST, most_octets=MOST, patient=True, enough=ENOUGH
        )

    def add(self, new: NewAddress) -> asyncio.Future[int]:
        """Open an address; the future ends with its id once that is on disk, or with NameTaken
        when it is open already."""
        return self._line.add(new)

    def add_for(self, new: NewAddress, waiter: Waiter[int]) -> None:
        """Open an address; `waiter` is told its id once that is on disk, or NameTaken."""
        self._line.add_for(new, waiter)

    def _write(self, group: Sequence[NewAddress]) -> asyncio.Future[list[int | MailError]]:
        if self._held:
            return self._database.write_quick(open_each_free, group, held=self._held)
        return self._database.write_quick(open_each, group)


async def open_each(tx: Transaction, wanted: Sequence[NewAddress]) -> list[int | MailError]:
    """Open addresses; the id of each, or why it was not opened."""
    ids = await addresses.open_all(tx, wanted)
    return [addresses.name_taken() if one is None else one for one in ids]


async def open_each_free(
    tx: Transaction, wanted: Sequence[NewAddress], *, held: int
) -> list[int | MailError]:
    """The same, less those of visitors whose names were closed less than `held` microseconds
    ago. They hear what they hear of an open one: nobody learns what was here."""
    names = [new.address for new in wanted if not new.by_admin]
    taken = await closed_names.held(tx, names, before=min(new.now for new in wanted) - held)
    free = [new for new in wanted if new.by_admin or new.address not in taken]
    opened = iter(await open_each(tx, free) if free else [])
    return [
        next(opened) if new.by_admin or new.address not in taken else addresses.name_taken()
        for new in wanted
    ]
