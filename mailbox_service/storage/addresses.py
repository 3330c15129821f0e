"""Opened addresses: who may read a mailbox, and since when."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from operator import itemgetter

from msgspec import Struct

from mailbox_service.core.address import without_detail
from mailbox_service.core.errors import NameTaken
from mailbox_service.core.stored import Address, CountedAddress
from mailbox_service.storage import many_rows
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.dialects import each_text

# The mailbox API shows activity by the day, so a touch that comes sooner is not written.
DAY = 86_400_000_000

NAMES = "SELECT address, name FROM addresses WHERE address IN ({addresses}) AND name <> address"

COLUMNS = """id, address, name, password_hash, source_meta, created_at, updated_at,
       tokens_from, expires_at"""

ADDED = (
    *("address", "name", "password_hash", "source_meta", "created_at", "updated_at"),
    "expires_at",
)

UNLESS_OPEN = "(address) DO NOTHING"

# SQLite: the highest id that was ever given out, and what the statement before has added.
HIGHEST_ID = "SELECT seq FROM sqlite_sequence WHERE name = 'addresses'"
COUNT_ADDED = "SELECT changes(), last_insert_rowid()"
ADDED_ABOVE = "SELECT address, id FROM addresses WHERE id > :before"

OPEN_AGAIN = """
INSERT INTO addresses (address, name, created_at, updated_at, expires_at)
VALUES (:address, :name, :now, :now, :expires_at)
RETURNING id
"""

BY_ADDRESS = f"SELECT {COLUMNS} FROM addresses WHERE address = :address"

BY_ID = f"SELECT {COLUMNS} FROM addresses WHERE id = :id"

TOUCH = """
UPDATE addresses SET updated_at = :now WHERE address = :address AND updated_at < :day_ago
"""

TOUCH_ALL = """
UPDATE addresses SET updated_at = :now
 WHERE address IN ({addresses}) AND updated_at < :day_ago
"""

SET_PASSWORD = """
UPDATE addresses SET password_hash = :password_hash, updated_at = :now WHERE id = :id
"""

SET_END = "UPDATE addresses SET expires_at = :expires_at WHERE id = :id"

# Later than the last time, also when the clock went back: each revocation ends what came before.
REVOKE = """
UPDATE addresses
   SET tokens_from = CASE WHEN tokens_from >= :now THEN tokens_from + 1
                          ELSE CAST(:now AS BIGINT) END
 WHERE id = :id
"""

REMOVE = "DELETE FROM addresses WHERE id = :id"

ALL = "SELECT address FROM addresses"

# The counts are worked out for the rows of one page alone, unless they are what it is sorted by.
COUNTED = """
SELECT id, name, source_meta, created_at, updated_at,
       (SELECT count(*) FROM messages WHERE messages.address = addresses.address) AS mail_count,
       (SELECT count(*) FROM submissions
         WHERE submissions.address = addresses.address AND listed = 1) AS send_count,
       expires_at
  FROM addresses
"""

BEHIND = f"{COUNTED} WHERE id > :after ORDER BY id LIMIT :limit"

LIST = f"""
{COUNTED}
 WHERE (:query = '' OR lower(name) LIKE :pattern ESCAPE '\\')
 ORDER BY {{order}} LIMIT :limit OFFSET :offset
"""

COUNT = """
SELECT count(*) FROM addresses
 WHERE (:query = '' OR lower(name) LIKE :pattern ESCAPE '\\')
