"""What deliveries must survive: damage, dead workers, dead domains, a stop at a bad time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

import dkim  # type: ignore[import-untyped]
import pytest
from msgspec.structs import replace

from mailbox_service import signals as topics
from mailbox_service.core.delivery import DAY, Reply
from mailbox_service.core.dkim import generate_key
from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.core.notification import read_notice
from mailbox_service.core.safe_lines import safe_lines
from mailbox_service.outbound.connections import Connections
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.hops import Relay, Timeouts
from mailbox_service.outbound.routing import Router
from mailbox_service.outbound.sender import Outbound
from mailbox_service.outbound.transaction import Attempted
from mailbox_service.services import attempting, claiming, delivering, settling
from mailbox_service.services.lanes import Lanes
from mailbox_service.services.recording import record_all
from mailbox_service.services.signing import Signing
from mailbox_service.storage import dkim_keys, leases, send_queue
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.nameserver import NameServer, serving
from tests.nexthop import NextHop, running
from tests.services.parts import NOON
from tests.services.posting import LETTER, Post

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hop() -> AsyncIterator[NextHop]:
    async with running(NextHop()) as server:
        yield server
        server.release.set()


async def run_sql(tx: Transaction, sql: str) -> int:
    return await tx.execute(sql)


async def test_a_damaged_content_is_quarantined_and_the_rest_goes_on(
    database: AnyDatabase, hop: NextHop, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 22: bytes that are not what was accepted are never sent."""
    post = Post(database, hop)
    await post.submit("bob@next.test", "joe@y.test")
    torn = await post.only()
    await post.submit("eve@next.test")
    await database.write(
        run_sql, f"UPDATE contents SET checksum = 1 WHERE id = {torn.submission.content_id}"
    )
    with caplog.at_level(logging.ERROR):
        await post.delivering.deliver_due()
    assert "content-damaged" in caplog.text
    assert await post.states(torn.submission.queue_id) == ["failed", "failed"]
    rows = (await database.read(send_queue.of_submissions, [torn.submission.id])).values()
    assert [one.state for one in next(iter(rows))] == ["quarantined", "quarantined"]
    assert [taken.recipients for taken in hop.taken] == [("eve@next.test",)]
    assert await post.inbox("joe@y.test") == []
    assert len(await post.inbox("ann@x.test")) == 2, "the sender is told"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE recipients SET submission_id = 999 WHERE recipient = 'bob@next.test'",
        "UPDATE recipients SET domain = 'b' WHERE recipient = 'bob@next.test'",
        "UPDATE recipients SET recipient = 'bob' WHERE recipient = 'bob@next.test'",
    ],
)
async def test_a_damaged_row_is_taken_out_and_the_rest_goes_on(
    database: AnyDatabase, hop: NextHop, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """Hazard 22: a garbage queue row."""
    post = Post(database, hop)
    await post.post("bob@next.test", "eve@next.test")
    await database.write(run_sql, damage)
    with caplog.at_level(logging.ERROR):
        await post.delivering.deliver_due()
    assert "queue-row-damaged" in caplog.text
    assert [taken.recipients for taken in hop.taken] == [("eve@next.test",)]
    assert await post.delivering.deliver_due() == 0


async def test_two_workers_share_and_never_send_twice(database: AnyDatabase, hop: NextHop) -> None:
    """Hazard 23: many messages, two workers at once, each message once."""
    post = Post(database, hop)
    for number in range(40):
        await post.post(f"bob{number}@next.test")
    await asyncio.gather(post.delivering.deliver_due(), post.worker().deliver_due())
    assert len(hop.taken) == 40
    assert len({taken.recipients for taken in hop.taken}) == 40


@pytest.mark.parametrize("step", [3_600_000_000, -3_600_000_000])
async def test_a_step_of_the_clock_sends_nothing_twice(
    database: AnyDatabase, hop: NextHop, step: int
) -> None:
    """Hazard 23: an hour forward or back while an attempt is under way."""
    post = Post(database, hop)
    await post.post("slow@next.test")
    worker = asyncio.ensure_future(post.delivering.deliver_due())
    await hop.waiting.wait()
    post.clock.now += step
    await post.post("bob@next.test")
    second = asyncio.ensure_future(post.delivering.deliver_due())
    await hop.wait_for(1)
    hop.release.set()
    await worker
    await second
    assert sorted(taken.recipients[0] for taken in hop.taken) == [
        "bob@next.test",
        "slow@next.test",
    ]
    page = await post.sent.page("ann@x.test", limit=10)
    assert {message.state for message in page.messages} == {"delivered"}


async def test_a_worker_that_lost_its_lease_decides_nothing(
    database: AnyDatabase, hop: NextHop
) -> None:
    """Hazard 23: stopped for longer than its lease, another worker took over. Both attempts are
    in the history, and the second says that it may be the second copy."""
    post = Post(database, hop)
    await post.post("slow@next.test")
    first = asyncio.ensure_future(post.delivering.deliver_due())
    await hop.waiting.wait()
    post.wait(21)
    hop.extensions = ("8BITMIME",)
    other = post.worker()
    second = asyncio.ensure_future(other.deliver_due())
    with post.signals.watch(topics.QUEUE) as watch:
        while (await post.only()).recipients[0].attempts < 2:
            await watch.wait(0.01)
    hop.release.set()
    await asyncio.gather(first, second)
    assert len(hop.taken) == 2, "at least once"
    outcomes = sorted(attempt.outcome for attempt in await post.attempts())
    assert outcomes == ["delivered", "lease lost"]
    (decided,) = [one for one in await post.attempts() if one.outcome == "delivered"]
    assert "the message may arrive twice" in decided.conversation
    assert await post.states() == ["delivered"]


async def test_a_worker_that_slept_through_its_lease_does_not_begin(
    database: AnyDatabase, hop: NextHop
) -> None:
    """Hazard 23: claimed, stopped (SIGSTOP) for long, awake again before the first command."""
    post = Post(database, hop)
    await post.post("bob@next.test")
    claimed = await database.write(
        claiming.claim, now=NOON, holder="x", room=Lanes(()).room(NOON), after=""
    )
    post.wait(18)
    post.delivering._start(claimed, NOON + claiming.LEASE_MICROS)
    while post.delivering._tasks:
        await asyncio.wait(post.delivering._tasks)
    assert hop.taken == []


async def test_a_crash_after_the_yes_makes_one_copy_more_with_the_same_message_id(
    database: AnyDatabase, hop: NextHop
) -> None:
    """Hazard 24: the next hop said 250, and the process died before it wrote that down."""
    post = Post(database, hop)
    receipt = await post.post("bob@next.test")
    claimed = await database.write(
        claiming.claim, now=NOON, holder="dead", room=Lanes(()).room(NOON), after=""
    )
    submission = claimed.submissions[receipt.submission_id]
    content = claimed.contents[receipt.submission_id]
    await post.outbound.send("x.test", submission.reverse_path, ["bob@next.test"], content)
    post.outbound.close()
    again = Post(database, hop)
    await database.write(leases.end_leases, now=NOON)
    await again.delivering.deliver_due()
    assert len(hop.taken) == 2
    for taken in hop.taken:
        assert f"Message-ID: {receipt.message_id}\r\n".encode() in taken.content
    assert await again.states() == ["delivered"]
    (attempt,) = await again.attempts()
    assert "the message may arrive twice" in attempt.conversation
    assert await again.delivering.deliver_due() == 0


async def test_no_answer_after_the_dot_is_told_to_the_sender(
    database: AnyDatabase, hop: NextHop
) -> None:
    """Hazard 52: deferred, never failed, and the sent box says that it may have arrived."""
    post = Post(database, hop)
    relay = Relay("127.0.0.1", hop.port, timeouts=Timeouts(final=0.1))
    post.outbound = Outbound("x.test", "relay", relay=relay)
    await post.post("silent@next.test")
    await post.worker().deliver_due()
    (recipient,) = (await post.only()).recipients
    assert recipient.state == "deferred"
    assert "may have arrived" in (recipient.last_reply or "")


# One dead domain (hazard 54).


class OneDeadDomain:
    """The world: `dead.test` cannot be reached, everybody else takes mail at once."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.tried = 0
        self.revived = False

    def next_hop(self, sender_domain: str, recipient_domain: str) -> str:
        return recipient_domain

    async def send(
        self,
        sender_domain: str,
        reverse_path: str,
        recipients: list[str],
        content: bytes,
        **options: Any,
    ) -> Mapping[str, Attempted]:
        dead = recipients[0].endswith("@dead.test") and not self.revived
        self.tried += dead
        if not dead:
            self.sent += recipients
        reply = Reply(0, "4.4.1", "No route to host") if dead else Reply(250, "2.0.0", "Ok")
        return dict.fromkeys(recipients, Attempted(reply, "mx", "", unreachable=dead))


ADD_MANY = """
INSERT INTO recipients (submission_id, recipient, domain, state, queued_at, next_attempt_at,
                        updated_at)
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
SELECT 1, 'bob' || n || '@dead.test', 'dead.test', 'queued', {now}, {now}, {now} FROM numbers
"""


async def test_a_hundred_thousand_mails_to_a_dead_domain_delay_nobody(
    database: AnyDatabase,
) -> None:
    """Hazard 54: others go out at once, the dead domain is probed now and then, and its mail
    is neither lost nor attempted one by one."""
    post = Post(database, outbound="relay", relay_url="smtp://127.0.0.1:9")
    world = OneDeadDomain()
    post.outbound = world  # type: ignore[assignment]
    post.delivering = post.worker()
    await post.post("first@dead.test")
    await database.write(run_sql, ADD_MANY.format(now=NOON))
    post.clock.now += 1
    await post.post("eve@a.test", "joe@z.test")
    await post.delivering.deliver_due()
    assert sorted(world.sent) == ["eve@a.test", "joe@z.test"]
    assert world.tried <= 300, "one share, then a pause"
    for _ in range(60):
        before = world.tried
        post.wait(1)
        await post.post("eve@a.test")
        await post.delivering.deliver_due()
        assert world.sent[-1] == "eve@a.test"
        assert world.tried - before <= 10
    await database.write(run_sql, "DELETE FROM recipients WHERE id BETWEEN 1000 AND 100000")
    world.revived = True
    post.wait(16)
    await post.delivering.deliver_due()
    assert await database.read(send_queue.count_by_state) == {}, "it answers, everything goes"
    assert len(world.sent) > 500


async def test_mail_to_a_domain_that_stays_dead_is_given_up_and_reported(
    database: AnyDatabase,
) -> None:
    post = Post(database, outbound="relay", relay_url="smtp://127.0.0.1:9")
    post.outbound = OneDeadDomain()  # type: ignore[assignment]
    post.delivering = post.worker()
    for number in range(40):
        await post.post(f"bob{number}@dead.test")
    await post.delivering.deliver_due()
    post.clock.now += 4 * DAY + 1
    await post.delivering.deliver_due()
    page = await post.sent.page("ann@x.test", limit=100)
    assert {message.state for message in page.messages} == {"failed"}
    notices = await post.inbox("ann@x.test")
    assert len(notices) == 40
    notice = read_notice(notices[0])
    assert notice is not None
    assert notice.recipients[0].status.startswith("4.4")


# Signatures (hazard 55).


async def verified(signing: Signing, content: bytes, records: dict[str, str]) -> list[bool]:
    """Which of the signatures an independent library finds good."""

    def look_up(name: bytes, timeout: float = 5) -> bytes | None:
        record = records.get(name.decode().rstrip("."))
        return None if record is None else record.encode()

    count = content.partition(b"\r\n\r\n")[0].count(b"DKIM-Signature:")
    checker = dkim.DKIM(content)
    return [bool(checker.verify(idx=index, dnsfunc=look_up)) for index in range(count)]


@pytest.mark.parametrize(
    "content",
    [
        LETTER,
        LETTER + b"x" * 5_000 + b"\r\n.\r\n..\r\nend",
        LETTER + "grüße\r\n".encode() + b"\r\n\r\n",
        b"Subject: " + b"long " * 400 + b"\r\n" + LETTER,
        b"\r\nonly a body\r\n",
    ],
)
async def test_what_the_next_hop_receives_verifies(
    database: AnyDatabase, hop: NextHop, content: bytes
) -> None:
    """Hazard 55: after everything that is done to lines, dots and headers on the way."""
    post = Post(database, hop)
    post.signing = Signing(database, post.config, clock=post.clock)
    await post.submit("bob@next.test", content=content)
    await post.worker().deliver_due()
    (taken,) = hop.taken
    records = dict(await post.signing.records("x.test"))
    assert len(records) == 2
    assert await verified(post.signing, taken.content, records) == [True, True]
    head = taken.content.partition(b"\r\n\r\n")[0].replace(b"\r\n\t ", b"")
    for field in (b"from:from", b"subject"):
        assert field in head, "named once more than it occurs"
    assert b" l=" not in head
    assert max(map(len, taken.content.split(b"\r\n"))) <= 998
    forged = b"From: eve@evil.test\r\n" + taken.content
    assert await verified(post.signing, forged, records) == [False, False]


async def test_keys_change_with_an_overlap(database: AnyDatabase, hop: NextHop) -> None:
    """Hazard 55: a new key signs only after its record had time to be published."""
    post = Post(database, hop)
    post.wait(-10 * 24 * 60)  # the library refuses signatures from the future
    await post.submit("bob@next.test")
    await post.delivering.deliver_due()
    old = dict(await post.signing.records("x.test"))
    both = dict(await post.signing.rotate("x.test"))
    assert len(both) == 2
    await post.submit("bob@next.test")
    await post.delivering.deliver_due()
    assert await verified(post.signing, hop.taken[1].content, old) == [True]
    post.wait(3 * 24 * 60 + 1)
    post.signing = Signing(database, post.config, clock=post.clock, algorithms=("ed25519",))
    await post.submit("bob@next.test")
    await post.worker().deliver_due()
    assert await verified(post.signing, hop.taken[2].content, both) == [True]
    assert b"s=mailbox-ed25519-2" in hop.taken[2].content


@pytest.mark.parametrize("algorithms", [["rsa"], ["ed25519"], ["ed25519", "rsa"]])
async def test_mail_is_signed_as_the_configuration_says(
    database: AnyDatabase, hop: NextHop, algorithms: list[str]
) -> None:
    post = Post(database, hop, dkim_algorithms=algorithms)
    post.signing = Signing(database, post.config, clock=post.clock)
    await post.submit("bob@next.test")
    await post.worker().deliver_due()
    (taken,) = hop.taken
    records = dict(await post.signing.records("x.test"))
    assert len(records) == len(algorithms)
    assert await verified(post.signing, taken.content, records) == [True] * len(algorithms)
    head = taken.content.partition(b"\r\n\r\n")[0]
    assert [name for name in ("rsa", "ed25519") if f"a={name}-sha256".encode() in head] == [
        name for name in ("rsa", "ed25519") if name in algorithms
    ]


async def test_an_algorithm_that_was_taken_out_signs_no_more_and_keeps_its_key(
    database: AnyDatabase, hop: NextHop
) -> None:
    both = Signing(database, Post(database, hop).config)
    before = await both.records("x.test")
    post = Post(database, hop, dkim_algorithms=["ed25519"])
    post.signing = Signing(database, post.config, clock=post.clock)
    await post.submit("bob@next.test")
    await post.worker().deliver_due()
    head = hop.taken[0].content.partition(b"\r\n\r\n")[0]
    assert (head.count(b"DKIM-Signature:"), b"a=ed25519-sha256" in head) == (1, True)
    assert sorted(await post.signing.records("x.test")) == sorted(before)


async def test_a_domain_elsewhere_is_signed_with_the_key_that_was_published(
    database: AnyDatabase, hop: NextHop
) -> None:
    """Whatever is chosen for our own domains."""
    key = generate_key("rsa")
    await database.write(
        dkim_keys.add,
        domain="shop.test",
        selector="s1",
        algorithm="rsa",
        private_key=key,
        now=0,
    )
    post = Post(database, hop, dkim_algorithms=["ed25519"])
    signing = Signing(database, post.config)
    await post.submit("bob@next.test")
    submission = replace((await post.only()).submission, address="news@mail.shop.test")
    departing = await signing.departing(submission, LETTER)
    assert departing.count(b"DKIM-Signature:") == 1
    assert b"a=rsa-sha256" in departing
    assert b"s=s1" in departing


async def test_two_processes_make_one_set_of_keys(database: AnyDatabase) -> None:
    post = Post(database)
    signings = [
        Signing(database, post.config, clock=post.clock, algorithms=("ed25519",)) for _ in range(4)
    ]
    records = await asyncio.gather(*(one.records("x.test") for one in signings))
    assert all(one == records[0] for one in records)
    assert [name for name, _ in records[0]] == ["mailbox-ed25519-1._domainkey.x.test"]


def test_lines_are_made_safe_once() -> None:
    """Hazard 1, outbound."""
    assert safe_lines(b"a\nb\rc\r\nd") == b"a\r\nb\r\nc\r\nd"
    long = safe_lines(b"A: " + b"x" * 3_000 + b"\r\n\r\n" + b"y" * 998 + b"\r\n" + b"z" * 999)
    assert max(map(len, long.split(b"\r\n"))) <= 998
    assert b"y" * 998 in long
    assert long == safe_lines(long)


# Large messages, stopping.


async def test_large_messages_go_out_few_at_a_time(database: AnyDatabase, hop: NextHop) -> None:
    post = Post(database, hop)
    large = LETTER + (b"x" * 76 + b"\r\n") * 2_000
    for _ in range(5):
        await post.submit("bob@next.test", content=large)
    await post.delivering.deliver_due()
    assert len(hop.taken) == 5
    assert hop.most_at_once <= attempting.MOST_LARGE_A_DOMAIN


async def test_large_messages_of_our_own_are_in_memory_a_few_at_a_time(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = Post(database)
    work, at_once = post.delivering.attempting, [0]
    put, counts = work._put_here, []

    async def counted(*what: Any) -> None:
        at_once[0] += 1
        counts.append(at_once[0])
        await put(*what)
        at_once[0] -= 1

    monkeypatch.setattr(work, "_put_here", counted)
    large = LETTER + (b"x" * 76 + b"\r\n") * 1_000
    for _ in range(6):
        await post.submit("bob@y.test", content=large)
    await post.delivering.deliver_due()
    assert len(await post.inbox("bob@y.test")) == len(counts) == 6
    assert max(counts) <= attempting.MOST_LARGE_A_DOMAIN


async def test_trouble_after_the_message_went_out_sends_it_no_second_time_at_once(
    database: AnyDatabase, hop: NextHop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease is what brings it back, and says then that it may arrive twice."""
    monkeypatch.setattr(delivering, "TROUBLE_SECONDS", 0.0)
    post = Post(database, hop, hostname="mail_1.x.test")  # that no notice can bear
    await post.post("bob@next.test", "refused@next.test")
    await post.delivering.deliver_due()
    assert [taken.recipients for taken in hop.taken] == [("bob@next.test",)]
    assert await post.states() == ["sending", "sending"]


async def test_what_waited_too_long_for_its_turn_is_leased_anew(
    database: AnyDatabase, hop: NextHop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not begun: it does not wait for the end of its lease, and cannot arrive twice."""
    monkeypatch.setattr(attempting, "MOST_LARGE_A_DOMAIN", 1)
    post = Post(database, hop)
    large = LETTER + (b"x" * 76 + b"\r\n") * 1_000
    await post.submit("slow@next.test", content=large)
    receipt = await post.submit("bob@next.test", content=large)
    working = asyncio.ensure_future(post.delivering.deliver_due())
    await hop.waiting.wait()
    post.wait(6)
    hop.release.set()
    await working
    assert sorted(taken.recipients for taken in hop.taken) == [
        ("bob@next.test",),
        ("slow@next.test",),
    ]
    (recipient,) = (await post.only(receipt.queue_id)).recipients
    assert (recipient.state, recipient.attempts) == ("delivered", 1)
    assert all("may arrive twice" not in one.conversation for one in await post.attempts())


async def test_the_worker_wakes_for_new_mail(database: AnyDatabase, hop: NextHop) -> None:
    post = Post(database, hop)
    worker = asyncio.ensure_future(post.delivering.run())
    with post.signals.watch(topics.mailbox("ann@x.test")) as watch:
        await post.post("bob@next.test")
        await hop.wait_for(1)
        async with asyncio.timeout(10):
            while await post.states() != ["delivered"]:
                await watch.wait(1)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def test_a_stop_lets_attempts_end(database: AnyDatabase, hop: NextHop) -> None:
    """Hazard 56: told to stop under load, the worker ends what it began and begins no more."""
    post = Post(database, hop)
    await post.post("slow@next.test")
    worker = asyncio.ensure_future(post.delivering.run())
    await hop.waiting.wait()
    draining = asyncio.ensure_future(post.delivering.drain(10))
    await asyncio.sleep(0)
    await post.post("bob@next.test")
    hop.release.set()
    await draining
    await asyncio.wait_for(worker, 10)
    assert [taken.recipients for taken in hop.taken] == [("slow@next.test",)]
    page = await post.sent.page("ann@x.test", limit=10)
    assert [message.state for message in page.messages] == ["queued", "delivered"]


async def test_a_stop_that_cannot_wait_leaves_the_mail_in_the_queue(
    database: AnyDatabase, hop: NextHop
) -> None:
    """Hazard 56: past the grace, an attempt is cut off, and the next start tries it again."""
    post = Post(database, hop)
    await post.post("slow@next.test")
    worker = asyncio.ensure_future(post.delivering.run())
    await hop.waiting.wait()
    await post.delivering.drain(0.01)
    await asyncio.wait_for(worker, 10)
    assert await post.states() == ["sending"]
    hop.release.set()
    again = Post(database, hop)
    await database.write(leases.end_leases, now=NOON)
    await again.delivering.deliver_due()
    assert await again.states() == ["delivered"]


async def test_what_waited_in_line_at_a_stop_was_not_attempted(
    database: AnyDatabase, hop: NextHop
) -> None:
    """Hazard 56: mail that had no connection yet goes back to the queue unharmed."""
    post = Post(database, hop)
    relay = Relay("127.0.0.1", hop.port)
    post.outbound = Outbound("x.test", "relay", relay=relay, connections=Connections(a_hop=1))
    post.delivering = post.worker()
    await post.post("slow@next.test")
    worker = asyncio.ensure_future(post.delivering.run())
    await hop.waiting.wait()
    receipt = await post.post("bob@next.test")
    with post.signals.watch(topics.QUEUE) as watch:
        while await post.states(receipt.queue_id) != ["sending"]:
            await watch.wait(0.01)
    await post.delivering.drain(0.01)
    await asyncio.wait_for(worker, 10)
    (recipient,) = (await post.only(receipt.queue_id)).recipients
    assert (recipient.state, recipient.attempts) == ("queued", 0)


async def test_trouble_of_the_store_while_recording_is_outlasted(
    database: AnyDatabase, hop: NextHop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 24: the record of a delivery is tried until it is written."""
    monkeypatch.setattr(settling, "TROUBLE_SECONDS", 0.0)
    post = Post(database, hop)
    await post.post("bob@next.test")
    failures = iter([True, True, False])

    def sometimes(name: str) -> None:
        write = getattr(database, name)

        def attempt(work: Any, *args: Any, **options: Any) -> asyncio.Future[Any]:
            if work is record_all and next(failures, False):
                future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
                future.set_exception(TemporaryFailure("The store cannot be reached now."))
                return future
            written: asyncio.Future[Any] = write(work, *args, **options)
            return written

        monkeypatch.setattr(database, name, attempt)

    sometimes("write")
    sometimes("write_quick")
    await post.delivering.deliver_due()
    assert await post.states() == ["delivered"]
    assert len(hop.taken) == 1
    assert next(failures, None) is None


async def test_the_whole_way_by_name_server(database: AnyDatabase, hop: NextHop) -> None:
    """Direct delivery: null MX fails with a report, an answering host takes the mail."""
    zone = {("next.test", "A"): ["127.0.0.1"], ("null.test", "MX"): ["0 ."]}
    async with serving(NameServer(zone)) as names:
        post = Post(database, outbound="direct")
        router = Router(Resolver([names.address]), "x.test", private_addresses=True)
        post.outbound = Outbound("x.test", "direct", router=router, port=hop.port)
        await post.post("bob@next.test", "eve@null.test", "joe@y.test")
        await post.worker().deliver_due()
        assert await post.states() == ["delivered", "failed", "delivered"]
        (recipient,) = [
            one for one in (await post.only()).recipients if one.recipient == "eve@null.test"
        ]
        assert recipient.last_reply == "556 5.1.10 null.test takes no mail (null MX)."
        post.outbound.close()
