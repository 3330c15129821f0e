"""The mailboxes of one address as a mail client reads, marks and empties them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from mailbox_service import signals as topics
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import NotYours, QuotaReached
from mailbox_service.core.mailboxes import Box, Changes, Mark, Numbers
from mailbox_service.core.stored import ANSWERED, DELETED, DRAFT, EVERY_FLAG, FLAGGED, SEEN
from mailbox_service.services.clock import Clock
from mailbox_service.signals import Signals, Watch
from mailbox_service.storage import contents, events, keywords, mail_access, messages, submissions
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.mail_access import Whose

log = logging.getLogger("mailbox.mail_access")

# Events that are followed one by one. A client that was away for longer compares all rows.
FOLLOWED = 500
# Messages of one mailbox that a client may open: a list of them takes 100 MB. Nobody reads
# such a mailbox with a mail program; the API pages through it.
MOST_MESSAGES = 500_000
FLAG_NAMES = {
    SEEN: "seen",
    FLAGGED: "flagged",
    ANSWERED: "answered",
    DELETED: "deleted",
    DRAFT: "draft",
}


class OpenMailboxes:
    """The mailboxes of one login. They close with the address, and when its tokens are revoked:
    whoever opens the address next is somebody else."""

    def __init__(
        self,
        database: Database,
        signals: Signals,
        principal: Principal,
        *,
        uid_validity: int,
        since: int,
        may_delete: bool,
        clock: Clock,
    ) -> None:
        self.address = principal.address
        self.key = principal.key
        self.uid_validity = uid_validity
        self.may_delete = may_delete
        self._whose = mail_access.of_address(principal.address)
        self._address_id = principal.address_id
        self._since = since
        self._database = database
        self._signals = signals
        self._clock = clock

    @property
    def takes_keywords(self) -> bool:
        """Whether arrived messages can be marked with words of the owner's."""
        return True

    async def folders(self) -> Sequence[str]:
        """The names of all mailboxes."""
        return [box.value for box in Box]

    async def folder(self, name: str) -> tuple[str, OpenMailboxes, Box] | None:
        """A mailbox by its name, in any case: its name, and where it is; None: there is none."""
        try:
            box = Box(name.upper())
        except ValueError:
            return None
        return box.value, self, box

    async def numbers(self, box: Box) -> Numbers:
        """How many messages there are, how many unread, and the highest id."""

        async def unit(tx: Transaction) -> Numbers:
            await self._still_open(tx)
            return await mail_access.numbers(tx, box, self._whose)

        return await self._database.read(unit)

    async def changes(self, box: Box, since: Mark | None) -> Changes:
        """What happened since a mark; all messages without one. Raises QuotaReached when
        there are more than `MOST_MESSAGES`."""

        async def unit(tx: Transaction) -> Changes:
            await self._still_open(tx)
            if since is not None:
                difference = await followed(tx, box, self._whose, since)
                if difference is not None:
                    return difference
            return await compared(tx, box, self._whose)

        return await self._database.read(unit)

    async def contents(self, box: Box, uids: Sequence[int]) -> Mapping[int, bytes]:
        """The bytes of messages: none for damaged ones, and nothing for those that are gone."""

        async def unit(tx: Transaction) -> dict[int, bytes]:
            await self._still_open(tx)
            found = await mail_access.content_ids(tx, box, self._whose, uids)
            return {
                row_id: await readable(tx, row_id, content_id, box) for row_id, content_id in found
            }

        return await self._database.read(unit)

    async def mark(self, box: Box, uids: Sequence[int], *, with_flags: int, kept: int) -> None:
        """Set flags of arrived messages, and clear those not `kept`. Sent ones have none."""
        if box is not Box.INBOX or not uids:
            return
        with_flags &= EVERY_FLAG

        async def unit(tx: Transaction, now: int) -> bool:
            await self._still_open(tx)
            return await mark_in(tx, self.address, uids, with_flags, kept, now)

        if await self._database.write(unit, self._clock()):
            self._signals.notify(topics.mailbox(self.address))

    async def keywords(self) -> Mapping[int, str]:
        """The keywords of arrived messages, by their flags."""
        return await self._database.read_quick(keywords.of, self.address)

    async def learn_keywords(self, names: Sequence[str]) -> Mapping[int, str]:
        """All keywords, with these added as far as there is room."""

        async def unit(tx: Transaction) -> dict[int, str]:
            await self._still_open(tx)
            return await keywords.learn(tx, self.address, names)

        return await self._database.write(unit)

    async def delete(self, box: Box, uids: Sequence[int]) -> None:
        """Delete messages for good; sent ones leave the sent box."""
        if not self.may_delete:
            raise NotYours("Deleting mail is not allowed here")

        async def unit(tx: Transaction, now: int) -> bool:
            await self._still_open(tx)
            return await delete_in(tx, box, self.address, uids, now)

        if not uids:
            return
        if await self._database.write(unit, self._clock()):
            self._signals.notify(topics.mailbox(self.address))

    def watch(self) -> AbstractContextManager[Watch]:
        """Hear of what happens to the mailboxes."""
        return self._signals.watch(topics.mailbox(self.address))

    async def _still_open(self, tx: Transaction) -> None:
        found = await mail_access.registration(tx, self.address)
        if found is None or found[0] != self._address_id or found[1] > self._since:
            raise NotYours("The address was closed, or its tokens were revoked")


