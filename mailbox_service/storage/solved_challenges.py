"""Challenges that somebody has solved: each counts once."""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

USE = """
INSERT INTO solved_challenges (name, expires_at) VALUES (:name, :expires_at)
ON CONFLICT (name) DO NOTHING RETURNING name
"""

FORGET = "DELETE FROM solved_challenges WHERE expires_at < :now"


async def use_once(tx: Transaction, name: str, *, now: int, expires_at: int) -> bool:
    """Use a solution up; False when it was used before. `name` is a digest, times are
    microseconds UTC. What has expired, and so is refused anyway, is forgotten."""
    await tx.execute(FORGET, {"now": now})
    return await tx.fetch_one(USE, {"name": name, "expires_at": expires_at}) is not None
