"""Read what arrived: subject, sender, codes and links, after the mail was accepted.

Accepting mail never waits for this. A list that shows a message before this worker came to it
reads it on the spot, with the same function.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.errors import MailError
from mailbox_service.core.extraction import contract_metadata, extract
from mailbox_service.core.parsing import parse, summarise
from mailbox_service.core.stored import StoredSummary
from mailbox_service.services.clock import Clock, as_datetime, now_micros
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, cursors, messages, summaries
from mailbox_service.storage.database import Database, Transaction

log = logging.getLogger("mailbox.summarising")

CURSOR = "summaries"
# Messages read in one go. Small, because mail that arrives meanwhile shares the interpreter.
BATCH = 32
# Octets read in one go: a batch of the largest mails must not fill the memory.
BATCH_OCTETS = 64 << 20
# While there is a backlog, rest for this many times as long as a batch took, and longer while
# mail keeps arriving: accepting and answering come first, and nobody waits for a summary, since
# lists make their own. Some share of the time it must have, or a service that is never quiet
# would never read anything.
REST = 3.0
REST_IN_FLOOD = 15.0
LOOK_AGAIN_SECONDS = 5.0
# Mail that is arriving comes first, for reading one holds the interpreter for longer than
# accepting several: begin when none came for this long, or after so many times as long.
QUIET_SECONDS = 0.05
MOST_PAUSES = 40


# A message's id, its summary, the words that searches look through, the contract's metadata.
Read = tuple[int, tuple[StoredSummary, str], str | None]


def summary_of(content: bytes) -> StoredSummary:
    """What lists show of a message."""
    return summary_and_words(content)[0]


def summary_and_words(content: bytes) -> tuple[StoredSummary, str]:
    """What lists show of a message, and what searches look through."""
    summary = summarise(content)
    parsed = parse(content)
    found = extract(parsed.subject, parsed.text, parsed.html)
    shown = StoredSummary(
        message_id=summary.message_id,
        from_name=summary.from_name,
        from_address=summary.from_address,
        to=summary.to,
        subject=summary.subject,
        preview=summary.preview,
        attachment_count=summary.attachment_count,
        codes=found.codes,
        links=tuple(asdict(link) for link in found.links),
        code_marks=tuple(
            {"confidence": code.confidence, "rule": code.rule} for code in found.found_codes
        ),
    )
    return shown, summary.search_text


class Summarising:
    """The worker that reads arrived mail, from its own cursor."""

    def __init__(
        self,
        database: Database,
        config: Config,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        looks_through: Callable[[str], bool] = lambda address: True,
    ) -> None:
        self._database = database
        self._looks_through = looks_through
        self._signals = signals
        self._clock = clock
        self._with_metadata = config.enable_ai_email_extract
        self._asks_a_model = bool(config.extraction_url)

    async def run(self) -> None:
        """Read until cancelled."""
        with self._signals.watch(topics.MESSAGES) as watch:
            while True:
                started = time.monotonic()
                try:
                    count = await self.read_some()
                except MailError as error:
                    log.warning("summaries-wait reason=%s", error.detail)
                    count = 0
                if count:
                    rest = REST_IN_FLOOD if await watch.wait(0.0) else REST
                    await asyncio.sleep((time.monotonic() - started) * rest)
                    continue
                await watch.wait(LOOK_AGAIN_SECONDS)
                await watch.settle(QUIET_SECONDS, MOST_PAUSES)

    async def read_some(self) -> int:
        """Read the next messages; how many."""
        waiting = await self._database.read(next_messages)
        if not waiting:
            return 0
        owners = await self._owners([message_id for message_id, _ in waiting])
        read = await asyncio.to_thread(
            lambda: [
                self._read_one(message_id, content, owners.get(message_id, ""))
                for message_id, content in waiting
            ]
        )
        await self._database.write(keep_summaries, read, waiting[-1][0])
        if self._asks_a_model:
            self._signals.notify(topics.SUMMARIES)
        return len(waiting)

    async def _owners(self, ids: Sequence[int]) -> dict[int, str]:
        """Whose messages these are, where that decides what is read out of them."""
        return await self._database.read(messages.owners, ids) if self._with_metadata else {}

    def _read_one(self, message_id: int, content: bytes, owner: str) -> Read:
        wanted = self._with_metadata and self._looks_through(owner)
        metadata = self._metadata(content) if wanted else None
        return message_id, summary_and_words(content), metadata

    def _metadata(self, content: bytes) -> str | None:
        """The extraction record of mailbox-api §9.9, found by rule; None without a code."""
        parsed = parse(content)
        moment = as_datetime(self._clock()).isoformat(timespec="milliseconds")
        return contract_metadata(parsed.text, parsed.html, moment.replace("+00:00", "Z"))


async def summarise_mailbox(database: Database, address: str) -> None:
    """Read what the worker has not come to in one mailbox, so that a search finds it now."""
    waiting = await database.read(next_of_mailbox, address)
    if not waiting:
        return
    read = await asyncio.to_thread(
        lambda: [(message_id, summary_and_words(content), None) for message_id, content in waiting]
    )
    await database.write(keep_summaries, read, None)


async def next_messages(tx: Transaction) -> list[tuple[int, bytes]]:
    """The messages that come behind the cursor, with their bytes."""
    cursor = await cursors.get(tx, CURSOR)
    return await with_contents(tx, await summaries.behind(tx, after=cursor, limit=BATCH))


async def next_of_mailbox(tx: Transaction, address: str) -> list[tuple[int, bytes]]:
    """The newest messages of a mailbox that have no summary, with their bytes."""
    cursor = await cursors.get(tx, CURSOR)
    found = await summaries.missing_of(tx, address, after=cursor, limit=BATCH)
    return await with_contents(tx, found)


async def with_contents(
    tx: Transaction, found: Sequence[tuple[int, int]]
) -> list[tuple[int, bytes]]:
    """Messages with their bytes, until there are enough octets."""
    both: list[tuple[int, bytes]] = []
    octets = 0
    for message_id, content_id in found:
        try:
            content = await contents.read(tx, content_id)
        except contents.Damaged as damage:
            log.error("content-damaged message=%d reason=%s", message_id, damage)
            content = b""
        both.append((message_id, content))
        octets += len(content)
        if octets > BATCH_OCTETS:
            break
    return both


async def keep_summaries(tx: Transaction, read: Sequence[Read], cursor: int | None) -> None:
    """Write summaries down, and how far the worker came."""
    for message_id, (summary, words), metadata in read:
        await summaries.add(tx, message_id, summary, search_text=words)
        if metadata is not None:
            await summaries.set_metadata(tx, message_id, metadata)
    if cursor is not None:
        await cursors.put(tx, CURSOR, cursor)
