"""Addresses and domains that an account does not send to, and why.

`target` is a canonical address, or a domain for everybody there. An entry with an end counts
until then: a hard bounce is let go after a while.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mailbox_service.storage.database import Transaction
from mailbox_service.storage.dialects import each_text
from mailbox_service.storage.letter_case import lower_case


@dataclass(frozen=True, slots=True)
class Suppression:
    """One entry. Times are microseconds UTC; `reason` is manual, spam, unsubscribe, bounce or
    compliance."""

    id: int
    target: str
    reason: str
    description: str
    complaint: str
    subject: str
    created_at: int
    expires_at: int | None


COLUMNS = "id, target, reason, description, complaint, subject, created_at, expires_at"

PUT = """
INSERT INTO suppressions (account, target, reason, description, complaint, subject, created_at,
                          expires_at)
VALUES (:account, :target, :reason, :description, :complaint, :subject, :now, :expires_at)
ON CONFLICT (account, target, reason) DO UPDATE
   SET description = excluded.description, complaint = excluded.complaint,
       subject = excluded.subject, created_at = excluded.created_at,
       expires_at = excluded.expires_at
"""

ANY = "SELECT 1 FROM suppressions WHERE account = :account LIMIT 1"

AMONG = """
SELECT target, reason FROM suppressions
 WHERE account = :account AND target IN ({targets})
   AND (expires_at IS NULL OR expires_at > :now)
"""

AMONG_ALL = """
SELECT account, target, reason FROM suppressions
 WHERE account IN ({accounts}) AND target IN ({targets})
   AND (expires_at IS NULL OR expires_at > :now)
"""

REMOVE = """
DELETE FROM suppressions WHERE account = :account AND target = :target
   AND (CAST(:reason AS TEXT) IS NULL OR reason = :reason)
RETURNING reason
"""

# `:reasons` and `:targets` are JSON lists, empty for all; LIKE patterns come escaped by `!`.
WHERE = """
 WHERE account = :account AND (expires_at IS NULL OR expires_at > :now)
   AND created_at >= :start AND created_at < :end
   AND (CAST(:targets AS TEXT) = '[]' OR target IN ({targets}))
   AND (CAST(:like AS TEXT) IS NULL OR target LIKE :like ESCAPE '!')
   AND (CAST(:words AS TEXT) = '[]' OR EXISTS (
       SELECT 1 FROM ({words}) AS w WHERE {description} LIKE w.value ESCAPE '!'))
   AND (CAST(:reasons AS TEXT) = '[]' OR reason IN ({reasons}))
"""

LIST = f"""
SELECT {COLUMNS} FROM suppressions {WHERE}
 ORDER BY created_at {{direction}}, id {{direction}} LIMIT :limit OFFSET :offset
"""

# Larger than every id.
NEWEST = 2**62

PORTION = (
    f"SELECT {COLUMNS} FROM suppressions {WHERE} AND id < :before ORDER BY id DESC LIMIT :limit"
)

COUNT = f"SELECT count(*) FROM suppressions {WHERE}"

PURGE = "DELETE FROM suppressions WHERE expires_at IS NOT NULL AND expires_at <= :now"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: exact targets, part of one, parts of the description of which one is
    enough, reasons, times."""

    targets: tuple[str, ...] = ()
    like: str | None = None
    words: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    start: int = 0
    end: int = 2**62


async def put(
    tx: Transaction,
    *,
    account: str,
    target: str,
    reason: str,
    now: int,
    description: str = "",
    complaint: str = "",
    subject: str = "",
    expires_at: int | None = None,
) -> None:
    """Keep an entry, in place of the one for the same reason."""
    await tx.execute(
        PUT,
        {
            "account": account,
            "target": target,
            "reason": reason,
            "description": description,
            "complaint": complaint,
            "subject": subject,
            "now": now,
            "expires_at": expires_at,
        },
    )


