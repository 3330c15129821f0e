"""What IMAP clients read: structures, sections, flags, on a message of every shape."""

from __future__ import annotations

import asyncio
import email
import email.policy
import imaplib
import re
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.core.stored import FLAGGED, SEEN, Excerpt
from mailbox_service.services.reading import Reading
from mailbox_service.storage import contents, messages
from mailbox_service.storage.database import Transaction
from tests.imap.conftest import Site
from tests.imap.house import ANN, letter

pytestmark = pytest.mark.anyio

MIXED = (Path(__file__).parent / "mixed.eml").read_bytes()
CORPUS = sorted((Path(__file__).parent.parent / "corpus").rglob("*.eml"))


async def test_each_section_is_the_octets_it_names(site: Site) -> None:
    """RFC 9051 §6.4.5.1; the numbers lead into a message in a message."""
    raw = MIXED
    await site.house.receive(ANN, content=raw)
    talk = await site.talk(select="INBOX")

    async def section(name: str) -> bytes | None:
        talk.send(b"a FETCH 1 BODY.PEEK[%b]\r\n" % name.encode())
        first = await talk.line()
        size = re.search(rb"\{(\d+)\}$", first)
        octets = None if size is None else await talk.reader.readexactly(int(size[1]))
        await talk.answered()
        return octets

    whole = await section("")
    assert whole is not None
    assert whole.endswith(raw)
    assert await section("TEXT") == raw.partition(b"\r\n\r\n")[2]
    assert (await section("HEADER") or b"").endswith(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    assert await section("1") == b"hello zebra"
    assert await section("1.MIME") == b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    assert await section("2") == b"aGVsbG8="
    assert (await section("2.MIME") or b"").startswith(b"Content-Type: application/pdf")
    inner = await section("3") or b""
    assert inner.startswith(b"Subject: inner\r\n")
    assert inner.endswith(b"--b2--")
    assert await section("3.HEADER") == inner.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert await section("3.TEXT") == inner.partition(b"\r\n\r\n")[2]
    assert await section("3.1") == b"part one"
    assert await section("3.2") == b"<p>two</p>"
    assert await section("3.2.MIME") == b"Content-Type: text/html\r\n\r\n"
    fields = await section("3.HEADER.FIELDS (SUBJECT)")
    assert fields == b"Subject: inner\r\n\r\n"
    without = await section("3.HEADER.FIELDS.NOT (SUBJECT)") or b""
    assert without.startswith(b"From: in@ner.example\r\n")
    for missing in ("4", "1.1", "2.HEADER", "3.3", "3.1.1", "999999999"):
        assert await section(missing) is None, missing
    await talk.close()


async def test_sizes_in_a_structure_are_those_of_the_parts(site: Site) -> None:
    """Not those of the parts with their headers."""
    await site.house.receive(ANN, content=MIXED)
    talk = await site.talk(select="INBOX")
    answer = b"\n".join(await talk.command("FETCH 1 BODYSTRUCTURE"))
    assert b'"text" "plain" ("charset" "utf-8") NIL NIL "7bit" 11 1 ' in answer
    assert b'"application" "pdf" ("name" "x.pdf") NIL NIL "base64" 8 ' in answer
    assert b'("attachment" ("filename*" "utf-8\'\'%E2%82%AC.pdf"))' in answer
    assert b'"message" "rfc822" NIL NIL NIL "7bit" 159 ' in answer
    await talk.close()


async def test_an_envelope_has_names_groups_and_missing_parts(site: Site) -> None:
    await site.house.receive(ANN, content=MIXED)
    talk = await site.talk(select="INBOX")
    answer = b"\n".join(await talk.command("FETCH 1 ENVELOPE"))
    assert b'"Mon, 1 Jan 2024 10:00:00 +0100" "=?utf-8?q?Gr=C3=BC=C3=9Fe?="' in answer
    assert b'NIL "zoe" "x.example")("Comment" NIL "plain" "y.example"))' in answer
    assert (
        b'((NIL NIL "friends" NIL)(NIL NIL "a" "b.example")("C" NIL "c" "d.example")'
        b'(NIL NIL NIL NIL)(NIL NIL "undisclosed" ""))' in answer
    )
    assert answer.count(b"NIL NIL NIL ") >= 1
    assert b'"<m@x>"))' in answer
    await talk.close()


@pytest.mark.parametrize(
    ("named", "answered"),
    [
        ("(SUBJECT)", "(SUBJECT)"),
        ('("Subject")', "(SUBJECT)"),
        ('("Subject" "Date")', "(DATE SUBJECT)"),
        ('(X-None "subject"  Date )', "(DATE SUBJECT X-NONE)"),
        ("({7+}\r\nSubject X-None)", "(SUBJECT X-NONE)"),
        ('("X None" Subject)', '("X NONE" SUBJECT)'),
    ],
)
async def test_fields_may_be_named_in_quotes_or_as_literals(
    site: Site, named: str, answered: str
) -> None:
    await site.house.receive(ANN, content=letter("Hello"))
    talk = await site.talk(select="INBOX")
    lines = await talk.command(f"FETCH 1 (UID BODY.PEEK[HEADER.FIELDS {named}])")
    assert lines == [
        f"* 1 FETCH (UID 1 BODY[HEADER.FIELDS {answered}] {{18}}".encode(),
        b"Subject: Hello",
        b"",
        b")",
        b"a OK Fetched",
    ]
    await talk.close()


async def test_a_fetch_of_nothing_is_no_command(site: Site) -> None:
    await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    for command in ("FETCH 1 ()", "FETCH 1 ( )"):
        assert await talk.command(command) == [b"a BAD The arguments cannot be understood"]
    await talk.close()


async def test_a_local_part_is_told_without_its_quotes(site: Site) -> None:
    """RFC 9051 §7.5.2"""
    sender, to = '"ann lee"@x.example', 'A <"b\\"c"@y.example>, "d:e"@z.example'
    await site.house.receive(ANN, content=letter(From=sender, To=to))
    talk = await site.talk(select="INBOX")
    answer = b"\n".join(await talk.command("FETCH 1 ENVELOPE"))
    assert b'((NIL NIL "ann lee" "x.example"))' in answer
    assert b'(("A" NIL "b\\"c" "y.example")(NIL NIL "d:e" "z.example"))' in answer
    await talk.close()


async def test_every_message_of_the_corpus_can_be_listed_and_fetched(site: Site) -> None:
    """Hazards 28, 29, 30: whatever a message is made of, its list entry is well-formed and its
    octets come as they were stored."""
    assert len(CORPUS) > 50
    raw = [path.read_bytes() for path in CORPUS]

    async def keep(tx: Transaction) -> None:
        for content in raw:
            await messages.add(tx, addresses=[ANN], reverse_path="", content=content, now=1)

    await site.house.database.write(keep)
    talk = await site.talk(select="INBOX")
    for number, (path, content) in enumerate(zip(CORPUS, raw, strict=True), 1):
        wanted = "FLAGS ENVELOPE BODYSTRUCTURE BODY RFC822.SIZE BODY.PEEK[]"
        talk.send(f"a FETCH {number} ({wanted})\r\n".encode())
        items = await read_fetch(talk.reader)
        assert await talk.answered() == [b"a OK Fetched"], path.name
        assert items[-2:] == [b"BODY[]", content], path.name
        assert items[items.index(b"RFC822.SIZE") + 1] == b"%d" % len(content), path.name
        assert len(items[items.index(b"ENVELOPE") + 1]) == 10, path.name
    for key in ("SUBJECT zz", "BODY zz", "TEXT zz", "HEADER X-Y zz", "SENTSINCE 1-Jan-2030"):
        answer = await talk.command(f"SEARCH {key}")
        assert answer[-1] == b"a OK Done", key
    await talk.close()


async def read_fetch(reader: asyncio.StreamReader) -> list[Any]:
    """The items of one untagged FETCH, read by the grammar of RFC 9051 §9 and nothing looser."""

    async def byte() -> bytes:
        return await reader.readexactly(1)

    async def value(first: bytes) -> tuple[Any, bytes]:
        if first == b"(":
            out = []
            while (following := await byte()) != b")":
                if following != b" ":
                    item, end = await value(following)
                    out.append(item)
                    if end == b")":
                        return out, b""
            return out, b""
        if first == b'"':
            text = b""
            while (following := await byte()) != b'"':
                assert following not in b"\r\n\0", "a control in a quoted string"
                assert following < b"\x7f", "8 bits in a quoted string"
                text += await byte() if following == b"\\" else following
            return text, b""
        if first == b"{":
            size = int((await reader.readuntil(b"}\r\n"))[:-3])
            return await reader.readexactly(size), b""
        text, depth = first, 0
        while True:
            following = await byte()
            if following == b"[":
                depth += 1
            if following == b"]":
                depth -= 1
            if following in (b" ", b")") and depth == 0:
                assert re.fullmatch(rb"[A-Za-z0-9.\\\[\]]+", text), text
                return text, following
            text += following

    assert re.fullmatch(rb"\* \d+ FETCH ", await reader.readuntil(b"FETCH "))
    items: list[Any]
    items, _ = await value(await byte())
    assert await reader.readexactly(2) == b"\r\n"
    return items


async def test_imaplib_reads_a_mailbox(any_site: Site) -> None:
    site = any_site
    first, second = await site.house.deliver("One", "Two")
    await site.house.receive(ANN, content=letter("Three", "zebra", Cc="cc@example.org"))

    def client() -> None:
        with imaplib.IMAP4("127.0.0.1", site.port) as imap:
            assert imap.login("whoever", site.ann.jwt)[0] == "OK"
            assert imap.list()[1] == [
                b'(\\HasNoChildren) "/" INBOX',
                b'(\\HasNoChildren \\Sent) "/" SENT',
            ]
            assert imap.select("INBOX") == ("OK", [b"3"])
            assert imap.search(None, "UNSEEN")[1] == [b"1 2 3"]
            _, found = imap.fetch("2", "(BODY.PEEK[])")
            assert isinstance(found[0], tuple)
            message = email.message_from_bytes(found[0][1], policy=email.policy.default)
            assert message["Subject"] == "Two"
            assert imap.search(None, "UNSEEN")[1] == [b"1 2 3"]
            imap.fetch("2", "(RFC822)")
            assert imap.search(None, "UNSEEN")[1] == [b"1 3"]
            assert imap.uid("STORE", str(first), "+FLAGS", "(\\Flagged)")[0] == "OK"
            assert imap.search(None, "FLAGGED")[1] == [b"1"]
            assert imap.status("INBOX", "(MESSAGES UNSEEN)")[1] == [b"INBOX (MESSAGES 3 UNSEEN 2)"]
            imap.store("1", "+FLAGS.SILENT", "\\Deleted")
            assert imap.expunge() == ("OK", [b"1"])
            assert imap.search(None, "ALL")[1] == [b"1 2"]

    await asyncio.to_thread(client)
    reading = Reading(site.house.database, site.house.signals)
    page = await reading.page(ANN, Excerpt(10), unread_counted=True)
    assert (page.count, page.unread) == (2, 1)
    assert await site.house.flags(second) == SEEN


async def test_flags_are_shared_with_the_api(any_site: Site) -> None:
    """Marks set here are read there, and the other way round, and streams hear of them."""
    site = any_site
    (message_id,) = await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    await site.house.reading.mark(ANN, [message_id], flagged=True)
    assert await talk.command("NOOP") == [b"* 1 FETCH (FLAGS (\\Flagged))", b"a OK Done"]
    start = await site.house.following.position(ANN)
    await talk.command("STORE 1 FLAGS (\\Seen \\Flagged)")
    assert await site.house.flags(message_id) == SEEN | FLAGGED
    updates = site.house.following.updates(ANN, start)
    update = await anext(updates)
    assert update is not None
    assert update.event is not None
    assert update.event.kind == "flags"
    assert update.event.detail["ids"] == [message_id]
    assert update.event.detail["seen"] is True
    await talk.close()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The contents that are read from here on, each as often as it is."""
    ids: list[int] = []
    original = contents.read

    async def counted(tx: Transaction, content_id: int) -> bytes:
        ids.append(content_id)
        return await original(tx, content_id)

    monkeypatch.setattr(contents, "read", counted)
    return ids


async def test_a_list_reads_each_content_once_and_flags_read_none(
    site: Site, read: list[int]
) -> None:
    await site.house.deliver("One", "Two", "Three")
    talk = await site.talk(select="INBOX")
    await talk.command("FETCH 1:* (FLAGS UID RFC822.SIZE INTERNALDATE)")
    await talk.command("SEARCH UNSEEN SINCE 1-Jan-2000 LARGER 10 NOT DELETED")
    assert read == []
    await talk.command("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (DATE FROM)])")
    assert sorted(read) == sorted(set(read))
    assert len(read) == 3
    await talk.command("UID FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER])")
    await talk.command('SEARCH OR FROM "bob" SUBJECT "two"')
    assert len(read) == 3
    await talk.close()


async def test_a_search_in_headers_reads_what_no_list_has_shown_and_that_once(
    site: Site, read: list[int]
) -> None:
    await site.house.deliver("One", "Two", "Three")
    talk = await site.talk(select="INBOX")
    assert await talk.command("SEARCH SUBJECT two") == [b"* SEARCH 2", b"a OK Done"]
    assert len(read) == 3
    for key, found in (
        ("SUBJECT two", b"2"),
        ("HEADER Subject two", b"2"),
        ("HEADER Subject two TEXT two", b"2"),
        ("NOT HEADER Subject two NOT SUBJECT one", b"3"),
        ('NOT TEXT "x.test"', b""),
        ('TEXT "are you"', b"1 2 3"),
    ):
        before = len(read)
        assert await talk.command(f"SEARCH {key}") == [
            b"* SEARCH" + b"".join(b" " + one for one in found.split()),
            b"a OK Done",
        ], key
        assert len(read) - before == (3 if "are you" in key else 0), key
    await talk.close()
