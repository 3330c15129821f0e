"""How full a mailbox is, and how full all of them are."""

from __future__ import annotations

from mailbox_service.core.mailbox_limits import HOUR, MINUTE, Fill
from mailbox_service.storage.database import Transaction

# Where the octets of all mail are kept, as they were added up last: a cursor that is no id.
MAIL_OCTETS = "mail octets"

# Mail that did not arrive from anybody (an import, a notice of the administrator) is quiet: it
# takes room, and is no arrival.
FILL = """
SELECT count(*), coalesce(sum(size), 0),
       coalesce(sum(CASE WHEN received_at >= :minute AND quiet = 0 THEN 1 ELSE 0 END), 0),
       coalesce(sum(CASE WHEN received_at >= :hour AND quiet = 0 THEN 1 ELSE 0 END), 0)
  FROM messages WHERE address = :address
"""

OCTETS_BEHIND = """
SELECT coalesce(sum(size), 0), max(id), count(*)
  FROM (SELECT id, size FROM messages WHERE id > :after ORDER BY id LIMIT :limit) AS portion
"""

OLDEST = """
SELECT id, size FROM messages WHERE id > :after AND received_at < :before ORDER BY id LIMIT :limit
"""


async def fill_of(tx: Transaction, address: str, *, now: int) -> Fill:
    """How full a mailbox is; it costs what the mailbox holds."""
    values = {"address": address, "minute": now - now % MINUTE, "hour": now - now % HOUR}
    row = await tx.fetch_one(FILL, values)
    assert row is not None
    return Fill(*map(int, row))


async def octets_behind(tx: Transaction, *, after: int, limit: int) -> tuple[int, int, int]:
    """The octets of the next mails behind an id, the last of their ids, and how many they are."""
    row = await tx.fetch_one(OCTETS_BEHIND, {"after": after, "limit": limit})
    assert row is not None
    return int(row[0]), after if row[1] is None else int(row[1]), int(row[2])


async def oldest(tx: Transaction, *, after: int, before: int, limit: int) -> list[tuple[int, int]]:
    """Ids and sizes of the oldest mails of all mailboxes behind an id that arrived before a
    time."""
    rows = await tx.fetch_all(OLDEST, {"after": after, "before": before, "limit": limit})
    return [(int(row[0]), int(row[1])) for row in rows]
