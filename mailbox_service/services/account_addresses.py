"""The addresses of accounts: bound, let go, handed over, and read as one inbox.

Each change is one transaction that counts and decides inside, so that a process that dies leaves
either all of it or nothing, and two that come at once never find room for one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mailbox_service import signals as topics
from mailbox_service.core.accounts import Account, UserSettings, address_limit, refusal
from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress
from mailbox_service.core.mailboxes import Box
from mailbox_service.core.stored import Address, CountedAddress, Excerpt, Filters
from mailbox_service.services.administering import Administering
from mailbox_service.services.authenticating import (
    Authenticating,
    address_id_of,
    find_claimed,
    still_counts,
)
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.reading import Page, Reading, mark_in, sources
from mailbox_service.services.summarising import summarise_mailbox
from mailbox_service.signals import Signals
from mailbox_service.storage import (
    addresses,
    locks,
    mail_access,
    messages,
    owner_forwards,
    telegram,
    user_addresses,
    users,
    webhooks,
)
from mailbox_service.storage.database import Database, Transaction

# Addresses whose newest mail is read before a search, should the worker not have come to it; a
# search of more finds such mail a moment later.
READ_NOW = 100
# Webhook posts deleted at once when an address is handed over.
BATCH = 500


class AccountAddresses:
    """Binds addresses to accounts and reads their mail."""

    def __init__(
        self,
        database: Database,
        administering: Administering,
        authenticating: Authenticating,
        reading: Reading,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._administering = administering
        self._authenticating = authenticating
        self._reading = reading
        self._signals = signals
        self._clock = clock

    def _limit(self, role: str | None) -> float:
        rules = self._administering.rules
        return address_limit(rules.accounts, rules.role_limits, role)

    async def check_room(self, account: Account) -> None:
        """Raises BadRequest when an account holds as many addresses as it may, whatever its
        role (mailbox-api §3.3, new_address, step 3)."""
        limit = self._limit(None)
        if limit > 0 and await self._database.read(user_addresses.count, account.id) >= limit:
            raise refusal("MaxAddressCountReachedMsg")

    # Binding.

    async def bind_by_token(
        self, user_id: int, claims: Mapping[str, Any], *, role: str | None
    ) -> None:
        """Give an account the address that a token names. Raises BadRequest."""
        address_id = address_id_of(dict(claims))
        if not address_id:
            raise refusal("NoAddressOrUserTokenMsg")
        found = await self._database.read_quick(find_claimed, claims.get("address"), address_id)
        if found is None or not still_counts(found, dict(claims)):
            raise refusal("AddressNotFoundMsg")
        await self._database.write(bind, user_id, found.id, self._limit(role), self._clock())

    async def bind_by_admin(
        self, *, user_id: int | None, email: str, address_id: int | None, address: str
    ) -> None:
        """Give an account an address, each named by its id or by its text. Raises BadRequest."""
        if not (user_id or email) or not (address_id or address):
            raise refusal("NoAddressOrUserTokenMsg")
        if not address_id:
            found = await self._database.read_quick(
                addresses.by_address, canonical_or_as_is(address)
            )
            if found is None:
                raise refusal("AddressNotFoundMsg")
            address_id = found.id
        if not user_id:
            account = await self._database.read_quick(users.by_email, email)
            if account is None:
                raise refusal("UserNotFoundMsg")
            user_id = account.id
        await self._database.write(bind, user_id, address_id, self._limit(None), self._clock())

    async def unbind(self, user_id: int, address_id: int) -> None:
        """Take an address from an account; fine when it was not its own. Raises BadRequest."""
        await self._database.write(unbind, user_id, address_id)

    async def transfer(self, user_id: int, address_id: int, email: str) -> None:
        """Hand an address over to another account, under a new id: every token of the old one
        ends, and so do its password and its webhook. Its mail stays. Raises BadRequest."""
        rules = self._administering.rules
        address = await self._database.write(
            transfer,
            user_id,
            address_id,
            email,
            rules.accounts,
            rules.role_limits,
            self._clock(),
        )
        self._authenticating.forget()
        self._signals.notify(topics.ADDRESSES)
        self._signals.notify(topics.mailbox(address))

    # Looking.

    async def page(
        self, user_id: int, *, limit: int, offset: int, query: str = ""
    ) -> tuple[list[CountedAddress], int]:
        """A page of those of an account's addresses that contain `query`, and how many there
        are."""
        return await self._database.read(
            user_addresses.list_page, user_id, limit=limit, offset=offset, query=query
        )

    async def credential(self, user_id: int, address_id: int) -> str:
        """A token for an address of an account. Raises BadRequest when it is not its own."""

        async def unit(tx: Transaction) -> Address | None:
            return await user_addresses.owned(tx, user_id=user_id, address_id=address_id)

        found = await self._database.read_quick(unit)
        if found is None:
            raise refusal("AddressNotBindedMsg")
        return self._authenticating.token_of(found)

    # Their mail.

    async def mails(
        self, user_id: int, *, address: str, limit: int, offset: int
    ) -> tuple[Page, list[bytes] | None]:
        """A page of the mail of all addresses of an account, or of one of them, with its bytes as
        `Reading.page_with_contents` gives them; on the first page also how many there are."""
        wanted = canonical_or_as_is(address)

        async def unit(tx: Transaction) -> tuple[Page, list[bytes] | None]:
            listed = await user_addresses.mail_page(
                tx, user_id, Excerpt(limit, offset), address=wanted
            )
            total = 0
            if offset == 0:
                total = await user_addresses.count_mail(tx, user_id, address=wanted)
            return Page(listed, total), await sources(tx, listed)

        return await self._database.read(unit)

    async def inbox(self, user_id: int, wanted: Excerpt, *, address: str) -> Page:
        """A page of the same mail as rows. Totals are those of all pages."""
        filters, only = wanted.filters, canonical_or_as_is(address)

        async def unit(tx: Transaction) -> Page:
            listed = await user_addresses.mail_page(tx, user_id, wanted, address=only)
            total = await user_addresses.count_mail(tx, user_id, address=only, filters=filters)
            unread = await user_addresses.count_mail(
                tx, user_id, address=only, filters=Filters(unread=True)
            )
            return Page(listed, total, unread)

        if filters:
            theirs = await self._database.read(user_addresses.addresses_of, user_id, address=only)
            for one in theirs[:READ_NOW]:
                await summarise_mailbox(self._database, one)
        page = await self._database.read(unit)
        return replace(page, messages=await self._reading.summarised(page.messages))

    async def mark(
        self,
        user_id: int,
        ids: Sequence[int],
        *,
        seen: bool | None,
        flagged: bool | None,
        answered: bool | None,
    ) -> int:
        """Set or clear marks of mails of an account's addresses; None leaves a mark as it is, and
        anybody else's mail stays as it is. How many changed."""

        async def unit(tx: Transaction, now: int) -> dict[str, int]:
            whose = mail_access.of_account(user_id)
            owners = await mail_access.by_owner(tx, Box.INBOX, whose, ids)
            # In one order, so that two who mark the same mail wait for each other in turn.
            return {
                address: await mark_in(
                    tx, address, theirs, seen=seen, flagged=flagged, answered=answered, now=now
                )
                for address, theirs in sorted(owners.items())
            }

        changed = await self._database.write(unit, self._clock()) if ids else {}
        for address, number in changed.items():
            if number:
                self._signals.notify(topics.mailbox(address))
        return sum(changed.values())

    async def delete_mail(self, user_id: int, message_id: int) -> None:
        """Delete a mail of an address of an account; anybody else's is kept in silence."""
        address = await self.mailbox_of(user_id, message_id)
        if address is not None:
            await self._reading.delete(address, [message_id])

    async def holds(self, user_id: int, address: str) -> bool:
        """Whether an address is one of an account's."""
        wanted = canonical_or_as_is(address)
        if not wanted:
            return False
        return bool(await self._database.read(user_addresses.addresses_of, user_id, address=wanted))

    async def mailbox_of(self, user_id: int, message_id: int) -> str | None:
        """The address of an account that a mail lies in; None for anybody else's mail."""

        async def unit(tx: Transaction) -> str | None:
            found = await messages.by_id(tx, message_id)
            if found is None:
                return None
            owned = await user_addresses.addresses_of(tx, user_id, address=found.address)
            return found.address if owned else None

        return await self._database.read(unit)


