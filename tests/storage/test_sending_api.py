"""The tables of the sending API, on both engines."""

from __future__ import annotations

import asyncio
import json

import pytest

from mailbox_service.storage import (
    contents,
    fetched_files,
    leases,
    rejections,
    send_counts,
    send_queue,
    sending_events,
    sending_messages,
    sending_records,
    sending_templates,
    submissions,
    suppressions,
)
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.letter_case import lower_case
from mailbox_service.storage.send_queue import NewRecipient
from mailbox_service.storage.sending_events import DAY_MICROS, About, EventFilter, NewEvent
from mailbox_service.storage.sending_messages import NewMessage
from mailbox_service.storage.sending_templates import StoredTemplate
from mailbox_service.storage.submissions import NewSubmission
from mailbox_service.storage.suppressions import Wanted
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio

NOON = 1_795_262_400_000_000
EVER = 2**62


async def add_message(
    tx: Transaction, queue_id: str, *, scheduled_at: int | None = None, archived: bool = False
) -> int:
    """A message of account `a` to two recipients."""
    content_id = await contents.add(tx, b"Subject: x\r\n\r\n", uses=2 if archived else 1)
    new = NewSubmission(queue_id, "ann@x.test", "ann@x.test", "http", "<1@x>", "ann@x.test", "x")
    number = await submissions.add(tx, new, content_id=content_id, size=14, now=NOON)
    names = ("bob@y.test", "eve@y.test")
    await send_queue.add(
        tx,
        number,
        [NewRecipient(name, "y.test", due_at=scheduled_at or 0) for name in names],
        priority=0,
        now=NOON,
    )
    message = NewMessage(
        queue_id, "a", "user", "ann@x.test", "Hello", "{}", 14, "192.0.2.1", scheduled_at, archived
    )
    await sending_messages.add_all(tx, [(message, number, content_id if archived else None, NOON)])
    return number


async def test_names_and_lookups_are_unique(database: AnyDatabase) -> None:
    async def add(account: str, name: str, lookup: str | None) -> int | None:
        return await database.write(
            sending_records.add,
            account=account,
            kind="k",
            name=name,
            value="{}",
            lookup=lookup,
            now=NOON,
        )

    assert await add("a", "one", "L1") is not None
    assert await add("a", "one", "L2") is None
    assert await add("b", "two", "L1") is None
    assert await add("b", "one", None) is not None
    assert await add("b", "two", None) is not None
    found = await database.read(sending_records.by_lookup, "L1")
    assert found is not None
    assert (found.account, found.name) == ("a", "one")
    assert await database.read(sending_records.count, account="b", kind="k") == 2
    rows = await database.read(sending_records.of_kind_anywhere, "k")
    assert [(row.account, row.name) for row in rows] == [("a", "one"), ("b", "one"), ("b", "two")]


async def test_only_one_of_many_gets_a_name(database: AnyDatabase) -> None:
    async def add() -> int | None:
        return await database.write(
            sending_records.add, account="", kind="k", name="n", value="{}", lookup="L", now=NOON
        )

    ids = await asyncio.gather(*(add() for _ in range(20)))
    assert sum(number is not None for number in ids) == 1


async def test_a_change_takes_no_name_and_no_lookup_of_another(database: AnyDatabase) -> None:
    for name in ("one", "two"):
        await database.write(
            sending_records.add,
            account="a",
            kind="k",
            name=name,
            value="{}",
            lookup=f"L-{name}",
            now=NOON,
        )

    async def change(**options: str) -> bool:
        return await database.write(
            sending_records.change,
            account="a",
            kind="k",
            name="one",
            value="[1]",
            now=NOON + 1,
            **options,
        )

    assert not await change(new_name="two")
    assert not await change(lookup="L-two")
    assert await change(new_name="three", lookup="L-three")
    assert not await change()
    found = await database.read(sending_records.by_lookup, "L-three")
    assert found is not None
    assert (found.name, found.value, found.updated_at) == ("three", "[1]", NOON + 1)
    await database.write(
        sending_records.put, account="a", kind="k", name="three", value="[2]", now=NOON
    )
    gone = await database.write(sending_records.remove, account="a", kind="k", name="three")
    assert gone is not None
    assert gone.value == "[2]"
    assert await database.read(sending_records.by_lookup, "L-three") is None


