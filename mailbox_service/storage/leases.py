"""Leases: a worker takes recipients whose turn has come, and writes down what became of them.

A lease is a turn in the future: claiming a row moves its next attempt to the lease's end, so the
row of a worker that died comes due by itself.

No domain may stand in another's way, however much mail waits for it. A claim therefore first
looks which domains have mail due, and then takes a bounded number from each. While little is
due the first look is one short index scan; behind a large backlog it steps from domain to
domain through an index and takes up where it stopped the time before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from mailbox_service.storage import lanes, many_rows
from mailbox_service.storage.database import Dialect, Transaction
from mailbox_service.storage.dialects import each_integer, skip_locked
from mailbox_service.storage.send_queue import BULK, NORMAL, QUARANTINED, STATES, worst

# When less than this is due, one look at all of it tells every domain that has some.
SHORT_SCAN = 500
# Domains looked at by one claim behind a backlog; each costs a step in the index.
DOMAINS_A_CLAIM = 200


class Claim(Struct, frozen=True, gc=False):
    """A leased recipient.

    `attempt` counts from 1. `interrupted`: the lease before this one ran out, so its worker may
    have delivered the message without saying so.
    """

    id: int
    submission_id: int
    recipient: str
    domain: str
    attempt: int
    queued_at: int
    interrupted: int


class Settled(Struct, frozen=True, gc=False):
    """What became of one leased recipient. Times are microseconds UTC.

    `next_attempt_at` is None when `state` is final. `reply` is one line for people,
    `conversation` what was said, without content and credentials.
    """

    claim: Claim
    state: str
    next_attempt_at: int | None
    started_at: int
    ended_at: int
    remote: str
    reply: str
    conversation: str


DUE_DOMAINS = """
SELECT domain, count(*)
  FROM (SELECT domain FROM recipients WHERE next_attempt_at <= :now
         ORDER BY next_attempt_at LIMIT :limit) AS due
 GROUP BY domain ORDER BY domain
"""

WAITING_DOMAINS = lanes.waiting("recipients", "domain")

# The rows are chosen first and once: inside the UPDATE, PostgreSQL may run the choice again for
# every row that it looks at, and then takes more than the limit. On the right of SET stands the
# row as it was.
_LEASE = """
UPDATE recipients
   SET state = 'sending', attempts = attempts + 1, next_attempt_at = :lease_until,
       interrupted = CASE WHEN state = 'sending' THEN 1 ELSE 0 END,
       lease_holder = :holder, updated_at = :now
 WHERE id IN (SELECT id FROM due)
RETURNING id, submission_id, recipient, domain, attempts, queued_at, interrupted
"""

CLAIM = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM recipients
     WHERE domain = :domain AND priority = :priority AND next_attempt_at <= :now
     ORDER BY next_attempt_at LIMIT :limit {{skip_locked}})
{_LEASE}"""

CLAIM_EXPIRED = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM recipients
     WHERE domain = :domain AND next_attempt_at <= :now AND queued_at <= :queued_before
     LIMIT :limit {{skip_locked}})
{_LEASE}"""

SETTLE = """
UPDATE recipients
   SET state = :state, next_attempt_at = :next_attempt_at, lease_holder = NULL,
       remote = :remote, last_reply = :reply, updated_at = :now
 WHERE id = :id AND lease_holder = :holder
"""

# What an attempt before this one may have delivered stays marked as that left it.
GIVE_BACK = """
UPDATE recipients
   SET state = CASE WHEN interrupted = 1 THEN 'sending'
                    WHEN attempts = 1 THEN 'queued' ELSE 'deferred' END,
       attempts = attempts - 1, next_attempt_at = :now, lease_holder = NULL
 WHERE id = :id AND lease_holder = :holder
