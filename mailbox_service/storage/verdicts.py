"""What was found out about where mail comes from: one row a message, written once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service.core.stored import StoredVerdicts
from mailbox_service.storage.database import Transaction

# What was deleted meanwhile stays deleted, and what another process found first stays.
ADD = """
INSERT INTO verdicts (id, spf, dkim, dmarc, arc, results)
SELECT m.id, :spf, :dkim, :dmarc, :arc, :results FROM messages m WHERE m.id = :id
ON CONFLICT (id) DO NOTHING
"""

ARRIVED = """
SELECT id, reverse_path, content_id, size, received_at, quiet, address FROM messages
 WHERE id > :id ORDER BY id LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message that waits for its verdicts; a quiet one came from nobody."""

    id: int
    reverse_path: str
    content_id: int
    size: int
    received_at: int
    quiet: int
    address: str


async def arrived(tx: Transaction, *, after: int, limit: int) -> list[Arrived]:
    """The messages that come behind a worker's cursor."""
    rows = await tx.fetch_all(ARRIVED, {"id": after, "limit": limit})
    return [Arrived(*row) for row in rows]


async def add(tx: Transaction, ids: Sequence[int], found: StoredVerdicts) -> None:
    """Write down what was found out about one content, for every message that has it."""
    for message_id in ids:
        await tx.execute(
            ADD,
            {
                "id": message_id,
                "spf": found.spf,
                "dkim": found.dkim,
                "dmarc": found.dmarc,
                "arc": found.arc,
                "results": found.results,
            },
        )
