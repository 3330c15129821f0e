"""Accounts, each with its role; the addresses that they hold are in `user_addresses`."""

from __future__ import annotations

from mailbox_service.core.accounts import Account, CountedAccount
from mailbox_service.storage.addresses import contains
from mailbox_service.storage.database import Row, Transaction

COLUMNS = "id, email, password_hash, role, created_at, updated_at"

ADD = """
INSERT INTO users (email, password_hash, role, user_info, source, created_at, updated_at)
VALUES (:email, :password_hash, :role, :user_info, :source, :now, :now)
ON CONFLICT (email) DO NOTHING
RETURNING id
"""

BY_ID = f"SELECT {COLUMNS} FROM users WHERE id = :id"

BY_EMAIL = f"SELECT {COLUMNS} FROM users WHERE email = :email"

SET_PASSWORD = """
UPDATE users SET password_hash = :password_hash, updated_at = :now WHERE id = :id
"""

SET_ROLE = """
UPDATE users SET role = CAST(:role AS TEXT), updated_at = :now WHERE id = :id
"""

GIVE_ROLE = "UPDATE users SET role = :role WHERE id = :id AND role IS NULL"

TELL = "UPDATE users SET user_info = :user_info, updated_at = :now WHERE id = :id"

REMOVE = "DELETE FROM users WHERE id = :id"

REMEMBER_END = """
INSERT INTO ended_accounts (id, ended_at) VALUES (:id, :now) ON CONFLICT (id) DO NOTHING
"""

ENDED = "SELECT 1 FROM ended_accounts WHERE id = :id"

FORGET_ENDS = "DELETE FROM ended_accounts WHERE ended_at < :before"

LIST = f"""
SELECT {COLUMNS.replace("password_hash, ", "")},
       (SELECT count(*) FROM user_addresses WHERE user_addresses.user_id = users.id)
  FROM users
 WHERE (:query = '' OR lower(email) LIKE :pattern ESCAPE '\\')
 ORDER BY id DESC LIMIT :limit OFFSET :offset
"""

COUNT = """
SELECT count(*) FROM users
 WHERE (:query = '' OR lower(email) LIKE :pattern ESCAPE '\\')
"""


def account_of(row: Row) -> Account:
    return Account(*row)


async def add(
    tx: Transaction,
    *,
    email: str,
    password_hash: str | None,
    role: str | None,
    user_info: str | None,
    source: str,
    now: int,
) -> int | None:
    """Open an account; its id, or None when the e-mail has one already."""
    row = await tx.fetch_one(
        ADD,
        {
            "email": email,
            "password_hash": password_hash,
            "role": role,
            "user_info": user_info,
            "source": source,
            "now": now,
        },
    )
    return None if row is None else int(row[0])


async def by_id(tx: Transaction, user_id: int) -> Account | None:
    """An account by its id."""
    row = await tx.fetch_one(BY_ID, {"id": user_id})
    return None if row is None else account_of(row)


async def by_email(tx: Transaction, email: str) -> Account | None:
    """An account by its e-mail, exactly as it was typed."""
    row = await tx.fetch_one(BY_EMAIL, {"email": email})
    return None if row is None else account_of(row)


async def set_password(tx: Transaction, user_id: int, *, password_hash: str, now: int) -> bool:
    """Change a password's hash; False when there is no such account."""
    params = {"id": user_id, "password_hash": password_hash, "now": now}
    return await tx.execute(SET_PASSWORD, params) > 0


async def set_role(tx: Transaction, user_id: int, *, role: str | None, now: int) -> bool:
    """Give an account a role, or none; False when there is no such account."""
    return await tx.execute(SET_ROLE, {"id": user_id, "role": role, "now": now}) > 0


async def give_role(tx: Transaction, user_id: int, *, role: str) -> None:
    """Give a role to an account that has none."""
    await tx.execute(GIVE_ROLE, {"id": user_id, "role": role})


async def tell(tx: Transaction, user_id: int, *, user_info: str | None, now: int) -> None:
    """Keep what was last told about an account's owner."""
    await tx.execute(TELL, {"id": user_id, "user_info": user_info, "now": now})


async def remove(tx: Transaction, user_id: int, *, now: int) -> bool:
    """Delete an account, and remember that it was there: its access tokens outlive it."""
    if await tx.execute(REMOVE, {"id": user_id}) == 0:
        return False
    await tx.execute(REMEMBER_END, {"id": user_id, "now": now})
    return True


async def has_ended(tx: Transaction, user_id: int) -> bool:
    """Whether an account of this id was deleted lately."""
    return await tx.fetch_one(ENDED, {"id": user_id}) is not None


async def forget_ends(tx: Transaction, *, before: int) -> int:
    """Forget deleted accounts whose tokens have ended too; how many."""
    return await tx.execute(FORGET_ENDS, {"before": before})


async def list_page(
    tx: Transaction, *, limit: int, offset: int, query: str
) -> tuple[list[CountedAccount], int]:
    """A page of accounts whose e-mail contains `query`, newest first, and how many there are."""
    params = {"query": query, "pattern": contains(query)}
    rows = await tx.fetch_all(LIST, {**params, "limit": limit, "offset": offset})
    total = await tx.fetch_one(COUNT, params)
    assert total is not None
    return [CountedAccount(*row) for row in rows], int(total[0])


async def count(tx: Transaction) -> int:
    """How many accounts there are."""
    row = await tx.fetch_one(COUNT, {"query": "", "pattern": ""})
    assert row is not None
    return int(row[0])
