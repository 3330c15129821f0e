"""The audit log: a row a change, bounded in age and number."""

from __future__ import annotations

import json
from collections.abc import Mapping

from mailbox_service.core.audit import AuditEntry
from mailbox_service.storage.addresses import contains
from mailbox_service.storage.database import Row, Transaction

ADD = """
INSERT INTO audit_log (at, actor, peer, action, subject, detail)
VALUES (:at, :actor, :peer, :action, :subject, :detail) RETURNING id
"""

_WHERE = """
   AND (CAST(:actor AS TEXT) = '' OR lower(actor) LIKE :actor_like ESCAPE '\\')
   AND (CAST(:action AS TEXT) = '' OR action = :action OR action LIKE :action_like ESCAPE '\\')
   AND (CAST(:q AS TEXT) = '' OR lower(subject) LIKE :q_like ESCAPE '\\'
        OR lower(detail) LIKE :q_like ESCAPE '\\' OR lower(peer) LIKE :q_like ESCAPE '\\')
"""

PAGE = f"""
SELECT id, at, actor, peer, action, subject, detail FROM audit_log
 WHERE id < :before_id {_WHERE} ORDER BY id DESC LIMIT :limit
"""

COUNT = f"SELECT count(*) FROM audit_log WHERE id > 0 {_WHERE}"

# Ids grow with time, so whatever is too old comes first.
TRIM = """
DELETE FROM audit_log
 WHERE id <= coalesce((SELECT max(id) FROM audit_log), 0) - :most
    OR id < coalesce((SELECT min(id) FROM audit_log WHERE at >= :since), 0)
"""

NEWEST = 2**62


def entry_of(row: Row) -> AuditEntry:
    entry_id, at, actor, peer, action, subject, detail = row
    return AuditEntry(entry_id, at, actor, peer, action, subject, json.loads(detail))


async def add(
    tx: Transaction,
    *,
    at: int,
    actor: str,
    peer: str,
    action: str,
    subject: str,
    detail: Mapping[str, object],
) -> int:
    """Write a change down; its id."""
    row = await tx.fetch_one(
        ADD,
        {
            "at": at,
            "actor": actor,
            "peer": peer,
            "action": action,
            "subject": subject,
            "detail": json.dumps(detail, ensure_ascii=False),
        },
    )
    assert row is not None
    return int(row[0])


async def page(
    tx: Transaction,
    *,
    limit: int,
    before_id: int | None = None,
    actor: str = "",
    action: str = "",
    q: str = "",
) -> tuple[list[AuditEntry], int]:
    """A page of changes, newest first, before an id, and how many fit in all. `actor` and `q`
    (in subject, detail or peer) fit in part; `action` fits itself and what begins with it."""
    filters = {
        "actor": actor,
        "actor_like": contains(actor),
        "action": action,
        "action_like": contains(action)[1:],
        "q": q,
        "q_like": contains(q),
    }
    before = NEWEST if before_id is None else before_id
    rows = await tx.fetch_all(PAGE, {**filters, "before_id": before, "limit": limit})
    counted = await tx.fetch_one(COUNT, filters)
    assert counted is not None
    return [entry_of(row) for row in rows], int(counted[0])


async def trim(tx: Transaction, *, since: int, most: int) -> int:
    """Forget what happened before a time, and all but the newest `most`; how many."""
    return await tx.execute(TRIM, {"since": since, "most": most})
