"""What follows from a mail that arrived: forwards, webhooks, services called by keyword, an
automatic reply (mailbox-api §9, steps 8 to 13).

The worker reads messages behind its own cursor, has it decided what follows (`consequences`), and
writes the jobs down in one transaction with the cursor: messages in the queue like any other,
posts of webhooks in theirs. So nothing is lost and nothing doubled when the process is killed, and
nothing here ever holds up or refuses a mail. Nothing that is decided here touches the network.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.auto_reply import MOST_A_MAILBOX, MOST_A_SENDER, WINDOW_MICROS
from mailbox_service.core.errors import MailError
from mailbox_service.services.administering import Administering
from mailbox_service.services.clock import Clock, new_id, now_micros
from mailbox_service.services.consequences import Consequences, Fate, Reply, Wishes
from mailbox_service.services.queueing import put_into_queue
from mailbox_service.services.sending import Sending
from mailbox_service.signals import Signals
from mailbox_service.storage import (
    auto_replies,
    contents,
    cursors,
    locks,
    messages,
    owner_forwards,
    summaries,
    telegram,
    telegram_pushes,
    webhooks,
)
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.messages import Arrival

log = logging.getLogger("mailbox.reacting")

CURSOR = "reactions"
# Messages looked at in one go, and octets of those from which something follows.
BATCH = 100
BATCH_OCTETS = 16 << 20
LOOK_AGAIN_SECONDS = 5.0
# After a wake-up, for more mail to come in: one look at many costs what one at one does. While
# mail keeps arriving, rest for this many times as long as the look took: accepting comes first.
GATHER_SECONDS = 0.02
MOST_PAUSES = 25
REST = 5.0
TROUBLE_SECONDS = 2.0
# While nothing follows from any mail the cursor is written down this often, and not for each.
CURSOR_MICROS = 1_000_000
# Posts of one owner that may wait. A receiver that is away for a day at one mail in nine seconds.
MOST_WAITING = 10_000
# News for one Telegram chat that may wait while Telegram, or the way to it, is away.
MOST_PUSHES_WAITING = 1_000
# Lines of the log that each owner keeps; the rest goes as new ones come.
KEPT_POSTS = 200
# Fates that are remembered for the test hook.
REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages behind the cursor, and those among them that need a closer look, with their
    bytes. `seen` is where the cursor stood in the store, `last` where the batch ends."""

    seen: int
    last: int
    count: int
    wishes: Wishes
    messages: tuple[tuple[Arrival, bytes], ...]