async def among(
    tx: Transaction, *, account: str, targets: Sequence[str], now: int
) -> dict[str, str]:
    """Which of several addresses and domains are suppressed, each with one reason."""
    sql = AMONG.format(targets=each_text(tx.dialect, "targets"))
    rows = await tx.fetch_all(
        sql, {"account": account, "targets": json.dumps(list(targets)), "now": now}
    )
    return {str(target): str(reason) for target, reason in rows}


async def has_any(tx: Transaction, account: str) -> bool:
    """Whether an account suppresses anybody. Nearly all suppress nobody, and to know that costs a
    tenth of the question who is."""
    return await tx.fetch_one(ANY, {"account": account}) is not None


async def among_all(
    tx: Transaction, asked: Collection[tuple[str, str]], *, now: int
) -> dict[tuple[str, str], str]:
    """Which of several addresses, each asked for by an account, are suppressed there, by
    themselves or by their domain or one above it; each with one reason, the nearest first."""
    accounts = sorted({account for account, _ in asked})
    names = {pair: names_of(pair[1]) for pair in asked}
    sql = AMONG_ALL.format(
        accounts=each_text(tx.dialect, "accounts"), targets=each_text(tx.dialect, "targets")
    )
    targets = sorted({name for several in names.values() for name in several})
    rows = await tx.fetch_all(
        sql, {"accounts": json.dumps(accounts), "targets": json.dumps(targets), "now": now}
    )
    found = {(str(account), str(target)): str(reason) for account, target, reason in rows}
    if not found:
        return {}
    hit = {}
    for pair, several in names.items():
        reasons = [found[pair[0], name] for name in several if (pair[0], name) in found]
        if reasons:
            hit[pair] = reasons[0]
    return hit


def names_of(address: str) -> list[str]:
    """An address, its domain, and the domains above that."""
    domain = address.rpartition("@")[2]
    names = [address]
    while "." in domain:
        names.append(domain)
        domain = domain.partition(".")[2]
    return names


async def remove(
    tx: Transaction, *, account: str, target: str, reason: str | None = None
) -> list[str]:
    """Forget an entry, or all of a target; the reasons that there were."""
    rows = await tx.fetch_all(REMOVE, {"account": account, "target": target, "reason": reason})
    return sorted(str(row[0]) for row in rows)


async def list_page(
    tx: Transaction,
    *,
    account: str,
    wanted: Wanted,
    now: int,
    limit: int,
    offset: int,
    newest_first: bool,
) -> tuple[list[Suppression], int]:
    """A page of entries, and how many there are in all."""
    lists, params = _asked(tx, account, wanted, now)
    direction = "DESC" if newest_first else "ASC"
    rows = await tx.fetch_all(
        LIST.format(**lists, direction=direction),
        {**params, "limit": limit, "offset": offset},
    )
    total = await tx.fetch_one(COUNT.format(**lists), params)
    return [Suppression(*row) for row in rows], int(total[0]) if total else 0


async def portion(
    tx: Transaction, *, account: str, wanted: Wanted, now: int, before: int, limit: int
) -> list[Suppression]:
    """Entries with smaller ids than one, the last made first."""
    lists, params = _asked(tx, account, wanted, now)
    rows = await tx.fetch_all(PORTION.format(**lists), {**params, "before": before, "limit": limit})
    return [Suppression(*row) for row in rows]


def _asked(
    tx: Transaction, account: str, wanted: Wanted, now: int
) -> tuple[dict[str, str], dict[str, object]]:
    """The changing parts and the parameters of WHERE."""
    lists = {name: each_text(tx.dialect, name) for name in ("reasons", "targets", "words")}
    lists["description"] = lower_case("description", *wanted.words)
    return lists, {
        "account": account,
        "now": now,
        "start": wanted.start,
        "end": wanted.end,
        "targets": json.dumps(wanted.targets),
        "like": wanted.like,
        "words": json.dumps(wanted.words),
        "reasons": json.dumps(wanted.reasons),
    }


async def purge(tx: Transaction, *, now: int) -> int:
    """Forget entries whose time is over."""
    return await tx.execute(PURGE, {"now": now})
