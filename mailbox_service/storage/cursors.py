"""How far a worker has read through rows whose ids grow."""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

GET = "SELECT position FROM cursors WHERE name = :name"

PUT = """
INSERT INTO cursors (name, position) VALUES (:name, :position)
ON CONFLICT (name) DO UPDATE SET position = excluded.position
"""

MOVE = """
INSERT INTO cursors (name, position) VALUES (:name, :position)
ON CONFLICT (name) DO UPDATE SET position = excluded.position WHERE cursors.position = :before
RETURNING position
"""


async def get(tx: Transaction, name: str) -> int:
    """The last id that a worker has dealt with; 0 at first."""
    row = await tx.fetch_one(GET, {"name": name})
    return 0 if row is None else int(row[0])


async def put(tx: Transaction, name: str, position: int) -> None:
    """Note how far a worker has come."""
    await tx.execute(PUT, {"name": name, "position": position})


async def move(tx: Transaction, name: str, *, before: int, position: int) -> bool:
    """Note how far a worker has come from `before`; False when another has moved it since."""
    values = {"name": name, "before": before, "position": position}
    return await tx.fetch_one(MOVE, values) is not None
