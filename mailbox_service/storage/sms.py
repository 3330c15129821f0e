"""Short messages: on their way out, and those that came in.

A message to be handed over has its turn in `next_attempt_at`; a lease is a turn in the future.
Receipts find it by our id or by the gateway's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import skip_locked


@dataclass(frozen=True, slots=True)
class NewSms:
    """One message to one number, and how it begins."""

    public_id: str
    account: str
    username: str
    sender: str
    destination: str
    content: str
    units: int
    status: str
    gateway: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Sms:
    """One message. Times are microseconds UTC."""

    id: int
    public_id: str
    batch: str
    account: str
    username: str
    sender: str
    destination: str
    content: str
    units: int
    status: str
    gateway: str
    gateway_id: str
    error: str
    attempts: int
    created_at: int
    submitted_at: int | None


@dataclass(frozen=True, slots=True)
class ReceivedSms:
    """One message from a phone."""

    public_id: str
    account: str
    username: str
    source: str
    destination: str
    content: str
    received_at: int


COLUMNS = """id, public_id, batch, account, username, sender, destination, content, units, status,
       gateway, gateway_id, error, attempts, created_at, submitted_at"""

ADD = f"""
INSERT INTO sms_messages (public_id, batch, account, username, sender, destination, content, units,
                          status, gateway, error, created_at, updated_at, next_attempt_at)
VALUES (:public_id, :batch, :account, :username, :sender, :destination, :content, :units, :status,
        :gateway, :error, :now, :now, :next_attempt_at)
RETURNING {COLUMNS}
"""

OF_BATCH = f"SELECT {COLUMNS} FROM sms_messages WHERE batch = :batch ORDER BY id"

CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM sms_messages WHERE next_attempt_at <= :now
     ORDER BY next_attempt_at, id LIMIT :limit {{skip_locked}})
UPDATE sms_messages
   SET attempts = attempts + 1, next_attempt_at = :lease_until, lease_holder = :holder,
       updated_at = :now
 WHERE id IN (SELECT id FROM due)
RETURNING {COLUMNS}
"""

# A receipt may have been quicker than the answer to which it belongs: then it stays.
SETTLE = """
UPDATE sms_messages
   SET status = CASE WHEN status = 'queued' THEN :status ELSE status END,
       gateway_id = CASE WHEN CAST(:gateway_id AS TEXT) = '' THEN gateway_id ELSE :gateway_id END,
       error = :error, next_attempt_at = :again, lease_holder = NULL, updated_at = :now,
       submitted_at = coalesce(submitted_at, :submitted_at)
 WHERE id = :id AND lease_holder = :holder
RETURNING status
"""

END_LEASES = """
UPDATE sms_messages SET next_attempt_at = :now
 WHERE next_attempt_at IS NOT NULL AND lease_holder IS NOT NULL
"""

NEXT_TURN = "SELECT min(next_attempt_at) FROM sms_messages WHERE next_attempt_at > :now"

BY_PUBLIC_ID = f"SELECT {COLUMNS} FROM sms_messages WHERE public_id = :public_id"

BY_GATEWAY_ID = f"""
SELECT {COLUMNS} FROM sms_messages WHERE gateway_id = :gateway_id AND gateway_id <> ''
 ORDER BY id DESC LIMIT 1
"""

# What a gateway tells of ends our own tries.
SET_STATUS = """
UPDATE sms_messages SET status = :status, updated_at = :now, next_attempt_at = NULL,
                        lease_holder = NULL
 WHERE id = :id
"""

LAST_TO = f"""
SELECT {COLUMNS} FROM sms_messages WHERE destination = :number ORDER BY id DESC LIMIT 1
"""

ADD_RECEIVED = """
INSERT INTO sms_received (public_id, account, username, source, destination, content, gateway_id,
                          received_at)
VALUES (:public_id, :account, :username, :source, :destination, :content, :gateway_id, :now)
"""

RECEIVED_BEFORE = """
SELECT 1 FROM sms_received
 WHERE gateway_id = :gateway_id AND gateway_id <> '' AND source = :source LIMIT 1
"""

RANGE = """
 WHERE account = :account AND {column} >= :start AND {column} < :end
   AND (CAST(:username AS TEXT) IS NULL OR username = :username)
"""
SENT = f"""
SELECT {COLUMNS} FROM sms_messages {RANGE.format(column="created_at")}
 ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset
"""
COUNT_SENT = f"SELECT count(*) FROM sms_messages {RANGE.format(column='created_at')}"
RECEIVED = f"""
SELECT public_id, account, username, source, destination, content, received_at
  FROM sms_received {RANGE.format(column="received_at")}
 ORDER BY received_at DESC, id DESC LIMIT :limit OFFSET :offset
"""
COUNT_RECEIVED = f"SELECT count(*) FROM sms_received {RANGE.format(column='received_at')}"

SUMS = """
SELECT count(*), coalesce(sum(units), 0) FROM sms_messages
 WHERE account = :account AND created_at >= :start AND created_at < :end
   AND status NOT IN ('failed', 'rejected', 'held')
"""

OPT_OUT = """
INSERT INTO sms_opt_outs (account, number, created_at) VALUES (:account, :number, :now)
ON CONFLICT (account, number) DO NOTHING
"""

OPTED_OUT = "SELECT 1 FROM sms_opt_outs WHERE account = :account AND number = :number"

PURGE = (
    "DELETE FROM sms_messages WHERE created_at < :before AND next_attempt_at IS NULL",
    "DELETE FROM sms_received WHERE received_at < :before",
)


