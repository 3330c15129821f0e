"""Contents as they lie in the store: plain or packed, and always what was accepted."""

from __future__ import annotations

import pytest

from mailbox_service.core.packing import pack
from mailbox_service.core.stored import Excerpt
from mailbox_service.storage import contents
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.services.parts import Mailboxes

pytestmark = pytest.mark.anyio

LETTER = b"Subject: caf\xe9\r\n\r\n" + b"all work and no play\r\n" * 200 + b"\x00\xff.\r\n"


async def stored_octets(tx: Transaction) -> list[tuple[int, int]]:
    rows = await tx.fetch_all("SELECT packed, bytes FROM contents ORDER BY id")
    return [(row[0], len(row[1])) for row in rows]


async def test_plain_and_packed_contents_read_alike(database: AnyDatabase) -> None:
    plain = await database.write(contents.add, LETTER, uses=1)
    packed = await database.write(contents.add, LETTER, uses=1, packed=pack(LETTER))
    both = await database.write(
        contents.add_all, [(LETTER, 1, None), (LETTER[1:], 1, pack(LETTER[1:]))]
    )
    assert [await database.read(contents.read, one) for one in (plain, packed, *both)] == [
        LETTER,
        LETTER,
        LETTER,
        LETTER[1:],
    ]
    assert [packed for packed, _ in await database.read(stored_octets)] == [0, 1, 0, 1]


async def test_a_packed_content_that_rotted_is_damaged_and_not_guessed(
    database: AnyDatabase,
) -> None:
    packed = pack(LETTER)
    assert packed is not None
    for spoiled in (packed[:-1], packed[:40] + b"\0" + packed[41:], b"?" * 40):
        content_id = await database.write(contents.add, LETTER, uses=1, packed=spoiled)
        with pytest.raises(contents.Damaged):
            await database.read(contents.read, content_id)


async def test_with_gzip_on_arriving_mail_is_stored_smaller_and_read_byte_for_byte(
    database: AnyDatabase,
) -> None:
    boxes = Mailboxes(database, enable_mail_gzip=True)
    large = LETTER * 30
    first, second = await boxes.receive("ann@x.test", "bob@x.test", content=LETTER)
    (third,) = await boxes.receive("ann@x.test", content=large)
    for address, message_id, sent in (
        ("ann@x.test", first, LETTER),
        ("bob@x.test", second, LETTER),
        ("ann@x.test", third, large),
    ):
        found = await boxes.reading.content(address, message_id)
        assert found is not None
        message, content = found
        assert content.endswith(sent)
        assert message.size == len(content)
    kept = await database.read(stored_octets)
    assert [packed for packed, _ in kept] == [1, 1]
    assert sum(octets for _, octets in kept) < len(large) / 5


async def test_a_store_with_both_kinds_is_read_whatever_the_setting_says(
    database: AnyDatabase,
) -> None:
    with_gzip = Mailboxes(database, enable_mail_gzip=True)
    without = Mailboxes(database)
    await with_gzip.receive("ann@x.test", content=LETTER)
    await without.receive("ann@x.test", content=LETTER)
    assert [packed for packed, _ in await database.read(stored_octets)] == [1, 0]
    page, raw = await without.reading.page_with_contents("ann@x.test", Excerpt(10), counted=True)
    assert page.count == 2
    assert raw is not None
    assert all(content.endswith(LETTER) for content in raw)
