"""Keywords of a mailbox: words that its owner marks messages with, each a flag of that mailbox."""

from __future__ import annotations

from collections.abc import Iterable

from mailbox_service.core.stored import FIRST_KEYWORD, MOST_KEYWORDS
from mailbox_service.storage.database import Transaction

OF = "SELECT flag, name FROM keywords WHERE address = :address ORDER BY flag"

# Another process may have taken the flag or the word at the same time; what is there then counts.
ADD = """
INSERT INTO keywords (address, flag, name, folded)
VALUES (:address, :flag, :name, :folded) ON CONFLICT DO NOTHING
"""

REMOVE = "DELETE FROM keywords WHERE address = :address"


async def of(tx: Transaction, address: str) -> dict[int, str]:
    """The keywords of a mailbox, by their flags."""
    return {int(flag): str(name) for flag, name in await tx.fetch_all(OF, {"address": address})}


async def learn(tx: Transaction, address: str, names: Iterable[str]) -> dict[int, str]:
    """All keywords of a mailbox after these were added, as far as there is room. Capitals make no
    other word; the first spelling stays."""
    known = await of(tx, address)
    folded = {name.lower() for name in known.values()}
    free = [
        flag
        for flag in (FIRST_KEYWORD << place for place in range(MOST_KEYWORDS))
        if flag not in known
    ]
    new = {name.lower(): name for name in names if name.lower() not in folded}
    if not new:
        return known
    for (word, name), flag in zip(new.items(), free, strict=False):
        values = {"address": address, "flag": flag, "name": name, "folded": word}
        await tx.execute(ADD, values)
    return await of(tx, address)


async def remove_of(tx: Transaction, address: str) -> None:
    """Forget the keywords of a mailbox."""
    await tx.execute(REMOVE, {"address": address})
