"""Messages that somebody handed in to be sent: one row each, the sent box of an address.

The fate of a message is told by its recipients (`send_queue`), its bytes lie in `contents`. A
row that its owner deletes leaves the sent box at once, and the store when nothing of it is on
the way any more.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from msgspec import Struct

from mailbox_service.storage import contents, many_rows
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.dialects import each_integer


class NewSubmission(Struct, frozen=True, gc=False):
    """What is kept of a submission beside its recipients.

    `address` is the canonical sender, whose sent box shows it; `door` the way it came in;
    `record` the mailbox API's own JSON of the request, None when it did not come as one.
    """

    queue_id: str
    address: str
    reverse_path: str
    door: str
    message_id: str
    from_address: str
    subject: str
    smtputf8: bool = False
    record: str | None = None
    listed: bool = True


class Submission(Struct, frozen=True, gc=False):
    """One accepted submission. `created_at` is microseconds UTC, `size` octets."""

    id: int
    queue_id: str
    address: str
    reverse_path: str
    content_id: int
    size: int
    door: str
    message_id: str
    from_address: str
    subject: str
    smtputf8: int
    record: str | None
    listed: int
    created_at: int


COLUMNS = """id, queue_id, address, reverse_path, content_id, size, door, message_id,
       from_address, subject, smtputf8, record, listed, created_at"""

ADDED = (
    *("queue_id", "address", "reverse_path", "content_id", "size", "door", "message_id"),
    *("from_address", "subject", "smtputf8", "record", "listed", "created_at"),
)

BY_ID = f"SELECT {COLUMNS} FROM submissions WHERE id = :id"

BY_IDS = f"SELECT {COLUMNS} FROM submissions WHERE id IN ({{ids}})"

BY_QUEUE_ID = f"SELECT {COLUMNS} FROM submissions WHERE queue_id = :queue_id"

OF_ADDRESS = f"""
SELECT {COLUMNS} FROM submissions
 WHERE address = :address AND listed = 1 AND id < :before_id
 ORDER BY id DESC LIMIT :limit OFFSET :offset
"""

OF_ALL = f"""
SELECT {COLUMNS} FROM submissions
 WHERE listed = 1 AND id < :before_id
 ORDER BY id DESC LIMIT :limit OFFSET :offset
"""

COUNT_OF_ADDRESS = "SELECT count(*) FROM submissions WHERE address = :address AND listed = 1"

COUNT_OF_ALL = "SELECT count(*) FROM submissions WHERE listed = 1"

UNLIST = """
UPDATE submissions SET listed = 0
 WHERE id = :id AND listed = 1 AND (CAST(:address AS TEXT) IS NULL OR address = :address)
"""

UNLIST_ALL = "UPDATE submissions SET listed = 0 WHERE address = :address AND listed = 1"

# Nothing of it is on the way: no recipient has a next attempt, and none is held.
FINISHED = """
SELECT id, content_id FROM submissions
 WHERE listed = 0
   AND NOT EXISTS (SELECT 1 FROM recipients
                    WHERE recipients.submission_id = submissions.id
                      AND (next_attempt_at IS NOT NULL OR state = 'held'))
 LIMIT :limit
"""

REMOVE = (
    "DELETE FROM attempts WHERE submission_id = :id",
    "DELETE FROM recipients WHERE submission_id = :id",
    "DELETE FROM submissions WHERE id = :id",
)

# Above every id: what "before nothing" means.
NEWEST = 2**62


def submission_of(row: Row) -> Submission:
    return Submission(*row)


async def add(
    tx: Transaction, submission: NewSubmission, *, content_id: int, size: int, now: int
) -> int:
    """Keep a submission whose content is stored; its id."""
    return (await add_all(tx, [(submission, content_id, size, now)]))[0]


async def add_all(
    tx: Transaction, added: Sequence[tuple[NewSubmission, int, int, int]]
) -> Sequence[int]:
    """Keep several submissions, each with the id and the size of its content and its time; their
    ids."""
    rows = [
        (one.queue_id, one.address, one.reverse_path, content_id, size, one.door, one.message_id,
         one.from_address, one.subject, int(one.smtputf8), one.record, int(one.listed), now)
        for one, content_id, size, now in added
    ]  # fmt: skip
    return await many_rows.insert_numbered(tx, "submissions", ADDED, rows, ("queue_id",))


async def by_id(tx: Transaction, submission_id: int) -> Submission | None:
    """One submission, listed or not."""
    row = await tx.fetch_one(BY_ID, {"id": submission_id})
    return None if row is None else submission_of(row)


async def by_ids(tx: Transaction, ids: Collection[int]) -> list[Submission]:
    """Several submissions, listed or not, in no order."""
    sql = BY_IDS.format(ids=each_integer(tx.dialect, "ids"))
    rows = await tx.fetch_all(sql, {"ids": json.dumps(list(ids))}) if ids else []
    return [submission_of(row) for row in rows]


async def by_queue_id(tx: Transaction, queue_id: str) -> Submission | None:
    """One submission by its public name."""
    row = await tx.fetch_one(BY_QUEUE_ID, {"queue_id": queue_id})
    return None if row is None else submission_of(row)


async def list_page(
    tx: Transaction,
    address: str | None,
    *,
    limit: int,
    offset: int = 0,
    before_id: int | None = None,
) -> list[Submission]:
    """A page of one sent box, or of all when `address` is None, newest first."""
    rows = await tx.fetch_all(
        OF_ALL if address is None else OF_ADDRESS,
        {
            "address": address,
            "limit": limit,
            "offset": offset,
            "before_id": NEWEST if before_id is None else before_id,
        },
    )
    return [submission_of(row) for row in rows]


async def count(tx: Transaction, address: str | None) -> int:
    """How many messages a sent box lists, or all of them when `address` is None."""
    row = await tx.fetch_one(
        COUNT_OF_ALL if address is None else COUNT_OF_ADDRESS, {"address": address}
    )
    assert row is not None
    return int(row[0])


async def unlist(tx: Transaction, submission_id: int, *, address: str | None) -> bool:
    """Take a message out of its sent box, when it is in that of `address` (None: in any)."""
    changed = await tx.execute(UNLIST, {"id": submission_id, "address": address})
    return changed > 0


async def unlist_all(tx: Transaction, address: str) -> int:
    """Empty one sent box; how many messages were in it."""
    return await tx.execute(UNLIST_ALL, {"address": address})


async def purge(tx: Transaction, *, limit: int) -> int:
    """Remove unlisted messages of which nothing is on the way; how many, `limit` at most."""
    rows = await tx.fetch_all(FINISHED, {"limit": limit})
    for submission_id, content_id in rows:
        for statement in REMOVE:
            removed = await tx.execute(statement, {"id": submission_id})
        if removed:  # or else another process was quicker, and has released its content
            await contents.release(tx, int(content_id))
    return len(rows)
