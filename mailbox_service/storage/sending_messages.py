"""What was sent through the sending API: one row a message, with who sent it and how it read.

The queue (`send_queue`) knows the fate of each recipient; these rows outlive it, for searching.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from msgspec import Struct

from mailbox_service.storage import contents, many_rows
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.dialects import each_integer


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message. `fields` is JSON of what its header said, as shown by searches."""

    submission_id: int
    queue_id: str
    account: str
    username: str
    sender: str
    subject: str
    fields: str
    size: int
    client_ip: str
    created_at: int
    scheduled_at: int | None
    cancelled: int
    archived_content_id: int | None
    # JSON of what the credential asked for (`core.tracking.Traits`); None: nothing.
    traits: str | None = None


COLUMNS = """submission_id, queue_id, account, username, sender, subject, fields, size, client_ip,
       created_at, scheduled_at, cancelled, archived_content_id, traits"""

ADDED = tuple(column.strip() for column in COLUMNS.split(","))

BY_QUEUE_ID = f"""
SELECT {COLUMNS} FROM sending_messages WHERE account = :account AND queue_id = :queue_id
"""

BY_SUBMISSION = f"SELECT {COLUMNS} FROM sending_messages WHERE submission_id = :submission_id"

BY_SUBMISSIONS = f"""
SELECT {COLUMNS} FROM sending_messages WHERE submission_id IN ({{ids}})
"""

SCHEDULED = f"""
SELECT {COLUMNS} FROM sending_messages
 WHERE account = :account AND scheduled_at > :now AND cancelled = 0
 ORDER BY scheduled_at, submission_id
"""

COUNT_SCHEDULED = """
SELECT count(*) FROM sending_messages
 WHERE account = :account AND scheduled_at > :now AND cancelled = 0
"""

ARCHIVED = f"""
SELECT {COLUMNS} FROM sending_messages
 WHERE account = :account AND created_at >= :start AND created_at < :end
   AND archived_content_id IS NOT NULL AND submission_id < :before
 ORDER BY submission_id DESC LIMIT :limit
"""

# Whatever has not been tried yet is taken out of the queue, unless its time has come meanwhile.
CANCEL_RECIPIENTS = """
UPDATE recipients
   SET state = 'failed', next_attempt_at = NULL, last_reply = 'cancelled', updated_at = :now
 WHERE submission_id = :submission_id AND state = 'queued' AND attempts = 0 AND queued_at > :now
"""

CANCEL = """
UPDATE sending_messages SET cancelled = 1 WHERE submission_id = :submission_id AND cancelled = 0
"""

# One row a recipient, newest first; what is asked of header and states is looked at in memory.
SEARCH = """
SELECT m.submission_id, m.queue_id, m.username, m.sender, m.subject, m.fields, m.created_at,
       m.cancelled, r.recipient, r.state, r.last_reply, r.remote, r.updated_at, r.id
  FROM sending_messages m JOIN recipients r ON r.submission_id = m.submission_id
 WHERE m.account = :account AND m.created_at >= :start AND m.created_at < :end
   AND (CAST(:queue_id AS TEXT) IS NULL OR m.queue_id = :queue_id)
   AND (CAST(:username AS TEXT) IS NULL OR m.username = :username)
   AND (m.submission_id < :before OR (m.submission_id = :before AND r.id > :after_recipient))
 ORDER BY m.submission_id DESC, r.id LIMIT :limit
"""

# The first rows are the oldest: an index by time would be paid for by every message.
OLD = """
SELECT submission_id, archived_content_id
  FROM (SELECT submission_id, archived_content_id, created_at FROM sending_messages
         ORDER BY submission_id LIMIT :limit) AS oldest
 WHERE created_at < :before
"""

REMOVE = "DELETE FROM sending_messages WHERE submission_id = :submission_id"

NEWEST = 2**62


class NewMessage(Struct, frozen=True, gc=False):
    """What is kept of a message beside its submission."""

    queue_id: str
    account: str
    username: str
    sender: str
    subject: str
    fields: str
    size: int
    client_ip: str
    scheduled_at: int | None
    archived: bool
    traits: str | None = None