async def test_templates_keep_their_ids(database: AnyDatabase) -> None:
    one = StoredTemplate("hello", "Hello", "Hi", ("a", "b"), False, NOON, '{"html_body":"x"}')
    assert await database.write(sending_templates.add, "a", one)
    assert not await database.write(sending_templates.add, "a", one)
    assert await database.write(sending_templates.add, "b", one)
    other = StoredTemplate("other", "Other", "", (), True, NOON + 1, "{}")
    assert await database.write(sending_templates.change, "a", "hello", other)
    assert not await database.write(sending_templates.change, "a", "hello", one)
    assert await database.write(sending_templates.add, "a", one)
    assert not await database.write(sending_templates.change, "a", "other", one)
    assert await database.read(sending_templates.get, "a", "other") == other
    listed = await database.read(sending_templates.list_all, "a")
    assert [row.template_id for row in listed] == ["hello", "other"]
    assert {row.body for row in listed} == {""}
    assert await database.write(sending_templates.remove, "a", "other")
    assert not await database.write(sending_templates.remove, "a", "other")
    assert await database.read(sending_templates.count, "a") == 1


async def test_suppressions_end_and_are_replaced(database: AnyDatabase) -> None:
    async def put(target: str, reason: str, expires_at: int | None = None) -> None:
        await database.write(
            suppressions.put,
            account="a",
            target=target,
            reason=reason,
            now=NOON,
            description=f"100% {reason}",
            expires_at=expires_at,
        )

    await put("bob@y.test", "bounce", NOON + 10)
    await put("bob@y.test", "manual")
    await put("bob@y.test", "manual")
    await put("y.test", "spam")

    async def among(now: int, account: str = "a") -> dict[str, str]:
        return await database.read(
            suppressions.among, account=account, targets=["bob@y.test", "y.test", "z"], now=now
        )

    assert set(await among(NOON)) == {"bob@y.test", "y.test"}
    assert await among(NOON, account="b") == {}

    async def view(now: int = NOON, **wanted: object) -> list[str]:
        rows, total = await database.read(
            suppressions.list_page,
            account="a",
            wanted=Wanted(**wanted),  # type: ignore[arg-type]
            now=now,
            limit=10,
            offset=0,
            newest_first=False,
        )
        assert len(rows) == total
        return [row.reason for row in rows]

    assert await view() == ["bounce", "manual", "spam"]
    assert await view(now=NOON + 10) == ["manual", "spam"]
    assert await view(targets=("y.test",)) == ["spam"]
    assert len(await view(targets=("y.test", "bob@y.test", "z"))) == 3
    assert await view(like="%bob@%") == ["bounce", "manual"]
    assert await view(words=("%100!% spam%",)) == ["spam"]
    assert await view(words=("%100!% spam%", "%bounce%", "%x%")) == ["bounce", "spam"]
    assert await view(reasons=("manual", "spam")) == ["manual", "spam"]
    assert await view(start=NOON + 1) == []
    before, one_by_one = suppressions.NEWEST, []
    while rows := await database.read(
        suppressions.portion, account="a", wanted=Wanted(), now=NOON, before=before, limit=1
    ):
        one_by_one += [row.reason for row in rows]
        before = rows[-1].id
    assert one_by_one == ["spam", "manual", "bounce"]
    assert await database.write(suppressions.purge, now=NOON + 10) == 1
    gone = await database.write(suppressions.remove, account="a", target="bob@y.test")
    assert gone == ["manual"]


async def test_a_scheduled_message_is_cancelled_once_and_only_before_its_time(
    database: AnyDatabase,
) -> None:
    later = NOON + 1_000
    first = await database.write(add_message, "Q1", scheduled_at=later)
    await database.write(add_message, "Q2")
    (row,) = await database.read(sending_messages.scheduled, "a", now=NOON)
    assert row.submission_id == first
    assert await database.read(sending_messages.count_scheduled, "a", now=NOON) == 1
    assert not await database.write(sending_messages.cancel, first, now=later)
    outcomes = await asyncio.gather(
        *(database.write(sending_messages.cancel, first, now=NOON) for _ in range(5))
    )
    assert sorted(outcomes) == [False, False, False, False, True]
    assert await database.read(sending_messages.scheduled, "a", now=NOON) == []
    states = await database.read(send_queue.of_submissions, [first])
    assert [one.state for one in states[first]] == ["failed", "failed"]