"""

COUNT_ACTIVE = "SELECT count(*) FROM addresses WHERE updated_at >= :since"

SORTABLE = frozenset(
    {"id", "name", "created_at", "updated_at", "source_meta", "mail_count", "send_count"}
)


def address_of(row: Row) -> Address:
    return Address(*row)


def contains(text: str) -> str:
    """A LIKE pattern, escape character backslash, for rows that contain `text` as it is."""
    escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


class NewAddress(Struct, frozen=True, gc=False):
    """An address to be opened: canonical, as it was spelled, the stored form of its password."""

    address: str
    name: str
    password_hash: str | None
    source_meta: str | None
    now: int
    expires_at: int | None = None
    # An administrator may also open what was closed a moment ago.
    by_admin: bool = False


async def open_all(tx: Transaction, wanted: Sequence[NewAddress]) -> list[int | None]:
    """Open addresses with as few statements as may be; the id of each, None for one that is open
    already or was wanted twice."""
    rows: list[Row] = [
        (
            *(new.address, new.name, new.password_hash, new.source_meta),
            *(new.now, new.now, new.expires_at),
        )
        for new in wanted
    ]
    # In one order everywhere: two processes that open the same two never wait for one another.
    rows.sort(key=itemgetter(0))
    if tx.dialect == "sqlite":
        added = await _add_numbered(tx, rows)
    else:
        added = await many_rows.insert_returning(
            tx, "addresses", ADDED, rows, "address, id", UNLESS_OPEN
        )
    ids: dict[str, int] = dict(added)
    return [ids.pop(new.address, None) for new in wanted]


async def _add_numbered(tx: Transaction, rows: Sequence[Row]) -> list[Row]:
    """Add rows where ids are given out one behind the other (`many_rows.insert_numbered`): the
    address and id of each that was not open. What was added is asked for only when one was."""
    added: list[Row] = []
    for portion in many_rows.portions(rows):
        highest = await tx.fetch_one(HIGHEST_ID)
        before = 0 if highest is None else int(highest[0])
        sql = many_rows.statement("addresses", ADDED, len(portion), "", tx.dialect, UNLESS_OPEN)
        await tx.fetch_values(sql, [value for row in portion for value in row])
        counted = await tx.fetch_one(COUNT_ADDED)
        assert counted is not None
        if counted[0] == len(portion):
            added += zip(
                (row[0] for row in portion), range(before + 1, counted[1] + 1), strict=True
            )
        else:
            added += await tx.fetch_all(ADDED_ABOVE, {"before": before})
    return added


async def open_address(
    tx: Transaction,
    *,
    address: str,
    name: str,
    password_hash: str | None,
    source_meta: str | None,
    now: int,
    expires_at: int | None = None,
) -> int:
    """Open an address; its id. Raises NameTaken when it is open already."""
    new = NewAddress(address, name, password_hash, source_meta, now, expires_at)
    (address_id,) = await open_all(tx, [new])
    if address_id is None:
        raise name_taken()
    return address_id


def name_taken() -> NameTaken:
    """The address is open already."""
    return NameTaken("Address already exists", message_key="AddressAlreadyExistsMsg")


async def open_again(tx: Transaction, removed: Address, *, now: int) -> int:
    """Open an address that was just removed in this transaction, for another owner: a new id, no
    password, no origin; it ends when it was to end."""
    row = await tx.fetch_one(
        OPEN_AGAIN,
        {
            "address": removed.address,
            "name": removed.name,
            "now": now,
            "expires_at": removed.expires_at,
        },
    )
    assert row is not None
    return int(row[0])


async def by_address(tx: Transaction, address: str) -> Address | None:
    """An opened address by its canonical form."""
    row = await tx.fetch_one(BY_ADDRESS, {"address": address})
    return None if row is None else address_of(row)


async def names_of(tx: Transaction, found: Sequence[str]) -> dict[str, str]:
    """The spellings of those addresses that were opened with capitals in them."""
    sql = NAMES.format(addresses=each_text(tx.dialect, "addresses"))
    rows = await tx.fetch_all(sql, {"addresses": json.dumps(found)})
    return {str(address): str(name) for address, name in rows}


async def mailbox_of(tx: Transaction, recipient: str) -> str:
    """The mailbox in which mail for an address lands: its own, or for `name+tag` that of `name`,
    when somebody has opened the latter and nobody the former."""
    below = without_detail(recipient)
    if below is None or await by_address(tx, recipient) is not None:
        return recipient
    return recipient if await by_address(tx, below) is None else below


async def by_id(tx: Transaction, address_id: int) -> Address | None:
    """An opened address by its id."""
    row = await tx.fetch_one(BY_ID, {"id": address_id})
    return None if row is None else address_of(row)


async def all_addresses(tx: Transaction) -> list[str]:
    """Every opened address, canonical."""
    return [row[0] for row in await tx.fetch_all(ALL)]


async def touch(tx: Transaction, address: str, now: int) -> None:
    """Note that an address is in use, once a day."""
    await tx.execute(TOUCH, {"address": address, "now": now, "day_ago": now - DAY})


async def touch_all(tx: Transaction, used: Collection[str], now: int) -> None:
    """Note that several addresses are in use, once a day."""
    if len(used) == 1:
        (address,) = used
        await tx.execute(TOUCH, {"address": address, "now": now, "day_ago": now - DAY})
        return
    sql = TOUCH_ALL.format(addresses=each_text(tx.dialect, "addresses"))
    params = {"addresses": json.dumps(sorted(used)), "now": now, "day_ago": now - DAY}
    await tx.execute(sql, params)


async def set_password(tx: Transaction, address_id: int, *, password_hash: str, now: int) -> bool:
    """Change an address's password hash; False when there is no such address."""
    changed = await tx.execute(
        SET_PASSWORD, {"id": address_id, "password_hash": password_hash, "now": now}
    )
    return changed > 0


async def set_end(tx: Transaction, address_id: int, *, expires_at: int | None) -> bool:
    """Have an address end at a time, or never; False when there is no such address."""
    return await tx.execute(SET_END, {"id": address_id, "expires_at": expires_at}) > 0


async def revoke_tokens(tx: Transaction, address_id: int, *, now: int) -> Address | None:
    """End every token of an address that was issued until now; the address as it is then."""
    await tx.execute(REVOKE, {"id": address_id, "now": now})
    return await by_id(tx, address_id)


async def remove(tx: Transaction, address_id: int) -> None:
    """Forget that an address was opened; its mail is not touched."""
    await tx.execute(REMOVE, {"id": address_id})


async def list_page(
    tx: Transaction, *, limit: int, offset: int, query: str, sort_by: str, descending: bool
) -> tuple[list[CountedAddress], int]:
    """A page of opened addresses whose name contains `query`, and how many there are."""
    column = sort_by if sort_by in SORTABLE else "id"
    direction = "DESC" if descending else "ASC"
    params = {"query": query, "pattern": contains(query)}
    rows = await tx.fetch_all(
        LIST.format(order=f"{column} {direction}, id {direction}"),
        {**params, "limit": limit, "offset": offset},
    )
    total = await tx.fetch_one(COUNT, params)
    assert total is not None
    return [CountedAddress(*row) for row in rows], int(total[0])


async def behind(tx: Transaction, *, after: int, limit: int) -> list[CountedAddress]:
    """Opened addresses whose ids are above one, in the order of their ids."""
    rows = await tx.fetch_all(BEHIND, {"after": after, "limit": limit})
    return [CountedAddress(*row) for row in rows]


async def count(tx: Transaction) -> int:
    """How many addresses are open."""
    row = await tx.fetch_one(COUNT, {"query": "", "pattern": ""})
    assert row is not None
    return int(row[0])


async def count_active(tx: Transaction, *, since: int) -> int:
    """How many addresses were in use at or after a time."""
    row = await tx.fetch_one(COUNT_ACTIVE, {"since": since})
    assert row is not None
    return int(row[0])
