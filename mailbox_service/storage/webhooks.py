"""Webhooks of mailboxes, and the posts that are on their way or were made.

A post is one request about one mail. `next_attempt_at` says when its turn comes and is null when
it never will; a lease is a turn in the future, so the post of a worker that died comes due by
itself. The row stays for a while as the log, with a line for every attempt; the body stays in
`contents` for a shorter while, so that a post can be made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mailbox_service.core.webhook import HttpAnswer, HttpRequest, Post
from mailbox_service.storage import contents, lanes
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.dialects import each_integer, each_text, skip_locked

WAITING = "waiting"
POSTING = "posting"
DELIVERED = "delivered"
FAILED = "failed"

# Owners that are no mailbox: the administrator's webhook, and the services called by keyword.
ADMIN = ""
KEYWORD = "keyword"

# How long the log says what became of a post, and how long a post that was taken can be made
# again; one that failed can be for as long as the log has it. A larger body goes when it was taken.
LOG_MICROS = 7 * 24 * 3_600 * 1_000_000
BODY_MICROS = 24 * 3_600 * 1_000_000
KEPT_BODY = 65_536

# Hosts looked at by one claim; each costs a step in the index.
HOSTS_A_CLAIM = 200


@dataclass(frozen=True, slots=True)
class NewPost:
    """A post to be made: for whom (a mailbox, ADMIN or KEYWORD), about which mail. Without a
    request it cannot be made, and `problem` says why."""

    webhook_id: str
    owner: str
    message_id: int
    recipient: str
    request: HttpRequest | None
    problem: str = ""
    event: str = "mail"


@dataclass(frozen=True, slots=True)
class Claim:
    """A leased post. `attempt` counts from 1, times are microseconds UTC. The body of `request`
    is not read yet: it has `size` octets."""

    id: int
    webhook_id: str
    owner: str
    host: str
    attempt: int
    created_at: int
    content_id: int
    size: int
    leased_at: int
    request: HttpRequest = field(repr=False)


GET = "SELECT value FROM webhook_settings WHERE address = :address"

ENABLED = """
SELECT address, value FROM webhook_settings WHERE enabled = 1 AND address IN ({addresses})
"""

PUT = """
INSERT INTO webhook_settings (address, value, enabled, updated_at)
VALUES (:address, :value, :enabled, :now)
ON CONFLICT (address) DO UPDATE SET value = excluded.value, enabled = excluded.enabled,
                                    updated_at = excluded.updated_at
"""

REMOVE_SETTINGS = "DELETE FROM webhook_settings WHERE address = :address"

ADD = """
INSERT INTO webhook_posts (webhook_id, owner, message_id, recipient, host, url, method, headers,
                           content_id, size, state, created_at, next_attempt_at, updated_at,
                           reason, event)
VALUES (:webhook_id, :owner, :message_id, :recipient, :host, :url, :method, :headers,
        :content_id, :size, :state, :now, :next_attempt_at, :now, :reason, :event)
"""

COUNT_WAITING = """
SELECT count(*) FROM (SELECT 1 FROM webhook_posts
                       WHERE owner = :owner AND next_attempt_at IS NOT NULL LIMIT :limit) AS waiting
"""

WAITING_HOSTS = lanes.waiting("webhook_posts", "host")

# The rows are chosen first and once: inside the UPDATE, PostgreSQL may run the choice again.
CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id FROM webhook_posts
     WHERE host = :host AND next_attempt_at <= :now
     ORDER BY next_attempt_at, id LIMIT :limit {skip_locked})
UPDATE webhook_posts
   SET state = 'posting', attempts = attempts + 1, next_attempt_at = :lease_until,
       lease_holder = :holder, updated_at = :now
 WHERE id IN (SELECT id FROM due)
RETURNING id, webhook_id, owner, host, attempts - attempts_before,
          coalesce(restarted_at, created_at), content_id, size, url, method, headers
"""

SETTLE = """
UPDATE webhook_posts
   SET state = :state, next_attempt_at = :next_attempt_at, lease_holder = NULL,
       content_id = CASE WHEN CAST(:kept AS INTEGER) = 1 THEN content_id END,
       attempted_at = :attempted_at, updated_at = :now, status = :status, reason = :reason,
       answer = :answer
 WHERE id = :id AND lease_holder = :holder
"""

END_LEASES = "UPDATE webhook_posts SET next_attempt_at = :now WHERE state = 'posting'"

NEXT_TURN = "SELECT min(next_attempt_at) FROM webhook_posts WHERE next_attempt_at > :now"