class Reacting:
    """The worker that decides what follows from arrived mail."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        sending: Sending,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        new_queue_id: Callable[[], str] = new_id,
    ) -> None:
        self._database = database
        self._config = config
        self._signals = signals
        self._clock = clock
        self._consequences = Consequences(
            config, administering, sending, clock=clock, new_id=new_queue_id
        )
        self._one_at_a_time = asyncio.Lock()
        # How far this process has looked, and where the store says that all have.
        self._place = 0
        self._written_at = 0
        self._fates: OrderedDict[int, Fate] = OrderedDict()

    async def run(self) -> None:
        """React until cancelled."""
        with self._signals.watch(topics.MESSAGES) as watch:
            while True:
                started = time.monotonic()
                try:
                    count = await self.react_to_some()
                except MailError as error:
                    log.warning("reactions-wait reason=%s", error.detail)
                    await asyncio.sleep(TROUBLE_SECONDS)
                    continue
                if count:
                    if await watch.wait(0.0):
                        await asyncio.sleep((time.monotonic() - started) * REST)
                    continue
                await watch.wait(LOOK_AGAIN_SECONDS)
                await watch.settle(GATHER_SECONDS, MOST_PAUSES)

    async def react_to(self, message_id: int, extract: Mapping[str, str] | None = None) -> Fate:
        """React to everything up to a message now; what followed from it. `extract` is what a
        model found in it, in place of our own finder."""
        if extract is not None:
            self._consequences.given = {message_id: extract}
            record = self._consequences.extraction_record(extract)
            await self._database.write(summaries.set_metadata, message_id, record)
        while self._place < message_id and await self.react_to_some(at_once=True):
            pass
        return self._fates.get(message_id) or Fate(message_id, "")

    async def react_to_some(self, *, at_once: bool = False) -> int:
        """React to the next messages; how many were looked at. `at_once`: somebody waits."""
        async with self._one_at_a_time:
            unit = partial(
                next_messages,
                place=self._place,
                everything=self._consequences.concerns_everything(),
                with_hooks=self._config.enable_webhook,
                with_replies=self._config.enable_auto_reply,
                with_telegram=bool(self._config.telegram_bot_token),
                with_forwards=self._config.enable_owner_forwarding,
            )
            if at_once:
                waiting = await self._database.read_small(CURSOR, unit)
            else:
                waiting = await self._database.read(unit)
            if not waiting.count:
                return 0
            fates: list[Fate] = []
            if waiting.messages:
                fates = await asyncio.to_thread(
                    self._consequences.fates, waiting.wishes, waiting.messages
                )
            now = self._clock()
            if fates or waiting.count == BATCH or now - self._written_at >= CURSOR_MICROS:
                replied = await asyncio.shield(
                    self._database.write(
                        keep_fates, fates, seen=waiting.seen, last=waiting.last, now=now
                    )
                )
                if replied is None:  # another process was here: go on from where it came to
                    self._place = 0
                    return waiting.count
                self._written_at = now
                for fate in fates:
                    fate.replied = fate.message_id in replied
                self._tell(fates)
            self._place = waiting.last
            return waiting.count

    def _tell(self, fates: Sequence[Fate]) -> None:
        """Wake the workers that go on from here."""
        for fate in fates:
            self._fates[fate.message_id] = fate
            log.info(
                "reactions message=%d forwards=%d webhooks=%d replied=%s",
                fate.message_id,
                len(fate.forwarded_to),
                len(fate.posts),
                fate.replied,
            )
        while len(self._fates) > REMEMBERED:
            self._fates.popitem(last=False)
        if any(fate.forwards or fate.replied for fate in fates):
            self._signals.notify(topics.QUEUE)
        if any(fate.posts for fate in fates):
            self._signals.notify(topics.WEBHOOKS)
        if any(fate.pushes for fate in fates):
            self._signals.notify(topics.TELEGRAM)


async def next_messages(
    tx: Transaction,
    *,
    place: int,
    everything: bool,
    with_hooks: bool,
    with_replies: bool,
    with_telegram: bool = False,
    with_forwards: bool = False,
) -> Waiting:
    """What comes behind the cursor, with the bytes of what needs a closer look."""
    seen = await cursors.get(tx, CURSOR)
    found = await messages.arrivals(tx, after=max(place, seen), limit=BATCH)
    if not found:
        return Waiting(seen, max(place, seen), 0, Wishes(), ())
    names = sorted({one.address for one in found})
    wishes = Wishes(
        await webhooks.enabled_of(tx, names) if with_hooks else {},
        await auto_replies.enabled_of(tx, names) if with_replies else {},
        await telegram.told_of(tx, names) if with_telegram else {},
        await owner_forwards.targets_of(tx, names) if with_forwards else {},
    )
    taken: list[tuple[Arrival, bytes]] = []
    octets = count = 0
    last = max(place, seen)
    for one in found:
        concerned = everything or wishes.concern(one.address)
        if concerned and not one.quiet:
            if taken and octets + one.size > BATCH_OCTETS:
                break
            try:
                taken.append((one, await contents.read(tx, one.content_id)))
            except contents.Damaged as damage:
                log.error("content-damaged message=%d reason=%s", one.id, damage)
            octets += one.size
        last = one.id
        count += 1
    return Waiting(seen, last, count, wishes, tuple(taken))


async def keep_fates(
    tx: Transaction, fates: Sequence[Fate], *, seen: int, last: int, now: int
) -> frozenset[int] | None:
    """Write down everything that follows, and how far the worker came. The messages that get an
    automatic reply; None, and nothing written, when another process came first."""
    await locks.order_events(tx)
    if not await cursors.move(tx, CURSOR, before=seen, position=last):
        return None
    replied = set()
    for fate in fates:
        for order in fate.forwards:
            await put_into_queue(tx, order)
        await keep_posts(tx, fate, now=now)
        for push in fate.pushes:
            if not await telegram_pushes.add(tx, push, now=now, most_waiting=MOST_PUSHES_WAITING):
                log.warning("telegram-dropped message=%d", fate.message_id)
        if fate.reply is not None and await answer_within(tx, fate.address, fate.reply, now):
            await put_into_queue(tx, fate.reply.order)
            replied.add(fate.message_id)
    return frozenset(replied)


async def keep_posts(tx: Transaction, fate: Fate, *, now: int) -> None:
    """Write down the posts that follow from a message, as far as their owners have room."""
    for post in fate.posts:
        if not await webhooks.add(tx, post, now=now, most_waiting=MOST_WAITING):
            log.warning("webhook-dropped owner=%s message=%d", post.owner, fate.message_id)
        await webhooks.trim(tx, post.owner, kept=KEPT_POSTS, limit=KEPT_POSTS)


async def answer_within(tx: Transaction, address: str, reply: Reply, now: int) -> bool:
    """Count an automatic reply; False when its sender, or its mailbox, had enough of them."""
    for sender, most in ((reply.sender, MOST_A_SENDER), ("", MOST_A_MAILBOX)):
        if not await auto_replies.count_within(
            tx, address, sender, most=most, now=now, window=WINDOW_MICROS
        ):
            log.info("auto-reply-withheld address=%s", address)
            return False
    return True