"""

# PostgreSQL would take what has no type for text.
SETTLED = (
    *(("row_id", "BIGINT"), ("state", "TEXT"), ("next_attempt_at", "BIGINT")),
    *(("remote", "TEXT"), ("reply", "TEXT"), ("ended_at", "BIGINT")),
)

SETTLE_MANY = """
WITH v (row_id, state, next_attempt_at, remote, reply, ended_at) AS (VALUES {rows})
UPDATE recipients
   SET state = v.state, next_attempt_at = v.next_attempt_at, lease_holder = NULL,
       remote = v.remote, last_reply = v.reply, updated_at = v.ended_at
  FROM v
 WHERE recipients.id = v.row_id AND recipients.lease_holder = {holder}
RETURNING id
"""

ATTEMPTED = (
    *("recipient_id", "submission_id", "started_at", "ended_at", "remote", "outcome", "reply"),
    "conversation",
)

HOLD = """
UPDATE recipients SET state = 'held', attempts = attempts - 1, next_attempt_at = NULL,
       lease_holder = NULL, updated_at = :now
 WHERE id = :id AND lease_holder = :holder
"""

# `interrupted` is decided by the next claim, which sees the state 'sending'.
END_LEASES = "UPDATE recipients SET next_attempt_at = :now WHERE state = 'sending'"

NEXT_TURN = "SELECT min(next_attempt_at) FROM recipients WHERE next_attempt_at > :now"

STATES_BESIDE = f"{STATES} AND id NOT IN ({{settled}})"


async def claim_due(
    tx: Transaction,
    *,
    now: int,
    lease_until: int,
    holder: str,
    limit: int,
    room: Callable[[str], int],
    after: str = "",
) -> tuple[list[Claim], str]:
    """Lease up to `limit` recipients whose turn has come, fairly over their domains.

    `room` tells how many of a domain may be taken now, always the same; 0 leaves it alone.
    `holder` names the worker: only it may settle what it leased. `after` is the place where the
    look at the domains begins behind a backlog; the place to begin the next time is returned,
    empty when every domain was seen.

    An expired lease was held by a worker that died. Its recipient is tried again and may get
    the message twice; RFC 5321 §6.1 forbids the other choice, losing it.
    """
    domains, place = await _due_domains(tx, now=now, after=after)
    sql = CLAIM.format(skip_locked=skip_locked(tx.dialect))
    claims: list[Claim] = []
    for index, domain in enumerate(domains):
        share = min(room(domain), limit - len(claims))
        for priority in (NORMAL, BULK):
            if share <= 0:
                break
            rows = await tx.fetch_all(
                sql,
                {
                    "now": now,
                    "lease_until": lease_until,
                    "holder": holder,
                    "domain": domain,
                    "priority": priority,
                    "limit": share,
                },
            )
            claims += [Claim(*row) for row in rows]
            share -= len(rows)
        if len(claims) >= limit and index + 1 < len(domains):
            return claims, domain
    return claims, place


async def claim_expired(
    tx: Transaction,
    domain: str,
    *,
    queued_before: int,
    now: int,
    lease_until: int,
    holder: str,
    limit: int,
) -> list[Claim]:
    """Lease recipients of a domain that wait since before a time, to give them up."""
    rows = await tx.fetch_all(
        CLAIM_EXPIRED.format(skip_locked=skip_locked(tx.dialect)),
        {
            "domain": domain,
            "queued_before": queued_before,
            "now": now,
            "lease_until": lease_until,
            "holder": holder,
            "limit": limit,
        },
    )
    return [Claim(*row) for row in rows]


async def _due_domains(tx: Transaction, *, now: int, after: str) -> tuple[list[str], str]:
    rows = await tx.fetch_all(DUE_DOMAINS, {"now": now, "limit": SHORT_SCAN})
    if sum(int(row[1]) for row in rows) < SHORT_SCAN:
        domains = [str(row[0]) for row in rows]
        # From the place where the last claim was full, so that the last domains get their turn.
        later = [domain for domain in domains if domain > after]
        return later + [domain for domain in domains if domain <= after], ""
    steps = await tx.fetch_all(WAITING_DOMAINS, {"after": after, "limit": DOMAINS_A_CLAIM})
    domains = [str(row[0]) for row in steps]
    return domains, domains[-1] if len(domains) == DOMAINS_A_CLAIM else ""


async def settle_all(tx: Transaction, settled: Sequence[Settled], *, holder: str) -> set[int]:
    """Write down what became of several leased recipients, and the attempts; the ids of those
    that were still ours.

    A lease that was lost is another worker's: the state is left alone, and the attempt is kept
    with a word about it.
    """
    ours: set[int] = set()
    for portion in many_rows.portions(settled):
        values: list[object] = []
        for one in portion:
            values += (one.claim.id, one.state, one.next_attempt_at)
            values += (one.remote, one.reply, one.ended_at)
        values.append(holder)
        rows = await tx.fetch_values(settle_many(len(portion), tx.dialect), values)
        ours.update([int(row[0]) for row in rows])
    await many_rows.insert(
        tx,
        "attempts",
        ATTEMPTED,
        [
            (
                *(one.claim.id, one.claim.submission_id, one.started_at, one.ended_at),
                *(one.remote, one.state if one.claim.id in ours else "lease lost", one.reply),
                one.conversation,
            )
            for one in settled
        ],
    )
    return ours


@lru_cache(maxsize=16)
def settle_many(count: int, dialect: Dialect) -> str:
    """The statement that settles so many recipients; the holder is its last parameter."""
    if dialect == "sqlite":
        row = ", ".join("?" * len(SETTLED))
        return SETTLE_MANY.format(rows=", ".join([f"({row})"] * count), holder="?")
    rows, place = [], 0
    for _ in range(count):
        marks = []
        for _, kind in SETTLED:
            place += 1
            marks.append(f"CAST(${place} AS {kind})")
        rows.append(f"({', '.join(marks)})")
    return SETTLE_MANY.format(rows=", ".join(rows), holder=f"${place + 1}")


async def give_back(tx: Transaction, claims: Collection[Claim], *, holder: str, now: int) -> None:
    """End leases whose recipients were not attempted; their turn is now again."""
    await tx.execute_many(
        GIVE_BACK, [{"id": claim.id, "holder": holder, "now": now} for claim in claims]
    )


async def hold(tx: Transaction, claims: Collection[Claim], *, holder: str, now: int) -> None:
    """Keep leased recipients until somebody lets them go."""
    await tx.execute_many(
        HOLD, [{"id": claim.id, "holder": holder, "now": now} for claim in claims]
    )


async def quarantine(tx: Transaction, claim: Claim, *, holder: str, reply: str, now: int) -> None:
    """Take a damaged row out of the queue for good; it stays where people can look at it."""
    await tx.execute(
        SETTLE,
        {
            "id": claim.id,
            "holder": holder,
            "state": QUARANTINED,
            "next_attempt_at": None,
            "remote": None,
            "reply": reply,
            "now": now,
        },
    )


async def end_leases(tx: Transaction, *, now: int) -> int:
    """End every lease. Only for a process that starts and knows that it is alone."""
    return await tx.execute(END_LEASES, {"now": now})


async def next_turn(tx: Transaction, *, now: int) -> int | None:
    """When, after now, the next recipient comes due or a lease ends; None when none will."""
    row = await tx.fetch_one(NEXT_TURN, {"now": now})
    return None if row is None or row[0] is None else int(row[0])


async def states_after(tx: Transaction, settled: Sequence[Settled]) -> Mapping[int, str]:
    """The states of the messages whose recipients were just settled. Most have no other
    recipients, so what the others are at is all that is asked."""
    found: dict[int, set[str]] = {}
    for one in settled:
        found.setdefault(one.claim.submission_id, set()).add(one.state)
    sql = STATES_BESIDE.format(
        ids=each_integer(tx.dialect, "ids"), settled=each_integer(tx.dialect, "settled")
    )
    ids = json.dumps(list(found))
    rows = await tx.fetch_all(
        sql, {"ids": ids, "settled": json.dumps([x.claim.id for x in settled])}
    )
    for number, state in rows:
        found[int(number)].add(str(state))
    return {number: worst(states) for number, states in found.items()}
