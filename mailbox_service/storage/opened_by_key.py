"""Addresses that were opened with a key of the sending API."""

from __future__ import annotations

from mailbox_service.core.stored import Address
from mailbox_service.storage import addresses
from mailbox_service.storage.database import Transaction

# The first condition is that of the index; the engines use it only when they see it.
_OF_KEY = "substr(source_meta, 1, 4) = 'key:' AND source_meta = :source"

LIST = f"""
SELECT {addresses.COLUMNS} FROM addresses
 WHERE {_OF_KEY} ORDER BY id DESC LIMIT :limit
"""

COUNT = f"SELECT count(*) FROM addresses WHERE {_OF_KEY}"


async def newest(tx: Transaction, *, source: str, limit: int) -> list[Address]:
    """The addresses of one source, `key:` and the key's public name, newest first."""
    rows = await tx.fetch_all(LIST, {"source": source, "limit": limit})
    return [addresses.address_of(row) for row in rows]


async def count(tx: Transaction, *, source: str) -> int:
    """How many addresses of a source are open."""
    row = await tx.fetch_one(COUNT, {"source": source})
    return 0 if row is None else int(row[0])
