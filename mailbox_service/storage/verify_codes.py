"""Codes that were mailed to prove an e-mail: one row an e-mail, the code as a keyed hash.

A row stays after its code has ended, so that the codes of a day are counted.
"""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

# What is older than this no longer counts (microseconds).
DAY = 86_400_000_000

TAKE = """
INSERT INTO verify_codes (email, code_mac, tries_left, sent_at, ends_at, counted_from, sent)
VALUES (:email, :code_mac, :tries, :now, :ends_at, :now, 1)
ON CONFLICT (email) DO UPDATE
   SET code_mac = excluded.code_mac, tries_left = excluded.tries_left,
       sent_at = excluded.sent_at, ends_at = excluded.ends_at,
       sent = CASE WHEN verify_codes.counted_from <= :day_ago THEN 1
                   ELSE verify_codes.sent + 1 END,
       counted_from = CASE WHEN verify_codes.counted_from <= :day_ago THEN excluded.sent_at
                           ELSE verify_codes.counted_from END
 WHERE verify_codes.ends_at <= :now
   AND (verify_codes.counted_from <= :day_ago OR verify_codes.sent < :most)
RETURNING email
"""

GIVE_BACK = """
UPDATE verify_codes SET ends_at = 0, sent = sent - 1
 WHERE email = :email AND code_mac = :code_mac
"""

TRY = """
UPDATE verify_codes SET tries_left = tries_left - 1
 WHERE email = :email AND tries_left > 0 AND ends_at > :now
RETURNING code_mac
"""

USE = """
UPDATE verify_codes SET code_mac = '', tries_left = 0, ends_at = 0
 WHERE email = :email AND code_mac = :code_mac AND ends_at > :now
"""

REMOVE_BEFORE = "DELETE FROM verify_codes WHERE ends_at < :before AND counted_from < :before"


async def take(
    tx: Transaction, email: str, *, code_mac: str, tries: int, most: int, ends_at: int, now: int
) -> bool:
    """Begin a new code for an e-mail; False while the last one is alive, and when `most` were
    sent within a day."""
    row = await tx.fetch_one(
        TAKE,
        {
            "email": email,
            "code_mac": code_mac,
            "tries": tries,
            "most": most,
            "ends_at": ends_at,
            "now": now,
            "day_ago": now - DAY,
        },
    )
    return row is not None


async def give_back(tx: Transaction, email: str, *, code_mac: str) -> None:
    """Forget a code that could not be mailed; it does not count."""
    await tx.execute(GIVE_BACK, {"email": email, "code_mac": code_mac})


async def try_once(tx: Transaction, email: str, *, now: int) -> str | None:
    """Count a try; the hash to compare with, or None when no code is alive or all its tries are
    used."""
    row = await tx.fetch_one(TRY, {"email": email, "now": now})
    return None if row is None else str(row[0])


async def use(tx: Transaction, email: str, *, code_mac: str, now: int) -> bool:
    """End a code, which works once; False when it was used or ended meanwhile."""
    return await tx.execute(USE, {"email": email, "code_mac": code_mac, "now": now}) > 0


async def remove_before(tx: Transaction, *, before: int) -> int:
    """Forget the rows that count for nothing any more; how many."""
    return await tx.execute(REMOVE_BEFORE, {"before": before})
