"""Mail out of files and back: everything, once, quietly."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from mailbox_service.core import mbox
from mailbox_service.core.stored import FLAGGED, SEEN, StoredMessage
from mailbox_service.core.transfer import MovedMail
from mailbox_service.services import importing as module
from mailbox_service.services.exporting import Exporting, Format
from mailbox_service.services.importing import Imported, Importing, into
from mailbox_service.services.mail_files import BadFile, kind_of_file, mails_of
from mailbox_service.storage import messages
from mailbox_service.storage.database import Transaction
from tests.corpus.build import FOLDER as CORPUS
from tests.databases import AnyDatabase
from tests.services.parts import NOON, Mailboxes

pytestmark = pytest.mark.anyio

BOX = "ann@x.test"


def letters(count: int) -> list[MovedMail]:
    return [
        MovedMail(
            b"Subject: %d\r\n\r\nbody %d \xff\r\n" % (n, n),
            BOX,
            f"a{n}@s.test",
            NOON - n * 1_000_000,
            SEEN if n % 2 else FLAGGED,
            '{"ai_extract":{}}' if n == 3 else None,
        )
        for n in range(count)
    ]


def importer(boxes: Mailboxes) -> Importing:
    return Importing(boxes.database, boxes.config, boxes.signals, clock=boxes.clock)


async def put_in(boxes: Mailboxes, mails: list[MovedMail]) -> Imported:
    done = Imported()
    await importer(boxes).add_all(mails, done)
    return done


async def held(boxes: Mailboxes, address: str = BOX) -> list[MovedMail]:
    """What a mailbox holds, oldest id first."""
    found = []
    async for message, content in Exporting(boxes.database).mails(address):
        found.append(
            MovedMail(
                content,
                message.address,
                message.reverse_path,
                message.received_at,
                message.flags,
                message.metadata,
            )
        )
    return found


async def test_what_is_put_in_is_there_with_its_date_marks_and_record(
    database: AnyDatabase,
) -> None:
    boxes = Mailboxes(database)
    done = await put_in(boxes, letters(250))
    assert (done.added, done.known) == (250, 0)
    assert await held(boxes) == letters(250)


async def test_nothing_follows_from_imported_mail(database: AnyDatabase) -> None:
    boxes = Mailboxes(database)
    await put_in(boxes, letters(3))

    async def unit(tx: Transaction) -> list[int]:
        return [one.quiet for one in await messages.arrivals(tx, after=0, limit=10)]

    assert await database.read(unit) == [1, 1, 1]


async def test_an_import_that_was_cut_off_is_made_again_and_gives_each_once(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    boxes = Mailboxes(database)

    def cut_off() -> Iterator[MovedMail]:
        yield from islice(letters(100), 50)
        raise OSError("the disk went away")

    done = Imported()
    with pytest.raises(OSError, match="the disk"):
        await importer(boxes).add_all(cut_off(), done)
    assert done.added == 50
    done = await put_in(boxes, letters(100))
    assert (done.added, done.known) == (50, 50)
    assert sorted(await held(boxes), key=str) == sorted(letters(100), key=str)
    done = await put_in(boxes, letters(100))
    assert (done.added, done.known) == (0, 100)


async def test_a_copy_that_stands_in_the_file_twice_is_kept_twice(database: AnyDatabase) -> None:
    boxes = Mailboxes(database)
    twice = letters(1) * 2
    for _ in range(2):
        await put_in(boxes, twice)
    assert await held(boxes) == twice


async def test_mail_of_one_checksum_and_size_is_not_taken_for_another(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailbox_service.storage.contents.zlib.crc32", lambda _: 7)
    monkeypatch.setattr(module, "crc32", lambda _: 7)
    boxes = Mailboxes(database)
    one, other = (MovedMail(b"a: %d\r\n\r\n" % n, BOX, "", NOON) for n in range(2))
    await put_in(boxes, [one])
    done = await put_in(boxes, [other, one])
    assert (done.added, done.known) == (1, 1)


async def test_without_a_date_the_mail_tells_its_own_and_none_lies_in_the_future(
    database: AnyDatabase,
) -> None:
    boxes = Mailboxes(database)
    told = b"Date: Fri, 20 Nov 2026 12:00:00 +0000\r\n\r\n"
    late = b"Date: Fri, 20 Nov 2099 12:00:00 +0000\r\n\r\n"
    await put_in(boxes, [MovedMail(text, BOX) for text in (told, late, b"no header")])
    times = [mail.received_at for mail in await held(boxes)]
    assert times == [NOON - 86_400_000_000, NOON, NOON]


async def test_with_gzip_on_imported_mail_is_packed_too(database: AnyDatabase) -> None:
    boxes = Mailboxes(database, enable_mail_gzip=True)
    large = MovedMail(b"Subject: x\r\n\r\n" + b"same line\r\n" * 500, BOX, "", NOON)
    await put_in(boxes, [large])

    async def unit(tx: Transaction) -> tuple[int, ...]:
        row = await tx.fetch_one("SELECT packed FROM contents")
        assert row is not None
        return tuple(row)

    assert await database.read(unit) == (1,)
    assert await held(boxes) == [large]


CONTENTS = [path.read_bytes() for path in sorted(CORPUS.glob("*.eml"))]


@pytest.mark.parametrize("form", ["jsonl", "eml", "mbox"])
async def test_what_is_exported_comes_back(
    database: AnyDatabase, tmp_path: Path, form: Format
) -> None:
    """Every real and every broken message of the corpus, through a file and into another
    mailbox. Byte for byte; mbox alone has line ends of its own."""
    boxes = Mailboxes(database)
    mails = [MovedMail(one, BOX, "s@s.test", NOON - n * 10**6) for n, one in enumerate(CONTENTS)]
    await put_in(boxes, mails)
    file = tmp_path / "out"
    with file.open("wb") as stream:
        async for piece in Exporting(database).stream(BOX, form):
            stream.write(piece)
    if form == "eml":
        with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as archive:
            assert archive.testzip() is None
            names = archive.namelist()
            assert [archive.read(name) for name in names] == CONTENTS
        return
    assert kind_of_file(file) == form
    await put_in(boxes, list(into("bob@x.test", mails_of(file, form))))
    expected = [with_ends(one) if form == "mbox" else one for one in CONTENTS]
    found = await held(boxes, "bob@x.test")
    assert [mail.content for mail in found] == expected
    assert [mail.received_at for mail in found] == [mail.received_at for mail in mails]
    assert {mail.reverse_path for mail in found} == {"s@s.test"}


def with_ends(content: bytes) -> bytes:
    """As a message looks that went through a file with the line ends of Unix."""
    lines = content.replace(b"\r\n", b"\n")
    if lines and not lines.endswith(b"\n"):
        lines += b"\n"
    return lines.replace(b"\n", b"\r\n")


async def test_mail_that_is_deleted_during_an_export_is_left_out(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = Mailboxes(database)
    await put_in(boxes, letters(5))
    seen: list[StoredMessage] = []
    async for message, _ in Exporting(database).mails(BOX):
        seen.append(message)
        await boxes.reading.delete(BOX, [message.id + 1])
    assert len(seen) == 3


def test_a_file_that_ends_to_make_sense_is_named(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(b'{"raw":"a"}\n\n{"raw":1}\n')
    with pytest.raises(BadFile, match=r"bad.jsonl: line 3: there is neither"):
        list(mails_of(file, "jsonl"))
    spoiled = tmp_path / "bad.mbox.gz"
    octets = bytearray(gzip.compress(mbox.written(MovedMail(bytes(range(256)) * 99)), 9))
    for damage in (octets[:-20], octets[:60] + bytes(20) + octets[80:]):
        spoiled.write_bytes(damage)
        with pytest.raises(BadFile, match=r"bad\.mbox\.gz"):
            list(mails_of(spoiled, "mbox"))
    other = tmp_path / "image.png"
    other.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(BadFile, match="neither mbox"):
        kind_of_file(other)
    with pytest.raises(BadFile, match="No such file"):
        kind_of_file(tmp_path / "nothing")
