"""Where owners have their mail forwarded: one row a mailbox, with the target that was proved and
the one that is asked; and the mails with codes of the last hour."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mailbox_service.core.owner_forwarding import OwnerForward
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_text

GET = """
SELECT target, proved_at, asked, ends_at, tries_left FROM owner_forwards WHERE address = :address
"""

TARGETS = """
SELECT address, target FROM owner_forwards WHERE target <> '' AND address IN ({addresses})
"""

ASK = """
INSERT INTO owner_forwards (address, target, proved_at, asked, code_mac, tries_left, ends_at)
VALUES (:address, '', 0, :asked, :code_mac, :tries, :ends_at)
ON CONFLICT (address) DO UPDATE
   SET asked = excluded.asked, code_mac = excluded.code_mac, tries_left = excluded.tries_left,
       ends_at = excluded.ends_at
"""

TRY = """
UPDATE owner_forwards SET tries_left = tries_left - 1
 WHERE address = :address AND asked <> '' AND tries_left > 0 AND ends_at > :now
RETURNING asked, code_mac
"""

CONFIRM = """
UPDATE owner_forwards
   SET target = asked, proved_at = :now, asked = '', code_mac = '', tries_left = 0, ends_at = 0
 WHERE address = :address
"""

REMOVE = "DELETE FROM owner_forwards WHERE address = :address"

FORGET = "DELETE FROM owner_forward_mails WHERE began_at <= :over"

# No row comes back when there were enough already.
COUNT = """
INSERT INTO owner_forward_mails (name, began_at, mails) VALUES (:name, :now, 1)
ON CONFLICT (name) DO UPDATE SET mails = owner_forward_mails.mails + 1
 WHERE owner_forward_mails.mails < :most
RETURNING mails
"""


async def get(tx: Transaction, address: str) -> OwnerForward:
    """What the owner of a mailbox wants."""
    row = await tx.fetch_one(GET, {"address": address})
    return OwnerForward() if row is None else OwnerForward(*row)


async def targets_of(tx: Transaction, addresses: Sequence[str]) -> dict[str, str]:
    """The proved targets of several mailboxes."""
    sql = TARGETS.format(addresses=each_text(tx.dialect, "addresses"))
    rows = await tx.fetch_all(sql, {"addresses": json.dumps(list(addresses))})
    return {str(address): str(target) for address, target in rows}


async def ask(
    tx: Transaction, address: str, target: str, *, code_mac: str, tries: int, ends_at: int
) -> None:
    """Await a code for a target, in place of any other; who gets the mail now goes on to."""
    values = {"address": address, "asked": target, "code_mac": code_mac, "tries": tries}
    await tx.execute(ASK, {**values, "ends_at": ends_at})


async def try_once(tx: Transaction, address: str, *, now: int) -> tuple[str, str] | None:
    """Count a try; the target that is asked and the hash to compare with. None when no code is
    alive or all its tries are used."""
    row = await tx.fetch_one(TRY, {"address": address, "now": now})
    return None if row is None else (str(row[0]), str(row[1]))


async def confirm(tx: Transaction, address: str, *, now: int) -> None:
    """Forward to the target that was asked, and end its code."""
    await tx.execute(CONFIRM, {"address": address, "now": now})


async def remove_of(tx: Transaction, address: str) -> None:
    """Forget what the owner of a mailbox wanted."""
    await tx.execute(REMOVE, {"address": address})


async def count_within(tx: Transaction, name: str, *, most: int, now: int, window: int) -> bool:
    """Count a mail with a code under a name; False, and nothing counted, when there were `most`
    in the window of `window` microseconds that is not over."""
    await tx.execute(FORGET, {"over": now - window})
    return await tx.fetch_one(COUNT, {"name": name, "now": now, "most": most}) is not None
