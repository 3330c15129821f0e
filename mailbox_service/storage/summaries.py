"""What was read out of arrived mail, written after its commit by the workers that read it.

A message without a summary is one that no worker has come to; accepting mail never waits for
parsing. What a model found later takes the place of what was read first.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mailbox_service.core.stored import StoredSummary
from mailbox_service.storage.database import Transaction

ADD = """
INSERT INTO summaries (id, message_id, from_name, from_address, to_text, subject, preview,
                       search_text, attachment_count, codes, links, code_marks)
SELECT m.id, :message_id, :from_name, :from_address, :to, :subject, :preview, :search_text,
       :attachment_count, :codes, :links, :code_marks
  FROM messages m WHERE m.id = :id
ON CONFLICT (id) DO NOTHING
"""

CHANGE = """
UPDATE summaries SET codes = :codes, links = :links, code_marks = :code_marks WHERE id = :id
"""

COUNT_CHANGE = "UPDATE messages SET revision = revision + 1 WHERE id = :id"

SET_METADATA = "UPDATE messages SET metadata = :metadata WHERE id = :id"

BEHIND = "SELECT id, content_id FROM messages WHERE id > :id ORDER BY id LIMIT :limit"

# Only behind the worker's cursor can a summary be missing.
MISSING_OF = """
SELECT m.id, m.content_id FROM messages m LEFT JOIN summaries s ON s.id = m.id
 WHERE m.address = :address AND m.id > :after AND s.id IS NULL ORDER BY m.id DESC LIMIT :limit
"""

TO_ASK_ABOUT = """
SELECT id, address, content_id FROM messages
 WHERE id > :after AND id <= :up_to AND received_at >= :since AND quiet = 0 AND size <= :most
 ORDER BY id LIMIT :limit
"""


async def add(
    tx: Transaction, message_id: int, summary: StoredSummary, *, search_text: str
) -> None:
    """Write down what was read out of a message, unless that was deleted meanwhile.
    `search_text` is casefolded; it is searched and never read back."""
    await tx.execute(
        ADD,
        {
            "id": message_id,
            "message_id": summary.message_id,
            "from_name": summary.from_name,
            "from_address": summary.from_address,
            "to": summary.to,
            "subject": summary.subject,
            "preview": summary.preview,
            "search_text": search_text,
            "attachment_count": summary.attachment_count,
            "codes": json.dumps(summary.codes, ensure_ascii=False),
            "links": json.dumps(summary.links, ensure_ascii=False),
            "code_marks": json.dumps(summary.code_marks),
        },
    )


async def change(
    tx: Transaction,
    message_id: int,
    *,
    codes: Sequence[str],
    code_marks: Sequence[dict[str, Any]],
    links: Sequence[dict[str, Any]],
) -> bool:
    """Put other codes and links into a summary; False when it is gone."""
    changed = await tx.execute(
        CHANGE,
        {
            "id": message_id,
            "codes": json.dumps(codes, ensure_ascii=False),
            "links": json.dumps(links, ensure_ascii=False),
            "code_marks": json.dumps(code_marks),
        },
    )
    if changed:
        await tx.execute(COUNT_CHANGE, {"id": message_id})
    return bool(changed)


async def set_metadata(tx: Transaction, message_id: int, metadata: str) -> None:
    """Write the contract's extraction record of one message."""
    await tx.execute(SET_METADATA, {"id": message_id, "metadata": metadata})


async def behind(tx: Transaction, *, after: int, limit: int) -> list[tuple[int, int]]:
    """The message and content ids that come behind a worker's cursor."""
    rows = await tx.fetch_all(BEHIND, {"id": after, "limit": limit})
    return [(int(row[0]), int(row[1])) for row in rows]


async def missing_of(
    tx: Transaction, address: str, *, after: int, limit: int
) -> list[tuple[int, int]]:
    """The newest messages of one mailbox that a worker has not come to."""
    rows = await tx.fetch_all(MISSING_OF, {"address": address, "after": after, "limit": limit})
    return [(int(row[0]), int(row[1])) for row in rows]


async def to_ask_about(
    tx: Transaction, *, after: int, up_to: int, since: int, most: int, limit: int
) -> list[tuple[int, str, int]]:
    """The messages between two ids about which a model is asked, with their mailboxes and the
    ids of their contents: they arrived, at `since` (microseconds UTC) or later, and have `most`
    octets."""
    rows = await tx.fetch_all(
        TO_ASK_ABOUT,
        {"after": after, "up_to": up_to, "since": since, "most": most, "limit": limit},
    )
    return [(int(row[0]), str(row[1]), int(row[2])) for row in rows]
