"""Rows that come from another store, with the ids that they had there where those are free.

An id is free when it is above every id that was ever given out here: ids grow for ever, and one
that a client has seen go by must not turn up again (IMAP UIDs, tokens, polling). `imported` says
what became of each row, also when it is deleted here later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailbox_service.core.transfer import MovedMail
from mailbox_service.storage import addresses, contents
from mailbox_service.storage.database import Dialect, Transaction
from mailbox_service.storage.messages import ids_text

# Tables whose ids are kept. They are part of SQL text below, and never come from outside.
NUMBERED = frozenset(("messages", "addresses", "submissions", "users"))

_HIGHEST: dict[Dialect, str] = {
    "sqlite": "SELECT max(seq) FROM sqlite_sequence WHERE name = '{table}'",
    "postgresql": "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq",
}
# SQLite moves its own mark when a higher id is written.
_MOVE: dict[Dialect, str] = {
    "sqlite": "",
    "postgresql": "SELECT setval('{table}_id_seq', CAST(:highest AS BIGINT))",
}

TAKEN = """
SELECT old_id, new_id FROM imported
 WHERE source = :source AND kind = :kind AND old_id IN ({ids})
"""

ALL_TAKEN = "SELECT old_id, new_id FROM imported WHERE source = :source AND kind = :kind"

NOTE = """
INSERT INTO imported (source, kind, old_id, new_id) VALUES (:source, :kind, :old_id, :new_id)
ON CONFLICT (source, kind, old_id) DO NOTHING
"""

ADD_MESSAGE = """
INSERT INTO messages ({id}address, reverse_path, content_id, size, flags, received_at, metadata,
                      quiet)
VALUES ({value}:address, :reverse_path, :content_id, :size, :flags, :received_at, :metadata, 1)
RETURNING id
"""

ADD_ADDRESS = """
INSERT INTO addresses ({id}address, name, password_hash, source_meta, created_at, updated_at)
VALUES ({value}:address, :name, :password_hash, :source_meta, :created_at, :updated_at)
ON CONFLICT (address) DO NOTHING
RETURNING id
"""

ADD_SUBMISSION = """
INSERT INTO submissions ({id}queue_id, address, reverse_path, content_id, size, door, message_id,
                         from_address, subject, record, listed, created_at)
VALUES ({value}:queue_id, :address, :address, :content_id, :size, 'import', :message_id,
        :address, :subject, :record, 1, :created_at)
RETURNING id
"""

# What the other store sent is over: nothing of it is due, whatever became of it.
ADD_RECIPIENT = """
INSERT INTO recipients (submission_id, recipient, domain, state, attempts, queued_at, updated_at,
                        last_reply)
VALUES (:submission_id, :recipient, :domain, 'delivered', 1, :created_at, :created_at,
        'sent before the move')
"""

ADD_USER = """
INSERT INTO users ({id}email, password_hash, role, user_info, source, created_at, updated_at)
VALUES ({value}:email, :password_hash, :role, :user_info, 'imported', :created_at, :updated_at)
ON CONFLICT (email) DO NOTHING
RETURNING id
"""

ADD_FORMER = """
INSERT INTO former_address_ids (former_id, address_id) VALUES (:former_id, :address_id)
ON CONFLICT (former_id, address_id) DO NOTHING
"""

FORMER = """
SELECT a.id FROM former_address_ids f JOIN addresses a ON a.id = f.address_id
 WHERE f.former_id = :former_id AND a.address = :address
"""

REMOVE_FORMER = "DELETE FROM former_address_ids WHERE address_id = :address_id"

ADD_COUNT = """
INSERT INTO send_counts (period, sent) VALUES (:period, :sent) ON CONFLICT (period) DO NOTHING
"""

ADD_SETTING = """
INSERT INTO settings (name, value, version, updated_at) VALUES (:name, :value, 1, :now)
ON CONFLICT (name) DO NOTHING
"""

MAILBOX_CONTENTS = """
SELECT m.id, m.size, c.checksum, m.content_id
  FROM messages m JOIN contents c ON c.id = m.content_id
 WHERE m.address = :address AND m.id > :after ORDER BY m.id LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row on its way in: its old id, whether that id is kept, and its values."""

    old_id: int
    keeps_id: bool
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail on its way in; `packed` is its gzip form where that is stored."""

    mail: MovedMail
    received_at: int
    packed: bytes | None = None
    old_id: int = 0
    keeps_id: bool = False


@dataclass(frozen=True, slots=True)
class NewSent:
    """A sent mail on its way in: its row, its content, and whom it went to."""

    row: NewRow
    content: bytes
    recipients: tuple[tuple[str, str], ...]


async def highest(tx: Transaction, table: str) -> int:
    """The highest id that a table ever gave out; 0 when it gave none."""
    assert table in NUMBERED
    row = await tx.fetch_one(_HIGHEST[tx.dialect].format(table=table))
    return int(row[0] or 0) if row is not None else 0


