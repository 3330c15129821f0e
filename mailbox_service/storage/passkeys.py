"""Passkeys of accounts: the public half of what an authenticator keeps (mailbox-api §8.1)."""

from __future__ import annotations

import json
from typing import Any

from mailbox_service.core.passkeys import Passkey
from mailbox_service.storage.database import Row, Transaction

COLUMNS = """id, user_id, passkey_id, name, domain, credential, counter, created_at, updated_at"""

# A credential belongs to one account: of a second one it would prove nothing.
ADD = """
INSERT INTO passkeys (user_id, passkey_id, name, domain, credential, counter, created_at,
                      updated_at)
SELECT CAST(:user_id AS BIGINT), CAST(:passkey_id AS TEXT), CAST(:name AS TEXT),
       CAST(:domain AS TEXT), CAST(:credential AS TEXT), CAST(:counter AS BIGINT),
       CAST(:now AS BIGINT), CAST(:now AS BIGINT)
 WHERE (SELECT count(*) FROM passkeys WHERE user_id = CAST(:user_id AS BIGINT))
       < CAST(:most AS BIGINT)
ON CONFLICT (passkey_id) DO NOTHING
RETURNING id
"""

LIST = f"SELECT {COLUMNS} FROM passkeys WHERE user_id = :user_id ORDER BY id DESC"

BY_PASSKEY_ID = f"SELECT {COLUMNS} FROM passkeys WHERE passkey_id = :passkey_id"

RENAME = """
UPDATE passkeys SET name = :name, updated_at = :now
 WHERE user_id = :user_id AND passkey_id = :passkey_id
"""

REMOVE = "DELETE FROM passkeys WHERE user_id = :user_id AND passkey_id = :passkey_id"

REMOVE_OF = "DELETE FROM passkeys WHERE user_id = :user_id"

# Two answers with one counter are two copies of one key: the second finds it moved on.
COUNT_UP = """
UPDATE passkeys SET counter = :counter, updated_at = :now WHERE id = :id AND counter = :before
"""


def passkey_of(row: Row) -> Passkey:
    number, user_id, passkey_id, name, domain, credential, counter, created_at, updated_at = row
    kept: dict[str, Any] = json.loads(credential)
    return Passkey(number, user_id, passkey_id, name, domain, kept, counter, created_at, updated_at)


async def add(
    tx: Transaction,
    *,
    user_id: int,
    passkey_id: str,
    name: str,
    domain: str,
    credential: dict[str, Any],
    counter: int,
    now: int,
    most: int,
) -> bool:
    """Keep a passkey; False when somebody has it already, or the account has `most`."""
    row = await tx.fetch_one(
        ADD,
        {
            "user_id": user_id,
            "passkey_id": passkey_id,
            "name": name,
            "domain": domain,
            "credential": json.dumps(credential),
            "counter": counter,
            "now": now,
            "most": most,
        },
    )
    return row is not None


async def list_of(tx: Transaction, user_id: int) -> list[Passkey]:
    """The passkeys of an account, newest first."""
    return [passkey_of(row) for row in await tx.fetch_all(LIST, {"user_id": user_id})]


async def by_passkey_id(tx: Transaction, passkey_id: str) -> Passkey | None:
    """The passkey that an authenticator names."""
    row = await tx.fetch_one(BY_PASSKEY_ID, {"passkey_id": passkey_id})
    return None if row is None else passkey_of(row)


async def rename(tx: Transaction, *, user_id: int, passkey_id: str, name: str, now: int) -> None:
    """Give a passkey of an account another name."""
    values = {"user_id": user_id, "passkey_id": passkey_id, "name": name, "now": now}
    await tx.execute(RENAME, values)


async def remove(tx: Transaction, *, user_id: int, passkey_id: str) -> None:
    """Forget a passkey of an account."""
    await tx.execute(REMOVE, {"user_id": user_id, "passkey_id": passkey_id})


async def remove_of(tx: Transaction, user_id: int) -> None:
    """Forget all passkeys of an account that is deleted."""
    await tx.execute(REMOVE_OF, {"user_id": user_id})


async def count_up(tx: Transaction, passkey: int, *, before: int, counter: int, now: int) -> bool:
    """Note an authenticator's counter; False when another answer came first."""
    values = {"id": passkey, "before": before, "counter": counter, "now": now}
    return await tx.execute(COUNT_UP, values) > 0
