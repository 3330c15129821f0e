"""Why recipients of the sending API were left out, counted."""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

# The kind stands in the statement, so that the engines see that their index has it.
BY_REASON = """
SELECT reason, count(*) FROM sending_events
 WHERE account = :account AND kind = 'rejected' AND at >= :start AND at < :end
   AND (CAST(:username AS TEXT) IS NULL OR username = :username)
 GROUP BY reason
"""


async def by_reason(
    tx: Transaction, *, account: str, start: int, end: int, username: str | None
) -> dict[str, int]:
    """The words of rejections, and how many there were of each; times are microseconds UTC."""
    rows = await tx.fetch_all(
        BY_REASON, {"account": account, "start": start, "end": end, "username": username}
    )
    return {str(reason): int(number) for reason, number in rows}
