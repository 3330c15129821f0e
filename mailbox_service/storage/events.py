"""Appended facts about what happened to messages. They feed streams, webhooks and statistics.

`kind` is a word of `core.events`, or what an owner did to a mailbox; `detail` is the data that a
stream shows of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mailbox_service.storage import locks, many_rows
from mailbox_service.storage.database import Row, Transaction


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. `at` is microseconds UTC; `address` whose mailbox or sent box it concerns."""

    id: int
    kind: str
    at: int
    address: str
    submission_id: int | None
    recipient_id: int | None
    detail: Mapping[str, object]


ADDED = ("kind", "at", "address", "submission_id", "recipient_id", "detail")

# Kind, time, address, submission, recipient, and the detail as JSON.
NewEvent = tuple[str, int, str, int | None, int | None, str]

COLUMNS = "id, kind, at, address, submission_id, recipient_id, detail"

AFTER = f"""
SELECT {COLUMNS} FROM events WHERE address = :address AND id > :after ORDER BY id LIMIT :limit
"""

OF_SUBMISSION = f"""
SELECT {COLUMNS} FROM events WHERE address = :address AND submission_id = :submission_id
 ORDER BY id LIMIT :limit
"""

NEWEST = "SELECT max(id) FROM events WHERE address = :address"


def event_of(row: Row) -> Event:
    event_id, kind, at, address, submission_id, recipient_id, detail = row
    return Event(event_id, kind, at, address, submission_id, recipient_id, json.loads(detail))


async def add(
    tx: Transaction,
    kind: str,
    *,
    at: int,
    address: str,
    submission_id: int | None = None,
    recipient_id: int | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Append one fact."""
    text = json.dumps(detail, ensure_ascii=False) if detail else "{}"
    await add_all(tx, [(kind, at, address, submission_id, recipient_id, text)])


async def add_all(tx: Transaction, facts: Sequence[NewEvent]) -> None:
    """Append several facts, in their order."""
    await locks.order_events(tx)
    await many_rows.insert(tx, "events", ADDED, facts)


# Servers say the same few things over and over.
@lru_cache(maxsize=512)
def quoted(text: str) -> str:
    """Text as JSON."""
    return json.dumps(text, ensure_ascii=False)


def first_detail(
    submission_id: int,
    queue_id: str,
    state: str,
    recipient: str,
    recipient_state: str,
    last_reply: str | None = None,
) -> str:
    """The JSON of `sent_detail`, quickly; without a reply for a recipient that was just queued.
    Canonical addresses and queue ids hold nothing that JSON would escape."""
    reply = "null" if last_reply is None else quoted(last_reply)
    return (
        f'{{"id":{submission_id},"queue_id":"{queue_id}","state":"{state}",'
        f'"recipient":"{recipient}","recipient_state":"{recipient_state}","last_reply":{reply}}}'
    )


def sent_detail(
    submission_id: int,
    *,
    queue_id: str,
    state: str,
    recipient: str,
    recipient_state: str,
    last_reply: str | None,
) -> dict[str, object]:
    """What an event about sent mail tells: the fate of one recipient, and of the message."""
    return {
        "id": submission_id,
        "queue_id": queue_id,
        "state": state,
        "recipient": recipient,
        "recipient_state": recipient_state,
        "last_reply": last_reply,
    }


async def after(tx: Transaction, address: str, *, after_id: int, limit: int) -> list[Event]:
    """The facts about one address that came behind an id, oldest first."""
    rows = await tx.fetch_all(AFTER, {"address": address, "after": after_id, "limit": limit})
    return [event_of(row) for row in rows]


async def of_submission(
    tx: Transaction, address: str, submission_id: int, *, limit: int = 10_000
) -> list[Event]:
    """The facts about one submission of an address, oldest first."""
    rows = await tx.fetch_all(
        OF_SUBMISSION, {"address": address, "submission_id": submission_id, "limit": limit}
    )
    return [event_of(row) for row in rows]


async def newest_id(tx: Transaction, address: str) -> int:
    """The id of the newest fact about an address; 0 when there is none."""
    row = await tx.fetch_one(NEWEST, {"address": address})
    return 0 if row is None or row[0] is None else int(row[0])