LIST = """
SELECT id, webhook_id, message_id, recipient, url, method, state, attempts, created_at,
       attempted_at, next_attempt_at, status, reason, answer
  FROM webhook_posts WHERE owner = :owner AND id < :before ORDER BY id DESC LIMIT :limit
"""

REMOVE = """
WITH gone AS MATERIALIZED (SELECT id FROM webhook_posts WHERE {which} LIMIT :limit)
DELETE FROM webhook_posts WHERE id IN (SELECT id FROM gone)
RETURNING id, content_id
"""
REMOVE_ATTEMPTS = "DELETE FROM webhook_attempts WHERE post_id IN ({ids})"

ADD_ATTEMPT = """
INSERT INTO webhook_attempts (post_id, at, duration, status, reason, answer)
VALUES (:post_id, :at, :duration, :status, :reason, :answer)
"""

# Bodies of posts that were taken: their index holds no others.
BODIES_TO_GO = """
SELECT id, content_id FROM webhook_posts
 WHERE next_attempt_at IS NULL AND content_id IS NOT NULL
   AND updated_at <= :before AND state = 'delivered'
 ORDER BY updated_at LIMIT :limit
"""
LET_BODY_GO = """
UPDATE webhook_posts SET content_id = NULL
 WHERE id = :id AND content_id = :content_id AND next_attempt_at IS NULL
"""
WAITING_OF = "owner = :owner AND next_attempt_at IS NOT NULL"
ALL_OF = "owner = :owner"
OLD = "next_attempt_at IS NULL AND updated_at <= :before"
BEYOND = """owner = :owner AND next_attempt_at IS NULL AND id <= (
    SELECT id FROM webhook_posts WHERE owner = :owner ORDER BY id DESC LIMIT 1 OFFSET :kept)"""

NEWEST = 2**62


async def settings_of(tx: Transaction, address: str) -> Any:
    """The settings of a mailbox as they were posted; None when none ever were."""
    row = await tx.fetch_one(GET, {"address": address})
    return None if row is None else json.loads(row[0])


async def enabled_of(tx: Transaction, addresses: Sequence[str]) -> dict[str, Any]:
    """The settings of those among several mailboxes whose webhook is on."""
    sql = ENABLED.format(addresses=each_text(tx.dialect, "addresses"))
    rows = await tx.fetch_all(sql, {"addresses": json.dumps(list(addresses))})
    return {row[0]: json.loads(row[1]) for row in rows}


async def put_settings(
    tx: Transaction, address: str, value: Any, *, enabled: bool, now: int
) -> None:
    """Save the settings of a mailbox as they are."""
    text = json.dumps(value, ensure_ascii=False)
    values = {"address": address, "value": text, "enabled": int(enabled), "now": now}
    await tx.execute(PUT, values)


async def add(tx: Transaction, post: NewPost, *, now: int, most_waiting: int) -> bool:
    """Keep a post to be made; False when its owner has too many that wait."""
    request = post.request
    if request is not None:
        row = await tx.fetch_one(COUNT_WAITING, {"owner": post.owner, "limit": most_waiting})
        if row is not None and row[0] >= most_waiting:
            return False
    await tx.execute(
        ADD,
        {
            "webhook_id": post.webhook_id,
            "owner": post.owner,
            "message_id": post.message_id,
            "recipient": post.recipient,
            "host": request.host if request else "",
            "url": request.url if request else "",
            "method": request.method if request else "",
            "headers": json.dumps(request.headers if request else (), ensure_ascii=False),
            "content_id": await contents.add(tx, request.body, uses=1) if request else None,
            "size": len(request.body) if request else 0,
            "state": WAITING if request else FAILED,
            "now": now,
            "next_attempt_at": now if request else None,
            "reason": post.problem,
            "event": post.event,
        },
    )
    return True


async def claim_due(
    tx: Transaction,
    *,
    now: int,
    lease_until: int,
    holder: str,
    limit: int,
    room: Callable[[str], int],
    after: str,
) -> tuple[list[Claim], str]:
    """Lease posts whose turn has come, from each host no more than `room` says.

    Hosts behind `after` come first; the second value is where to go on the next time, empty
    when the end was reached.
    """
    rows = await tx.fetch_all(WAITING_HOSTS, {"after": after, "limit": HOSTS_A_CLAIM})
    hosts = [str(row[0]) for row in rows]
    place = hosts[-1] if len(hosts) == HOSTS_A_CLAIM else ""
    sql = CLAIM.format(skip_locked=skip_locked(tx.dialect))
    claims: list[Claim] = []
    for host in hosts:
        free = min(room(host), limit - len(claims))
        if free <= 0:
            if len(claims) >= limit:
                return claims, host
            continue
        claimed = await tx.fetch_all(
            sql,
            {
                "host": host,
                "now": now,
                "lease_until": lease_until,
                "holder": holder,
                "limit": free,
            },
        )
        claims += [claim_of(row, now) for row in sorted(claimed)]
    return claims, place


