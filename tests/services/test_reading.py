"""Lists, marks, deletions, waiting and streams, on both engines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailbox_service.core.stored import Excerpt, Filters
from mailbox_service.services.following import Position, Update
from mailbox_service.services.summarising import Summarising
from tests.databases import AnyDatabase
from tests.services.parts import Mailboxes

pytestmark = pytest.mark.anyio


def letter(subject: str, text: str = "text", sender: str = "Ann <ann@sender.example>") -> bytes:
    return f"From: {sender}\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()


async def summarise_all(mailboxes: Mailboxes) -> None:
    worker = Summarising(
        mailboxes.database, mailboxes.config, mailboxes.signals, clock=mailboxes.clock
    )
    while await worker.read_some():
        pass


@pytest.mark.parametrize("summarised", [False, True])
async def test_a_list_shows_the_same_whether_the_worker_came_by_or_not(
    database: AnyDatabase, summarised: bool
) -> None:
    mailboxes = Mailboxes(database)
    await mailboxes.receive("a@x.test", content=letter("One", "Your code is 482913"))
    await mailboxes.receive("b@x.test", content=letter("Another's"))
    await mailboxes.receive("a@x.test", content=letter("Two"))
    if summarised:
        await summarise_all(mailboxes)
    page = await mailboxes.reading.page("a@x.test", Excerpt(10), unread_counted=True)
    assert (page.count, page.unread) == (2, 2)
    summaries = [message.summary for message in page.messages]
    assert [summary and summary.subject for summary in summaries] == ["Two", "One"]
    assert summaries[1] is not None
    assert (summaries[1].from_name, summaries[1].codes) == ("Ann", ("482913",))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(q="INVOICE"), ["Your invoice 100%"]),
        (Filters(q="100%"), ["Your invoice 100%"]),
        (Filters(q="10_%"), []),
        (Filters(q="%"), ["Your invoice 100%"]),
        (Filters(q="übermorgen"), ["Grüße"]),
        (Filters(q="' OR 1=1 --"), []),
        (Filters(q="x" * 10_000), []),
        (Filters(q="(a+)+$"), []),
        (Filters(q='"phrase AND NEAR('), []),
        (Filters(sender="bob"), ["Grüße"]),
        (Filters(subject="your"), ["Your sign-in code", "Your invoice 100%"]),
        (Filters(codes=True), ["Your sign-in code"]),
        (Filters(unread=True, sender="shop"), ["Your invoice 100%"]),
        (Filters(flagged=True), []),
    ],
)
async def test_searches_take_words_as_they_are(
    database: AnyDatabase, filters: Filters, expected: list[str]
) -> None:
    """Wildcards, quotes and patterns have no power (hazard 46)."""
    mailboxes = Mailboxes(database)
    for content in (
        letter("Your invoice 100%", sender="Shop <shop@shop.example>"),
        letter("Grüße", "Bis ÜBERMORGEN", sender="Bob <bob@elsewhere.example>"),
        letter("Your sign-in code", "Code: 482913"),
    ):
        await mailboxes.receive("a@x.test", content=content)
    await summarise_all(mailboxes)
    page = await mailboxes.reading.page("a@x.test", Excerpt(10, filters=filters))
    assert [m.summary and m.summary.subject for m in page.messages] == expected
    assert page.count == len(expected)


async def test_pages_follow_one_another_without_gap_or_overlap(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    ids = [(await mailboxes.receive("a@x.test"))[0] for _ in range(7)]
    seen, before = [], None
    while True:
        page = await mailboxes.reading.page("a@x.test", Excerpt(3, before_id=before))
        if not page.messages:
            break
        seen += [message.id for message in page.messages]
        before = seen[-1]
    assert seen == ids[::-1]
    after = await mailboxes.reading.page("a@x.test", Excerpt(3, after_id=ids[2]))
    assert [message.id for message in after.messages] == ids[3:6]


async def test_one_mailbox_never_sees_or_changes_another(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    (mail_id,) = await mailboxes.receive("a@x.test")
    reading = mailboxes.reading
    assert await reading.one("b@x.test", mail_id) is None
    assert await reading.content("b@x.test", mail_id) is None
    assert await reading.mark("b@x.test", [mail_id], seen=True) == 0
    assert await reading.delete("b@x.test", [mail_id]) == 0
    found = await reading.content("a@x.test", mail_id)
    assert found is not None
    assert found[0].flags == 0


async def test_marks_are_set_and_cleared_one_by_one(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    (mail_id,) = await mailboxes.receive("a@x.test")
    mark = mailboxes.reading.mark
    assert await mark("a@x.test", [mail_id], seen=True, flagged=True) == 1
    assert await mark("a@x.test", [mail_id], seen=True) == 0, "nothing changed"
    assert await mark("a@x.test", [mail_id, 10**12], seen=False) == 1
    found = await mailboxes.reading.one("a@x.test", mail_id)
    assert found is not None
    assert found.flags == 2


async def test_whoever_waits_gets_the_first_mail_that_fits(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    waiting = asyncio.create_task(
        mailboxes.following.wait(
            "a@x.test", after_id=0, filters=Filters(subject="wanted"), seconds=30
        )
    )
    await mailboxes.receive("b@x.test", content=letter("wanted, elsewhere"))
    await mailboxes.receive("a@x.test", content=letter("not this"))
    await mailboxes.receive("a@x.test", content=letter("the wanted one"))
    mail = await waiting
    assert mail is not None
    assert mail.summary is not None
    assert mail.summary.subject == "the wanted one"
    late = await mailboxes.following.wait(
        "a@x.test", after_id=mail.id, filters=Filters(), seconds=0.01
    )
    assert late is None


async def test_a_stream_tells_everything_once_and_resumes_where_it_was(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database)
    start = await mailboxes.following.position("a@x.test")
    first, second = [(await mailboxes.receive("a@x.test"))[0] for _ in range(2)]
    await mailboxes.reading.mark("a@x.test", [first], seen=True)
    await mailboxes.reading.delete("a@x.test", [second])
    stream = mailboxes.following.updates("a@x.test", start)
    told: list[Any] = []
    async for update in stream:
        assert isinstance(update, Update)
        told.append(update)
        if update.event is not None and update.event.kind == "deleted":
            break
    assert [update.message.id for update in told if update.message] == [first]
    kinds = [update.event.kind for update in told if update.event]
    assert kinds == ["flags", "deleted"]
    resumed = mailboxes.following.updates("a@x.test", Position.read(str(told[0].position)))
    again = await anext(resumed)
    assert again is not None
    assert again.event is not None
    assert again.event.kind == "flags"
    await mailboxes.receive("a@x.test")
    await anext(resumed)
    new = await anext(resumed)
    assert new is not None
    assert new.message is not None


@pytest.mark.parametrize("text", ["", "1", "1-", "a-b", "1-2-3", "-1-2", "9" * 30 + "-1", "१-२"])
def test_a_position_that_is_none_is_refused(text: str) -> None:
    assert Position.read(text) is None


async def test_damaged_contents_are_empty_and_the_mail_is_still_listed(
    database: AnyDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 22: other mail is not harmed, and the operator is told."""
    mailboxes = Mailboxes(database)
    await mailboxes.receive("a@x.test")
    (good,) = await mailboxes.receive("a@x.test")

    async def damage(tx: Any) -> None:
        await tx.execute("UPDATE contents SET checksum = checksum + 1 WHERE id = 1")

    await database.write(damage)
    page, raw = await mailboxes.reading.page_with_contents("a@x.test", Excerpt(10), counted=True)
    assert page.count == 2
    assert raw is not None
    assert raw[1] == b""
    assert raw[0].endswith(b"How are you?\r\n")
    assert "content-damaged" in caplog.text
    await summarise_all(mailboxes)
    listed = await mailboxes.reading.page("a@x.test", Excerpt(10))
    assert listed.messages[0].id == good
