"""What mailboxes answer by themselves: one row an address, and how often they did lately."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mailbox_service.core.auto_reply import AutoReply
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.dialects import each_text

COLUMNS = "subject, message, enabled, source_prefix, name"

GET = f"SELECT {COLUMNS} FROM auto_replies WHERE address = :address"

ENABLED = f"""
SELECT address, {COLUMNS} FROM auto_replies WHERE enabled = 1 AND address IN ({{addresses}})
"""

PUT = """
INSERT INTO auto_replies (address, subject, message, enabled, source_prefix, name, updated_at)
VALUES (:address, :subject, :message, :enabled, :source_prefix, :name, :now)
ON CONFLICT (address) DO UPDATE
   SET subject = excluded.subject, message = excluded.message, enabled = excluded.enabled,
       source_prefix = excluded.source_prefix, name = excluded.name,
       updated_at = excluded.updated_at
"""

REMOVE = (
    "DELETE FROM auto_replies WHERE address = :address",
    "DELETE FROM auto_reply_counts WHERE address = :address",
)

FORGET = "DELETE FROM auto_reply_counts WHERE address = :address AND began_at <= :over"

# No row comes back when the sender had enough already.
COUNT = """
INSERT INTO auto_reply_counts (address, sender, began_at, replies)
VALUES (:address, :sender, :now, 1)
ON CONFLICT (address, sender) DO UPDATE SET replies = auto_reply_counts.replies + 1
 WHERE auto_reply_counts.replies < :most
RETURNING replies
"""


def reply_of(row: Row) -> AutoReply:
    subject, message, enabled, source_prefix, name = row
    return AutoReply(subject, message, bool(enabled), source_prefix, name)


async def get(tx: Transaction, address: str) -> AutoReply | None:
    """The automatic answer of a mailbox, on or off; None when none was ever saved."""
    row = await tx.fetch_one(GET, {"address": address})
    return None if row is None else reply_of(row)


async def enabled_of(tx: Transaction, addresses: Sequence[str]) -> dict[str, AutoReply]:
    """Those of several mailboxes that are on."""
    sql = ENABLED.format(addresses=each_text(tx.dialect, "addresses"))
    rows = await tx.fetch_all(sql, {"addresses": json.dumps(list(addresses))})
    return {row[0]: reply_of(row[1:]) for row in rows}


async def put(tx: Transaction, address: str, reply: AutoReply, *, now: int) -> None:
    """Save the automatic answer of a mailbox in place of the one before."""
    await tx.execute(
        PUT,
        {
            "address": address,
            "subject": reply.subject,
            "message": reply.message,
            "enabled": int(reply.enabled),
            "source_prefix": reply.source_prefix,
            "name": reply.name,
            "now": now,
        },
    )


async def remove_of(tx: Transaction, address: str) -> None:
    """Forget the automatic answer of a mailbox."""
    for statement in REMOVE:
        await tx.execute(statement, {"address": address})


async def count_within(
    tx: Transaction, address: str, sender: str, *, most: int, now: int, window: int
) -> bool:
    """Count an answer to a sender; False, and nothing counted, when it had `most` of them in
    the window of `window` microseconds that is not over. An empty sender stands for all."""
    await tx.execute(FORGET, {"address": address, "over": now - window})
    values = {"address": address, "sender": sender, "now": now, "most": most}
    return await tx.fetch_one(COUNT, values) is not None
