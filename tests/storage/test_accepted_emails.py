"""E-mails that wait for their files, attempts and openings of several messages, on both engines."""

from __future__ import annotations

import pytest

from mailbox_service.storage import (
    accepted_emails,
    delivery_attempts,
    sending_events,
    sending_messages,
)
from mailbox_service.storage.accepted_emails import NewAccepted
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.sending_events import About, EventFilter, NewEvent
from mailbox_service.storage.sending_messages import NewMessage
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio

LOOKS = ["opened", "clicked"]
NOON = 1_795_262_400_000_000
LEASE = 1_000


async def add(database: AnyDatabase, name: str, now: int = NOON, account: str = "a") -> bool:
    new = NewAccepted(name, account, b"{" + name.encode() + b"}", 0)
    return await database.write(accepted_emails.add, new, now=now, most=2)


async def test_an_accepted_email_is_leased_until_it_is_done(database: AnyDatabase) -> None:
    assert await add(database, "one")
    assert await add(database, "two", NOON + 5)
    assert not await add(database, "three"), "two of one account are the most here"
    assert await add(database, "three", account="b")
    claims = await database.write(
        accepted_emails.claim_due, now=NOON, lease_until=NOON + LEASE, limit=5
    )
    assert [(one.queue_id, one.request, one.attempt) for one in claims] == [
        ("one", b"{one}", 1),
        ("three", b"{three}", 1),
    ]
    assert await database.read(accepted_emails.next_turn, now=NOON) == NOON + 5
    await database.write(accepted_emails.remove, claims[1].id)
    await database.write(accepted_emails.again, claims[0].id, at=NOON + 50)
    claims = await database.write(
        accepted_emails.claim_due, now=NOON + 60, lease_until=NOON + LEASE, limit=5
    )
    assert sorted((one.queue_id, one.attempt) for one in claims) == [("one", 2), ("two", 1)]
    await database.write(accepted_emails.end_leases, now=NOON + 70)
    assert await database.read(accepted_emails.next_turn, now=NOON) == NOON + 70


ATTEMPT = """
INSERT INTO attempts (recipient_id, submission_id, started_at, ended_at, remote, outcome, reply,
                      conversation)
VALUES (1, :submission_id, 1, :at, :host, 'delivered', :reply, '')
"""


async def attempt(tx: Transaction, submission_id: int, at: int, host: str) -> None:
    params = {"submission_id": submission_id, "at": at, "host": host, "reply": "250 ok"}
    await tx.execute(ATTEMPT, params)


async def test_attempts_are_found_by_their_messages(database: AnyDatabase) -> None:
    for submission_id, at, host in ((1, 10, "mx1"), (2, 20, "mx2"), (1, 30, "mx3")):
        await database.write(attempt, submission_id, at, host)
    found = await database.read(delivery_attempts.of_submissions, [1, 3])
    assert {key: [(one.at, one.host) for one in rows] for key, rows in found.items()} == {
        1: [(10, "mx1"), (30, "mx3")]
    }
    assert await database.read(delivery_attempts.of_submissions, []) == {}


async def test_events_of_a_part_are_summed_with_their_octets(database: AnyDatabase) -> None:
    for number, sender in ((1, "ann@x.test"), (2, "zoe@y.test")):
        message = NewMessage(
            f"Q{number}", "a", "key", sender, "s", "{}", 100 * number, "192.0.2.1", None, False
        )
        await database.write(sending_messages.add_all, [(message, number, None, NOON)])
        about = About("a", number, "key", sender, "s", size=100 * number)
        events = [
            NewEvent("processed", NOON, "bob@z.test"),
            NewEvent("opened", NOON + 1, "bob@z.test", detail='{"user-agent": "x"}'),
        ]
        await database.write(sending_events.add, about, events)
    wanted = EventFilter(("a",), 0, NOON + 10, recipient="bob@z.test")
    sums = await database.read(sending_events.sums_of_events, wanted, group="sender")
    assert [(one.key, one.processed, one.opened, one.octets, one.last_ip) for one in sums] == [
        ("ann@x.test", 1, 1, 100, "192.0.2.1"),
        ("zoe@y.test", 1, 1, 200, "192.0.2.1"),
    ]
    opened = await database.read(sending_events.of_submissions, "a", [1, 2], kinds=LOOKS)
    assert [(one.submission_id, one.kind) for one in opened] == [(1, "opened"), (2, "opened")]
    assert await database.read(sending_events.of_submissions, "b", [1, 2], kinds=LOOKS) == []
    oldest, _ = await database.read(sending_events.search, wanted, limit=1, oldest_first=True)
    assert oldest[0].at == NOON
