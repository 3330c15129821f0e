"""Mail through servers of users, mail that comes back, tracked copies, short messages: the rows,
on both engines."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.storage import contents, integration_mails, returned_mails, sms, tracked
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.integration_mails import FAILED, QUEUED, SENT, NewMail, Settled
from mailbox_service.storage.sms import NewSms, ReceivedSms
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio

NOW = 1_795_262_400_000_000
MINUTE = 60_000_000


def mail(number: int, connection: str = "default", key: str | None = None) -> NewMail:
    return NewMail(
        f"msg_{number}", "", connection, "a@x.test", ("b@far.test", "c@far.test"), "f", key
    )


async def add(database: AnyDatabase, new: NewMail, now: int = NOW) -> None:
    kept = await database.write(integration_mails.add, new, b"content", now=now, most_waiting=100)
    assert kept is not None


async def claim(
    database: AnyDatabase,
    holder: str = "one",
    *,
    now: int = NOW,
    each: int = 2,
    busy: tuple[str, ...] = (),
) -> list[integration_mails.Claim]:
    return await database.write(
        integration_mails.claim_due,
        now=now,
        lease_until=now + MINUTE,
        holder=holder,
        limit=10,
        each=each,
        busy=busy,
    )


async def content_count(tx: Transaction) -> int:
    row = await tx.fetch_one("SELECT count(*) FROM contents", {})
    assert row is not None
    return int(row[0])


async def test_a_mail_is_leased_once_and_its_content_goes_with_the_last_attempt(
    database: AnyDatabase,
) -> None:
    await add(database, mail(1))
    (first,) = await claim(database)
    assert (first.attempt, first.recipients) == (1, ("b@far.test", "c@far.test"))
    assert await claim(database, "two") == []
    assert await database.read(contents.read, first.content_id) == b"content"
    later = Settled(QUEUED, ("c@far.test",), NOW + MINUTE, None, "busy", "server_busy")
    assert await database.write(integration_mails.settle, first, later, holder="one", now=NOW)
    assert await database.read(integration_mails.next_turn, now=NOW) == NOW + MINUTE
    (second,) = await claim(database, now=NOW + MINUTE)
    assert (second.attempt, second.recipients) == (2, ("c@far.test",))
    done = Settled(SENT, (), None, NOW, response="Ok", rejected={"b@far.test": "550 no"})
    assert await database.write(integration_mails.settle, second, done, holder="one", now=NOW)
    kept = await database.read(integration_mails.get, account="", public_id="msg_1")
    assert kept is not None
    assert (kept.state, kept.attempts, kept.sent_at) == (SENT, 2, NOW)
    assert kept.rejected == {"b@far.test": "550 no"}
    assert await database.read(content_count) == 0


async def test_a_lost_lease_settles_nothing(database: AnyDatabase) -> None:
    await add(database, mail(1))
    (first,) = await claim(database)
    (again,) = await claim(database, "two", now=NOW + 2 * MINUTE)
    assert not await database.write(
        integration_mails.settle, first, Settled(FAILED, (), None), holder="one", now=NOW
    )
    assert await database.read(contents.read, again.content_id) == b"content"


async def test_one_slow_connection_leaves_places_for_the_others(database: AnyDatabase) -> None:
    for number in range(5):
        await add(database, mail(number, "slow"))
    await add(database, mail(9, "quick"), now=NOW + 1)
    claims = await claim(database, now=NOW + 1)
    assert [one.connection for one in claims].count("slow") == 2
    assert [one.connection for one in claims].count("quick") == 1
    assert await claim(database, now=NOW + 1, busy=(" slow",)) == []


async def test_a_repeated_key_finds_what_it_queued(database: AnyDatabase) -> None:
    first = await database.write(
        integration_mails.add, mail(1, key="k"), b"one", now=NOW, most_waiting=9
    )
    again = await database.write(
        integration_mails.add, mail(2, key="k"), b"two", now=NOW, most_waiting=9
    )
    assert first is not None
    assert again is not None
    assert again.public_id == first.public_id == "msg_1"
    for number in (3, 4):  # no key is not a key
        await add(database, mail(number))


async def test_too_many_that_wait_are_refused(database: AnyDatabase) -> None:
    await add(database, mail(1))
    refused = await database.write(integration_mails.add, mail(2), b"x", now=NOW, most_waiting=1)
    assert refused is None


async def test_the_leases_of_the_dead_end_and_what_is_over_is_forgotten(
    database: AnyDatabase,
) -> None:
    await add(database, mail(1))
    await claim(database, "dead")
    await database.write(integration_mails.end_leases, now=NOW)
    (one,) = await claim(database)
    await database.write(
        integration_mails.settle, one, Settled(FAILED, (), None), holder="one", now=NOW
    )
    await database.write(integration_mails.purge, before=NOW, limit=10)
    assert await database.read(integration_mails.get, account="", public_id="msg_1") is None


async def test_returned_mail_is_there_until_somebody_looked(database: AnyDatabase) -> None:
    assert await database.write(
        returned_mails.add, ("a@x.test", "b@x.test"), b"raw", now=NOW, most=3
    )
    assert not await database.write(
        returned_mails.add, ("c@x.test", "d@x.test"), b"raw", now=NOW, most=3
    )
    first, second = await database.read(returned_mails.due, now=NOW, limit=10)
    assert (first.recipient, first.content) == ("a@x.test", b"raw")
    await database.write(returned_mails.put_off, first.id, until=NOW + MINUTE)
    assert await database.write(returned_mails.remove, second.id)
    assert not await database.write(returned_mails.remove, second.id)
    assert await database.read(returned_mails.due, now=NOW, limit=10) == []
    assert len(await database.read(returned_mails.due, now=NOW + MINUTE, limit=10)) == 1


async def test_a_copy_has_one_id_and_its_links_go_with_the_last_of_them(
    database: AnyDatabase,
) -> None:
    ids = [
        await database.write(
            tracked.keep,
            submission_id=7,
            account="",
            recipient=recipient,
            links=["https://a.test", "https://b.test"],
            now=NOW + n,
        )
        for n, recipient in enumerate(("a@x.test", "a@x.test", "b@x.test"))
    ]
    assert ids[0] == ids[1] != ids[2]
    assert await database.read(tracked.link, 7, 1) == "https://b.test"
    assert await database.read(tracked.link, 7, 2) is None
    assert await database.write(tracked.tell, ids[0], most=1)
    assert not await database.write(tracked.tell, ids[0], most=1)
    await database.write(tracked.purge, before=NOW + 1, limit=10)
    assert await database.read(tracked.get, ids[0]) is None
    assert await database.read(tracked.link, 7, 0) == "https://a.test"
    await database.write(tracked.purge, before=NOW + 9, limit=10)
    assert await database.read(tracked.link, 7, 0) is None


def text(number: int, **changes: str) -> NewSms:
    fields = {"status": "queued", "destination": "+491701234567", "account": "", **changes}
    return NewSms(
        f"sms{number}",
        fields["account"],
        "key",
        "+4930",
        fields["destination"],
        "Hi",
        1,
        fields["status"],
        "http",
    )


async def test_short_messages_are_leased_settled_and_found(database: AnyDatabase) -> None:
    await database.write(sms.add, text(1), batch="b", now=NOW, waits=True)
    await database.write(sms.add, text(2, status="failed"), batch="b", now=NOW, waits=False)
    leases = {"now": NOW, "lease_until": NOW + MINUTE, "limit": 10}
    results = await asyncio.gather(
        *(database.write(sms.claim_due, holder=name, **leases) for name in ("one", "two"))
    )
    claimed = [one for found in results for one in found]
    assert [one.public_id for one in claimed] == ["sms1"]
    holder = "one" if results[0] else "two"
    state = await database.write(
        sms.settle, claimed[0], status="submitted", holder=holder, now=NOW, gateway_id="g1"
    )
    assert state == "submitted"
    for ours, gateway_id in (("sms1", ""), ("", "g1"), ("", "sms1")):
        found = await database.read(sms.find, ours=ours, gateway_id=gateway_id)
        assert found is not None
        assert found.public_id == "sms1"
    assert await database.read(sms.find, ours="", gateway_id="") is None
    assert [one.public_id for one in await database.read(sms.of_batch, "b")] == ["sms1", "sms2"]
    assert await database.read(sms.sums, "", start=NOW, end=NOW + 1) == (1, 1)
    rows, total = await database.read(
        sms.sent, "", start=NOW, end=NOW + 1, username=None, limit=1, offset=0
    )
    assert (len(rows), total) == (1, 2)


async def test_a_receipt_that_is_quicker_than_the_answer_stays(database: AnyDatabase) -> None:
    await database.write(sms.add, text(1), batch="b", now=NOW, waits=True)
    (one,) = await database.write(
        sms.claim_due, now=NOW, lease_until=NOW + MINUTE, holder="one", limit=1
    )
    await database.write(sms.set_status, one, "delivered", now=NOW)
    await database.write(sms.settle, one, status="submitted", holder="one", now=NOW)
    found = await database.read(sms.find, ours="sms1", gateway_id="")
    assert found is not None
    assert found.status == "delivered"
    assert await database.read(sms.next_turn, now=NOW) is None


async def test_a_phone_is_heard_once_and_its_stop_counts(database: AnyDatabase) -> None:
    got = ReceivedSms("r1", "", "key", "+491701234567", "+4930", "STOP", NOW)
    assert await database.write(sms.add_received, got, gateway_id="g1")
    assert not await database.write(sms.add_received, got, gateway_id="g1")
    rows, total = await database.read(
        sms.received, "", start=NOW, end=NOW + 1, username="key", limit=9, offset=0
    )
    assert (rows, total) == ([got], 1)
    for _ in range(2):
        await database.write(sms.opt_out, "", "+491701234567", now=NOW)
    assert await database.read(sms.opted_out, "", ["+491701234567", "+1"]) == {"+491701234567"}
    assert await database.read(sms.opted_out, "other", ["+491701234567"]) == set()
    await database.write(sms.purge, before=NOW + 1)
    assert (
        await database.read(
            sms.received, "", start=0, end=NOW + 1, username=None, limit=9, offset=0
        )
    )[1] == 0
