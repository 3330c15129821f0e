"""What one process of all does once a day, and the record of what cleanups did."""

from __future__ import annotations

from mailbox_service.core.cleanup import Run
from mailbox_service.storage.database import Transaction

# The first process to ask has it; a lease that ended was held by one that died.
CLAIM = """
UPDATE chores SET holder = :holder, lease_until = :lease_until
 WHERE name = :name AND day < :today AND (lease_until <= :now OR holder = :holder)
RETURNING day
"""

# A service that never did it waits for the next midnight.
BEGIN = """
INSERT INTO chores (name, day, holder, lease_until) VALUES (:name, :today, '', 0)
ON CONFLICT (name) DO NOTHING
"""

DONE = "SELECT day FROM chores WHERE name = :name"

RENEW = "UPDATE chores SET lease_until = :lease_until WHERE name = :name AND holder = :holder"

FINISH = """
UPDATE chores SET day = :today, holder = '', lease_until = 0
 WHERE name = :name AND holder = :holder
"""

RECORD = """
INSERT INTO cleanup_runs (kind, asked_by, began_at, ended_at, removed, problem)
VALUES (:kind, :asked_by, :began_at, :ended_at, :removed, :problem)
"""

RUNS = """
SELECT id, kind, asked_by, began_at, ended_at, removed, problem FROM cleanup_runs
 WHERE id < :before_id ORDER BY id DESC LIMIT :limit
"""

TRIM_RUNS = """
DELETE FROM cleanup_runs WHERE id <= (
    SELECT id FROM cleanup_runs ORDER BY id DESC LIMIT 1 OFFSET :kept)
"""

NEWEST = 2**62


async def claim(
    tx: Transaction, name: str, *, holder: str, today: int, now: int, lease_until: int
) -> bool:
    """Lease a chore that was not done today; False when it was, or somebody is at it."""
    values = {"name": name, "holder": holder, "today": today, "now": now}
    return await tx.fetch_one(CLAIM, {**values, "lease_until": lease_until}) is not None


async def last_done(tx: Transaction, name: str, *, today: int) -> int:
    """The day on which a chore was done last; one that never was begins to count today."""
    await tx.execute(BEGIN, {"name": name, "today": today})
    row = await tx.fetch_one(DONE, {"name": name})
    assert row is not None
    return int(row[0])


async def renew(tx: Transaction, name: str, *, holder: str, lease_until: int) -> bool:
    """Keep a lease; False when somebody else has it by now."""
    values = {"name": name, "holder": holder, "lease_until": lease_until}
    return await tx.execute(RENEW, values) > 0


async def finish(tx: Transaction, name: str, *, holder: str, today: int) -> None:
    """Note that a chore was done today."""
    await tx.execute(FINISH, {"name": name, "holder": holder, "today": today})


async def record(
    tx: Transaction,
    *,
    kind: str,
    asked_by: str,
    began_at: int,
    ended_at: int,
    removed: int,
    problem: str,
    kept: int,
) -> None:
    """Write down what a run did, and keep the newest `kept` lines."""
    values = {"kind": kind, "asked_by": asked_by, "began_at": began_at, "ended_at": ended_at}
    await tx.execute(RECORD, {**values, "removed": removed, "problem": problem})
    await tx.execute(TRIM_RUNS, {"kept": kept})


async def runs(tx: Transaction, *, limit: int, before_id: int | None = None) -> list[Run]:
    """What cleanups did, newest first."""
    before = NEWEST if before_id is None else before_id
    return [Run(*row) for row in await tx.fetch_all(RUNS, {"before_id": before, "limit": limit})]
