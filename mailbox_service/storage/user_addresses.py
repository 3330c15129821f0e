"""Which addresses belong to which account: an address to one at most."""

from __future__ import annotations

from mailbox_service.core.stored import (
    NO_FILTERS,
    Address,
    CountedAddress,
    Excerpt,
    Filters,
    StoredMessage,
)
from mailbox_service.storage import locks, message_lists, messages
from mailbox_service.storage.addresses import COLUMNS as ADDRESS_COLUMNS
from mailbox_service.storage.addresses import DAY, address_of, contains
from mailbox_service.storage.database import Transaction

BIND = """
INSERT INTO user_addresses (user_id, address_id, created_at)
VALUES (:user_id, :address_id, :now)
ON CONFLICT (address_id) DO NOTHING
"""

OWNER = "SELECT user_id FROM user_addresses WHERE address_id = :address_id"

OWNER_AND_ROLE = """
SELECT u.id, u.role FROM user_addresses b
  JOIN addresses a ON a.id = b.address_id JOIN users u ON u.id = b.user_id
 WHERE a.address = :address
"""

RELEASE = "DELETE FROM user_addresses WHERE address_id = :address_id"

RELEASE_OWN = "DELETE FROM user_addresses WHERE address_id = :address_id AND user_id = :user_id"

RELEASE_ALL = "DELETE FROM user_addresses WHERE user_id = :user_id"

COUNT = "SELECT count(*) FROM user_addresses WHERE user_id = :user_id"

COUNT_NAMED = """
SELECT count(*) FROM user_addresses u JOIN addresses a ON a.id = u.address_id
 WHERE u.user_id = :user_id AND lower(a.name) LIKE :pattern ESCAPE '\\'
"""

LIST = """
SELECT a.id, a.name, a.source_meta, a.created_at, a.updated_at,
       (SELECT count(*) FROM messages m WHERE m.address = a.address),
       (SELECT count(*) FROM submissions s WHERE s.address = a.address AND s.listed = 1)
  FROM user_addresses u JOIN addresses a ON a.id = u.address_id
 WHERE u.user_id = :user_id AND (:query = '' OR lower(a.name) LIKE :pattern ESCAPE '\\')
 ORDER BY a.id DESC LIMIT :limit OFFSET :offset
"""

OWNED = f"""
SELECT {", ".join(f"a.{name.strip()}" for name in ADDRESS_COLUMNS.split(","))}
  FROM user_addresses u JOIN addresses a ON a.id = u.address_id
 WHERE u.user_id = :user_id AND u.address_id = :address_id
"""

ANY_IDLE = """
SELECT 1 FROM user_addresses u JOIN addresses a ON a.id = u.address_id
 WHERE u.user_id = :user_id AND a.updated_at < :day_ago LIMIT 1
"""

TOUCH_ALL = """
UPDATE addresses SET updated_at = :now
 WHERE updated_at < :day_ago
   AND id IN (SELECT address_id FROM user_addresses WHERE user_id = :user_id)
"""

ADDRESSES_OF = """
SELECT a.address FROM user_addresses u JOIN addresses a ON a.id = u.address_id
 WHERE u.user_id = :user_id AND (:address = '' OR a.address = :address)
"""

# By the ids of the index alone, newest first: ordered by a sum, or an engine might read all mail
# of everybody backwards until a page of this account's is full.
MAIL_IDS = f"""
SELECT m.id {{source}} WHERE m.address IN ({ADDRESSES_OF}) AND {{where}}
 ORDER BY m.id + 0 {{direction}} LIMIT :limit OFFSET :offset
"""

COUNT_MAIL = f"SELECT count(*) {{source}} WHERE m.address IN ({ADDRESSES_OF}) AND {{where}}"


async def bind(tx: Transaction, *, user_id: int, address_id: int, now: int) -> bool:
    """Give an address to an account; False when it belongs to somebody already.

    Whoever counts before takes `locks.order_accounts` first.
    """
    params = {"user_id": user_id, "address_id": address_id, "now": now}
    return await tx.execute(BIND, params) > 0


async def owner(tx: Transaction, address_id: int) -> int | None:
    """The account that an address belongs to."""
    row = await tx.fetch_one(OWNER, {"address_id": address_id})
    return None if row is None else int(row[0])


