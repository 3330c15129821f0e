"""What happened to mail of the sending API: an appended log, and sums by day beside it.

The log feeds searches and webhooks, the sums feed statistics: a month of a million events is
some hundred rows there. Both are written in the transaction of whatever happened.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from mailbox_service.storage import locks, many_rows
from mailbox_service.storage.database import Row, Transaction
from mailbox_service.storage.dialects import each_integer, each_text
from mailbox_service.storage.letter_case import lower_case

# Kinds of events, by the names that activity searches use, and the column that counts them.
COUNTED = {
    "processed": "processed",
    "delivered": "delivered",
    "soft-bounced": "soft",
    "hard-bounced": "hard",
    "rejected": "rejected",
    "spam": "spam",
    "unsubscribed": "unsubscribed",
    "opened": "opened",
    "clicked": "clicked",
}
KINDS = (*COUNTED, "resubscribed")


class NewEvent(Struct, frozen=True, gc=False):
    """One fact. `detail` is JSON of what only some kinds have."""

    kind: str
    at: int
    recipient: str
    host: str = ""
    reply: str = ""
    reason: str = ""
    detail: str = "{}"


class About(Struct, frozen=True, gc=False):
    """The message that facts are about."""

    account: str
    submission_id: int
    username: str
    sender: str
    subject: str
    size: int = 0
    client_ip: str = ""

    def of(self, submission_id: int, size: int) -> About:
        """The same, once the message has its id and its size."""
        return About(
            self.account,
            submission_id,
            self.username,
            self.sender,
            self.subject,
            size,
            self.client_ip,
        )


@dataclass(frozen=True, slots=True)
class SendingEvent:
    """A stored fact with what its message says of itself."""

    id: int
    account: str
    kind: str
    at: int
    submission_id: int
    username: str
    sender: str
    recipient: str
    subject: str
    host: str
    reply: str
    reason: str
    detail: str
    queue_id: str
    fields: str
    size: int
    client_ip: str
    created_at: int


ADDED = (
    *("account", "kind", "at", "submission_id", "username", "sender", "recipient", "subject"),
    *("host", "reply", "reason", "detail"),
)

COUNT = """
INSERT INTO sending_counts (account, day, username, sender, last_ip, octets, {column})
VALUES (:account, :day, :username, :sender, :last_ip, :octets, :number)
ON CONFLICT (account, day, username, sender) DO UPDATE
   SET {column} = sending_counts.{column} + :number,
       octets = sending_counts.octets + :octets,
       last_ip = CASE WHEN :last_ip = '' THEN sending_counts.last_ip ELSE :last_ip END
"""

COLUMNS = """e.id, e.account, e.kind, e.at, e.submission_id, e.username, e.sender, e.recipient,
       e.subject, e.host, e.reply, e.reason, e.detail, coalesce(m.queue_id, ''),
       coalesce(m.fields, '{}'), coalesce(m.size, 0), coalesce(m.client_ip, ''),
       coalesce(m.created_at, e.at)"""
JOINED = "sending_events e LEFT JOIN sending_messages m ON m.submission_id = e.submission_id"

# LIKE patterns come lower-case and escaped by `!`; JSON lists are empty for "all".
WHERE = """
 WHERE e.account IN ({accounts}) AND e.at >= :start AND e.at < :end
   AND (CAST(:submission_queue_id AS TEXT) IS NULL OR m.queue_id = :submission_queue_id)
   AND (CAST(:subject AS TEXT) IS NULL OR {subject} LIKE :subject ESCAPE '!')
   AND (CAST(:sender AS TEXT) IS NULL OR lower(e.sender) LIKE :sender ESCAPE '!')
   AND (CAST(:recipient AS TEXT) IS NULL OR lower(e.recipient) LIKE :recipient ESCAPE '!'{more})
   AND (CAST(:kinds AS TEXT) = '[]' OR e.kind IN ({kinds}))
   AND (CAST(:usernames AS TEXT) = '[]' OR e.username IN ({usernames}))
"""
# That a message was taken is noted once, for its first recipient, and counts for each of them.
FOR_EACH = """
        OR (e.kind = 'processed' AND EXISTS (
            SELECT 1 FROM recipients r WHERE r.submission_id = e.submission_id
               AND lower(r.recipient) LIKE :recipient ESCAPE '!'))"""
ANY_WORD = """
   AND ({subject} LIKE :word{n} ESCAPE '!' OR lower(e.sender) LIKE :word{n} ESCAPE '!'
        OR lower(e.recipient) LIKE :word{n} ESCAPE '!'
        OR lower(e.username) LIKE :word{n} ESCAPE '!')
"""
LATEST = (
    " AND e.id = (SELECT max(id) FROM sending_events x WHERE x.submission_id = e.submission_id)"
)

# `:ids:` and `:kinds_of:` are subqueries of the engine; braces are taken by the columns.
OF_SUBMISSIONS = f"""
SELECT {COLUMNS} FROM {JOINED}
 WHERE e.submission_id IN (:ids:) AND e.account = :account
   AND e.kind IN (:kinds_of:)
 ORDER BY e.id LIMIT :limit
