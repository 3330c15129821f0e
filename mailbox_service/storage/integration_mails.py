"""Mail on its way through servers that users name, and what became of it.

`next_attempt_at` says when its turn comes and is null when it never will; a lease is a turn in
the future, so the mail of a worker that died comes due by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailbox_service.storage import contents
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_integer, each_text

QUEUED = "queued"
SENDING = "sending"
SENT = "sent"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail to be sent. `repeat_key`: the name under which a client may repeat its request."""

    public_id: str
    account: str
    connection: str
    sender: str
    recipients: tuple[str, ...]
    fingerprint: str = ""
    repeat_key: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A mail as it is told of. Times are microseconds UTC."""

    public_id: str
    state: str
    attempts: int
    created_at: int
    sent_at: int | None
    error: str
    error_code: str
    response: str
    rejected: Mapping[str, str]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased mail; `attempt` counts from 1. `recipients` are those that it still has to go to,
    `rejected` those that were refused before."""

    id: int
    public_id: str
    account: str
    connection: str
    sender: str
    recipients: tuple[str, ...]
    content_id: int
    attempt: int
    created_at: int
    sent_at: int | None
    rejected: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Settled:
    """What an attempt came to; `again` is the time of the next one, None for never."""

    state: str
    recipients: tuple[str, ...]
    again: int | None
    sent_at: int | None = None
    error: str = ""
    error_code: str = ""
    response: str = ""
    rejected: Mapping[str, str] | None = None


ADD = """
INSERT INTO integration_mails (public_id, account, connection, sender, recipients, content_id,
                               repeat_key, fingerprint, state, created_at, next_attempt_at,
                               updated_at)
VALUES (:public_id, :account, :connection, :sender, :recipients, :content_id, :repeat_key,
        :fingerprint, 'queued', :now, :now, :now)
"""

COLUMNS = """public_id, state, attempts, created_at, sent_at, error, error_code, response,
 rejected, fingerprint"""

GET = f"""
SELECT {COLUMNS} FROM integration_mails WHERE account = :account AND public_id = :public_id
"""

BY_KEY = f"""
SELECT {COLUMNS} FROM integration_mails WHERE account = :account AND repeat_key = :repeat_key
"""

COUNT_WAITING = """
SELECT count(*) FROM (SELECT 1 FROM integration_mails
                       WHERE account = :account AND next_attempt_at IS NOT NULL LIMIT :limit)
    AS waiting
"""

# A few of each connection, so that one slow server does not take all places.
DUE = """
SELECT id FROM (
    SELECT id, next_attempt_at,
           row_number() OVER (PARTITION BY account, connection
                              ORDER BY next_attempt_at, id) AS place
      FROM integration_mails
     WHERE next_attempt_at <= :now AND account || ' ' || connection NOT IN ({busy})) AS due
 WHERE place <= :each ORDER BY next_attempt_at, id LIMIT :limit
"""

# Another process may have been quicker: what it took has a turn in the future.
CLAIM = """
UPDATE integration_mails
   SET state = 'sending', attempts = attempts + 1, next_attempt_at = :lease_until,
       lease_holder = :holder, updated_at = :now
 WHERE id IN ({ids}) AND next_attempt_at <= :now
RETURNING id, public_id, account, connection, sender, recipients, content_id, attempts,
          created_at, sent_at, rejected
"""

SETTLE = """
UPDATE integration_mails
   SET state = :state, recipients = :recipients, next_attempt_at = :again, lease_holder = NULL,
       content_id = CASE WHEN CAST(:again AS BIGINT) IS NULL THEN NULL ELSE content_id END,
       updated_at = :now, sent_at = :sent_at, error = :error, error_code = :error_code,
       response = :response, rejected = :rejected
 WHERE id = :id AND lease_holder = :holder
"""

END_LEASES = "UPDATE integration_mails SET next_attempt_at = :now WHERE state = 'sending'"

NEXT_TURN = "SELECT min(next_attempt_at) FROM integration_mails WHERE next_attempt_at > :now"

