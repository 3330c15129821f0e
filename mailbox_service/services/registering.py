"""Open an address, change what its owner may change, and close it again."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from hashlib import sha256

from msgspec import Struct

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core import opening
from mailbox_service.core.address import canonical
from mailbox_service.core.errors import (
    BadAddress,
    BadRequest,
    NameTaken,
    UnknownMailbox,
)
from mailbox_service.core.lifetime import end_of
from mailbox_service.core.opening import Role
from mailbox_service.core.stored import Address, CountedAddress
from mailbox_service.core.texts import text
from mailbox_service.services import closing, passwords
from mailbox_service.services.administering import Administering
from mailbox_service.services.authenticating import Authenticating, Opened
from mailbox_service.services.batches import (
    LONGEST_KEY,
    MOST_OPENED,
    BatchWish,
    NewAddress,
    open_batch,
    taken,
)
from mailbox_service.services.clock import Clock, now_micros, random_text
from mailbox_service.services.gathering import Waiter
from mailbox_service.services.naming import Naming
from mailbox_service.services.openings import Openings
from mailbox_service.services.passwords import Passwords
from mailbox_service.signals import Signals
from mailbox_service.storage import addresses, messages
from mailbox_service.storage.database import Database, Transaction

# Addresses that one look lists.
BATCH = 500


class Opening(Struct, frozen=True, gc=False):
    """An address that is to be written, and its password."""

    new: addresses.NewAddress
    password: str | None


class Registering:
    """Opens and closes addresses for visitors and administrators."""

    def __init__(
        self,
        database: Database,
        config: Config,
        administering: Administering,
        authenticating: Authenticating,
        kept: Passwords,
        signals: Signals,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._database = database
        self._config = config
        self._authenticating = authenticating
        self._passwords = kept
        self._signals = signals
        self._clock = clock
        self._openings = Openings(database, held=config.closed_name_days * addresses.DAY)
        self._naming = Naming(config, administering)

    async def open_for_visitor(
        self,
        *,
        name: str,
        domain: str | None,
        random_subdomain: bool,
        ip: str,
        signed_in: bool = False,
        role: Role | None = None,
        lifetime: int | None = None,
    ) -> Opened:
        """Open an address for somebody who may be anybody, or has an account and perhaps a role
        (mailbox-api §3.3, §4). An account still has to bind it. After `lifetime` seconds it is
        removed with all that belongs to it; None: it stays.

        Raises NotYours when visitors may not, BadRequest with the contract's reason, NameTaken.
        """
        self._naming.check_visitors_may_open(signed_in=signed_in)
        return await self._open_by_wish(
            name,
            domain,
            role,
            random_subdomain=random_subdomain,
            source=ip or "web:unknown",
            lifetime=lifetime,
        )

    def check_visitors_may_open(self, *, signed_in: bool = False) -> None:
        """Raises NotYours when visitors may not open addresses."""
        self._naming.check_visitors_may_open(signed_in=signed_in)

    async def open_for_bot(
        self, *, name: str, domain: str | None, random_subdomain: bool, source: str
    ) -> Opened:
        """Open an address for somebody whom a bot of ours knows: the rules of visitors without
        an account, also where the page opens none for them (mailbox-api §4).

        Raises BadRequest with the contract's reason, NameTaken.
        """
        return await self._open_by_wish(
            name, domain, None, random_subdomain=random_subdomain, source=source
        )

    async def _open_by_wish(
        self,
        name: str,
        domain: str | None,
        role: Role | None,
        *,
        random_subdomain: bool,
        source: str,
        lifetime: int | None = None,
    ) -> Opened:
        local, chosen, chosen_by_us = self._naming.by_wish(name, domain, role)
        return await self._open(
            local,
            self._naming.domains(chosen, random_subdomain=random_subdomain),
            again=chosen_by_us or random_subdomain,
            source=source,
            lifetime=lifetime,
        )

    def begin_for_visitor(self, *, name: str, domain: str | None, ip: str) -> Opening:
        """What `open_for_visitor` opens for somebody without an account who wishes for nothing
        else: to be written by `write`. Raises what that raises, but NameTaken."""
        self._naming.check_visitors_may_open()
        local, chosen, _ = self._naming.by_wish(name, domain, None)
        return self._begin(f"{local()}@{chosen}", ip or "web:unknown", None)

    def write(self, begun: Opening, waiter: Waiter[int]) -> None:
        """Open an address; `waiter` is told its id once it is on disk, for `opened`, or
        NameTaken: another name may be free."""
        self._openings.add_for(begun.new, waiter)

    def opened(self, begun: Opening, address_id: int) -> Opened:
        """An address that was written: its token."""
        self._signals.notify(topics.ADDRESSES)
        new = begun.new
        token = self._authenticating.token_for(new.name, address_id)
        return Opened(new.name, address_id, token, begun.password, new.expires_at)

    async def open_by_admin(
        self,
        *,
        name: str,
        domain: str | None,
        with_prefix: bool,
        random_subdomain: bool,
        source: str = "admin",
        lifetime: int | None = None,
    ) -> Opened:
        """Open an address for an administrator: any served domain, no block list."""
        if not name:
            raise BadRequest(text("RequiredFieldMsg"), message_key="RequiredFieldMsg")
        rules = self._naming.rules()
        opening.admin_local_part(name, rules, with_prefix=with_prefix)
        chosen = opening.choose_domain(domain, opening.admin_domains(rules), rules, secrets.choice)
        return await self._open(
            lambda: opening.admin_local_part(name, rules, with_prefix=with_prefix),
            self._naming.domains(chosen, random_subdomain=random_subdomain),
            again=random_subdomain,
            source=source,
            lifetime=lifetime,
            by_admin=True,
        )

    async def _open(
        self,
        local: Callable[[], str],
        domain: Callable[[], str],
        *,
        again: bool,
        source: str,
        lifetime: int | None = None,
        by_admin: bool = False,
    ) -> Opened:
        """Insert the address; when a part of it is ours to choose, try again if it is taken."""
        for tries_left in reversed(range(opening.SUBDOMAIN_TRIES)):
            begun = self._begin(f"{local()}@{domain()}", source, lifetime, by_admin=by_admin)
            try:
                address_id = await self._openings.add(begun.new)
            except NameTaken:
                if again and tries_left:
                    continue
                raise
            break
        return self.opened(begun, address_id)

    def _begin(
        self, name: str, source: str, lifetime: int | None, *, by_admin: bool = False
    ) -> Opening:
        try:
            address = canonical(name)
        except BadAddress as error:
            raise BadRequest(error.detail) from None
        password = passwords.generate() if self._config.enable_address_password else None
        stored = self._passwords.keep_generated(password) if password else None
        now = self._clock()
        ends = end_of(lifetime, now=now)
        new = addresses.NewAddress(address, name, stored, source, now, ends, by_admin)
        return Opening(new, password)

    async def set_lifetime(self, address_id: int, lifetime: int | None) -> int | None:
        """Have an address begin a new lifetime, or stay (None); when it ends, microseconds UTC.
        Raises UnknownMailbox."""
        ends = end_of(lifetime, now=self._clock())
        if not await self._database.write(addresses.set_end, address_id, expires_at=ends):
            raise UnknownMailbox(text("AddressNotFoundMsg"), message_key="AddressNotFoundMsg")
        self._authenticating.forget()
        return ends

    async def end_of(self, address_id: int) -> int | None:
        """When an address ends, microseconds UTC; None: never."""
        row = await self._database.read_quick(addresses.by_id, address_id)
        return None if row is None else row.expires_at

    async def revoke_tokens(self, address_id: int) -> Opened:
        """End every token of an address; a new one. Raises UnknownMailbox."""
        row = await self._database.write(addresses.revoke_tokens, address_id, now=self._clock())
        if row is None:
            raise UnknownMailbox(text("AddressNotFoundMsg"), message_key="AddressNotFoundMsg")
        self._authenticating.forget()
        self._signals.notify(topics.ADDRESSES)
        self._signals.notify(topics.mailbox(row.address))
        return Opened(row.name, row.id, self._authenticating.token_of(row), None, row.expires_at)

    async def open_many(self, wish: BatchWish, *, key: str = "") -> list[Opened]:
        """Open many addresses for an administrator in one transaction: all or none.

        With a `key`, asking again within a day answers with the same addresses and passwords.
        Raises BadRequest, NameTaken, or Conflict when the key was used for another wish.
        """
        named = wish.names is not None
        count = len(wish.names or ()) if named else wish.count
        if named == (wish.count is not None) or not count or not 1 <= count <= MOST_OPENED:
            raise BadRequest(f"either names or a count is needed, 1 to {MOST_OPENED}")
        if len(key) > LONGEST_KEY:
            raise BadRequest(f"Idempotency-Key is longer than {LONGEST_KEY} characters")
        batch = sha256(key.encode()).hexdigest() if key else ""
        now = self._clock()
        wanted = self._wanted(wish, count, batch, now)
        ends = end_of(wish.lifetime, now=now)
        rows = await self._database.write(
            open_batch, wanted, batch=batch, fingerprint=wish.fingerprint, now=now, expires_at=ends
        )
        self._signals.notify(topics.ADDRESSES)
        return [
            Opened(
                row.name,
                row.id,
                self._authenticating.token_of(row),
                self._password_of(row, batch) if batch else wanted[place].password,
                row.expires_at,
            )
            for place, row in rows
        ]

    def _wanted(self, wish: BatchWish, count: int, batch: str, now: int) -> list[NewAddress]:
        """The addresses of a wish, judged by the rules of mailbox-api §4."""
        rules = self._naming.rules()
        allowed = opening.admin_domains(rules)
        wanted: dict[str, NewAddress] = {}
        for place in range(count):
            name = wish.names[place] if wish.names else opening.generated_name(rules, random_text)
            local = opening.admin_local_part(name, rules, with_prefix=wish.with_prefix)
            chosen = opening.choose_domain(wish.domain, allowed, rules, secrets.choice)
            domain = self._naming.domains(chosen, random_subdomain=wish.random_subdomain)()
            try:
                address = canonical(f"{local}@{domain}")
            except BadAddress as error:
                raise BadRequest(error.detail) from None
            if address in wanted:
                raise taken(address)
            password = None
            if self._config.enable_address_password:
                password = (
                    self._passwords.made_for(f"{batch} {address} {now}")
                    if batch
                    else passwords.generate()
                )
            stored = self._passwords.keep_generated(password) if password else None
            wanted[address] = NewAddress(address, f"{local}@{domain}", password, stored)
        return list(wanted.values())

    def _password_of(self, row: Address, batch: str) -> str | None:
        """The password that an address of a batch was opened with."""
        if not self._config.enable_address_password:
            return None
        return self._passwords.made_for(f"{batch} {row.address} {row.created_at}")

    async def find(self, address_id: int) -> Address | None:
        """An opened address by its id."""
        return await self._database.read(addresses.by_id, address_id)

    async def find_address(self, address: str) -> Address | None:
        """An opened address by its canonical form."""
        return await self._database.read(addresses.by_address, address)

    async def names_of(self, found: Iterable[str]) -> dict[str, str]:
        """The spellings of those canonical addresses that were opened with capitals in them."""
        wanted = sorted(set(found))
        return await self._database.read_quick(addresses.names_of, wanted) if wanted else {}

    async def close(self, address_id: int, address: str) -> None:
        """Close an address and delete all that belongs to it.

        A large mailbox is emptied in batches first; what is left goes in one transaction with
        the address, so that its name never comes back with somebody else's mail behind it. When
        the name was opened anew under another id, nothing is touched: it is somebody else's.
        """
        owner = await self.find_address(address)
        if owner is not None and owner.id != address_id:
            return
        await self.clear_inbox(address)
        hold = closing.hold_of(self._config, self._clock())
        await self._database.write(closing.close_address, address_id, address, hold=hold)
        self._authenticating.forget()
        self._signals.notify(topics.ADDRESSES)
        self._signals.notify(topics.mailbox(address))

    async def clear_inbox(self, address: str) -> int:
        """Delete every mail of a mailbox; how many there were."""
        total = 0
        while removed := await self._database.write(
            messages.remove_oldest, address, limit=closing.BATCH
        ):
            total += len(removed)
            await asyncio.sleep(0)
        self._signals.notify(topics.mailbox(address))
        return total

    async def set_password(self, address_id: int, digest: str) -> None:
        """Give an address a password that its owner chose. Raises UnknownMailbox."""
        stored = await self._passwords.keep_chosen(digest)
        changed = await self._database.write(
            addresses.set_password, address_id, password_hash=stored, now=self._clock()
        )
        if not changed:
            raise UnknownMailbox(text("AddressNotFoundMsg"), message_key="AddressNotFoundMsg")

    async def list_addresses(
        self, *, limit: int, offset: int, query: str, sort_by: str, descending: bool
    ) -> tuple[list[CountedAddress], int]:
        """A page of all addresses, and how many there are."""

        async def unit(tx: Transaction) -> tuple[list[CountedAddress], int]:
            return await addresses.list_page(
                tx,
                limit=limit,
                offset=offset,
                query=query,
                sort_by=sort_by,
                descending=descending,
            )

        return await self._database.read(unit)

    async def every_address(self) -> AsyncIterator[list[CountedAddress]]:
        """All addresses in the order of their ids, some at a time. What is opened meanwhile is
        there as well, what is closed meanwhile may be."""
        last = 0
        while found := await self._database.read(addresses.behind, after=last, limit=BATCH):
            yield found
            last = found[-1].id