"""

AFTER = f"SELECT {COLUMNS} FROM {JOINED} WHERE e.id > :after ORDER BY e.id LIMIT :limit"

NEWEST = "SELECT coalesce(max(id), 0) FROM sending_events"

SUMS = """
SELECT {group}, sum(processed), sum(delivered), sum(soft), sum(hard), sum(rejected), sum(spam),
       sum(unsubscribed), sum(opened), sum(clicked), sum(octets), max(last_ip)
  FROM sending_counts
 WHERE account IN ({accounts}) AND day >= :first_day AND day <= :last_day
   AND (CAST(:username AS TEXT) IS NULL OR username = :username)
   AND (CAST(:sender AS TEXT) IS NULL OR sender = :sender)
 GROUP BY {group} ORDER BY 1
"""

# Like SUMS, of events one by one; braces are taken by the columns.
EACH_KIND = ", ".join(f"sum(CASE WHEN e.kind = '{kind}' THEN 1 ELSE 0 END)" for kind in COUNTED)
EVENT_SUMS = f"""
SELECT :group:, {EACH_KIND},
       sum(CASE WHEN e.kind = 'processed' THEN coalesce(m.size, 0) ELSE 0 END),
       max(coalesce(m.client_ip, ''))
  FROM {JOINED} :where: GROUP BY :group: ORDER BY 1
"""

GROUPS = {"all": "1", "sender": "sender", "username": "username", "account": "account",
          "day": "day"}  # fmt: skip

# The first rows are the oldest: an index by time would be paid for by every event.
PURGE = """
DELETE FROM sending_events WHERE id IN (
    SELECT id FROM (SELECT id, at FROM sending_events ORDER BY id LIMIT :limit) AS oldest
     WHERE at < :before)
"""

DAY_MICROS = 86_400_000_000
# Openings that one search shows: a scanner that looks all day tells nothing new.
MOST_TOLD = 20_000


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events. Texts are LIKE patterns, `words` are tried in several columns. `for_each`:
    what tells of a whole message tells of each of its recipients."""

    accounts: tuple[str, ...]
    start: int
    end: int
    queue_id: str | None = None
    subject: str | None = None
    sender: str | None = None
    recipient: str | None = None
    kinds: tuple[str, ...] = ()
    usernames: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    only_latest: bool = False
    for_each: bool = False


@dataclass(frozen=True, slots=True)
class Sums:
    """Counts of a group: its key, and how many of each kind."""

    key: str
    last_ip: str
    processed: int
    delivered: int
    soft: int
    hard: int
    rejected: int
    spam: int
    unsubscribed: int
    opened: int
    clicked: int
    octets: int


async def add(tx: Transaction, about: About, events: Sequence[NewEvent]) -> None:
    """Append facts about one message, and count them."""
    await add_all(tx, [(about, events)])


async def add_all(tx: Transaction, added: Sequence[tuple[About, Sequence[NewEvent]]]) -> None:
    """Append facts about several messages, and count them: once for each day, user and sender."""
    await locks.order_events(tx)
    rows = [
        (about.account, event.kind, event.at, about.submission_id, about.username, about.sender,
         event.recipient, about.subject, event.host, event.reply, event.reason, event.detail)
        for about, events in added
        for event in events
    ]  # fmt: skip
    await many_rows.insert(tx, "sending_events", ADDED, rows)
    counts: dict[tuple[str, int, str, str, str], tuple[int, int, str]] = {}
    for about, events in added:
        # What is counted once a message: its octets, and from where it came.
        size, client_ip = about.size, about.client_ip
        for event in events:
            if event.kind not in COUNTED:
                continue
            day = event.at // DAY_MICROS
            key = (about.account, day, about.username, about.sender, event.kind)
            number, octets, last_ip = counts.get(key, (0, 0, ""))
            if event.kind == "processed":
                octets, last_ip, size = octets + size, client_ip or last_ip, 0
            counts[key] = (number + 1, octets, last_ip)
    # Always in one order: processes that count together must not wait for each other.
    for (account, day, username, sender, kind), (number, octets, last_ip) in sorted(counts.items()):
        await tx.execute(
            COUNT.format(column=COUNTED[kind]),
            {
                "account": account,
                "day": day,
                "username": username,
                "sender": sender,
                "last_ip": last_ip,
                "octets": octets,
                "number": number,
            },
        )


