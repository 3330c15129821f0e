r"""Keywords: words of a mail program's own that mark messages (RFC 9051 §2.3.2), such as
`$Forwarded` or the labels of Thunderbird. They stay in the store, beside the system flags."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.core.stored import FIRST_KEYWORD, MOST_KEYWORDS
from mailbox_service.storage import keywords
from mailbox_service.storage.database import Transaction
from tests.imap.conftest import Site
from tests.imap.house import ANN

pytestmark = pytest.mark.anyio

SYSTEM = b"\\Answered \\Flagged \\Deleted \\Seen \\Draft"


async def test_keywords_are_added_taken_away_and_replaced(any_site: Site) -> None:
    site = any_site
    await site.house.deliver("One", "Two")
    talk = await site.talk(select="INBOX")
    assert await talk.command("STORE 1 +FLAGS ($Forwarded \\Seen)") == [
        b"* FLAGS (%b $Forwarded)" % SYSTEM,
        b"* OK [PERMANENTFLAGS (%b $Forwarded \\*)] More" % SYSTEM,
        b"* 1 FETCH (FLAGS (\\Seen $Forwarded))",
        b"a OK Stored",
    ]
    assert (await talk.command("STORE 1:2 +FLAGS ($label1)"))[2:] == [
        b"* 1 FETCH (FLAGS (\\Seen $Forwarded $label1))",
        b"* 2 FETCH (FLAGS ($label1))",
        b"a OK Stored",
    ]
    assert await talk.command("STORE 1 -FLAGS ($forwarded never)") == [
        b"* 1 FETCH (FLAGS (\\Seen $label1))",
        b"a OK Stored",
    ]
    assert await talk.command("STORE 1 FLAGS (\\Flagged $FORWARDED)") == [
        b"* 1 FETCH (FLAGS (\\Flagged $Forwarded))",
        b"a OK Stored",
    ]
    assert await talk.command("FETCH 1:2 (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])") == [
        b"* 1 FETCH (FLAGS (\\Flagged $Forwarded) BODY[HEADER.FIELDS (SUBJECT)] {16}",
        b"Subject: One",
        b"",
        b")",
        b"* 2 FETCH (FLAGS ($label1) BODY[HEADER.FIELDS (SUBJECT)] {16}",
        b"Subject: Two",
        b"",
        b")",
        b"a OK Fetched",
    ]
    assert await talk.command("STORE 1 FLAGS ()") == [b"* 1 FETCH (FLAGS ())", b"a OK Stored"]
    await talk.close()


async def test_keywords_outlast_the_session_and_every_other_way_to_mark(any_site: Site) -> None:
    site = any_site
    (one,) = await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    await talk.command("STORE 1 +FLAGS.SILENT ($Junk)")
    await talk.close()
    await site.house.reading.mark(ANN, [one], seen=True, flagged=True)
    await site.house.reading.mark(ANN, [one], flagged=False)
    talk = await site.talk()
    answer = await talk.command("SELECT INBOX")
    assert b"* FLAGS (%b $Junk)" % SYSTEM in answer
    assert b"* OK [PERMANENTFLAGS (%b $Junk \\*)] Flags that stay" % SYSTEM in answer
    assert await talk.command("FETCH 1 FLAGS") == [
        b"* 1 FETCH (FLAGS (\\Seen $Junk))",
        b"a OK Fetched",
    ]
    await talk.command("FETCH 1 BODY[]")  # marks it as seen
    assert await site.house.flags(one) == FIRST_KEYWORD | 1
    assert b"* OK [PERMANENTFLAGS ()] Flags that stay" in await talk.command("EXAMINE INBOX")
    await talk.close()


async def test_searches_find_keywords(site: Site) -> None:
    await site.house.deliver("One", "Two", "Three")
    talk = await site.talk(select="INBOX")
    await talk.command("STORE 1,3 +FLAGS.SILENT ($label1)")
    for query, found in (
        ("KEYWORD $label1", b" 1 3"),
        ("KEYWORD $LABEL1", b" 1 3"),
        ("UNKEYWORD $label1", b" 2"),
        ("NOT KEYWORD $label1", b" 2"),
        ("KEYWORD never", b""),
        ("UNKEYWORD never", b" 1 2 3"),
        ("OR KEYWORD $label1 SUBJECT Two", b" 1 2 3"),
    ):
        assert await talk.command(f"SEARCH {query}") == [b"* SEARCH" + found, b"a OK Done"], query
    await talk.close()


async def test_a_search_in_an_unknown_character_set_says_which_are_known(site: Site) -> None:
    talk = await site.talk(select="INBOX")
    for command in ("SEARCH CHARSET KLINGON ALL", "UID SEARCH CHARSET KLINGON ALL"):
        assert await talk.command(command) == [
            b"a NO [BADCHARSET (US-ASCII UTF-8)] Not in that character set"
        ]
    for known in ("UTF-8", "utf-8", "US-ASCII"):
        assert (await talk.command(f"SEARCH CHARSET {known} ALL"))[-1] == b"a OK Done"
    await talk.close()


async def test_another_session_is_told_the_name_before_the_mark(site: Site) -> None:
    await site.house.deliver("One")
    watching = await site.talk(select="INBOX")
    watching.send(b"a IDLE\r\n")
    assert await watching.line() == b"+ Idling"
    talk = await site.talk(select="INBOX")
    await talk.command("STORE 1 +FLAGS.SILENT (new)")
    assert await watching.line() == b"* FLAGS (%b new)" % SYSTEM
    assert await watching.line() == b"* OK [PERMANENTFLAGS (%b new \\*)] More" % SYSTEM
    assert await watching.line() == b"* 1 FETCH (FLAGS (new))"
    watching.send(b"DONE\r\n")
    await watching.line()
    for one in (talk, watching):
        await one.close()


async def test_a_mailbox_has_so_many_keywords(site: Site) -> None:
    (one,) = await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    names = " ".join(f"word{n}" for n in range(MOST_KEYWORDS))
    assert (await talk.command(f"STORE 1 +FLAGS.SILENT ({names})"))[-1] == b"a OK Stored"
    assert await site.house.flags(one) == ((1 << MOST_KEYWORDS) - 1) * FIRST_KEYWORD
    assert await talk.command("STORE 1 +FLAGS (\\Seen another)") == [
        b"a NO [LIMIT] A mailbox has at most 20 keywords"
    ]
    answer = await talk.command("SELECT INBOX")
    (kept,) = [line for line in answer if b"PERMANENTFLAGS" in line]
    assert b"\\*" not in kept
    assert await talk.command("STORE 1 -FLAGS.SILENT (another WORD0)") == [b"a OK Stored"]
    assert await talk.command("STORE 1 +FLAGS (%s)" % ("x" * 65)) == [
        b"a NO [LIMIT] A keyword has at most 64 characters"
    ]
    await talk.close()


async def test_the_sent_box_has_no_keywords(site: Site) -> None:
    await site.house.deliver("One")
    talk = await site.talk(select="SENT")
    assert await talk.command("STORE 1:* +FLAGS ($label1)") == [b"a OK Stored"]
    assert await site.house.database.read(keywords.of, ANN) == {}
    await talk.close()


async def test_whoever_opens_the_address_next_finds_no_keywords(any_site: Site) -> None:
    site = any_site
    await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    await talk.command("STORE 1 +FLAGS.SILENT (secret-project)")
    await talk.close()
    assert await site.house.database.read(keywords.of, ANN) == {FIRST_KEYWORD: "secret-project"}
    address = await site.house.registering.find_address(ANN)
    assert address is not None
    await site.house.registering.close(address.id, ANN)
    assert await site.house.database.read(keywords.of, ANN) == {}


async def test_two_who_learn_at_once_agree(any_site: Site) -> None:
    database = any_site.house.database

    async def learn(tx: Transaction, *names: str) -> dict[int, str]:
        return await keywords.learn(tx, ANN, names)

    await asyncio.gather(
        *(database.write(learn, f"word{n % 5}", f"WORD{(n + 1) % 5}") for n in range(20))
    )
    known = await database.read(keywords.of, ANN)
    assert sorted(known) == [FIRST_KEYWORD << n for n in range(5)]
    assert sorted(name.lower() for name in known.values()) == [f"word{n}" for n in range(5)]