PURGE = """
WITH gone AS MATERIALIZED (
    SELECT id FROM integration_mails
     WHERE next_attempt_at IS NULL AND updated_at <= :before LIMIT :limit)
DELETE FROM integration_mails WHERE id IN (SELECT id FROM gone)
"""


async def add(
    tx: Transaction, mail: NewMail, content: bytes, *, now: int, most_waiting: int
) -> Kept | None:
    """Queue a mail. The one that its key had queued before, when there is one, and nothing is
    queued; None when too many wait."""
    if mail.repeat_key is not None:
        kept = await _one(tx, BY_KEY, {"account": mail.account, "repeat_key": mail.repeat_key})
        if kept is not None:
            return kept
    waiting = await tx.fetch_one(COUNT_WAITING, {"account": mail.account, "limit": most_waiting})
    if waiting is not None and waiting[0] >= most_waiting:
        return None
    await tx.execute(
        ADD,
        {
            "public_id": mail.public_id,
            "account": mail.account,
            "connection": mail.connection,
            "sender": mail.sender,
            "recipients": json.dumps(mail.recipients),
            "content_id": await contents.add(tx, content, uses=1),
            "repeat_key": mail.repeat_key,
            "fingerprint": mail.fingerprint,
            "now": now,
        },
    )
    return await get(tx, account=mail.account, public_id=mail.public_id)


async def get(tx: Transaction, *, account: str, public_id: str) -> Kept | None:
    """One mail of an account."""
    return await _one(tx, GET, {"account": account, "public_id": public_id})


async def _one(tx: Transaction, sql: str, params: dict[str, object]) -> Kept | None:
    row = await tx.fetch_one(sql, params)
    if row is None:
        return None
    return Kept(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], json.loads(row[8]), row[9]
    )


async def claim_due(
    tx: Transaction,
    *,
    now: int,
    lease_until: int,
    holder: str,
    limit: int,
    each: int,
    busy: Sequence[str],
) -> list[Claim]:
    """Lease mails whose turn has come: `each` of one connection, none of those that are `busy`
    (account and name, a space between)."""
    due = await tx.fetch_all(
        DUE.format(busy=each_text(tx.dialect, "busy")),
        {"now": now, "each": each, "limit": limit, "busy": json.dumps(list(busy))},
    )
    if not due:
        return []
    rows = await tx.fetch_all(
        CLAIM.format(ids=each_integer(tx.dialect, "ids")),
        {
            "ids": json.dumps([row[0] for row in due]),
            "now": now,
            "lease_until": lease_until,
            "holder": holder,
        },
    )
    return [
        Claim(
            id=row[0],
            public_id=row[1],
            account=row[2],
            connection=row[3],
            sender=row[4],
            recipients=tuple(json.loads(row[5])),
            content_id=row[6],
            attempt=row[7],
            created_at=row[8],
            sent_at=row[9],
            rejected=json.loads(row[10]),
        )
        for row in rows
    ]


async def settle(tx: Transaction, claim: Claim, settled: Settled, *, holder: str, now: int) -> bool:
    """Write down what an attempt came to; False when the lease was lost to somebody else."""
    changed = await tx.execute(
        SETTLE,
        {
            "id": claim.id,
            "holder": holder,
            "state": settled.state,
            "recipients": json.dumps(settled.recipients),
            "again": settled.again,
            "sent_at": settled.sent_at,
            "error": settled.error,
            "error_code": settled.error_code,
            "response": settled.response,
            "rejected": json.dumps(dict(settled.rejected or {}), ensure_ascii=False),
            "now": now,
        },
    )
    if changed and settled.again is None:
        await contents.release(tx, claim.content_id)
    return changed > 0


async def end_leases(tx: Transaction, *, now: int) -> None:
    """Whoever held a lease is dead: its mails come due."""
    await tx.execute(END_LEASES, {"now": now})


async def next_turn(tx: Transaction, *, now: int) -> int | None:
    """When the next mail comes due that is not due now."""
    row = await tx.fetch_one(NEXT_TURN, {"now": now})
    return None if row is None else row[0]


async def purge(tx: Transaction, *, before: int, limit: int) -> int:
    """Forget mails that are over for long."""
    return await tx.execute(PURGE, {"before": before, "limit": limit})
