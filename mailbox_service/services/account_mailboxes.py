"""All addresses of an account in one login of a mail client.

What arrived for any of them is in one mailbox, what they sent in another, and each address has a
folder of its own besides. The id of a row is its UID in every one of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from mailbox_service import signals as topics
from mailbox_service.core.accounts import Account
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import NotYours
from mailbox_service.core.mailboxes import Box, Changes, Mark
from mailbox_service.core.stored import ALL_FLAGS, KEYWORDS
from mailbox_service.services.clock import Clock
from mailbox_service.services.open_mailboxes import (
    OpenMailboxes,
    delete_in,
    mark_in,
    validity,
)
from mailbox_service.signals import Signals, Watch
from mailbox_service.storage import mail_access, user_addresses
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.mail_access import Binding

# Addresses whose folders are listed: programs look into each every few minutes.
MOST_FOLDERS = 1_000
# Stands for a slash in the name of a folder.
DIVISION = "\N{DIVISION SLASH}"


class BoundMailboxes(OpenMailboxes):
    """The mailboxes of one address of an account. They close when the address is the account's no
    more; whether its own tokens were revoked is no matter of the account's."""

    def __init__(self, whole: AccountMailboxes, binding: Binding) -> None:
        super().__init__(
            whole._database,
            whole._signals,
            Principal("address", binding.address, binding.address_id),
            uid_validity=validity(binding.created_at, binding.address_id),
            since=0,
            may_delete=whole.may_delete,
            clock=whole._clock,
        )
        self._user_id = whole.account.id

    async def _still_open(self, tx: Transaction) -> None:
        found = await mail_access.registration(tx, self.address)
        owner = await user_addresses.owner(tx, self._address_id)
        if found is None or found[0] != self._address_id or owner != self._user_id:
            raise NotYours("The address is the account's no more")


class AccountMailboxes(OpenMailboxes):
    """The mail of all addresses of an account in two mailboxes, and those of each address in a
    folder of its name. Flags are shared; a keyword is the matter of one address, since each has
    words of its own."""

    def __init__(
        self,
        database: Database,
        signals: Signals,
        account: Account,
        standing: tuple[int, int],
        *,
        may_delete: bool,
        clock: Clock,
        bindings: Sequence[Binding] = (),
    ) -> None:
        super().__init__(
            database,
            signals,
            Principal("account", account.email),
            # Greater with each address that comes: its mail may be older than what clients know.
            uid_validity=validity(*standing),
            since=0,
            may_delete=may_delete,
            clock=clock,
        )
        self._whose = mail_access.of_account(account.id)
        self.account = account
        self._standing = standing
        self._bindings = bindings

    @property
    def takes_keywords(self) -> bool:
        return False

    async def _now(self) -> tuple[AccountMailboxes, Sequence[Binding]]:
        """The mailboxes of the account with the addresses that it has now."""

        async def unit(tx: Transaction) -> tuple[tuple[int, int] | None, list[Binding]]:
            standing = await mail_access.standing(tx, self.account.id, self.account.email)
            return standing, await mail_access.bindings(tx, self.account.id)

        standing, bindings = await self._database.read(unit)
        if standing is None:
            raise NotYours("The account is gone")
        now = AccountMailboxes(
            self._database,
            self._signals,
            self.account,
            standing,
            may_delete=self.may_delete,
            clock=self._clock,
            bindings=bindings,
        )
        return now, bindings

    async def folders(self) -> Sequence[str]:
        _, bindings = await self._now()
        names = [box.value for box in Box]
        for binding in bindings[:MOST_FOLDERS]:
            folder = folder_of(binding.address)
            names += [folder, f"{folder}/{Box.SENT.value}"]
        return names

    async def folder(self, name: str) -> tuple[str, OpenMailboxes, Box] | None:
        whole, bindings = await self._now()
        try:
            box = Box(name.upper())
        except ValueError:
            pass
        else:
            return box.value, whole, box
        wanted = name.lower()
        below = wanted.removesuffix("/" + Box.SENT.value.lower())
        for binding in bindings:
            folder = folder_of(binding.address)
            if folder == below:
                bound = BoundMailboxes(whole, binding)
                if below == wanted:
                    return folder, bound, Box.INBOX
                return f"{folder}/{Box.SENT.value}", bound, Box.SENT
        return None

    async def changes(self, box: Box, since: Mark | None) -> Changes:
        found = await super().changes(box, since)
        rows = [replace(row, flags=row.flags & ALL_FLAGS) for row in found.rows]
        return replace(found, rows=rows)

    async def mark(self, box: Box, uids: Sequence[int], *, with_flags: int, kept: int) -> None:
        if box is not Box.INBOX:
            return

        async def mark(tx: Transaction, address: str, theirs: Sequence[int], now: int) -> bool:
            return await mark_in(tx, address, theirs, with_flags & ALL_FLAGS, kept | KEYWORDS, now)

        await self._change(box, uids, mark)

    async def keywords(self) -> Mapping[int, str]:
        return {}

    async def learn_keywords(self, names: Sequence[str]) -> Mapping[int, str]:
        return {}

    async def delete(self, box: Box, uids: Sequence[int]) -> None:
        if not self.may_delete:
            raise NotYours("Deleting mail is not allowed here")

        async def delete(tx: Transaction, address: str, theirs: Sequence[int], now: int) -> bool:
            return await delete_in(tx, box, address, theirs, now)

        await self._change(box, uids, delete)

    async def _change(
        self,
        box: Box,
        uids: Sequence[int],
        change: Callable[[Transaction, str, Sequence[int], int], Awaitable[bool]],
    ) -> None:
        """Change messages address by address, each with an event of its own, in one transaction;
        `change` says whether an address had any."""
        if not uids:
            return

        async def unit(tx: Transaction, now: int) -> list[str]:
            await self._still_open(tx)
            owners = await mail_access.by_owner(tx, box, self._whose, uids)
            return [
                address
                for address, theirs in sorted(owners.items())
                if await change(tx, address, theirs, now)
            ]

        for address in await self._database.write(unit, self._clock()):
            self._signals.notify(topics.mailbox(address))

    def watch(self) -> AbstractContextManager[Watch]:
        return self._signals.watch(*(topics.mailbox(one.address) for one in self._bindings))

    async def _still_open(self, tx: Transaction) -> None:
        """An address that comes brings older mail, for which this list has no place."""
        standing = await mail_access.standing(tx, self.account.id, self.account.email)
        if standing != self._standing:
            raise NotYours("The account is gone, or has other addresses")


def folder_of(address: str) -> str:
    """The name of an address's folder: the address, but for what parts a folder from those in
    it."""
    return address.replace("/", DIVISION)
