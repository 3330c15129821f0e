"""Who has which addresses in Telegram (mailbox-api §13.2).

Several people may have an address in their lists; the last who bound it is told of its mail.
An address counts while the registration that was bound is there and its tokens were not revoked
since: what opens the name anew is somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_text


@dataclass(frozen=True, slots=True)
class Bound:
    """An address in somebody's list; `name` is its spelling. `valid`: it can still be read."""

    address: str
    address_id: int
    name: str
    valid: bool


_VALID = "addresses.id IS NOT NULL AND addresses.tokens_from <= telegram_bindings.bound_at"

OF_USER = f"""
SELECT telegram_bindings.address, telegram_bindings.address_id,
       coalesce(addresses.name, telegram_bindings.address),
       CASE WHEN {_VALID} AND (addresses.expires_at IS NULL OR addresses.expires_at > :now)
            THEN 1 ELSE 0 END
  FROM telegram_bindings
  LEFT JOIN addresses ON addresses.id = telegram_bindings.address_id
                     AND addresses.address = telegram_bindings.address
 WHERE telegram_user = :telegram_user
 ORDER BY telegram_bindings.id
"""

SILENCE = "UPDATE telegram_bindings SET told = 0 WHERE address = :address AND told = 1"

BIND = """
INSERT INTO telegram_bindings (telegram_user, address, address_id, told, bound_at)
VALUES (:telegram_user, :address, :address_id, 1, :now)
ON CONFLICT (telegram_user, address) DO UPDATE
   SET address_id = excluded.address_id, told = 1, bound_at = excluded.bound_at
"""

UNBIND = "DELETE FROM telegram_bindings WHERE telegram_user = :telegram_user AND address = :address"

# Whoever else has it in a list finds it there as one that is gone.
UNBIND_OWNER = "DELETE FROM telegram_bindings WHERE address = :address AND told = 1"

CLEAN = f"""
DELETE FROM telegram_bindings
 WHERE telegram_user = :telegram_user
   AND NOT EXISTS (SELECT 1 FROM addresses
                    WHERE addresses.id = telegram_bindings.address_id
                      AND addresses.address = telegram_bindings.address AND {_VALID})
"""

TOLD = f"""
SELECT telegram_bindings.address, telegram_user
  FROM telegram_bindings
  JOIN addresses ON addresses.id = telegram_bindings.address_id
                AND addresses.address = telegram_bindings.address
 WHERE told = 1 AND {_VALID} AND telegram_bindings.address IN ({{addresses}})
"""

LANGUAGE = "SELECT language FROM telegram_languages WHERE telegram_user = :telegram_user"

SET_LANGUAGE = """
INSERT INTO telegram_languages (telegram_user, language) VALUES (:telegram_user, :language)
ON CONFLICT (telegram_user) DO UPDATE SET language = excluded.language
"""

TAKE_UPDATE = """
INSERT INTO telegram_updates (update_id, taken_at) VALUES (:update_id, :now)
ON CONFLICT (update_id) DO NOTHING
RETURNING update_id
"""

GIVE_BACK_UPDATE = "DELETE FROM telegram_updates WHERE update_id = :update_id"

FORGET_UPDATES = "DELETE FROM telegram_updates WHERE taken_at <= :before"


async def list_of(tx: Transaction, telegram_user: str, *, now: int = 0) -> list[Bound]:
    """The addresses of a user, in the order in which they were bound. One whose lifetime is over
    at `now` counts no longer, though nobody removed it yet."""
    rows = await tx.fetch_all(OF_USER, {"telegram_user": telegram_user, "now": now})
    return [Bound(address, number, name, bool(valid)) for address, number, name, valid in rows]


async def bind(
    tx: Transaction, *, telegram_user: str, address: str, address_id: int, now: int
) -> None:
    """Put an address into a user's list, and tell them of its mail from now on."""
    await tx.execute(SILENCE, {"address": address})
    values = {
        "telegram_user": telegram_user,
        "address": address,
        "address_id": address_id,
        "now": now,
    }
    await tx.execute(BIND, values)


async def unbind(tx: Transaction, *, telegram_user: str, address: str) -> bool:
    """Take an address from a user's list; False when it was not there."""
    values = {"telegram_user": telegram_user, "address": address}
    return await tx.execute(UNBIND, values) > 0


async def unbind_address(tx: Transaction, address: str) -> None:
    """Tell nobody of an address any more: it was deleted, or has another owner."""
    await tx.execute(UNBIND_OWNER, {"address": address})


async def clean(tx: Transaction, telegram_user: str) -> int:
    """Take the addresses that count no longer from a user's list; how many."""
    return await tx.execute(CLEAN, {"telegram_user": telegram_user})


async def told_of(tx: Transaction, addresses: Sequence[str]) -> dict[str, str]:
    """Who is told of the mail of several addresses: user by address."""
    sql = TOLD.format(addresses=each_text(tx.dialect, "addresses"))
    rows = await tx.fetch_all(sql, {"addresses": json.dumps(list(addresses))})
    return {str(address): str(user) for address, user in rows}


async def language_of(tx: Transaction, telegram_user: str) -> str | None:
    """The language that a user chose."""
    row = await tx.fetch_one(LANGUAGE, {"telegram_user": telegram_user})
    return None if row is None else str(row[0])


async def set_language(tx: Transaction, *, telegram_user: str, language: str) -> None:
    """Keep the language that a user chose."""
    await tx.execute(SET_LANGUAGE, {"telegram_user": telegram_user, "language": language})


async def take_update(tx: Transaction, update_id: int, *, now: int, kept: int) -> bool:
    """Note that an update is dealt with; False when it was before. Older ones than `kept`
    microseconds are forgotten: Telegram repeats an update for a day."""
    await tx.execute(FORGET_UPDATES, {"before": now - kept})
    return await tx.fetch_one(TAKE_UPDATE, {"update_id": update_id, "now": now}) is not None


async def give_back_update(tx: Transaction, update_id: int) -> None:
    """Note that an update could not be dealt with, and should come again."""
    await tx.execute(GIVE_BACK_UPDATE, {"update_id": update_id})