def canonical_or_as_is(address: str) -> str:
    """An address as it is stored; what is none is kept as it is, and then found nowhere."""
    try:
        return canonical(address) if address else ""
    except BadAddress:
        return address.replace("\0", "") or "@"


async def bind(tx: Transaction, user_id: int, address_id: int, limit: float, now: int) -> None:
    """Give an address to an account that has room for it."""
    await locks.order_accounts(tx)
    if await addresses.by_id(tx, address_id) is None:
        raise refusal("AddressNotFoundMsg")
    if await users.by_id(tx, user_id) is None:
        raise refusal("UserNotFoundMsg")
    owner = await user_addresses.owner(tx, address_id)
    if owner == user_id:
        return
    await check_room(tx, user_id, limit)
    if not await user_addresses.bind(tx, user_id=user_id, address_id=address_id, now=now):
        raise refusal("AddressAlreadyBindedMsg")


async def check_room(tx: Transaction, user_id: int, limit: float) -> None:
    if limit > 0 and await user_addresses.count(tx, user_id) >= limit:
        raise refusal("MaxAddressCountReachedMsg")


async def unbind(tx: Transaction, user_id: int, address_id: int) -> None:
    """Take an address from an account."""
    if await addresses.by_id(tx, address_id) is None:
        raise refusal("AddressNotFoundMsg")
    if await users.by_id(tx, user_id) is None:
        raise refusal("UserNotFoundMsg")
    await user_addresses.release(tx, address_id, user_id=user_id)


async def transfer(
    tx: Transaction,
    user_id: int,
    address_id: int,
    email: str,
    settings: UserSettings,
    role_limits: Mapping[str, Any],
    now: int,
) -> str:
    """Open an address anew for another account, in the order of checks of mailbox-api §3.5; its
    canonical form.

    A webhook, a chat or a forwarding of its former owner would go on telling that owner about all
    its mail, so they end. What is a matter of the name stays: mail, sent mail, allowance,
    automatic reply, and the time at which the address was to end.
    """
    await locks.order_accounts(tx)
    old = await addresses.by_id(tx, address_id)
    if old is None:
        raise refusal("AddressNotFoundMsg")
    if await users.by_id(tx, user_id) is None:
        raise refusal("UserNotFoundMsg")
    target = await users.by_email(tx, email)
    if target is None:
        raise refusal("TargetUserNotFoundMsg")
    await check_room(tx, target.id, address_limit(settings, role_limits, target.role))
    if await user_addresses.owner(tx, address_id) != user_id:
        raise refusal("AddressNotBindedMsg")
    await user_addresses.release(tx, address_id)
    await addresses.remove(tx, address_id)
    new_id = await addresses.open_again(tx, old, now=now)
    await user_addresses.bind(tx, user_id=target.id, address_id=new_id, now=now)
    await webhooks.remove_of(tx, old.address, limit=BATCH)
    await owner_forwards.remove_of(tx, old.address)
    await telegram.unbind_address(tx, old.address)
    return old.address
