"""Reading arrived mail behind a cursor: each once, also after a crash, and none holds up others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from mailbox_service.core.stored import Excerpt
from mailbox_service.services import summarising
from mailbox_service.services.summarising import BATCH, Summarising, summary_of
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.services.parts import Mailboxes

pytestmark = pytest.mark.anyio

CODE = (
    b"From: Ferrybank <no-reply@ferry.example>\r\nTo: a@x.test\r\nMessage-ID: <1@ferry.example>\r\n"
    b"Subject: Your sign-in code\r\n\r\nYour code is 482913.\r\nhttps://ferry.example/verify?t=1\r\n"
)

COUNT = "SELECT COUNT(*) FROM summaries"


def worker(mailboxes: Mailboxes) -> Summarising:
    return Summarising(
        mailboxes.database, mailboxes.config, mailboxes.signals, clock=mailboxes.clock
    )


async def rows(mailboxes: Mailboxes, sql: str) -> list[tuple[Any, ...]]:
    async def unit(tx: Transaction) -> list[tuple[Any, ...]]:
        return list(await tx.fetch_all(sql))

    return await mailboxes.database.read(unit)


async def test_a_summary_is_what_lists_show(database: AnyDatabase) -> None:
    summary = summary_of(CODE)
    assert (summary.from_name, summary.from_address) == ("Ferrybank", "no-reply@ferry.example")
    assert (summary.subject, summary.codes) == ("Your sign-in code", ("482913",))
    assert [link["host"] for link in summary.links] == ["ferry.example"]
    mailboxes = Mailboxes(database)
    await mailboxes.receive("a@x.test", content=CODE)
    assert await worker(mailboxes).read_some() == 1
    page = await mailboxes.reading.page("a@x.test", Excerpt(10))
    assert page.messages[0].summary == summary


async def test_every_mail_is_read_once_and_a_new_worker_goes_on(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    for _ in range(BATCH + 3):
        await mailboxes.receive("a@x.test")
    first = worker(mailboxes)
    assert await first.read_some() == BATCH
    again = worker(mailboxes)  # after a crash
    assert [await again.read_some(), await again.read_some()] == [3, 0]
    assert await rows(mailboxes, COUNT) == [(BATCH + 3,)]


async def test_a_mail_that_is_deleted_meanwhile_is_no_trouble(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    [kept] = await mailboxes.receive("a@x.test", content=CODE)
    [gone] = await mailboxes.receive("a@x.test")
    found = await mailboxes.database.read(summarising.next_messages)
    assert [message_id for message_id, _ in found] == [kept, gone]
    await mailboxes.reading.delete("a@x.test", [gone])
    read = [(i, summarising.summary_and_words(content), None) for i, content in found]
    await mailboxes.database.write(summarising.keep_summaries, read, found[-1][0])
    page = await mailboxes.reading.page("a@x.test", Excerpt(10))
    assert [message.id for message in page.messages] == [kept]
    assert await rows(mailboxes, "SELECT id FROM summaries") == [(kept,)]
    assert await worker(mailboxes).read_some() == 0


async def test_what_cannot_be_parsed_holds_up_nothing(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    for broken in (b"", b"\xff\xfe\x00", b"Content-Type: multipart/mixed\r\n\r\n", b":" * 5000):
        await mailboxes.receive("a@x.test", content=broken)
    await mailboxes.receive("a@x.test", content=CODE)
    assert await worker(mailboxes).read_some() == 5
    page = await mailboxes.reading.page("a@x.test", Excerpt(10))
    assert page.messages[0].summary is not None
    assert page.messages[0].summary.codes == ("482913",)


async def test_a_damaged_content_holds_up_nothing(
    database: AnyDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 22."""
    mailboxes = Mailboxes(database)
    [damaged] = await mailboxes.receive("a@x.test", content=CODE)
    await mailboxes.receive("a@x.test")

    async def damage(tx: Transaction) -> None:
        await tx.execute("UPDATE contents SET checksum = checksum + 1 WHERE id = 1")

    await database.write(damage)
    assert await worker(mailboxes).read_some() == 2
    assert f"content-damaged message={damaged}" in caplog.text
    page = await mailboxes.reading.page("a@x.test", Excerpt(10))
    assert [message.summary and message.summary.subject for message in page.messages] == [
        "Hello",
        "",
    ]


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_record_of_the_contract_is_written_where_it_is_wanted(
    database: AnyDatabase, wanted: bool
) -> None:
    mailboxes = Mailboxes(database, enable_ai_email_extract=wanted)
    await mailboxes.receive("a@x.test", content=CODE)
    await mailboxes.receive("a@x.test")
    await worker(mailboxes).read_some()
    page = await mailboxes.reading.page("a@x.test", Excerpt(10))
    plain, with_code = page.messages
    assert plain.metadata is None
    if not wanted:
        assert with_code.metadata is None
        return
    assert with_code.metadata is not None
    record = json.loads(with_code.metadata)["ai_extract"]
    assert (record["type"], record["result"]) == ("auth_code", "482913")


async def test_the_worker_reads_by_itself_what_arrives(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    running = asyncio.create_task(worker(mailboxes).run())
    try:
        await mailboxes.receive("a@x.test", content=CODE)
        async with asyncio.timeout(20):
            # Nobody is told when a summary is there: lists make their own.
            while await rows(mailboxes, COUNT) != [(1,)]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