async def test_a_queue_row_waits_for_its_time_and_a_left_out_one_for_nothing(
    database: AnyDatabase,
) -> None:
    async def unit(tx: Transaction) -> None:
        content_id = await contents.add(tx, b"x", uses=1)
        new = NewSubmission("Q", "a@x.test", "a@x.test", "http", "", "a@x.test", "")
        number = await submissions.add(tx, new, content_id=content_id, size=1, now=NOON)
        rows = [
            NewRecipient("now@y.test", "y.test"),
            NewRecipient("later@y.test", "y.test", due_at=NOON + 50),
            NewRecipient("never@y.test", "y.test", send_queue.FAILED, reply="suppressed"),
        ]
        await send_queue.add(tx, number, rows, priority=0, now=NOON)

    await database.write(unit)

    async def due(now: int) -> list[str]:
        claims, _ = await database.write(
            leases.claim_due,
            now=now,
            lease_until=now + 10**9,
            holder="w",
            limit=10,
            room=lambda _: 10,
        )
        return [claim.recipient for claim in claims]

    assert await due(NOON) == ["now@y.test"]
    assert await database.write(send_queue.retry_all, now=NOON + 1, limit=10) == 0
    assert await due(NOON + 49) == []
    assert await due(NOON + 50) == ["later@y.test"]


async def test_messages_are_found_a_row_a_recipient_and_forgotten(database: AnyDatabase) -> None:
    await database.write(add_message, "Q1")
    second = await database.write(add_message, "Q2", archived=True)
    found = await database.read(sending_messages.search, "a", start=0, end=EVER, limit=10)
    assert [(row.queue_id, row.recipient) for row in found] == [
        ("Q2", "bob@y.test"), ("Q2", "eve@y.test"), ("Q1", "bob@y.test"), ("Q1", "eve@y.test")
    ]  # fmt: skip
    behind = found[0]
    rest = await database.read(
        sending_messages.search,
        "a",
        start=0,
        end=EVER,
        limit=10,
        before=behind.submission_id,
        after_recipient=behind.recipient_id,
    )
    assert rest == found[1:]
    assert await database.read(sending_messages.search, "b", start=0, end=EVER, limit=10) == []
    (kept,) = await database.read(
        sending_messages.archived, "a", start=0, end=EVER, before=EVER, limit=10
    )
    assert kept.submission_id == second
    assert kept.archived_content_id is not None
    await database.write(submissions.unlist_all, "ann@x.test")
    assert await database.read(contents.read, kept.archived_content_id) == b"Subject: x\r\n\r\n"
    assert await database.write(sending_messages.purge, before=NOON + 1, limit=10) == 2
    assert await database.read(sending_messages.by_queue_id, "a", "Q2") is None


