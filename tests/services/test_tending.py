"""The queue for its operator: looking, trying and giving up many, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mailbox_service import signals as topics
from mailbox_service.core.errors import BadRequest, NotFound
from mailbox_service.core.notification import read_notice
from mailbox_service.core.queue_desk import EVERYTHING, QueueFilter
from mailbox_service.services import tending
from mailbox_service.services.tending import Tending
from mailbox_service.storage import queue_desk
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.nexthop import NextHop, running
from tests.services.posting import Post

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hop() -> AsyncIterator[NextHop]:
    async with running(NextHop()) as server:
        yield server


def desk(post: Post) -> Tending:
    return Tending(post.database, post.config, post.signals, clock=post.clock)


async def recipients(post: Post, wanted: QueueFilter = EVERYTHING) -> list[str]:
    """Who waits, newest first."""
    page = await desk(post).page(wanted, limit=100)
    return [row.recipient.recipient for row in page.rows]


async def test_what_waits_newest_first_with_reasons_and_domains(
    database: AnyDatabase, hop: NextHop
) -> None:
    post = Post(database, hop)
    await post.post("deferred@next.test", "bob@next.test", subject="First")
    await post.post("deferred@far.test")
    await post.delivering.deliver_due()
    await post.post("cat@next.test", subject="Last")
    page = await desk(post).page(limit=2)
    assert [row.recipient.recipient for row in page.rows] == ["cat@next.test", "deferred@far.test"]
    assert page.count == 3
    ((reason, number),) = page.reasons
    assert number == 2
    assert reason.startswith("451")
    assert page.domains == [("next.test", 2), ("far.test", 1)]
    newest = page.rows[0]
    assert (newest.subject, newest.sender, newest.domain) == ("Last", "ann@x.test", "next.test")
    rest = await desk(post).page(limit=2, before_id=page.rows[-1].recipient.id)
    assert [row.recipient.recipient for row in rest.rows] == ["deferred@next.test"]
    assert rest.rows[0].recipient.attempts == 1


# filter, who fits
FILTERS = [
    (EVERYTHING, {"deferred@next.test", "deferred@far.test", "cat@next.test"}),
    (QueueFilter(state="deferred"), {"deferred@next.test", "deferred@far.test"}),
    (QueueFilter(state="queued"), {"cat@next.test"}),
    (QueueFilter(state="held"), set()),
    (QueueFilter(state="sending"), set()),
    (QueueFilter(domain="next.test"), {"deferred@next.test", "cat@next.test"}),
    (QueueFilter(domain="next.test", state="deferred"), {"deferred@next.test"}),
    (QueueFilter(sender="ANN@"), {"deferred@next.test", "deferred@far.test", "cat@next.test"}),
    (QueueFilter(sender="bob@"), set()),
    (QueueFilter(recipient="deferred@"), {"deferred@next.test", "deferred@far.test"}),
    (QueueFilter(recipient="%"), set()),
    (QueueFilter(reason="451"), {"deferred@next.test", "deferred@far.test"}),
    (QueueFilter(reason="45…"), {"deferred@next.test", "deferred@far.test"}),
    (QueueFilter(reason="452"), set()),
]


async def test_every_filter(database: AnyDatabase, hop: NextHop) -> None:
    post = Post(database, hop)
    await post.post("deferred@next.test", "deferred@far.test")
    await post.delivering.deliver_due()
    await post.post("cat@next.test")
    for wanted, expected in FILTERS:
        page = await desk(post).page(wanted, limit=100)
        assert {row.recipient.recipient for row in page.rows} == expected, wanted
        assert page.count == len(expected), wanted
    with pytest.raises(BadRequest, match="state is one of"):
        await desk(post).page(QueueFilter(state="lost"), limit=1)


async def test_a_reason_that_is_told_finds_what_it_counts(
    database: AnyDatabase, hop: NextHop
) -> None:
    post = Post(database, hop)
    await post.post("deferred@next.test", "deferred@far.test")
    await post.delivering.deliver_due()
    for reason, number in (await desk(post).page(limit=1)).reasons:
        assert (await desk(post).page(QueueFilter(reason=reason), limit=10)).count == number


async def test_a_page_looks_further_until_it_is_full(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_desk, "LOOK", 2)
    post = Post(database)
    for n in range(7):
        await post.post(f"p{n}@{'odd' if n % 3 else 'wanted'}.test")
    assert await recipients(post, QueueFilter(recipient="@wanted")) == [
        "p6@wanted.test", "p3@wanted.test", "p0@wanted.test"]  # fmt: skip
    page = await desk(post).page(QueueFilter(recipient="@wanted"), limit=2)
    assert [row.recipient.recipient for row in page.rows] == ["p6@wanted.test", "p3@wanted.test"]


async def test_a_row_tells_its_story_with_every_conversation(
    database: AnyDatabase, hop: NextHop
) -> None:
    post = Post(database, hop)
    await post.post("deferred@next.test")
    await post.delivering.deliver_due()
    post.wait(30)
    await post.delivering.deliver_due()
    (row,) = (await desk(post).page(limit=1)).rows
    opened = await desk(post).open(row.recipient.id)
    assert "put it off after 2 attempts: 451" in opened.story[0]
    assert [one.outcome for one in opened.attempts] == ["deferred", "deferred"]
    assert opened.attempts[0].started_at < opened.attempts[1].started_at
    assert "> RCPT TO:<deferred@next.test>" in opened.attempts[0].conversation
    with pytest.raises(NotFound):
        await desk(post).open(row.recipient.id + 1_000)


async def test_a_retry_makes_it_the_turn_of_what_waits_for_a_later_one(
    database: AnyDatabase, hop: NextHop
) -> None:
    post = Post(database, hop)
    await post.post("deferred@next.test", "deferred@far.test")
    await post.delivering.deliver_due()
    rows = (await desk(post).page(limit=10)).rows
    with post.signals.watch(topics.QUEUE) as watch:
        assert await desk(post).retry([rows[0].recipient.id, 99_999]) == 1
        assert await watch.wait(0)
    assert await post.delivering.deliver_due() == 1
    assert (await post.kinds()).count("retried") == 1
    assert await desk(post).retry_where(QueueFilter(domain="next.test")) == 1
    assert await desk(post).retry_where(QueueFilter(domain="next.test")) == 0  # it is due


async def test_many_are_retried_in_portions(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tending, "RETRIED", 2)
    post = Post(database)
    await post.post(*(f"p{n}@far.test" for n in range(5)))
    await post.delivering.deliver_due()
    assert await post.states() == ["held"] * 5
    assert await desk(post).retry_where(QueueFilter(state="held")) == 5
    assert await post.states() == ["queued"] * 5


async def test_one_call_ends_after_many_and_the_next_goes_on(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tending, "GIVEN_UP", 1)
    monkeypatch.setattr(tending, "LOOKED_AT", 2)
    monkeypatch.setattr(tending, "MOST_AT_ONCE", 3)
    post = Post(database)
    await post.post(*(f"p{n}@far.test" for n in range(5)))
    assert [await desk(post).drop_where(EVERYTHING) for _ in range(3)] == [3, 2, 0]


async def test_what_is_scheduled_stays_so_when_all_is_retried(database: AnyDatabase) -> None:
    post = Post(database)
    await post.post("bob@far.test")
    (row,) = (await desk(post).page(limit=1)).rows

    async def schedule(tx: Transaction) -> None:
        later = post.clock.now + 3_600_000_000
        await tx.execute(
            "UPDATE recipients SET queued_at = :at, next_attempt_at = :at", {"at": later}
        )

    await database.write(schedule)
    assert await desk(post).retry_where(EVERYTHING) == 0
    assert await desk(post).retry([row.recipient.id]) == 1


async def test_what_is_given_up_is_reported_to_its_sender(
    database: AnyDatabase, hop: NextHop
) -> None:
    post = Post(database, hop)
    await post.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    await post.post("deferred@next.test", "bob@next.test", "deferred@far.test")
    await post.delivering.deliver_due()
    assert await desk(post).drop_where(QueueFilter(state="deferred")) == 2
    assert sorted(await post.states()) == ["delivered", "failed", "failed"]
    (notice,) = await post.inbox("ann@x.test")
    told = read_notice(notice)
    assert told is not None
    assert {one.recipient for one in told.recipients} == {"deferred@next.test", "deferred@far.test"}
    assert b"took the message from the queue" in notice
    assert (await post.kinds())[-3:] == ["failed", "failed", "reported"]
    assert await desk(post).drop_where(EVERYTHING) == 0
    opened = await desk(post).open((await post.only()).recipients[0].id)
    assert opened.story == [f"It was given up after 1 attempt: {tending.DROPPED}."]
    assert opened.attempts[-1].outcome == "failed"


async def test_what_is_being_sent_is_not_given_up(database: AnyDatabase) -> None:
    post = Post(database)
    await post.post("bob@far.test", "cat@far.test")
    rows = (await desk(post).page(limit=10)).rows
    await database.write(
        queue_desk.take_out, [rows[0].recipient.id], holder="other", now=post.clock.now,
        lease_until=post.clock.now + 10**9,
    )  # fmt: skip
    assert await desk(post).drop([row.recipient.id for row in rows]) == 1
    assert sorted(await post.states()) == ["failed", "sending"]


async def test_a_message_is_given_up_with_or_without_a_report(database: AnyDatabase) -> None:
    post = Post(database)
    loud, silent = await post.post("bob@far.test"), await post.post("cat@far.test")
    await post.delivering.deliver_due()  # held
    assert await desk(post).drop_message(silent.queue_id, report=False) == 1
    assert await post.inbox("ann@x.test") == []
    assert await desk(post).drop_message(loud.queue_id) == 1
    assert len(await post.inbox("ann@x.test")) == 1
    assert await desk(post).drop_message(loud.queue_id) == 0
