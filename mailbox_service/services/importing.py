"""Mail out of files into mailboxes: mbox, single messages, JSON lines.

What is put in is quiet: no webhook, no forward, no automatic reply follows from it. A mail that
its mailbox holds already, octet for octet, is not put in again, so an import that was cut off is
simply made again; a copy that stands in the files twice is kept twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from zlib import crc32

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.packing import pack
from mailbox_service.core.transfer import MovedMail, told_time
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, importing, locks
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.importing import NewMail

# One transaction: so many mails or octets. Mail that arrives meanwhile waits for it.
BATCH = 100
BATCH_OCTETS = 8 << 20
# Rows of a mailbox that are listed in one go.
LISTED = 5_000


@dataclass(slots=True)
class Imported:
    """How many mails were put in, and how many were there already."""

    added: int = 0
    known: int = 0
    addresses: set[str] = field(default_factory=set)


class Known:
    """What mailboxes hold: content ids by what can be compared without reading them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._of: dict[str, dict[tuple[int, int], list[int]]] = {}

    async def candidates(self, mail: MovedMail) -> list[int]:
        """Contents of the mailbox that may be this mail; what is proved to be is taken out of
        the list, so that each stands for one mail of the files."""
        held = self._of.get(mail.address)
        if held is None:
            held = self._of[mail.address] = await self._list(mail.address)
        return held.get((len(mail.content), crc32(mail.content)), [])

    async def _list(self, address: str) -> dict[tuple[int, int], list[int]]:
        held: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        last = 0
        while rows := await self._database.read(
            importing.mailbox_contents, address, after=last, limit=LISTED
        ):
            for message_id, size, checksum, content_id in rows:
                held[size, checksum].append(content_id)
                last = message_id
        return dict(held)


class Importing:
    """Puts mail out of files into mailboxes."""

    def __init__(
        self, database: Database, config: Config, signals: Signals, *, clock: Clock = now_micros
    ) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock
        self._packs = config.enable_mail_gzip

    async def add_all(self, mails: Iterable[MovedMail], done: Imported) -> None:
        """Put mails into the mailboxes that they name, in their order. `done` counts on while
        this goes on; the iterator is read in a thread. What it raises ends the import with all
        mails before it put in."""
        known = Known(self._database)
        source = batches(mails)
        while batch := await asyncio.to_thread(next, source, None):
            new = [mail for mail in batch if not await self._holds(known, mail)]
            done.known += len(batch) - len(new)
            if new:
                prepared = await asyncio.to_thread(self.all_prepared, new)
                await self._database.write(add_mails, prepared)
                self._tell({mail.address for mail in new})
            done.added += len(new)
            done.addresses |= {mail.address for mail in batch}

    async def _holds(self, known: Known, mail: MovedMail) -> bool:
        """Whether the mailbox has this mail, octet for octet."""
        for content_id in list(candidates := await known.candidates(mail)):
            try:
                held = await self._database.read(contents.read, content_id)
            except contents.Damaged:
                continue
            if held == mail.content:
                candidates.remove(content_id)
                return True
        return False

    def all_prepared(self, mails: Iterable[MovedMail]) -> list[NewMail]:
        """Mails as `prepared` makes them; for a thread."""
        return [self.prepared(mail) for mail in mails]

    def prepared(self, mail: MovedMail) -> NewMail:
        """A mail with the time that it is listed under, and in the form that is stored."""
        received_at = mail.received_at
        if received_at is None:
            received_at = told_time(mail.content)
        now = self._clock()
        return NewMail(
            mail,
            # A date in the future would head every list until then.
            now if received_at is None else min(received_at, now),
            pack(mail.content) if self._packs else None,
        )

    def _tell(self, addresses: Iterable[str]) -> None:
        for address in addresses:
            self._signals.notify(topics.mailbox(address))
        self._signals.notify(topics.MESSAGES)


def batches(mails: Iterable[MovedMail]) -> Iterator[list[MovedMail]]:
    """Mails in groups that fit into one transaction. What the source raises comes after the
    mails before it."""
    batch: list[MovedMail] = []
    octets = 0
    trouble: Exception | None = None
    source = iter(mails)
    while trouble is None:
        try:
            mail = next(source, None)
        except Exception as error:
            trouble, mail = error, None
        if mail is not None:
            batch.append(mail)
            octets += len(mail.content)
        if batch and (mail is None or len(batch) == BATCH or octets > BATCH_OCTETS):
            yield batch
            batch, octets = [], 0
        if mail is None and trouble is None:
            return
    raise trouble


def into(address: str, mails: Iterable[MovedMail]) -> Iterator[MovedMail]:
    """Mails as they go into one mailbox, whatever they say about theirs."""
    for mail in mails:
        yield replace(mail, address=address)


async def add_mails(tx: Transaction, mails: list[NewMail]) -> None:
    """Put a batch of mails into mailboxes."""
    await locks.order_messages(tx)
    for mail in mails:
        await importing.add_mail(tx, mail)
