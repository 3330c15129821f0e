"""Arriving mail of a SQLite store: on disk at once, in the tables soon after.

A commit to the tables costs several times what appending to a log costs, and holds up whoever
waits for it. So mail is answered when it is in the log (`incoming_log`), and goes into the tables
in the writer's next transaction, at the latest `SETTLE_SECONDS` later. Nobody sees the
difference: each unit of work begins with what was answered before it, and after a crash the
store opens with what the log still holds.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from mailbox_service.core.errors import MailError
from mailbox_service.core.packing import unpack
from mailbox_service.storage import cursors, messages
from mailbox_service.storage.contents import LARGEST
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.grouping import Bound, Outcome, describe
from mailbox_service.storage.incoming_log import IncomingLog, Payload, Written
from mailbox_service.storage.many_rows import MOST_ROWS
from mailbox_service.storage.messages import NewMessage
from mailbox_service.storage.promise import Promise
from mailbox_service.storage.syncing import Syncing, syncing_for

T = TypeVar("T")

log = logging.getLogger("mailbox.storage")

CURSOR = "incoming"
# Mail waits so long for more to go into the tables with it, unless somebody asks earlier.
SETTLE_SECONDS = 0.25
# Or until there is so much of it: then a transaction costs no less a message.
SETTLE_COUNT = 1000
SETTLE_OCTETS = 8 << 20
# With more than this not in the tables the disk is behind, and those who send have to wait.
MOST_OCTETS = 64 << 20
# What is written and synced at once. The event loop copies it into the kernel's memory, at some
# gigabytes a second.
GROUP_OCTETS = 2 << 20
# Rows in one statement, as many as are worth it (`many_rows`); a message for more mailboxes is
# rare, and goes another way.
ROWS = MOST_ROWS
# A larger message costs more to write twice than it saves. With 100 KiB a sender waits half as
# long for the log as for the tables, which then take many at once, a tenth cheaper in all.
LARGEST_OCTETS = 256 << 10
RETRY_SECONDS = 1.0
ROOM_SECONDS = 0.01
# Groups on their way to the disk at once. Where a sync takes long, mostly waiting, the next group
# is written meanwhile and its sync begun, so that whoever sent it waits for one and not for two.
# Where syncs are quick, larger groups cost less.
MOST_GROUPS = 3
SLOW_SYNC_SECONDS = 0.002
# A group costs as much as several of its mails. So while more than one peer sends, a small one
# waits as long as turns of the loop bring one more: a mail is four lines, so not every turn does.
# One of `ENOUGH` waits for nobody: others speak meanwhile. No wait is longer than a millisecond.
ENOUGH = 10
QUIET_TURNS = 5
MOST_TURNS = 30


class Record(msgspec.Struct, array_like=True, frozen=True):
    """A message as the log holds it."""

    addresses: tuple[str, ...]
    reverse_path: str
    now: int
    packed: bool
    octets: bytes


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """A message that is on disk."""

    number: int
    message: NewMessage
    checksum: int | None = None
    """Of its content, where the log has taken it: it is worked out once."""


class Pending(msgspec.Struct, frozen=True):
    """A message that waits for its place in the log."""

    message: NewMessage
    payload: Payload
    promise: Promise[Any]
    answer: object


@dataclass(slots=True)
class Group:
    """Messages that were written to the log together and are being synced."""

    members: Sequence[Pending]
    written: Written
    begun: float
    ended: bool = False
    error: OSError | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode
# MessagePack's spelling of no octets, and of up to 2**32 of them.
_NO_OCTETS = b"\xc4\x00"
_OCTETS_FOLLOW = 0xC6
_OCTETS = struct.Struct(">BI").pack


def payload_of(message: NewMessage) -> Payload:
    """A message for the log. Raises OverflowError for a time that no engine has room for."""
    packed = message.packed is not None
    octets = message.content if message.packed is None else message.packed
    head = _encode(Record(message.addresses, message.reverse_path, message.now, packed, b""))
    # The octets come last, and are not copied: what stands before them is their length.
    return head[: -len(_NO_OCTETS)] + _OCTETS(_OCTETS_FOLLOW, len(octets)), octets


def message_of(payload: bytes) -> NewMessage:
    """A message from the log."""
    record = _decode(payload)
    content = unpack(record.octets, most=LARGEST) if record.packed else record.octets
    packed = record.octets if record.packed else None
    return NewMessage(record.addresses, record.reverse_path, content, record.now, packed)


class Incoming:
    """The line of arriving mail. `write` puts a unit of work into the writer's line, `translate`
    words trouble of the disk for callers."""

    def __init__(
        self,
        store: Path,
        write: Callable[[Bound], asyncio.Future[Any]],
        translate: Callable[[BaseException], BaseException],
    ) -> None:
        self._log = IncomingLog(store)
        self._write = write
        self._translate = translate
        self._pending: list[Pending] = []
        self._appending = False
        """A group is about to be written."""
        self._before = 0
        """How many were written together the last time."""
        self._groups: deque[Group] = deque()
        self._failed: Group | None = None
        """The first group that could not be synced, until those behind it have ended too."""
        self._unsettled: deque[Arrived] = deque()
        self._octets = 0
        self._batch: list[Arrived] = []
        self._batch_limit = SETTLE_COUNT
        self._settled = 0
        self._timer: asyncio.TimerHandle | None = None
        self._settling = False
        self._in_trouble = False
        self._refusal: BaseException | None = None
        """Why the tables did not take the last batch; None once they have taken one."""
        self._idle = asyncio.Event()
        self._syncing: Syncing | None = None
        # Asking which loop runs is a call of the system, and each turn of a group would.
        self._loop: asyncio.AbstractEventLoop
        self._closing = False
        self.told: Callable[[Sequence[NewMessage]], object] | None = None
        """Hears of each group that is on disk."""

    def open(self, settled: int) -> bool:
        """Take the log, with what it holds above number `settled`; False when it is another
        process's. Blocks: call it in a thread. Raises OSError."""
        found = self._log.open(settled)
        for number, payload in found or ():
            self._unsettled.append(Arrived(number, message_of(payload)))
        self._settled = settled
        return found is not None

    async def start(self, settled: int) -> None:
        """Put what the log held into the tables, and take new mail, with numbers above `settled`
        as well. Raises TemporaryFailure."""
        self._loop = asyncio.get_running_loop()
        self._log.number_above(settled)
        if self._unsettled:
            log.warning("incoming-mail-found mails=%d", len(self._unsettled))
        while self._unsettled:
            await self._write(nothing)
            if self._refusal is not None:
                raise self._refusal
        await asyncio.to_thread(self._log.begin)
        self._idle.set()
        self._syncing = await syncing_for(self._log.file)

    async def close(self) -> None:
        """Take nothing more, put all mail into the tables, give the files back."""
        self._closing = True
        # Before `start` was through, what stands in the log was perhaps not even read.
        emptied = False
        if self._syncing is not None:
            await self._idle.wait()
            await self.caught_up()
            self._syncing.close()
            self._syncing = None
            emptied = not self._unsettled
        if self._timer is not None:
            self._timer.cancel()
        try:
            self._log.close(emptied=emptied)
        except OSError as error:  # the next start finds in the tables all that is left there
            log.warning("storage-log-kept error=%s", describe(error))

    # --- into the log -----------------------------------------------------------------------

    def add(self, message: NewMessage, answer: T) -> Promise[T] | None:
        """Put one message on disk; the promise is kept with `answer` when it is there. None for
        what does not go through the log: large messages, and all of them while it is not ours."""
        if self._syncing is None or self._closing:
            return None
        if len(message.content) > LARGEST_OCTETS or len(message.addresses) > ROWS:
            return None
        promise: Promise[T] = Promise()
        try:
            self._pending.append(Pending(message, payload_of(message), promise, answer))
        except (OverflowError, ValueError) as error:  # ValueError: half a surrogate pair
            promise.fail(error)
            return promise
        if not self._appending:
            self._append_soon()
        return promise

    def _append_soon(self) -> None:
        self._idle.clear()
        if self._may_begin(MOST_GROUPS):
            self._gather()

    def _gather(self) -> None:
        """Write the next group when it had time to become one."""
        self._appending = True
        self._loop.call_soon(self._wait_for_more, len(self._pending), 0, 1)

    def _wait_for_more(self, before: int, quiet: int, turns: int) -> None:
        """Write the next group once nobody has joined it for some turns of the loop."""
        now = len(self._pending)
        quiet = 0 if now > before else quiet + 1
        alone = now == 1 and self._before <= 1
        if alone or now >= ENOUGH or quiet >= QUIET_TURNS or turns >= MOST_TURNS:
            self._append_next()
        else:
            self._loop.call_soon(self._wait_for_more, now, quiet, turns + 1)

    def _may_begin(self, most: int) -> bool:
        """Whether another group may be written now, of so many at once."""
        if not self._groups:
            return True
        waited = self._loop.time() - self._groups[-1].begun
        return len(self._groups) < most and waited > SLOW_SYNC_SECONDS

    def _append_next(self) -> None:
        """Write the next group and have it synced, if anything has come and there is room."""
        self._appending = False
        if not self._pending:
            if not self._groups:
                self._idle.set()
            return
        turns = self._log.wants_turn(self._settled)
        most = 1 if turns or self._failed is not None else MOST_GROUPS
        if not self._may_begin(most):
            return  # whichever ends next comes here again
        if self._octets > MOST_OCTETS:
            self._settle_soon(0.0)
            if self._in_trouble:  # nobody knows for how long
                members, self._pending = self._pending, []
                self._refused(members, OSError("the tables take no mail now"))
            self._appending = True
            self._loop.call_later(ROOM_SECONDS, self._append_next)
            return
        if turns:
            self._log.turn()
        self._append(self._next_members())

    def _next_members(self) -> list[Pending]:
        octets = count = 0
        for pending in self._pending:
            octets += len(pending.payload[1])
            if count and octets > GROUP_OCTETS:
                break
            count += 1
        members = self._pending[:count]
        del self._pending[:count]
        self._before = count
        return members

    def _append(self, members: Sequence[Pending]) -> None:
        assert self._syncing is not None
        try:
            written = self._log.write([one.payload for one in members])
        except OSError as error:
            self._refused(members, error)
            self._loop.call_soon(self._append_next)
            return
        group = Group(members, written, self._loop.time())
        self._groups.append(group)
        self._syncing.start(written.file, partial(self._synced, group))

    def _synced(self, group: Group, error: OSError | None) -> None:
        """Answer those whose mail is on disk, in the order in which it was written: behind a
        record that is not whole, nothing is found."""
        group.ended, group.error = True, error
        while self._groups and self._groups[0].ended:
            first = self._groups.popleft()
            if self._failed is None and first.error is not None:
                self._failed = first
            if self._failed is None:
                self._kept(first)
            else:
                self._refused(first.members, self._failed.error or error)
        if self._failed is not None and not self._groups:
            self._log.take_back(self._failed.written)
            self._failed = None
        if not self._appending:
            if 0 < len(self._pending) < ENOUGH:
                self._gather()
            else:
                self._append_next()

    def _kept(self, group: Group) -> None:
        """It is on disk."""
        written = group.written
        arrived = [pending.message for pending in group.members]
        for number, (message, checksum) in enumerate(
            zip(arrived, written.checksums, strict=True), written.first
        ):
            known = checksum if message.packed is None else None
            self._unsettled.append(Arrived(number, message, known))
            self._octets += len(message.content)
        many = len(self._unsettled) >= SETTLE_COUNT or self._octets >= SETTLE_OCTETS
        self._settle_soon(0.0 if many else SETTLE_SECONDS)
        if self.told is not None:
            self._loop.call_soon(self.told, arrived)
        for pending in group.members:
            pending.promise.keep(pending.answer)

    def _refused(self, members: Sequence[Pending], error: OSError | None) -> None:
        """The disk did not take it: those who sent it shall come again."""
        trouble = error or OSError("the log of arriving mail could not be synced")
        log.error("storage-log-failed mails=%d error=%s", len(members), describe(trouble))
        refusal = self._translate(trouble)
        for pending in members:
            pending.promise.fail(refusal)

    # --- into the tables --------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether mail was answered that is not in the tables yet."""
        return bool(self._unsettled)

    async def caught_up(self) -> None:
        """Return when all mail that was answered before is in the tables, or cannot be now."""
        last = self._unsettled[-1].number if self._unsettled else 0
        while self._unsettled and self._unsettled[0].number <= last:
            try:
                await self._write(nothing)
            except MailError:
                return  # it stays in the log; what can be read now is what the tables hold
            if self._refusal is not None:
                return  # that was refused alone, and so will it be at once again

    def _settle_soon(self, seconds: float) -> None:
        """Have the writer make a group after a while, or at once, unless one is on its way."""
        if self._settling:
            return
        if self._timer is not None:
            if seconds or self._in_trouble:
                return
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._settle)

    def _settle(self) -> None:
        self._timer = None
        self._settling = True
        self._write(nothing).add_done_callback(self._settle_rest)

    def _settle_rest(self, written: asyncio.Future[Any]) -> None:
        self._settling = False
        failed = written.cancelled() or written.exception() is not None
        self._in_trouble = failed = failed or self._refusal is not None
        if self._unsettled and not self._closing:
            many = len(self._unsettled) >= SETTLE_COUNT and not failed
            self._settle_soon(0.0 if many else RETRY_SECONDS if failed else SETTLE_SECONDS)

    def take(self) -> Bound | None:
        """The unit of work that puts the oldest mail into the tables; None when all is there.
        The writer begins a group with it, and tells `done` what became of it."""
        self._batch = []
        octets = 0
        for arrived in self._unsettled:
            octets += len(arrived.message.content)
            if self._batch and (len(self._batch) >= self._batch_limit or octets > SETTLE_OCTETS):
                break
            self._batch.append(arrived)
        return partial(settle, batch=self._batch) if self._batch else None

    def done(self, outcome: Outcome) -> None:
        """Hear what became of the unit that was taken last."""
        self._refusal = None
        error = outcome.error
        if error is None:
            self._batch_limit = SETTLE_COUNT
            self._forget()
        elif self._translate(error) is not error:
            self._stays(error)  # trouble of the disk
        elif len(self._batch) > 1:
            self._batch_limit = 1  # find the one that the tables do not take
        else:
            log.critical("incoming-mail-refused error=%s", describe(error))
            try:
                self._log.put_aside(payload_of(self._batch[0].message))
            except OSError as trouble:
                self._stays(trouble)
            else:
                self._forget()

    def _stays(self, trouble: BaseException) -> None:
        """The batch stays in the log until the trouble is over."""
        log.error("incoming-mail-waits mails=%d error=%s", len(self._batch), describe(trouble))
        self._refusal = self._translate(trouble)

    def _forget(self) -> None:
        """Drop the batch from memory; its place in the log may be used again."""
        for _ in self._batch:
            self._octets -= len(self._unsettled.popleft().message.content)
        self._settled = self._batch[-1].number
        self._batch = []


async def nothing(tx: Transaction) -> None:
    """A unit that has the group committed that it is in."""


async def settle(tx: Transaction, *, batch: Sequence[Arrived]) -> None:
    """Put mail from the log into the tables, each message once, and note how far they hold it."""
    before = await cursors.get(tx, CURSOR)
    rows: list[NewMessage] = []
    checksums: list[int | None] = []
    count = 0
    for arrived in batch:
        if arrived.number <= before:
            continue
        if rows and count + len(arrived.message.addresses) > ROWS:
            await messages.put_all(tx, rows, checksums)
            rows, checksums, count = [], [], 0
        rows.append(arrived.message)
        checksums.append(arrived.checksum)
        count += len(arrived.message.addresses)
    if rows:
        await messages.put_all(tx, rows, checksums)
        await cursors.put(tx, CURSOR, batch[-1].number)
