"""Mail that arrives together is stored together, and one bad message fails alone."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.core.envelope import Envelope
from mailbox_service.services.arrivals import LARGEST_GROUP, Arrivals
from mailbox_service.storage import contents, message_lists, messages
from mailbox_service.storage.messages import NewMessage
from tests.databases import AnyDatabase
from tests.services.parts import NOON, PEER, Mailboxes

pytestmark = pytest.mark.anyio


async def test_each_of_many_mails_at_once_has_its_own_bytes_and_mailboxes(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database)
    bodies = [f"Subject: {n}\r\n\r\n{'x' * (n % 50)}{n}\r\n".encode() for n in range(400)]

    async def receive(number: int) -> tuple[int, ...]:
        recipients = tuple(f"box{number}-{k}@x.test" for k in range(number % 4 + 1))
        envelope = Envelope(f"sender{number}@elsewhere.example", recipients)
        return (await mailboxes.receiving.accept(envelope, bodies[number], PEER)).message_ids

    every = await asyncio.gather(*(receive(number) for number in range(len(bodies))))
    assert len({one for ids in every for one in ids}) == sum(len(ids) for ids in every)
    for number, ids in enumerate(every):
        rows = await database.read(messages.by_ids, ids)
        assert [row.address for row in rows] == [
            f"box{number}-{k}@x.test" for k in range(number % 4 + 1)
        ]
        assert {row.reverse_path for row in rows} == {f"sender{number}@elsewhere.example"}
        raw = await database.read(contents.read, rows[0].content_id)
        assert raw.endswith(bodies[number])


async def test_a_message_that_cannot_be_stored_fails_alone(database: AnyDatabase) -> None:
    arrivals = Arrivals(database)
    good = NewMessage(("a@x.test",), "", b"good", NOON)
    bad = NewMessage(("b@x.test",), "", b"bad", 2**80)  # no engine has room for such a time
    results = await asyncio.gather(
        *(arrivals.add(one) for one in (good, bad, good)), return_exceptions=True
    )
    assert isinstance(results[1], Exception)
    assert [len(ids) for ids in (results[0], results[2]) if isinstance(ids, list)] == [1, 1]
    assert await database.read(message_lists.count, None) == 2


async def test_a_message_with_a_thousand_recipients_reaches_them_all(
    database: AnyDatabase,
) -> None:
    arrivals = Arrivals(database)
    everybody = tuple(f"box{n}@x.test" for n in range(LARGEST_GROUP * 10))
    ids = await arrivals.add(NewMessage(everybody, "", b"to all", NOON))
    rows = await database.read(messages.by_ids, ids)
    assert tuple(row.address for row in rows) == everybody
    assert len({row.content_id for row in rows}) == 1
