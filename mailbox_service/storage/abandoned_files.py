"""Mailboxes that closed and whose saved attachments are still to be removed."""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

ADD = """
INSERT INTO abandoned_files (address, address_id) VALUES (:address, :address_id)
ON CONFLICT (address) DO UPDATE SET address_id = excluded.address_id
"""

OWNER = "SELECT address_id FROM abandoned_files WHERE address = :address"

SOME = "SELECT address FROM abandoned_files ORDER BY address_id LIMIT :limit"

DONE = "DELETE FROM abandoned_files WHERE address = :address AND address_id = :address_id"

FORGET_ALL = "DELETE FROM abandoned_files"


async def add(tx: Transaction, address: str, *, address_id: int) -> None:
    """Note that what an address saved is nobody's; `address_id` is who had it last."""
    await tx.execute(ADD, {"address": address, "address_id": address_id})


async def owner(tx: Transaction, address: str) -> int | None:
    """Who had an address last whose files are still to be removed; None when there are none."""
    row = await tx.fetch_one(OWNER, {"address": address})
    return None if row is None else int(row[0])


async def some(tx: Transaction, *, limit: int) -> list[str]:
    """Addresses whose files are to be removed, those that closed first before others."""
    return [row[0] for row in await tx.fetch_all(SOME, {"limit": limit})]


async def done(tx: Transaction, address: str, *, address_id: int) -> None:
    """Note that they are removed, unless the address was abandoned by another one since."""
    await tx.execute(DONE, {"address": address, "address_id": address_id})


async def forget_all(tx: Transaction) -> None:
    """Forget them all: files have no place here, so there are none."""
    await tx.execute(FORGET_ALL)