async def add(tx: Transaction, message: NewSms, *, batch: str, now: int, waits: bool) -> Sms:
    """Keep a message; `waits`: to be handed over."""
    row = await tx.fetch_one(
        ADD,
        {
            "public_id": message.public_id,
            "batch": batch,
            "account": message.account,
            "username": message.username,
            "sender": message.sender,
            "destination": message.destination,
            "content": message.content,
            "units": message.units,
            "status": message.status,
            "gateway": message.gateway,
            "error": message.error,
            "now": now,
            "next_attempt_at": now if waits else None,
        },
    )
    assert row is not None
    return Sms(*row)


async def of_batch(tx: Transaction, batch: str) -> list[Sms]:
    """The messages of one call, in its order."""
    return [Sms(*row) for row in await tx.fetch_all(OF_BATCH, {"batch": batch})]


async def claim_due(
    tx: Transaction, *, now: int, lease_until: int, holder: str, limit: int
) -> list[Sms]:
    """Lease messages whose turn has come."""
    rows = await tx.fetch_all(
        CLAIM.format(skip_locked=skip_locked(tx.dialect)),
        {"now": now, "lease_until": lease_until, "holder": holder, "limit": limit},
    )
    return [Sms(*row) for row in rows]


async def settle(
    tx: Transaction,
    message: Sms,
    *,
    status: str,
    holder: str,
    now: int,
    gateway_id: str = "",
    error: str = "",
    again: int | None = None,
    submitted_at: int | None = None,
) -> str | None:
    """Write down what an attempt came to; the state that the message is in now, None when the
    lease was lost."""
    row = await tx.fetch_one(
        SETTLE,
        {
            "id": message.id,
            "status": status,
            "holder": holder,
            "now": now,
            "gateway_id": gateway_id,
            "error": error,
            "again": again,
            "submitted_at": submitted_at,
        },
    )
    return None if row is None else str(row[0])


async def end_leases(tx: Transaction, *, now: int) -> None:
    """Whoever held a lease is dead: its messages come due."""
    await tx.execute(END_LEASES, {"now": now})


async def next_turn(tx: Transaction, *, now: int) -> int | None:
    """When the next message comes due that is not due now."""
    row = await tx.fetch_one(NEXT_TURN, {"now": now})
    return None if row is None else row[0]


async def find(tx: Transaction, *, ours: str, gateway_id: str) -> Sms | None:
    """The message that a receipt is about."""
    row = await tx.fetch_one(BY_PUBLIC_ID, {"public_id": ours}) if ours else None
    if row is None and gateway_id:
        row = await tx.fetch_one(BY_PUBLIC_ID, {"public_id": gateway_id})
    if row is None and gateway_id:
        row = await tx.fetch_one(BY_GATEWAY_ID, {"gateway_id": gateway_id})
    return None if row is None else Sms(*row)


async def set_status(tx: Transaction, message: Sms, status: str, *, now: int) -> None:
    """A gateway told what became of a message."""
    await tx.execute(SET_STATUS, {"id": message.id, "status": status, "now": now})


async def last_to(tx: Transaction, number: str) -> Sms | None:
    """The newest message to a number: whoever wrote it is answered."""
    row = await tx.fetch_one(LAST_TO, {"number": number})
    return None if row is None else Sms(*row)


async def add_received(tx: Transaction, message: ReceivedSms, *, gateway_id: str) -> bool:
    """Keep a message from a phone; False when the gateway told of it before."""
    known = {"gateway_id": gateway_id, "source": message.source}
    if await tx.fetch_one(RECEIVED_BEFORE, known) is not None:
        return False
    await tx.execute(
        ADD_RECEIVED,
        {
            "public_id": message.public_id,
            "account": message.account,
            "username": message.username,
            "source": message.source,
            "destination": message.destination,
            "content": message.content,
            "gateway_id": gateway_id,
            "now": message.received_at,
        },
    )
    return True


async def sent(
    tx: Transaction,
    account: str,
    *,
    start: int,
    end: int,
    username: str | None,
    limit: int,
    offset: int,
) -> tuple[list[Sms], int]:
    """Messages of an account, newest first, and how many there are in all."""
    params = {"account": account, "start": start, "end": end, "username": username}
    rows = await tx.fetch_all(SENT, {**params, "limit": limit, "offset": offset})
    total = await tx.fetch_one(COUNT_SENT, params)
    return [Sms(*row) for row in rows], int(total[0]) if total else 0


async def received(
    tx: Transaction,
    account: str,
    *,
    start: int,
    end: int,
    username: str | None,
    limit: int,
    offset: int,
) -> tuple[list[ReceivedSms], int]:
    """Messages that came in for an account, newest first, and how many there are in all."""
    params = {"account": account, "start": start, "end": end, "username": username}
    rows = await tx.fetch_all(RECEIVED, {**params, "limit": limit, "offset": offset})
    total = await tx.fetch_one(COUNT_RECEIVED, params)
    return [ReceivedSms(*row) for row in rows], int(total[0]) if total else 0


async def sums(tx: Transaction, account: str, *, start: int, end: int) -> tuple[int, int]:
    """How many messages were to be carried, and how many units."""
    row = await tx.fetch_one(SUMS, {"account": account, "start": start, "end": end})
    return (int(row[0]), int(row[1])) if row else (0, 0)


async def opt_out(tx: Transaction, account: str, number: str, *, now: int) -> None:
    """Send no more to a number."""
    await tx.execute(OPT_OUT, {"account": account, "number": number, "now": now})


async def opted_out(tx: Transaction, account: str, numbers: Sequence[str]) -> set[str]:
    """Which of several numbers want no more."""
    found = set()
    for number in numbers:
        if await tx.fetch_one(OPTED_OUT, {"account": account, "number": number}) is not None:
            found.add(number)
    return found


async def purge(tx: Transaction, *, before: int) -> None:
    """Forget what is old."""
    for statement in PURGE:
        await tx.execute(statement, {"before": before})