async def test_events_are_searched_counted_and_added_up(database: AnyDatabase) -> None:
    number = await database.write(add_message, "Q1")
    about = About("a", number, "user", "ann@x.test", "50% off_now!", 100, "192.0.2.1")
    await database.write(
        sending_events.add,
        about,
        [
            NewEvent("processed", NOON, "bob@y.test"),
            NewEvent("delivered", NOON + 1, "bob@y.test", host="mx", reply="250 ok"),
            NewEvent("rejected", NOON + 2, "eve@y.test", reason="suppressed"),
            NewEvent("resubscribed", NOON + DAY_MICROS, "eve@y.test"),
        ],
    )

    async def search(**wanted: object) -> list[str]:
        rows, total = await database.read(
            sending_events.search,
            EventFilter(("a",), 0, EVER, **wanted),  # type: ignore[arg-type]
            limit=10,
        )
        assert len(rows) == total
        return [row.kind for row in rows]

    everything = ["resubscribed", "rejected", "delivered", "processed"]
    assert await search() == everything
    assert await search(queue_id="Q1") == everything
    assert await search(queue_id="Q2") == []
    assert await search(kinds=("delivered", "rejected")) == ["rejected", "delivered"]
    assert await search(subject="%50!% off!_now!!%") == everything
    assert await search(subject="%50!_%") == []
    assert await search(recipient="%eve@%") == ["resubscribed", "rejected"]
    assert await search(usernames=("nobody",)) == []
    assert await search(words=("%bob@%", "%nothing%")) == ["delivered", "processed"]
    assert await search(only_latest=True) == ["resubscribed"]
    counts = await database.read(
        sending_events.count_by_kind, EventFilter(("a",), 0, NOON + DAY_MICROS)
    )
    assert counts == {"processed": 1, "delivered": 1, "rejected": 1}
    found = await search(recipient="%eve@%", for_each=True)
    assert found == ["resubscribed", "rejected", "processed"]

    async def reasons(end: int, username: str | None = None) -> dict[str, int]:
        return await database.read(
            rejections.by_reason, account="a", start=NOON, end=end, username=username
        )

    assert await reasons(NOON + 3) == {"suppressed": 1}
    assert await reasons(NOON + 3, "nobody") == {}
    assert await reasons(NOON + 2) == {}
    await database.write(sending_events.add, about, [NewEvent("processed", NOON, "bob@y.test")])
    for group, key in (("sender", "ann@x.test"), ("username", "user"), ("account", "a")):
        (sums,) = await database.read(
            sending_events.sums,
            accounts=["a", "b"],
            first_day=0,
            last_day=10**6,
            group=group,
        )
        assert (sums.key, sums.processed, sums.rejected) == (key, 2, 1)
        assert (sums.octets, sums.last_ip) == (200, "192.0.2.1")
    assert (
        await database.read(sending_events.sums, accounts=["b"], first_day=0, last_day=10**6) == []
    )
    events = await database.read(sending_events.after, after_id=0, limit=2)
    assert [(one.kind, one.queue_id) for one in events] == [
        ("processed", "Q1"),
        ("delivered", "Q1"),
    ]
    assert await database.read(sending_events.newest_id) == events[-1].id + 3
    assert await database.write(sending_events.purge, before=NOON + 2, limit=10) == 3
    assert json.loads(events[0].detail) == {}


async def test_files_from_the_web_are_kept_for_a_while(database: AnyDatabase) -> None:
    await database.write(fetched_files.put, "d", media_type="a/b", content=b"\0x", now=NOON)
    await database.write(fetched_files.put, "d", media_type="a/c", content=b"\0y", now=NOON + 5)
    assert await database.read(fetched_files.get, "d", after=NOON) == ("a/c", b"\0y")
    assert await database.read(fetched_files.get, "d", after=NOON + 5) is None
    assert await database.write(fetched_files.purge, before=NOON + 5) == 1


async def test_old_counters_go(database: AnyDatabase) -> None:
    for period in ("sending:000000000005:a", "sending:000000000015:a", "sending-plan:x"):
        await database.write(send_counts.add_within, period, limit=-1)
    removed = await database.write(send_counts.remove_between, "sending:", "sending:000000000010")
    assert removed == 1


@pytest.mark.parametrize(
    ("text", "sought"),
    [
        ("Über uns", "über"),
        ("ÜBER ÄÖÜß", "äöüß"),
        ("Привет, МИР", "привет, мир"),
        ("Écouter À LA CARTE", "à la carte"),
        ("日本語 İ ﬁ", "日本語"),
        ("PLAIN", "plain"),
        ("Широкая Электрификация Южных Губерний", "широкая электрификация южных губерний"),
        ("ÄÖÜÀÁÂÃÅÆÇÈÉÊËÌÍ " * 2, "äöüàáâãåæçèéêëìí"),
    ],
)
async def test_letters_of_any_alphabet_are_found_in_either_case(
    database: AnyDatabase, text: str, sought: str
) -> None:
    async def found(tx: Transaction, pattern: str) -> bool:
        sql = f"SELECT 1 WHERE {lower_case('CAST(:text AS TEXT)', pattern)} LIKE :pattern"
        return await tx.fetch_one(sql, {"text": text, "pattern": pattern}) is not None

    assert await database.read(found, f"%{sought}%")
    assert not await database.read(found, f"%{sought}%ž")