def claim_of(row: Row, now: int) -> Claim:
    # fmt: off
    (post_id, webhook_id, owner, host, attempt, created_at, content_id, size, url, method,
     headers) = row
    # fmt: on
    pairs = tuple((name, value) for name, value in json.loads(headers))
    request = HttpRequest(url, host, method, pairs, b"")
    return Claim(
        post_id, webhook_id, owner, host, attempt, created_at, content_id, size, now, request
    )


async def settle(
    tx: Transaction,
    claim: Claim,
    answer: HttpAnswer,
    *,
    next_attempt_at: int | None,
    attempted_at: int,
    holder: str,
    now: int,
) -> bool:
    """Write down what a receiver answered; False when the lease was lost to another worker."""
    ended = DELIVERED if answer.is_success else FAILED
    kept = next_attempt_at is not None or not answer.is_success or claim.size <= KEPT_BODY
    changed = await tx.execute(
        SETTLE,
        {
            "id": claim.id,
            "holder": holder,
            "state": ended if next_attempt_at is None else WAITING,
            "next_attempt_at": next_attempt_at,
            "kept": int(kept),
            "attempted_at": attempted_at,
            "now": now,
            "status": answer.status,
            "reason": answer.reason,
            "answer": answer.head,
        },
    )
    if changed and not kept:
        await contents.release(tx, claim.content_id)
    await tx.execute(
        ADD_ATTEMPT,
        {
            "post_id": claim.id,
            "at": attempted_at,
            "duration": max(now - attempted_at, 0),
            "status": answer.status,
            "reason": answer.reason,
            "answer": answer.head,
        },
    )
    return changed > 0


async def end_leases(tx: Transaction, *, now: int) -> None:
    """Have every leased post come due: whoever held it is dead."""
    await tx.execute(END_LEASES, {"now": now})


async def next_turn(tx: Transaction, *, now: int) -> int | None:
    """When the next post that waits comes due."""
    row = await tx.fetch_one(NEXT_TURN, {"now": now})
    return None if row is None or row[0] is None else int(row[0])


async def list_posts(
    tx: Transaction, owner: str, *, limit: int, before_id: int | None = None
) -> list[Post]:
    """The log of one owner, newest first."""
    before = NEWEST if before_id is None else before_id
    rows = await tx.fetch_all(LIST, {"owner": owner, "limit": limit, "before": before})
    return [Post(*row) for row in rows]


async def cancel(tx: Transaction, owner: str, *, limit: int) -> int:
    """Take back posts that wait, because their owner wants them elsewhere or not at all."""
    return await remove(tx, WAITING_OF, owner=owner, limit=limit)


async def remove_of(tx: Transaction, address: str, *, limit: int) -> None:
    """Forget the webhook of a mailbox, its posts and its log."""
    await tx.execute(REMOVE_SETTINGS, {"address": address})
    while await remove(tx, ALL_OF, owner=address, limit=limit):
        pass


async def purge(tx: Transaction, *, before: int, limit: int) -> int:
    """Forget posts that are over since `before`; how many, `limit` at most. Bodies of posts that
    were taken go some days earlier."""
    earlier = {"before": before + LOG_MICROS - BODY_MICROS, "limit": limit}
    for post_id, content_id in await tx.fetch_all(BODIES_TO_GO, earlier):
        if await tx.execute(LET_BODY_GO, {"id": post_id, "content_id": content_id}):
            await contents.release(tx, int(content_id))
    return await remove(tx, OLD, before=before, limit=limit)


async def trim(tx: Transaction, owner: str, *, kept: int, limit: int) -> int:
    """Keep the newest lines of one owner's log."""
    return await remove(tx, BEYOND, owner=owner, kept=kept, limit=limit)


async def remove(tx: Transaction, which: str, *, limit: int, **values: object) -> int:
    rows = await tx.fetch_all(REMOVE.format(which=which), {**values, "limit": limit})
    if rows:
        sql = REMOVE_ATTEMPTS.format(ids=each_integer(tx.dialect, "ids"))
        await tx.execute(sql, {"ids": json.dumps([int(row[0]) for row in rows])})
    for _, content_id in rows:
        if content_id is not None:
            await contents.release(tx, int(content_id))
    return len(rows)
