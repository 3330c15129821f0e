"""Mailboxes for mail clients: what IMAP and POP3 read, mark and delete."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.envelope import Peer, Principal
from mailbox_service.core.errors import BadCredential, NotYours, QuotaReached
from mailbox_service.core.mailboxes import Box, Changes, Mark, Numbers
from mailbox_service.core.stored import ANSWERED, DELETED, DRAFT, EVERY_FLAG, FLAGGED, SEEN
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.signals import Signals, Watch
from mailbox_service.storage import (
    addresses,
    contents,
    events,
    keywords,
    mail_access,
    messages,
    submissions,
)
from mailbox_service.storage.database import Database, Transaction

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


class MailAccess:
    """Opens the mailboxes of an address for whoever proves to be its owner."""

    def __init__(
        self,
        database: Database,
        config: Config,
        authenticating: Authenticating,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._config = config
        self._authenticating = authenticating
        self._signals = signals
        self._clock = clock

    async def login(self, username: str, password: str, peer: Peer) -> OpenMailboxes:
        """Prove a login (`Authenticating.login`); its mailboxes. Raises BadCredential or
        TooManyRequests."""
        now = self._clock()
        principal = await self._authenticating.login(username, password, peer)
        row = await self._database.read_quick(addresses.by_address, principal.address)
        if row is None or row.id != principal.address_id:
            raise BadCredential("The address is closed.")
        if row.updated_at < now - addresses.DAY:
            await self._database.write(addresses.touch, row.address, now)
        return OpenMailboxes(
            self._database,
            self._signals,
            principal,
            # Greater each time that the address is opened: ids grow, and so does the time.
            uid_validity=(row.created_at // 1_000_000 + row.id) % 2**32 or 1,
            since=now,
            may_delete=self._config.enable_user_delete_email,
            clock=self._clock,
        )


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
        self._address_id = principal.address_id
        self._since = since
        self._database = database
        self._signals = signals
        self._clock = clock

    async def numbers(self, box: Box) -> Numbers:
        """How many messages there are, how many unread, and the highest id."""

        async def unit(tx: Transaction) -> Numbers:
            await self._still_open(tx)
            return await mail_access.numbers(tx, box, self.address)

        return await self._database.read(unit)

    async def changes(self, box: Box, since: Mark | None) -> Changes:
        """What happened since a mark; all messages without one. Raises QuotaReached when
        there are more than `MOST_MESSAGES`."""

        async def unit(tx: Transaction) -> Changes:
            await self._still_open(tx)
            if since is not None:
                difference = await followed(tx, box, self.address, since)
                if difference is not None:
                    return difference
            return await compared(tx, box, self.address)

        return await self._database.read(unit)

    async def contents(self, box: Box, uids: Sequence[int]) -> Mapping[int, bytes]:
        """The bytes of messages: none for damaged ones, and nothing for those that are gone."""

        async def unit(tx: Transaction) -> dict[int, bytes]:
            await self._still_open(tx)
            found = await mail_access.content_ids(tx, box, self.address, uids)
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
            changed = await mail_access.mark(
                tx, self.address, uids, with_flags=with_flags, kept=kept & EVERY_FLAG
            )
            if changed:
                detail: dict[str, object] = {"ids": changed}
                for flag, name in FLAG_NAMES.items():
                    if with_flags & flag:
                        detail[name] = True
                    elif not kept & flag:
                        detail[name] = False
                await events.add(tx, "flags", at=now, address=self.address, detail=detail)
            return bool(changed)

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
            if box is Box.SENT:
                gone = [
                    row_id
                    for row_id in uids
                    if await submissions.unlist(tx, row_id, address=self.address)
                ]
                return bool(gone)
            gone = await messages.remove(tx, self.address, uids)
            if gone:
                await events.add(tx, "deleted", at=now, address=self.address, detail={"ids": gone})
            return bool(gone)

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


async def compared(tx: Transaction, box: Box, address: str) -> Changes:
    """All messages of a mailbox."""
    rows = await mail_access.rows_after(tx, box, address, after_id=0, limit=MOST_MESSAGES + 1)
    if len(rows) > MOST_MESSAGES:
        raise QuotaReached(f"The mailbox has more than {MOST_MESSAGES} messages")
    top = rows[-1].id if rows else 0
    mark = Mark(await events.newest_id(tx, address), top, len(rows))
    return Changes(rows, [], True, mark)


async def followed(tx: Transaction, box: Box, address: str, since: Mark) -> Changes | None:
    """What the events since a mark tell; None when they do not tell all.

    Whatever removes messages without an event shows in their number.
    """
    happened = await events.after(tx, address, after_id=since.event_id, limit=FOLLOWED + 1)
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
    left = await mail_access.count_up_to(tx, box, address, since.top)
    if left != since.count - len(gone):
        return None
    rows = await mail_access.rows_by_id(tx, box, address, sorted(changed - gone))
    new = await mail_access.rows_after(tx, box, address, after_id=since.top, limit=MOST_MESSAGES)
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