async def owner_and_role(tx: Transaction, address: str) -> tuple[int, str | None] | None:
    """The account that an address belongs to, by the address itself, and the account's role."""
    row = await tx.fetch_one(OWNER_AND_ROLE, {"address": address})
    return None if row is None else (int(row[0]), row[1])


async def owned(tx: Transaction, *, user_id: int, address_id: int) -> Address | None:
    """An address of an account."""
    row = await tx.fetch_one(OWNED, {"user_id": user_id, "address_id": address_id})
    return None if row is None else address_of(row)


async def release(tx: Transaction, address_id: int, *, user_id: int | None = None) -> None:
    """Take an address from its account, or only from this one."""
    await locks.order_accounts(tx)  # or somebody who counts now might bind what is being closed
    if user_id is None:
        await tx.execute(RELEASE, {"address_id": address_id})
    else:
        await tx.execute(RELEASE_OWN, {"address_id": address_id, "user_id": user_id})


async def release_all(tx: Transaction, user_id: int) -> None:
    """Take every address from an account."""
    await locks.order_accounts(tx)
    await tx.execute(RELEASE_ALL, {"user_id": user_id})


async def count(tx: Transaction, user_id: int) -> int:
    """How many addresses an account holds."""
    row = await tx.fetch_one(COUNT, {"user_id": user_id})
    assert row is not None
    return int(row[0])


async def list_page(
    tx: Transaction, user_id: int, *, limit: int, offset: int, query: str = ""
) -> tuple[list[CountedAddress], int]:
    """A page of those of an account's addresses that contain `query`, newest first, and how many
    there are."""
    params = {"user_id": user_id, "query": query, "pattern": contains(query)}
    rows = await tx.fetch_all(LIST, {**params, "limit": limit, "offset": offset})
    found = [CountedAddress(*row) for row in rows]
    if not query:
        return found, await count(tx, user_id)
    total = await tx.fetch_one(COUNT_NAMED, params)
    assert total is not None
    return found, int(total[0])


async def any_idle(tx: Transaction, user_id: int, *, now: int) -> bool:
    """Whether some address of an account was not in use for a day."""
    params = {"user_id": user_id, "day_ago": now - DAY}
    return await tx.fetch_one(ANY_IDLE, params) is not None


async def touch_all(tx: Transaction, user_id: int, *, now: int) -> None:
    """Note that the addresses of an account are in use, once a day."""
    await tx.execute(TOUCH_ALL, {"user_id": user_id, "now": now, "day_ago": now - DAY})


async def addresses_of(tx: Transaction, user_id: int, *, address: str = "") -> list[str]:
    """The addresses of an account, canonical; or this one alone, when it is among them."""
    rows = await tx.fetch_all(ADDRESSES_OF, {"user_id": user_id, "address": address})
    return [str(row[0]) for row in rows]


async def mail_page(
    tx: Transaction, user_id: int, wanted: Excerpt, *, address: str
) -> list[StoredMessage]:
    """A page of the mail of all addresses of an account, or of one of them."""
    filters, after_id = wanted.filters, wanted.after_id
    where, params = message_lists.conditions(
        None, filters, before_id=wanted.before_id, after_id=after_id
    )
    direction = "DESC" if after_id is None else "ASC"
    place = {"limit": wanted.limit, "offset": wanted.offset}
    found = await tx.fetch_all(
        MAIL_IDS.format(source=source_of(filters), where=where, direction=direction),
        {**params, **place, "user_id": user_id, "address": address},
    )
    listed = await messages.by_ids(tx, [int(row[0]) for row in found])
    return listed[::-1] if after_id is None else listed


async def count_mail(
    tx: Transaction, user_id: int, *, address: str, filters: Filters = NO_FILTERS
) -> int:
    """How much mail the addresses of an account have."""
    where, params = message_lists.conditions(None, filters)
    row = await tx.fetch_one(
        COUNT_MAIL.format(source=source_of(filters), where=where),
        {**params, "user_id": user_id, "address": address},
    )
    assert row is not None
    return int(row[0])


def source_of(filters: Filters) -> str:
    """The tables of a list: summaries only where something in them is looked for."""
    return messages.FROM if filters else "FROM messages m"