async def move_mark(tx: Transaction, table: str, kept: int) -> None:
    """See to it that ids up to `kept`, which was written with a row, are not given out again."""
    statement = _MOVE[tx.dialect].format(table=table)
    if statement and kept > await highest(tx, table):
        await tx.fetch_one(statement, {"highest": kept})


async def taken(tx: Transaction, source: str, kind: str, old_ids: Sequence[int]) -> dict[int, int]:
    """What became of those of these rows that were taken over before: new ids by old ids."""
    if not old_ids:
        return {}
    rows = await tx.fetch_all(TAKEN.format(ids=ids_text(old_ids)), {"source": source, "kind": kind})
    return {int(old): int(new) for old, new in rows}


async def all_taken(tx: Transaction, source: str, kind: str) -> dict[int, int]:
    """What became of every row of a kind: new ids by old ids."""
    rows = await tx.fetch_all(ALL_TAKEN, {"source": source, "kind": kind})
    return {int(old): int(new) for old, new in rows}


async def note(tx: Transaction, source: str, kind: str, pairs: Sequence[tuple[int, int]]) -> None:
    """Write down what became of rows: pairs of old and new id."""
    await tx.execute_many(
        NOTE,
        [{"source": source, "kind": kind, "old_id": old, "new_id": new} for old, new in pairs],
    )


async def insert(tx: Transaction, statement: str, table: str, row: NewRow) -> int | None:
    """Write one row, under its old id or a new one; its id, None when something that must be
    unique is there already."""
    text = statement.format(
        id="id, " if row.keeps_id else "", value=":id, " if row.keeps_id else ""
    )
    values = {"id": row.old_id, **row.values} if row.keeps_id else row.values
    written = await tx.fetch_one(text, values)
    if written is None:
        return None
    if row.keeps_id:
        await move_mark(tx, table, row.old_id)
    return int(written[0])


async def add_mail(tx: Transaction, new: NewMail) -> int:
    """Put one mail into its mailbox, quietly: nothing follows from it. Whoever calls has taken
    `locks.order_messages`."""
    mail = new.mail
    content_id = await contents.add(tx, mail.content, uses=1, packed=new.packed)
    row = NewRow(
        new.old_id,
        new.keeps_id,
        {
            "address": mail.address,
            "reverse_path": mail.reverse_path,
            "content_id": content_id,
            "size": len(mail.content),
            "flags": mail.flags,
            "received_at": new.received_at,
            "metadata": mail.metadata,
        },
    )
    message_id = await insert(tx, ADD_MESSAGE, "messages", row)
    assert message_id is not None
    return message_id


async def add_sent(tx: Transaction, new: NewSent) -> int:
    """Put one mail into the sent box of its address."""
    content_id = await contents.add(tx, new.content, uses=1)
    values = {**new.row.values, "content_id": content_id, "size": len(new.content)}
    submission_id = await insert(
        tx, ADD_SUBMISSION, "submissions", NewRow(new.row.old_id, new.row.keeps_id, values)
    )
    assert submission_id is not None
    await tx.execute_many(
        ADD_RECIPIENT,
        [
            {
                "submission_id": submission_id,
                "recipient": recipient,
                "domain": domain,
                "created_at": values["created_at"],
            }
            for recipient, domain in new.recipients
        ],
    )
    return submission_id


async def add_former_id(tx: Transaction, *, former_id: int, address_id: int) -> None:
    """Let tokens that carry an id of another deployment stand for an address here."""
    await tx.execute(ADD_FORMER, {"former_id": former_id, "address_id": address_id})


async def id_of_address(tx: Transaction, address: str) -> int | None:
    """The id of an address that is open here."""
    found = await addresses.by_address(tx, address)
    return None if found is None else found.id


async def by_former_id(tx: Transaction, *, former_id: int, address: str) -> int | None:
    """The id here of an address that had another one where it comes from."""
    row = await tx.fetch_one(FORMER, {"former_id": former_id, "address": address})
    return None if row is None else int(row[0])


async def remove_former_ids(tx: Transaction, address_id: int) -> None:
    """Forget the former ids of an address that closes."""
    await tx.execute(REMOVE_FORMER, {"address_id": address_id})


async def add_setting(tx: Transaction, *, name: str, value: str, now: int) -> bool:
    """Set a setting that nobody has set here; `value` is its JSON. False when it is set."""
    return await tx.execute(ADD_SETTING, {"name": name, "value": value, "now": now}) > 0


async def add_count(tx: Transaction, *, period: str, sent: int) -> bool:
    """How many mails were sent in a period; False when they are counted here already."""
    return await tx.execute(ADD_COUNT, {"period": period, "sent": sent}) > 0


async def mailbox_contents(
    tx: Transaction, address: str, *, after: int, limit: int
) -> list[tuple[int, int, int, int]]:
    """What a mailbox holds, from an id on: ids, sizes, checksums, content ids."""
    rows = await tx.fetch_all(
        MAILBOX_CONTENTS, {"address": address, "after": after, "limit": limit}
    )
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in rows]
