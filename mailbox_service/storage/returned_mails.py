"""Mail that came back to a return-path of ours, or to an address for complaints: kept until it
was looked at. Whoever looks removes the row in the transaction of what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mailbox_service.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class Returned:
    """One mail for one such address."""

    id: int
    recipient: str
    received_at: int
    content: bytes = field(repr=False)


ADD = """
INSERT INTO returned_mails (recipient, next_look_at, received_at, content)
VALUES (:recipient, :now, :now, :content)
"""

COUNT = "SELECT count(*) FROM (SELECT 1 FROM returned_mails LIMIT :limit) AS waiting"

DUE = """
SELECT id, recipient, received_at, content FROM returned_mails
 WHERE next_look_at <= :now ORDER BY next_look_at, id LIMIT :limit
"""

REMOVE = "DELETE FROM returned_mails WHERE id = :id"

PUT_OFF = "UPDATE returned_mails SET next_look_at = :until WHERE id = :id"

SUBMISSION = "SELECT submission_id FROM sending_messages WHERE queue_id = :queue_id"

RECIPIENTS = "SELECT recipient, state FROM recipients WHERE submission_id = :submission_id"

TOLD = """
SELECT 1 FROM sending_events
 WHERE submission_id = :submission_id AND recipient = :recipient
   AND kind IN ('soft-bounced', 'hard-bounced', 'spam') LIMIT 1
"""


async def add(
    tx: Transaction, recipients: Sequence[str], content: bytes, *, now: int, most: int
) -> bool:
    """Keep a mail for each of several addresses; False when too many wait already."""
    row = await tx.fetch_one(COUNT, {"limit": most})
    if row is not None and row[0] + len(recipients) > most:
        return False
    for recipient in recipients:
        await tx.execute(ADD, {"recipient": recipient, "now": now, "content": content})
    return True


async def due(tx: Transaction, *, now: int, limit: int) -> list[Returned]:
    """Mails to be looked at, oldest first."""
    rows = await tx.fetch_all(DUE, {"now": now, "limit": limit})
    return [Returned(row[0], row[1], row[2], bytes(row[3])) for row in rows]


async def remove(tx: Transaction, mail_id: int) -> bool:
    """It was looked at; False when somebody else was quicker."""
    return await tx.execute(REMOVE, {"id": mail_id}) > 0


async def put_off(tx: Transaction, mail_id: int, *, until: int) -> None:
    """Look at it again later."""
    await tx.execute(PUT_OFF, {"id": mail_id, "until": until})


async def submission_of(tx: Transaction, queue_id: str) -> int | None:
    """The message of the sending API with a queue id."""
    row = await tx.fetch_one(SUBMISSION, {"queue_id": queue_id})
    return None if row is None else int(row[0])


async def recipients_of(tx: Transaction, submission_id: int) -> dict[str, str]:
    """The recipients of a message and how far each came."""
    rows = await tx.fetch_all(RECIPIENTS, {"submission_id": submission_id})
    return {str(row[0]): str(row[1]) for row in rows}


async def was_told(tx: Transaction, submission_id: int, recipient: str) -> bool:
    """Whether a bounce or a complaint about a copy is written down already."""
    found = await tx.fetch_one(TOLD, {"submission_id": submission_id, "recipient": recipient})
    return found is not None
