"""A store with a month of events of the sending API, and what it takes to add them up."""

from __future__ import annotations

import contextlib
import http.client
import random
import sqlite3
import time
from pathlib import Path

DAYS = 28
USERS, SENDERS = 5, 40
BATCH = 50_000
DAY_MICROS = 86_400_000_000
KINDS = ("processed", "delivered", "soft-bounced", "opened", "clicked")
EVENT = """
INSERT INTO sending_events (account, kind, at, submission_id, username, sender, recipient, subject)
VALUES ('', ?, ?, ?, ?, ?, ?, 'Figures')
"""
COUNT = """
INSERT INTO sending_counts (account, day, username, sender, octets, processed, delivered, soft,
                            opened, clicked)
SELECT account, at / 86400000000, username, sender, 4096 * sum(kind = 'processed'),
       sum(kind = 'processed'), sum(kind = 'delivered'), sum(kind = 'soft-bounced'),
       sum(kind = 'opened'), sum(kind = 'clicked')
  FROM sending_events GROUP BY 1, 2, 3, 4
"""
CURSOR = """
INSERT INTO cursors (name, position) SELECT 'sending-events', max(id) FROM sending_events WHERE true
ON CONFLICT (name) DO UPDATE SET position = excluded.position
"""
# What an operator's page and a connector ask for.
ASKED = ("/v3/stats/email_summary", "/v3/stats/email_bounces", "/v3/stats/email_history")


def fill(database: Path, total: int) -> None:
    """Put events into a store that no service has open."""
    chance = random.Random(total)
    now = time.time_ns() // 1_000
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -1000000")
    with contextlib.closing(connection):
        for begin in range(0, total, BATCH):
            connection.executemany(
                EVENT,
                [
                    (
                        chance.choice(KINDS),
                        now - chance.randrange(DAYS * DAY_MICROS),
                        10_000_000 + number // 4,
                        f"api-user{chance.randrange(USERS)}",
                        f"news{chance.randrange(SENDERS)}@x.test",
                        f"p{number}@example.org",
                    )
                    for number in range(begin, min(begin + BATCH, total))
                ],
            )
            connection.commit()
        connection.execute(COUNT)
        connection.execute(CURSOR)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def ask(port: int, key: str, count: int) -> list[float]:
    """The milliseconds that so many questions took, one after another. Raises RuntimeError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"X-Smtp2go-Api-Key": key, "Content-Type": "application/json"}
    taken = []
    for place in range(count):
        began = time.perf_counter()
        connection.request("POST", ASKED[place % len(ASKED)], body=b"{}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        taken.append((time.perf_counter() - began) * 1e3)
        if answer.status != 200:
            raise RuntimeError(f"answered {answer.status}: {body[:200]!r}")
    connection.close()
    return taken
