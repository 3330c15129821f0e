"""How deliveries of several messages were tried, without the conversations."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_integer


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One attempt: when it ended, where, and what was replied."""

    at: int
    host: str
    reply: str


OF_SUBMISSIONS = """
SELECT submission_id, ended_at, remote, reply FROM attempts
 WHERE submission_id IN ({ids}) ORDER BY id LIMIT :limit
"""

# A page of events is a thousand messages, and most are delivered by the first attempts.
MOST = 10_000


async def of_submissions(
    tx: Transaction, submission_ids: Collection[int]
) -> dict[int, list[DeliveryAttempt]]:
    """The attempts of some submissions, oldest first."""
    found: dict[int, list[DeliveryAttempt]] = {}
    if not submission_ids:
        return found
    rows = await tx.fetch_all(
        OF_SUBMISSIONS.format(ids=each_integer(tx.dialect, "ids")),
        {"ids": json.dumps(list(submission_ids)), "limit": MOST},
    )
    for submission_id, at, host, reply in rows:
        found.setdefault(int(submission_id), []).append(DeliveryAttempt(at, host, reply))
    return found