def _where(tx: Transaction, wanted: EventFilter) -> tuple[str, dict[str, object]]:
    sql = WHERE.format(
        accounts=each_text(tx.dialect, "accounts"),
        kinds=each_text(tx.dialect, "kinds"),
        usernames=each_text(tx.dialect, "usernames"),
        subject=lower_case("e.subject", wanted.subject or ""),
        more=FOR_EACH if wanted.for_each and wanted.recipient is not None else "",
    )
    params: dict[str, object] = {
        "accounts": json.dumps(wanted.accounts),
        "start": wanted.start,
        "end": wanted.end,
        "submission_queue_id": wanted.queue_id,
        "subject": wanted.subject,
        "sender": wanted.sender,
        "recipient": wanted.recipient,
        "kinds": json.dumps(wanted.kinds),
        "usernames": json.dumps(wanted.usernames),
    }
    if wanted.words:
        any_of = []
        for n, word in enumerate(wanted.words):
            one = ANY_WORD.format(n=n, subject=lower_case("e.subject", word))
            any_of.append(one.strip().removeprefix("AND "))
            params[f"word{n}"] = word
        sql += f" AND ({' OR '.join(any_of)})"
    if wanted.only_latest:
        sql += LATEST
    return sql, params


async def search(
    tx: Transaction,
    wanted: EventFilter,
    *,
    limit: int,
    offset: int = 0,
    by_send_time: bool = False,
    oldest_first: bool = False,
) -> tuple[list[SendingEvent], int]:
    """Events, newest first unless asked otherwise, and how many there are in all."""
    where, params = _where(tx, wanted)
    order = "m.created_at DESC, e.id DESC" if by_send_time else "e.at DESC, e.id DESC"
    if oldest_first:
        order = order.replace("DESC", "ASC")
    rows = await tx.fetch_all(
        f"SELECT {COLUMNS} FROM {JOINED} {where} ORDER BY {order} LIMIT :limit OFFSET :offset",
        {**params, "limit": limit, "offset": offset},
    )
    total = await tx.fetch_one(f"SELECT count(*) FROM {JOINED} {where}", params)
    return [SendingEvent(*row) for row in rows], int(total[0]) if total else 0


async def count_by_kind(tx: Transaction, wanted: EventFilter) -> dict[str, int]:
    """How many events of each kind fit."""
    where, params = _where(tx, wanted)
    rows = await tx.fetch_all(
        f"SELECT e.kind, count(*) FROM {JOINED} {where} GROUP BY e.kind", params
    )
    return {str(kind): int(number) for kind, number in rows}


async def of_submissions(
    tx: Transaction, account: str, submission_ids: Sequence[int], *, kinds: Sequence[str]
) -> list[SendingEvent]:
    """The facts of some kinds about some messages, oldest first."""
    sql = OF_SUBMISSIONS.replace(":ids:", each_integer(tx.dialect, "ids"))
    rows = await tx.fetch_all(
        sql.replace(":kinds_of:", each_text(tx.dialect, "kinds")),
        {
            "account": account,
            "ids": json.dumps(list(submission_ids)),
            "kinds": json.dumps(list(kinds)),
            "limit": MOST_TOLD,
        },
    )
    return [SendingEvent(*row) for row in rows]


async def sums_of_events(tx: Transaction, wanted: EventFilter, *, group: str) -> list[Sums]:
    """Counts of the events that fit, by a key of GROUPS, with octets and addresses of what they
    are about: for parts that the sums of days do not know."""
    where, params = _where(tx, wanted)
    rows = await tx.fetch_all(
        EVENT_SUMS.replace(":group:", f"e.{GROUPS[group]}").replace(":where:", where), params
    )
    return [sums_of(row) for row in rows]


async def after(tx: Transaction, *, after_id: int, limit: int) -> list[SendingEvent]:
    """The facts behind an id, oldest first, whoever's they are."""
    rows = await tx.fetch_all(AFTER, {"after": after_id, "limit": limit})
    return [SendingEvent(*row) for row in rows]


async def newest_id(tx: Transaction) -> int:
    """The id of the newest fact; 0 when there is none."""
    row = await tx.fetch_one(NEWEST)
    return 0 if row is None else int(row[0])


async def sums(
    tx: Transaction,
    *,
    accounts: Sequence[str],
    first_day: int,
    last_day: int,
    group: str = "all",
    username: str | None = None,
    sender: str | None = None,
) -> list[Sums]:
    """Counts of whole days (since 1970), by a key of GROUPS."""
    rows = await tx.fetch_all(
        SUMS.format(group=GROUPS[group], accounts=each_text(tx.dialect, "accounts")),
        {
            "accounts": json.dumps(list(accounts)),
            "first_day": first_day,
            "last_day": last_day,
            "username": username,
            "sender": sender,
        },
    )
    return [sums_of(row) for row in rows]


def sums_of(row: Row) -> Sums:
    # PostgreSQL adds up BIGINTs to a NUMERIC, which is a Decimal here.
    counts = [int(number) for number in row[1:11]]
    return Sums(str(row[0]), str(row[11]), *counts)


async def purge(tx: Transaction, *, before: int, limit: int) -> int:
    """Forget events older than a time; the sums stay."""
    return await tx.execute(PURGE, {"before": before, "limit": limit})