@dataclass(frozen=True, slots=True)
class SearchRow:
    """One recipient of one message."""

    submission_id: int
    queue_id: str
    username: str
    sender: str
    subject: str
    fields: str
    created_at: int
    cancelled: int
    recipient: str
    state: str
    last_reply: str | None
    remote: str | None
    updated_at: int
    recipient_id: int


def message_of(row: Row) -> SentMessage:
    return SentMessage(*row)


async def add_all(
    tx: Transaction, added: Sequence[tuple[NewMessage, int, int | None, int]]
) -> None:
    """Keep messages, each with the id of its submission, the id of the content that is kept
    whatever becomes of the submission (None: none is; its use is counted by whoever stored it),
    and its time."""
    rows = [
        (submission_id, one.queue_id, one.account, one.username, one.sender, one.subject,
         one.fields, one.size, one.client_ip, now, one.scheduled_at, 0, content_id, one.traits)
        for one, submission_id, content_id, now in added
    ]  # fmt: skip
    await many_rows.insert(tx, "sending_messages", ADDED, rows)


async def by_queue_id(tx: Transaction, account: str, queue_id: str) -> SentMessage | None:
    """One message of an account."""
    row = await tx.fetch_one(BY_QUEUE_ID, {"account": account, "queue_id": queue_id})
    return None if row is None else message_of(row)


async def by_submission(tx: Transaction, submission_id: int) -> SentMessage | None:
    """The message of a submission; None when it did not come through the sending API."""
    row = await tx.fetch_one(BY_SUBMISSION, {"submission_id": submission_id})
    return None if row is None else message_of(row)


async def by_submissions(
    tx: Transaction, submission_ids: Collection[int]
) -> dict[int, SentMessage]:
    """The messages of several submissions, by submission id, as far as they came through the
    sending API."""
    sql = BY_SUBMISSIONS.format(ids=each_integer(tx.dialect, "ids"))
    ids = {"ids": json.dumps(list(submission_ids))}
    rows = await tx.fetch_all(sql, ids) if submission_ids else []
    return {int(row[0]): message_of(row) for row in rows}


async def scheduled(tx: Transaction, account: str, *, now: int) -> list[SentMessage]:
    """What an account has scheduled, the next first."""
    rows = await tx.fetch_all(SCHEDULED, {"account": account, "now": now})
    return [message_of(row) for row in rows]


async def count_scheduled(tx: Transaction, account: str, *, now: int) -> int:
    """How much an account has scheduled."""
    row = await tx.fetch_one(COUNT_SCHEDULED, {"account": account, "now": now})
    return 0 if row is None else int(row[0])


async def cancel(tx: Transaction, submission_id: int, *, now: int) -> bool:
    """Take back a scheduled message; False when it is too late or was done before."""
    stopped = await tx.execute(CANCEL_RECIPIENTS, {"submission_id": submission_id, "now": now})
    if not stopped:
        return False
    await tx.execute(CANCEL, {"submission_id": submission_id})
    return True


async def archived(
    tx: Transaction, account: str, *, start: int, end: int, before: int, limit: int
) -> list[SentMessage]:
    """Messages of which a full copy is kept, newest first."""
    rows = await tx.fetch_all(
        ARCHIVED,
        {"account": account, "start": start, "end": end, "before": before, "limit": limit},
    )
    return [message_of(row) for row in rows]


async def search(
    tx: Transaction,
    account: str,
    *,
    start: int,
    end: int,
    limit: int,
    queue_id: str | None = None,
    username: str | None = None,
    before: int = NEWEST,
    after_recipient: int = 0,
) -> list[SearchRow]:
    """Messages a row a recipient, newest first, from behind a place."""
    rows = await tx.fetch_all(
        SEARCH,
        {
            "account": account,
            "start": start,
            "end": end,
            "limit": limit,
            "queue_id": queue_id,
            "username": username,
            "before": before,
            "after_recipient": after_recipient,
        },
    )
    return [SearchRow(*row) for row in rows]


async def purge(tx: Transaction, *, before: int, limit: int) -> int:
    """Forget messages older than a time, and their kept copies; how many, `limit` at most."""
    rows = await tx.fetch_all(OLD, {"before": before, "limit": limit})
    for submission_id, content_id in rows:
        removed = await tx.execute(REMOVE, {"submission_id": submission_id})
        if removed and content_id is not None:
            await contents.release(tx, int(content_id))
    return len(rows)
