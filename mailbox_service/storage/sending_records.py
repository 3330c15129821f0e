"""What an account of the sending API owns: keys, users, domains, webhooks, lists.

One JSON document a row. There are few of a kind and they change seldom, so they are read whole
and searched in memory; a table a kind would add columns and no query.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_service.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One document. `name` is unique in its kind and account; times are microseconds UTC."""

    id: int
    account: str
    kind: str
    name: str
    value: str
    created_at: int
    updated_at: int


COLUMNS = "id, account, kind, name, value, created_at, updated_at"

ADD = """
INSERT INTO sending_records (account, kind, name, lookup, value, created_at, updated_at)
VALUES (:account, :kind, :name, :lookup, :value, :now, :now)
ON CONFLICT DO NOTHING
RETURNING id
"""

PUT = """
INSERT INTO sending_records (account, kind, name, lookup, value, created_at, updated_at)
VALUES (:account, :kind, :name, NULL, :value, :now, :now)
ON CONFLICT (kind, account, name) DO UPDATE
   SET value = excluded.value, updated_at = excluded.updated_at
"""

# A name or lookup of another row is not taken over: nothing is changed then.
CHANGE = """
UPDATE sending_records
   SET value = :value, name = :new_name, updated_at = :now,
       lookup = CASE WHEN CAST(:lookup AS TEXT) IS NULL THEN lookup ELSE :lookup END
 WHERE kind = :kind AND account = :account AND name = :name
   AND NOT EXISTS (SELECT 1 FROM sending_records AS other
                    WHERE other.id <> sending_records.id
                      AND ((other.kind = :kind AND other.account = :account
                            AND other.name = :new_name) OR other.lookup = :lookup))
"""

GET = f"""
SELECT {COLUMNS} FROM sending_records
 WHERE kind = :kind AND account = :account AND name = :name
"""

BY_LOOKUP = f"SELECT {COLUMNS} FROM sending_records WHERE lookup = :lookup"

OF_KIND = f"""
SELECT {COLUMNS} FROM sending_records WHERE kind = :kind AND account = :account ORDER BY id
"""

OF_KIND_ANYWHERE = f"SELECT {COLUMNS} FROM sending_records WHERE kind = :kind ORDER BY id"

ANY_OF_KIND = "SELECT 1 FROM sending_records WHERE kind = :kind LIMIT 1"

COUNT = "SELECT count(*) FROM sending_records WHERE kind = :kind AND account = :account"

REMOVE = f"""
DELETE FROM sending_records WHERE kind = :kind AND account = :account AND name = :name
RETURNING {COLUMNS}
"""


async def add(
    tx: Transaction,
    *,
    account: str,
    kind: str,
    name: str,
    value: str,
    now: int,
    lookup: str | None = None,
) -> int | None:
    """Keep a new document; its id, None when the name or the lookup is taken."""
    row = await tx.fetch_one(
        ADD,
        {
            "account": account,
            "kind": kind,
            "name": name,
            "lookup": lookup,
            "value": value,
            "now": now,
        },
    )
    return None if row is None else int(row[0])


async def put(tx: Transaction, *, account: str, kind: str, name: str, value: str, now: int) -> None:
    """Keep a document, in place of the one of its name."""
    await tx.execute(
        PUT, {"account": account, "kind": kind, "name": name, "value": value, "now": now}
    )


async def change(
    tx: Transaction,
    *,
    account: str,
    kind: str,
    name: str,
    value: str,
    now: int,
    new_name: str | None = None,
    lookup: str | None = None,
) -> bool:
    """Change a document; False when it is not there, or its new name or lookup is taken."""
    changed = await tx.execute(
        CHANGE,
        {
            "account": account,
            "kind": kind,
            "name": name,
            "new_name": name if new_name is None else new_name,
            "lookup": lookup,
            "value": value,
            "now": now,
        },
    )
    return changed > 0


async def get(tx: Transaction, *, account: str, kind: str, name: str) -> StoredRecord | None:
    """One document by its name."""
    row = await tx.fetch_one(GET, {"account": account, "kind": kind, "name": name})
    return None if row is None else StoredRecord(*row)


async def by_lookup(tx: Transaction, lookup: str) -> StoredRecord | None:
    """One document, whoever owns it, by what it is looked up with."""
    row = await tx.fetch_one(BY_LOOKUP, {"lookup": lookup})
    return None if row is None else StoredRecord(*row)


async def of_kind(tx: Transaction, *, account: str, kind: str) -> list[StoredRecord]:
    """All documents of one kind, oldest first."""
    rows = await tx.fetch_all(OF_KIND, {"account": account, "kind": kind})
    return [StoredRecord(*row) for row in rows]


async def of_kind_anywhere(tx: Transaction, kind: str) -> list[StoredRecord]:
    """All documents of one kind of all accounts, oldest first."""
    return [StoredRecord(*row) for row in await tx.fetch_all(OF_KIND_ANYWHERE, {"kind": kind})]


async def any_of_kind(tx: Transaction, kind: str) -> bool:
    """Whether anybody has a document of one kind."""
    return await tx.fetch_one(ANY_OF_KIND, {"kind": kind}) is not None


async def count(tx: Transaction, *, account: str, kind: str) -> int:
    """How many documents of one kind there are."""
    row = await tx.fetch_one(COUNT, {"account": account, "kind": kind})
    return 0 if row is None else int(row[0])


async def remove(tx: Transaction, *, account: str, kind: str, name: str) -> StoredRecord | None:
    """Forget a document; what it was."""
    row = await tx.fetch_one(REMOVE, {"account": account, "kind": kind, "name": name})
    return None if row is None else StoredRecord(*row)
