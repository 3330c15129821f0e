"""The send queue in SQL: turns, leases, fairness, on both engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from mailbox_service.storage import contents, events, leases, send_queue, submissions
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.leases import Claim, Settled
from mailbox_service.storage.send_queue import NewRecipient
from mailbox_service.storage.submissions import NewSubmission
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio

NOON = 1_795_262_400_000_000
MINUTE = 60_000_000


def submission(number: int = 1, address: str = "ann@x.test") -> NewSubmission:
    return NewSubmission(
        queue_id=f"Q{number}",
        address=address,
        reverse_path=address,
        door="api",
        message_id=f"<{number}@x.test>",
        from_address=address,
        subject="Hello",
    )


async def queue(
    tx: Transaction,
    recipients: Sequence[str],
    *,
    number: int = 1,
    priority: int = send_queue.NORMAL,
    now: int = NOON,
    state: str = send_queue.QUEUED,
) -> int:
    """Queue one message."""
    content_id = await contents.add(tx, b"Subject: Hello\r\n\r\nHi\r\n", uses=1)
    added = await submissions.add(tx, submission(number), content_id=content_id, size=22, now=now)
    people = [NewRecipient(one, one.partition("@")[2], state) for one in recipients]
    await send_queue.add(tx, added, people, priority=priority, now=now)
    return added


def plenty(domain: str) -> int:
    return 1_000


async def claim(
    database: AnyDatabase,
    *,
    now: int = NOON,
    limit: int = 100,
    holder: str = "worker",
    room: Callable[[str], int] = plenty,
    after: str = "",
) -> tuple[list[Claim], str]:
    return await database.write(
        leases.claim_due,
        now=now,
        lease_until=now + 20 * MINUTE,
        holder=holder,
        limit=limit,
        room=room,
        after=after,
    )


def settled(one: Claim, state: str, next_attempt_at: int | None, now: int = NOON) -> Settled:
    return Settled(one, state, next_attempt_at, now, now, "mx.next.test", "250 Ok", "> DATA")


async def test_a_turn_comes_once(database: AnyDatabase) -> None:
    await database.write(queue, ["bob@a.test", "eve@b.test"])
    claims, place = await claim(database)
    assert [(one.recipient, one.attempt, one.interrupted) for one in claims] == [
        ("bob@a.test", 1, 0),
        ("eve@b.test", 1, 0),
    ]
    assert place == ""
    assert await claim(database) == ([], "")


async def test_an_expired_lease_is_taken_over_and_told(database: AnyDatabase) -> None:
    """Hazard 23: the recipient of a worker that died is tried again, and its row says so."""
    await database.write(queue, ["bob@a.test"])
    (first,), _ = await claim(database, holder="one")
    assert await claim(database, now=NOON + 19 * MINUTE, holder="two") == ([], "")
    (second,), _ = await claim(database, now=NOON + 20 * MINUTE, holder="two")
    assert (second.attempt, second.interrupted) == (2, 1)
    kept = await database.write(
        leases.settle_all, [settled(first, send_queue.DEFERRED, NOON + MINUTE)], holder="one"
    )
    assert not kept, "who lost the lease decides nothing"
    assert await database.write(
        leases.settle_all, [settled(second, send_queue.DELIVERED, None)], holder="two"
    ) == {second.id}
    (row,) = (await database.read(send_queue.of_submissions, [1]))[1]
    assert (row.state, row.attempts, row.next_attempt_at) == ("delivered", 2, None)
    attempts = await database.read(send_queue.attempts_of, 1)
    assert [attempt.outcome for attempt in attempts] == ["lease lost", "delivered"]


async def test_many_are_settled_each_by_its_own_outcome(database: AnyDatabase) -> None:
    """More than fit into one statement, one of them lost to another worker meanwhile."""
    people = [f"p{n:03}@a.test" for n in range(150)]
    await database.write(queue, people)
    claims, _ = await claim(database, limit=150, holder="one")
    await claim(database, now=NOON + 20 * MINUTE, holder="two", limit=150)
    again, _ = await claim(database, now=NOON + 40 * MINUTE, holder="one", limit=149)
    mine = {one.id for one in again}
    states = [send_queue.DELIVERED, send_queue.DEFERRED, send_queue.FAILED]
    outcomes = [
        replace(
            settled(one, states[n % 3], NOON + n if n % 3 == 1 else None),
            reply=f"250 {one.recipient}",
        )
        for n, one in enumerate(claims)
    ]
    kept = await database.write(leases.settle_all, outcomes, holder="one")
    assert kept == mine
    rows = (await database.read(send_queue.of_submissions, [1]))[1]
    expected = {one.claim.recipient: one for one in outcomes}
    for row in rows:
        if row.id in mine:
            outcome = expected[row.recipient]
            assert (row.state, row.next_attempt_at, row.last_reply) == (
                outcome.state, outcome.next_attempt_at, outcome.reply)  # fmt: skip
        else:
            assert row.state == "sending"
    attempts = await database.read(send_queue.attempts_of, 1)
    assert [one.outcome for one in attempts].count("lease lost") == 1
    assert len(attempts) == 150


async def test_a_process_that_is_alone_ends_all_leases_at_its_start(database: AnyDatabase) -> None:
    """Hazard 20: what was under way when the process was killed is tried again at once."""
    await database.write(queue, ["bob@a.test"])
    await claim(database, holder="dead")
    assert await database.write(leases.end_leases, now=NOON) == 1
    (again,), _ = await claim(database, holder="alive")
    assert again.interrupted


async def test_what_was_not_begun_is_given_back(database: AnyDatabase) -> None:
    await database.write(queue, ["bob@a.test"])
    claims, _ = await claim(database)
    await database.write(leases.give_back, claims, holder="worker", now=NOON)
    (row,) = (await database.read(send_queue.of_submissions, [1]))[1]
    assert (row.state, row.attempts) == ("queued", 0)
    (again,), _ = await claim(database)
    assert (again.attempt, again.interrupted) == (1, 0)


async def test_what_is_given_back_still_tells_that_an_attempt_before_was_cut_off(
    database: AnyDatabase,
) -> None:
    """Hazard 24: the copy that may be the second one is marked, whoever sends it."""
    await database.write(queue, ["bob@a.test"])
    await claim(database, holder="dead")
    await database.write(leases.end_leases, now=NOON)
    claims, _ = await claim(database, holder="stopped")
    await database.write(leases.give_back, claims, holder="stopped", now=NOON)
    (again,), _ = await claim(database)
    assert (again.attempt, again.interrupted) == (2, 1)


async def test_letters_come_before_bulk(database: AnyDatabase) -> None:
    bulk = [f"bob{number}@a.test" for number in range(50)]
    await database.write(queue, bulk, number=1, priority=send_queue.BULK)
    await database.write(queue, ["eve@a.test"], number=2, now=NOON + 1)
    claims, _ = await claim(database, now=NOON + 2, limit=3)
    assert claims[0].recipient == "eve@a.test"
    assert len(claims) == 3


async def test_a_domain_with_a_hundred_thousand_mails_leaves_room_for_others(
    database: AnyDatabase,
) -> None:
    """Hazard 54, in the queue: each domain gets a share of every claim, whatever is due."""
    await database.write(queue, ["first@dead.test"])
    await database.write(fill, "dead.test", 100_000)
    await database.write(queue, ["bob@a.test", "eve@z.test"], number=2, now=NOON + 1)
    claims, place = await claim(
        database, now=NOON + 2, limit=20, room=lambda domain: 5 if domain == "dead.test" else 10
    )
    assert {one.domain for one in claims} == {"a.test", "dead.test", "z.test"}
    assert len(claims) == 7
    assert place == ""
    claims, _ = await claim(
        database, now=NOON + 2, room=lambda domain: 0 if domain == "dead.test" else 10
    )
    assert claims == []


async def fill(tx: Transaction, domain: str, count: int) -> None:
    """Much mail for one domain, quickly."""
    await tx.execute(
        """
        INSERT INTO recipients (submission_id, recipient, domain, state, queued_at,
                                next_attempt_at, updated_at)
        WITH RECURSIVE numbers (n) AS (
            SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < CAST(:count AS BIGINT))
        SELECT 1, 'bob@' || CAST(:domain AS TEXT), CAST(:domain AS TEXT), 'queued',
               CAST(:now AS BIGINT), CAST(:now AS BIGINT), CAST(:now AS BIGINT)
          FROM numbers
        """,
        {"domain": domain, "count": count, "now": NOON},
    )


async def test_behind_a_backlog_every_domain_has_its_turn(database: AnyDatabase) -> None:
    """Hazard 54: more domains than one claim looks at, all with mail due."""
    domains = [f"d{number:03}.test" for number in range(450)]
    await database.write(queue, [f"bob@{domain}" for domain in domains])
    await database.write(fill, "dead.test", 600)
    seen: set[str] = set()
    place = ""
    for _ in range(20):
        claims, place = await claim(
            database, limit=50, room=lambda domain: 0 if domain == "dead.test" else 1, after=place
        )
        seen.update(one.domain for one in claims)
    assert seen == set(domains)


async def test_what_waited_too_long_can_be_claimed_to_give_it_up(database: AnyDatabase) -> None:
    await database.write(queue, ["bob@a.test"], now=NOON - 10 * MINUTE)
    await database.write(queue, ["eve@a.test"], number=2)
    claims = await database.write(
        leases.claim_expired,
        "a.test",
        queued_before=NOON - 5 * MINUTE,
        now=NOON,
        lease_until=NOON + MINUTE,
        holder="worker",
        limit=10,
    )
    assert [one.recipient for one in claims] == ["bob@a.test"]


async def test_the_next_turn_is_told(database: AnyDatabase) -> None:
    assert await database.read(leases.next_turn, now=NOON) is None
    await database.write(queue, ["bob@a.test"])
    assert await database.read(leases.next_turn, now=NOON) is None, "it is now"
    assert await database.read(leases.next_turn, now=NOON - 1) == NOON
    await claim(database)
    assert await database.read(leases.next_turn, now=NOON) == NOON + 20 * MINUTE


async def test_operators_list_and_retry(database: AnyDatabase) -> None:
    await database.write(queue, ["bob@a.test", "eve@b.test"], state=send_queue.HELD)
    await database.write(queue, ["joe@a.test"], number=2)
    rows = await database.read(send_queue.list_waiting, limit=10)
    assert [(row.queue_id, row.recipient.recipient, row.recipient.state) for row in rows] == [
        ("Q1", "bob@a.test", "held"),
        ("Q1", "eve@b.test", "held"),
        ("Q2", "joe@a.test", "queued"),
    ]
    later = await database.read(send_queue.list_waiting, limit=10, after=rows[1].recipient.id)
    assert [row.queue_id for row in later] == ["Q2"]
    assert await database.read(send_queue.count_by_state) == {"held": 2, "queued": 1}
    assert await database.write(send_queue.retry, "Q1", now=NOON) == 2
    assert await database.read(send_queue.count_by_state) == {"queued": 3}
    kinds = await database.read(events.after, "ann@x.test", after_id=0, limit=10)
    assert [event.kind for event in kinds] == ["retried", "retried"]
    assert kinds[0].detail["recipient"] == "bob@a.test"


async def test_everything_is_retried_in_steps(database: AnyDatabase) -> None:
    await database.write(queue, [f"bob{n}@a.test" for n in range(5)], state=send_queue.HELD)
    steps = []
    while changed := await database.write(send_queue.retry_all, now=NOON, limit=2):
        steps.append(changed)
    assert steps == [2, 2, 1]


@pytest.mark.parametrize(
    ("states", "state"),
    [
        (["delivered", "delivered"], "delivered"),
        (["delivered", "queued"], "queued"),
        (["held", "queued"], "held"),
        (["deferred", "held", "sending"], "deferred"),
        (["failed", "deferred"], "failed"),
        (["quarantined", "delivered"], "failed"),
        ([], "queued"),
    ],
)
def test_the_worst_state_is_that_of_the_message(states: list[str], state: str) -> None:
    assert send_queue.worst(states) == state


async def test_finished_and_unlisted_messages_are_purged_with_their_bytes(
    database: AnyDatabase,
) -> None:
    first = await database.write(queue, ["bob@a.test"])
    second = await database.write(queue, ["eve@a.test"], number=2)
    for number in (first, second):
        assert await database.write(submissions.unlist, number, address="ann@x.test")
    assert not await database.write(submissions.unlist, first, address="ann@x.test")
    assert await database.write(submissions.purge, limit=10) == 0, "still on the way"
    claims, _ = await claim(database)
    await database.write(
        leases.settle_all, [settled(claims[0], send_queue.DELIVERED, None)], holder="worker"
    )
    kept = await database.read(submissions.by_id, first)
    assert kept is not None
    assert await database.write(submissions.purge, limit=10) == 1
    assert await database.read(submissions.by_id, first) is None
    assert await database.read(submissions.by_queue_id, "Q2") is not None
    with pytest.raises(contents.Damaged):
        await database.read(contents.read, kept.content_id)


async def test_sent_boxes_list_their_own(database: AnyDatabase) -> None:
    for number in range(1, 6):
        await database.write(queue, ["bob@a.test"], number=number)
    page = await database.read(submissions.list_page, "ann@x.test", limit=2)
    assert [one.queue_id for one in page] == ["Q5", "Q4"]
    page = await database.read(submissions.list_page, None, limit=10, before_id=page[-1].id)
    assert [one.queue_id for one in page] == ["Q3", "Q2", "Q1"]
    assert await database.read(submissions.list_page, "bob@x.test", limit=10) == []
    assert await database.write(submissions.unlist_all, "ann@x.test") == 5
    assert await database.read(submissions.count, "ann@x.test") == 0
    assert await database.read(submissions.count, None) == 0