async def mark_in(
    tx: Transaction, address: str, uids: Sequence[int], with_flags: int, kept: int, now: int
) -> bool:
    """Set flags of arrived messages of an address, and tell it; whether any changed."""
    changed = await mail_access.mark(
        tx, address, uids, with_flags=with_flags, kept=kept & EVERY_FLAG
    )
    if changed:
        detail: dict[str, object] = {"ids": changed}
        for flag, name in FLAG_NAMES.items():
            if with_flags & flag:
                detail[name] = True
            elif not kept & flag:
                detail[name] = False
        await events.add(tx, "flags", at=now, address=address, detail=detail)
    return bool(changed)


async def delete_in(tx: Transaction, box: Box, address: str, uids: Sequence[int], now: int) -> bool:
    """Delete messages of an address, and tell it; whether any went."""
    if box is Box.SENT:
        unlisted = [uid for uid in uids if await submissions.unlist(tx, uid, address=address)]
        return bool(unlisted)
    gone = await messages.remove(tx, address, uids)
    if gone:
        await events.add(tx, "deleted", at=now, address=address, detail={"ids": gone})
    return bool(gone)


def validity(opened_at: int, number: int) -> int:
    """A UIDVALIDITY that is greater for whatever takes the same name later: numbers grow, and so
    does the time."""
    return (opened_at // 1_000_000 + number) % 2**32 or 1


async def compared(tx: Transaction, box: Box, whose: Whose) -> Changes:
    """All messages of a mailbox."""
    rows = await mail_access.rows_after(tx, box, whose, after_id=0, limit=MOST_MESSAGES + 1)
    if len(rows) > MOST_MESSAGES:
        raise QuotaReached(f"The mailbox has more than {MOST_MESSAGES} messages")
    top = rows[-1].id if rows else 0
    mark = Mark(await mail_access.newest_event(tx, whose), top, len(rows))
    return Changes(rows, [], True, mark)


async def followed(tx: Transaction, box: Box, whose: Whose, since: Mark) -> Changes | None:
    """What the events since a mark tell; None when they do not tell all.

    Whatever removes messages without an event shows in their number.
    """
    happened = await mail_access.happened(tx, whose, after_id=since.event_id, limit=FOLLOWED + 1)
    if len(happened) > FOLLOWED:
        return None
    changed: set[int] = set()
    gone: set[int] = set()
    if box is Box.INBOX:
        for event in happened:
            if event.kind == "flags":
                changed |= known(event, since.top)
            elif event.kind == "deleted":
                gone |= known(event, since.top)
    left = await mail_access.count_up_to(tx, box, whose, since.top)
    if left != since.count - len(gone):
        return None
    rows = await mail_access.rows_by_id(tx, box, whose, sorted(changed - gone))
    new = await mail_access.rows_after(tx, box, whose, after_id=since.top, limit=MOST_MESSAGES)
    mark = Mark(
        happened[-1].id if happened else since.event_id,
        new[-1].id if new else since.top,
        left + len(new),
    )
    return Changes([*rows, *new], sorted(gone), False, mark)


def known(event: events.Event, top: int) -> set[int]:
    """The messages of an event that were there at a mark."""
    ids = event.detail.get("ids")
    return (
        {one for one in ids if isinstance(one, int) and one <= top}
        if isinstance(ids, list)
        else set()
    )


async def readable(tx: Transaction, row_id: int, content_id: int, box: Box) -> bytes:
    """The bytes of a message; none when they are damaged, and the administrator is told."""
    try:
        return await contents.read(tx, content_id)
    except contents.Damaged as damage:
        log.error("content-damaged mailbox=%s id=%d reason=%s", box.value, row_id, damage)
        return b""
