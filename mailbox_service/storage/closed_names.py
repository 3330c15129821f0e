"""Names of addresses that were closed: for a while nobody can have them, so that mail for whoever
had one does not reach a stranger."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec import Struct

from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_text

# Names that have been free for long, forgotten for each that is added: so the table cannot grow
# beyond what was closed within the time.
FORGOTTEN_EACH = 2

ADD = """
INSERT INTO closed_names (address, closed_at) VALUES (:address, :now)
ON CONFLICT (address) DO UPDATE SET closed_at = excluded.closed_at
"""

FORGET = """
DELETE FROM closed_names WHERE address IN (
    SELECT address FROM closed_names WHERE closed_at <= :before ORDER BY closed_at LIMIT :limit)
"""

HELD = "SELECT address FROM closed_names WHERE closed_at > :before AND address IN ({addresses})"


class Hold(Struct, frozen=True):
    """When an address was closed, and which of those closed earlier are free again by then;
    microseconds UTC."""

    now: int
    before: int


async def add(tx: Transaction, address: str, hold: Hold) -> None:
    """Hold a name from now on."""
    await tx.execute(FORGET, {"before": hold.before, "limit": FORGOTTEN_EACH})
    await tx.execute(ADD, {"address": address, "now": hold.now})


async def held(tx: Transaction, addresses: Sequence[str], *, before: int) -> frozenset[str]:
    """Those of some addresses that were closed after a moment."""
    sql = HELD.format(addresses=each_text(tx.dialect, "addresses"))
    rows = await tx.fetch_all(sql, {"addresses": json.dumps(addresses), "before": before})
    return frozenset(str(row[0]) for row in rows)
