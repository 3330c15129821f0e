"""What a sender hears from a mailbox that is full or gets too much."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mailbox_service.core.stored import Excerpt
from smtp_proxy.reception import ReceptionDoor
from tests.databases import AnyDatabase
from tests.services.parts import LETTER, Mailboxes
from tests.services.test_limiting import LATER
from tests.smtp.wire import Wire

pytestmark = pytest.mark.anyio

LIMITS = {"mailbox_max_mails": 2, "mailbox_max_octets": 8_000, "mailbox_mails_per_hour": 3}
FULL = "452 4.2.2 The mailbox is full, try again later"
TOO_MANY = "450 4.7.0 Too much mail for this mailbox, try again later"


@pytest.fixture
def mailboxes(database: AnyDatabase) -> Mailboxes:
    return Mailboxes(database, **LIMITS)


@pytest.fixture
async def wire(mailboxes: Mailboxes) -> AsyncIterator[Wire]:
    door = ReceptionDoor(mailboxes.receiving, hostname="x.test")
    await door.start("127.0.0.1", 0)
    async with await Wire.connect(door.address) as client:
        assert (await client.ask("EHLO me.test")).startswith("250")
        yield client
    await door.close(0.0)


async def test_a_full_mailbox_is_452_at_rcpt_and_others_get_their_mail(
    wire: Wire, mailboxes: Mailboxes
) -> None:
    for _ in range(2):
        assert (await wire.transaction(LETTER, "a@x.test")).startswith("250 2.0.0 Accepted")
    mailboxes.clock.now += LATER
    assert (await wire.ask("MAIL FROM:<far@away.test>")).startswith("250")
    for _ in range(2):
        assert await wire.ask("RCPT TO:<a@x.test>") == FULL
        assert await wire.ask("RCPT TO:<A+tag@x.test>") == "250 2.1.5 Recipient ok"
    assert await wire.ask("RCPT TO:<b@x.test>") == "250 2.1.5 Recipient ok"
    assert (await wire.ask("DATA")).startswith("354")
    wire.send(LETTER + b".\r\n")
    assert (await wire.reply()).startswith("250 2.0.0 Accepted")


async def test_a_mail_without_room_is_452_after_data_and_a_giant_552(wire: Wire) -> None:
    large = LETTER + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 70
    assert (await wire.transaction(large, "a@x.test")).startswith("250 2.0.0 Accepted")
    assert await wire.transaction(large, "a@x.test") == FULL
    assert (await wire.transaction(LETTER, "a@x.test")).startswith("250 2.0.0 Accepted")
    reply = await wire.transaction(large * 2, "b@x.test")
    assert reply == "552 5.3.4 The message is larger than a mailbox: 8000 octets"


async def test_too_many_mails_in_an_hour_are_450(
    wire: Wire, mailboxes: Mailboxes, database: AnyDatabase
) -> None:
    for _ in range(3):
        assert (await wire.transaction(LETTER, "a@x.test")).startswith("250 2.0.0 Accepted")
        await database.caught_up()
        page = await mailboxes.reading.page("a@x.test", Excerpt(5))
        await mailboxes.reading.delete("a@x.test", [row.id for row in page.messages])
        mailboxes.clock.now += LATER
    assert (await wire.ask("MAIL FROM:<far@away.test>")).startswith("250")
    assert await wire.ask("RCPT TO:<a@x.test>") == TOO_MANY
    assert await wire.ask("RCPT TO:<b@x.test>") == "250 2.1.5 Recipient ok"
