"""Addresses that an administrator opens together: all or none, and the same again for a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from mailbox_service.core.errors import Conflict, NameTaken
from mailbox_service.core.stored import Address
from mailbox_service.core.texts import text
from mailbox_service.storage import addresses, opened_batches
from mailbox_service.storage.database import Transaction

# Addresses opened in one transaction: some ten milliseconds of it.
MOST_OPENED = 500
LONGEST_KEY = 255  # characters of an Idempotency-Key


@dataclass(frozen=True, slots=True)
class BatchWish:
    """Addresses to be opened together: by their names, or so many with names of our choosing."""

    names: tuple[str, ...] | None
    count: int | None
    domain: str | None
    with_prefix: bool
    random_subdomain: bool
    lifetime: int | None

    @property
    def fingerprint(self) -> str:
        """Tells one wish from another."""
        return sha256(repr(self).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class NewAddress:
    """An address on its way into the store."""

    address: str
    name: str
    password: str | None
    password_hash: str | None


def taken(address: str) -> NameTaken:
    """The refusal of an address that is open already, with the address behind the reason."""
    key = "AddressAlreadyExistsMsg"
    return NameTaken(f"{text(key)} ({address})", message_key=key)


async def open_batch(
    tx: Transaction,
    wanted: Sequence[NewAddress],
    *,
    batch: str,
    fingerprint: str,
    now: int,
    expires_at: int | None,
) -> list[tuple[int, Address]]:
    """Open all of several addresses, or find those that were opened under the same key: each
    with its place among them. One that was closed since is left out."""
    ids = []
    if batch and not await opened_batches.take(tx, batch, fingerprint=fingerprint, now=now):
        known = await opened_batches.get(tx, batch)
        if known is None or known.fingerprint != fingerprint:
            raise Conflict("This Idempotency-Key was used for other addresses")
        ids = list(known.address_ids)
    else:
        opened = await addresses.open_all(
            tx,
            [
                addresses.NewAddress(
                    new.address, new.name, new.password_hash, "admin", now, expires_at
                )
                for new in wanted
            ],
        )
        for new, address_id in zip(wanted, opened, strict=True):
            if address_id is None:
                raise taken(new.address)
            ids.append(address_id)
        if batch:
            await opened_batches.fill(tx, batch, address_ids=ids)
    rows = [(place, await addresses.by_id(tx, one)) for place, one in enumerate(ids)]
    return [(place, row) for place, row in rows if row is not None]
