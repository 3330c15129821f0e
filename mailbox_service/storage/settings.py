"""What an administrator has set while the service runs: one row a name, its value JSON."""

from __future__ import annotations

import json
from typing import Any

from mailbox_service.storage.database import Transaction

GET = "SELECT value FROM settings WHERE name = :name"

# What front ends keep here for themselves is theirs to ask for by name.
GET_ALL = "SELECT name, value FROM settings WHERE name NOT LIKE 'admin-config:%'"

COUNT_KEPT = "SELECT count(*) FROM settings WHERE name LIKE 'admin-config:%' AND name <> :name"

PUT = """
INSERT INTO settings (name, value, version, updated_at) VALUES (:name, :value, 1, :now)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, version = settings.version + 1,
                                 updated_at = excluded.updated_at
"""

REMOVE = "DELETE FROM settings WHERE name = :name"


async def get(tx: Transaction, name: str) -> Any:
    """The value of a setting; None when it was never set."""
    row = await tx.fetch_one(GET, {"name": name})
    return None if row is None else json.loads(row[0])


async def get_all(tx: Transaction) -> dict[str, Any]:
    """Every setting of ours."""
    return {name: json.loads(value) for name, value in await tx.fetch_all(GET_ALL)}


async def put(tx: Transaction, name: str, value: Any, *, now: int) -> None:
    """Set a setting."""
    text = json.dumps(value, ensure_ascii=False)
    await tx.execute(PUT, {"name": name, "value": text, "now": now})


async def remove(tx: Transaction, name: str) -> None:
    """Forget a setting."""
    await tx.execute(REMOVE, {"name": name})


async def count_kept(tx: Transaction, *, besides: str) -> int:
    """How many values front ends keep here, without the one named."""
    row = await tx.fetch_one(COUNT_KEPT, {"name": besides})
    return 0 if row is None else int(row[0])
