"""The log of all webhooks: every owner's posts, their attempts, and posts that are made again."""

from __future__ import annotations

import json

from mailbox_service.core.webhook_log import Delivery, DeliveryFilter, PostAttempt
from mailbox_service.storage.addresses import contains
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.dialects import each_text

NEWEST = 2**62
# Counted no further: nobody pages through more, and counting costs what it counts.
MOST_COUNTED = 10_000
MOST_ATTEMPTS = 100

_COLUMNS = """id, webhook_id, owner, event, recipient, url, method, headers, state, attempts,
       status, reason, created_at, next_attempt_at, size, content_id"""

PAGE = f"""
SELECT {_COLUMNS} FROM webhook_posts WHERE id < :before_id{{conditions}}
 ORDER BY id DESC LIMIT :limit
"""

COUNT = """
SELECT count(*) FROM (SELECT 1 FROM webhook_posts WHERE id > 0{conditions} LIMIT :most) AS found
"""

ONE = f"SELECT {_COLUMNS} FROM webhook_posts WHERE id = :id{{conditions}}"

ATTEMPTS = """
SELECT at, duration, status, reason, answer FROM webhook_attempts
 WHERE post_id = :id ORDER BY id DESC LIMIT :limit
"""

# What waits comes due; what is over begins anew, with all the tries that a new one has.
REPLAY = """
UPDATE webhook_posts
   SET state = 'waiting', next_attempt_at = CAST(:now AS BIGINT), updated_at = CAST(:now AS BIGINT),
       restarted_at = CASE WHEN state = 'waiting' THEN restarted_at ELSE CAST(:now AS BIGINT) END,
       attempts_before = CASE WHEN state = 'waiting' THEN attempts_before ELSE attempts END
 WHERE id = :id AND state <> 'posting' AND content_id IS NOT NULL
"""

CANCEL = """
UPDATE webhook_posts SET state = 'failed', next_attempt_at = NULL, reason = :reason,
       updated_at = :now
 WHERE id = :id AND state = 'waiting'
"""

_STATES = {
    "waiting": " AND state IN ('waiting', 'posting')",
    "delivered": " AND state = 'delivered'",
    "failed": " AND state = 'failed'",
}
_KINDS = {
    "sending": " AND owner LIKE 'sending:%'",
    "mailbox": " AND owner NOT LIKE 'sending:%'",
}


def conditions(tx: Transaction, wanted: DeliveryFilter) -> tuple[str, dict[str, object]]:
    """What a filter asks for, and its values."""
    found = _STATES.get(wanted.state, "") + _KINDS.get(wanted.kind, "")
    values: dict[str, object] = {}
    if wanted.url:
        found += " AND lower(url) LIKE :url ESCAPE '\\'"
        values["url"] = contains(wanted.url)
    if wanted.owners is not None:
        found += f" AND owner IN ({each_text(tx.dialect, 'owners')})"
        values["owners"] = json.dumps(list(wanted.owners))
    return found, values


def delivery_of(row: Row) -> Delivery:
    # fmt: off
    (delivery_id, webhook_id, owner, event, recipient, url, method, headers, state, attempts,
     status, reason, created_at, next_attempt_at, size, content_id) = row
    # fmt: on
    return Delivery(
        delivery_id,
        webhook_id,
        owner,
        event,
        recipient,
        url,
        method,
        tuple((str(name), str(value)) for name, value in json.loads(headers)),
        state,
        attempts,
        status,
        reason,
        created_at,
        next_attempt_at,
        size,
        content_id is not None,
    )


async def page(
    tx: Transaction, wanted: DeliveryFilter, *, limit: int, before_id: int | None = None
) -> tuple[list[Delivery], int]:
    """A page of deliveries, newest first, before an id, and how many fit, counted up to
    `MOST_COUNTED`."""
    words, values = conditions(tx, wanted)
    before = NEWEST if before_id is None else before_id
    asked = {**values, "before_id": before, "limit": limit}
    rows = await tx.fetch_all(PAGE.format(conditions=words), asked)
    counted = await tx.fetch_one(COUNT.format(conditions=words), {**values, "most": MOST_COUNTED})
    assert counted is not None
    return [delivery_of(row) for row in rows], int(counted[0])


async def one(
    tx: Transaction, delivery_id: int, wanted: DeliveryFilter
) -> tuple[Delivery, int | None] | None:
    """One delivery that fits, with the content that is its body."""
    words, values = conditions(tx, wanted)
    row = await tx.fetch_one(ONE.format(conditions=words), {**values, "id": delivery_id})
    return None if row is None else (delivery_of(row), row[15])


async def attempts_at(tx: Transaction, delivery_id: int) -> list[PostAttempt]:
    """The newest attempts at a delivery, oldest first."""
    rows = await tx.fetch_all(ATTEMPTS, {"id": delivery_id, "limit": MOST_ATTEMPTS})
    return [PostAttempt(*row) for row in reversed(rows)]


async def replay(tx: Transaction, delivery_id: int, *, now: int) -> bool:
    """Have a post made again, with the same webhook id; False when its body is gone or it is
    being made at this moment."""
    return await tx.execute(REPLAY, {"id": delivery_id, "now": now}) > 0


async def cancel(tx: Transaction, delivery_id: int, *, reason: str, now: int) -> bool:
    """Give up a post that waits; False when it does not."""
    return await tx.execute(CANCEL, {"id": delivery_id, "reason": reason, "now": now}) > 0
