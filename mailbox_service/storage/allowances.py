"""How many messages an address may still send (mailbox API §10.3).

A row belongs to an address by its text. No row: never asked. A disabled row, or one at 0, sends
nothing until an administrator edits it.
"""

from __future__ import annotations

from mailbox_service.core.stored import Allowance
from mailbox_service.storage.database import Row, Transaction

COLUMNS = "id, address, balance, enabled, created_at"

OPEN = """
INSERT INTO allowances (address, balance, enabled, created_at)
VALUES (:address, :balance, :enabled, :now)
ON CONFLICT (address) DO NOTHING
"""

DEBIT = """
UPDATE allowances SET balance = balance - 1
 WHERE address = :address AND enabled = 1 AND balance > 0
RETURNING balance
"""

DEBIT_SEVERAL = """
UPDATE allowances SET balance = balance - :messages
 WHERE address = :address AND enabled = 1 AND balance >= :messages
"""

BY_ADDRESS = f"SELECT {COLUMNS} FROM allowances WHERE address = :address"

LIST = f"""
SELECT {COLUMNS} FROM allowances
 WHERE (CAST(:address AS TEXT) IS NULL OR address = :address)
 ORDER BY id DESC LIMIT :limit OFFSET :offset
"""

COUNT = """
SELECT count(*) FROM allowances WHERE (CAST(:address AS TEXT) IS NULL OR address = :address)
"""

CHANGE = """
UPDATE allowances SET balance = :balance, enabled = :enabled WHERE id = :id RETURNING address
"""

REMOVE = "DELETE FROM allowances WHERE id = :id"

REMOVE_OF = "DELETE FROM allowances WHERE address = :address"


def allowance_of(row: Row) -> Allowance:
    return Allowance(row[0], row[1], row[2], bool(row[3]), row[4])


async def open_allowance(
    tx: Transaction, address: str, *, balance: int, enabled: bool, now: int
) -> bool:
    """Create the row of an address; False when it has one, which is then left as it is."""
    created = await tx.execute(
        OPEN, {"address": address, "balance": balance, "enabled": int(enabled), "now": now}
    )
    return created > 0


async def debit(tx: Transaction, address: str) -> bool:
    """Take one message off an allowance; False when there is none to take it off."""
    return await tx.fetch_one(DEBIT, {"address": address}) is not None


async def debit_several(tx: Transaction, address: str, messages: int) -> bool:
    """Take several messages off an allowance, all or none; False when it has not so many."""
    return await tx.execute(DEBIT_SEVERAL, {"address": address, "messages": messages}) > 0


async def by_address(tx: Transaction, address: str) -> Allowance | None:
    """The allowance of an address."""
    row = await tx.fetch_one(BY_ADDRESS, {"address": address})
    return None if row is None else allowance_of(row)


async def list_page(
    tx: Transaction, *, limit: int, offset: int, address: str | None = None
) -> tuple[list[Allowance], int]:
    """A page of allowances, newest first, of one address or of all; and how many there are."""
    rows = await tx.fetch_all(LIST, {"address": address, "limit": limit, "offset": offset})
    total = await tx.fetch_one(COUNT, {"address": address})
    assert total is not None
    return [allowance_of(row) for row in rows], int(total[0])


async def change(tx: Transaction, allowance_id: int, *, balance: int, enabled: bool) -> str | None:
    """Set an allowance; its address, None when there is no such row."""
    row = await tx.fetch_one(
        CHANGE, {"id": allowance_id, "balance": balance, "enabled": int(enabled)}
    )
    return None if row is None else str(row[0])


async def remove(tx: Transaction, allowance_id: int) -> None:
    """Forget an allowance; the address may be given the default one again."""
    await tx.execute(REMOVE, {"id": allowance_id})


async def remove_of(tx: Transaction, address: str) -> None:
    """Forget the allowance of an address that is deleted."""
    await tx.execute(REMOVE_OF, {"address": address})
