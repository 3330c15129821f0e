"""What changes while a client looks: deletions, new mail, flags, IDLE."""

from __future__ import annotations

import asyncio
import time

import pytest

from mailbox_service.core.stored import SEEN
from mailbox_service.storage import messages
from mailbox_service.storage.sqlite import SqliteDatabase
from tests.imap.conftest import Site, site_on
from tests.imap.house import ANN

pytestmark = pytest.mark.anyio


async def test_idle_tells_of_mail_flags_and_deletions_at_once(any_site: Site) -> None:
    site = any_site
    (first,) = await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    talk.send(b"a IDLE\r\n")
    assert await talk.line() == b"+ Idling"
    began = time.monotonic()
    await site.house.deliver("Two")
    assert await talk.line() == b"* 2 EXISTS"
    await site.house.reading.mark(ANN, [first], seen=True)
    assert await talk.line() == b"* 1 FETCH (FLAGS (\\Seen))"
    await site.house.reading.delete(ANN, [first])
    assert await talk.line() == b"* 1 EXPUNGE"
    other = await site.talk(select="INBOX")
    await other.command("STORE 1 +FLAGS.SILENT (\\Flagged)")
    assert await talk.line() == b"* 1 FETCH (FLAGS (\\Flagged))"
    assert time.monotonic() - began < 10, "it waited for a timer and not for a signal"
    talk.send(b"DONE\r\n")
    assert await talk.line() == b"a OK Done"
    await talk.close()
    await other.close()


async def test_idle_ends_by_done_alone(site: Site) -> None:
    talk = await site.talk(select="INBOX")
    talk.send(b"a IDLE\r\n")
    await talk.line()
    talk.send(b"b NOOP\r\n")
    assert await talk.line() == b"a BAD DONE was expected"
    assert await talk.command("NOOP") == [b"a OK Done"]
    await talk.close()


@pytest.mark.parametrize("box", ["INBOX", "SENT"])
async def test_all_messages_of_an_empty_mailbox_are_none(site: Site, box: str) -> None:
    talk = await site.talk(select=box)
    for uid in ("", "UID "):
        for named in ("1:*", "*", "*:1", "1", "1:4294967295", "2:*,1"):
            fetched = await talk.command(f"{uid}FETCH {named} (UID FLAGS)")
            assert fetched == [b"a OK Fetched"], (uid, named)
            stored = await talk.command(f"{uid}STORE {named} +FLAGS (\\Seen)")
            assert stored == [b"a OK Stored"], (uid, named)
            assert await talk.command(f"{uid}SEARCH {named}") == [b"* SEARCH", b"a OK Done"]
    assert await talk.command("SEARCH UID 1:*") == [b"* SEARCH", b"a OK Done"]
    await talk.close()


async def test_expunge_close_and_uid_expunge_delete_for_good(any_site: Site) -> None:
    site = any_site
    ids = await site.house.deliver("One", "Two", "Three", "Four")
    talk = await site.talk(select="INBOX")
    await talk.command("STORE 1:3 +FLAGS.SILENT (\\Deleted)")
    assert await talk.command(f"UID EXPUNGE {ids[1]}") == [b"* 2 EXPUNGE", b"a OK Expunged"]
    assert await talk.command("EXPUNGE") == [
        b"* 2 EXPUNGE",
        b"* 1 EXPUNGE",
        b"a OK Expunged",
    ]
    await talk.command("STORE 1 +FLAGS (\\Deleted)")
    assert await talk.command("CLOSE") == [b"a OK Closed"]
    assert await site.house.inbox(ANN) == []
    assert (await talk.command("SELECT INBOX"))[1] == b"* 0 EXISTS"
    assert await site.house.kinds() == ["flags", "deleted", "deleted", "flags", "deleted"]
    await talk.close()


async def test_unselect_and_examine_delete_nothing(site: Site) -> None:
    await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    await talk.command("STORE 1 +FLAGS (\\Deleted)")
    assert await talk.command("UNSELECT") == [b"a OK Left"]
    assert (await talk.command("EXAMINE INBOX"))[-1] == b"a OK [READ-ONLY] Selected"
    read_only = b"a NO [READ-ONLY] The mailbox was opened to be read"
    assert await talk.command("EXPUNGE") == [read_only]
    assert await talk.command("STORE 1 -FLAGS (\\Deleted)") == [read_only]
    await talk.command("FETCH 1 BODY[]")
    assert await talk.command("SEARCH SEEN") == [b"* SEARCH", b"a OK Done"]
    assert await talk.command("CLOSE") == [b"a OK Closed"]
    assert len(await site.house.inbox(ANN)) == 1
    await talk.close()


async def test_where_owners_may_not_delete_expunge_is_no(quick_database: SqliteDatabase) -> None:
    async for site in site_on(quick_database, enable_user_delete_email=False):
        await site.house.deliver("One")
        talk = await site.talk(select="INBOX")
        await talk.command("STORE 1 +FLAGS (\\Deleted)")
        refused = b"a NO [NOPERM] Deleting mail is not allowed here"
        assert await talk.command("EXPUNGE") == [refused]
        assert await talk.command("CLOSE") == [refused]
        assert await talk.command("SEARCH DELETED") == [b"* SEARCH 1", b"a OK Done"]
        assert len(await site.house.inbox(ANN)) == 1
        await talk.close()


async def test_numbers_stay_until_an_expunge_may_be_told(site: Site) -> None:
    """RFC 9051 §7.5.1: never as an answer to FETCH, STORE or SEARCH by number."""
    first, _ = await site.house.deliver("One", "Two")
    talk = await site.talk(select="INBOX")
    await site.house.reading.delete(ANN, [first])
    await site.house.deliver("Three")
    assert await talk.command("FETCH 2 UID") == [
        b"* 2 FETCH (UID 2)",
        b"* 3 EXISTS",
        b"a OK Fetched",
    ]
    assert await talk.command("FETCH 1:2 (UID)") == [
        b"* 2 FETCH (UID 2)",
        b"a OK [EXPUNGEISSUED] Fetched",
    ]
    assert await talk.command("SEARCH ALL") == [b"* SEARCH 2 3", b"a OK Done"]
    assert await talk.command("NOOP") == [b"* 1 EXPUNGE", b"a OK Done"]
    assert await talk.command("FETCH 1:* UID") == [
        b"* 1 FETCH (UID 2)",
        b"* 2 FETCH (UID 3)",
        b"a OK Fetched",
    ]
    await talk.close()


async def test_deletions_without_an_event_are_noticed_too(any_site: Site) -> None:
    site = any_site
    await site.house.deliver("One", "Two")
    talk = await site.talk(select="INBOX")
    await site.house.database.write(messages.remove_oldest, ANN, limit=1)
    await site.house.deliver("Three")
    answer = await talk.command("NOOP")
    assert answer == [b"* 1 EXPUNGE", b"* 2 EXISTS", b"a OK Done"]
    await talk.close()


async def test_the_sent_box_lists_what_was_sent_and_forgets_what_is_expunged(
    any_site: Site,
) -> None:
    site = any_site
    receipt = await site.house.post("bob@next.test")
    await site.house.post("eve@next.test", subject="Second")
    talk = await site.talk()
    assert (await talk.command("STATUS SENT (MESSAGES UNSEEN)"))[0] == (
        b"* STATUS SENT (MESSAGES 2 UNSEEN 0)"
    )
    answer = await talk.command("SELECT Sent")
    assert b"* OK [PERMANENTFLAGS ()] Flags that stay" in answer
    assert await talk.command("FETCH 1 (UID FLAGS)") == [
        b"* 1 FETCH (UID %d FLAGS (\\Seen))" % receipt.submission_id,
        b"a OK Fetched",
    ]
    fetched = b"\r\n".join(await talk.command("FETCH 1 (RFC822.SIZE BODY[])"))
    assert b"How are you?" in fetched
    size = int(fetched.split(b"RFC822.SIZE ")[1].split()[0])
    assert b"BODY[] {%d}" % size in fetched
    assert await talk.command('SEARCH SUBJECT "second" TO eve') == [b"* SEARCH 2", b"a OK Done"]
    assert await talk.command("STORE 1 -FLAGS (\\Seen)") == [
        b"* 1 FETCH (FLAGS (\\Seen))",
        b"a OK Stored",
    ]
    await talk.command("STORE 1 +FLAGS (\\Deleted)")
    assert await talk.command("EXPUNGE") == [b"* 1 EXPUNGE", b"a OK Expunged"]
    assert (await site.house.sent.page(ANN, limit=10)).count == 1
    talk.send(b"a IDLE\r\n")
    await talk.line()
    await site.house.post("bob@next.test")
    assert await talk.line() == b"* 2 EXISTS"
    await talk.close()


async def test_what_these_mailboxes_cannot_do_is_refused_cleanly(site: Site) -> None:
    await site.house.deliver("One")
    talk = await site.talk(select="INBOX")
    for command in (
        "CREATE Trash",
        "DELETE INBOX",
        "DELETE Trash",
        "RENAME SENT Old",
        "COPY 1 SENT",
        "UID COPY 1 SENT",
        "MOVE 1 SENT",
        "UID MOVE 1 SENT",
        "APPEND SENT {100000000}",
        "APPEND SENT (\\Seen) {5+}\r\nhello",
    ):
        answer = await talk.command(command)
        assert answer[-1].startswith(b"a NO [CANNOT] "), command
    assert (await talk.command("CREATE inbox"))[-1].startswith(b"a NO [ALREADYEXISTS] ")
    for name in ("Trash", "&AOk-", '"a\\"b"', "{3+}\r\na\xe9"):
        answer = await talk.command(f"SELECT {name}")
        assert answer == [b"a NO [NONEXISTENT] There is no such mailbox"], name
    assert (await talk.command("STATUS Trash (MESSAGES)"))[-1].startswith(b"a NO [NONEXISTENT] ")
    assert (await talk.command("SUBSCRIBE INBOX"))[-1].startswith(b"a OK ")
    await talk.close()


async def test_two_clients_that_mark_at_once_lose_no_mark(any_site: Site) -> None:
    site = any_site
    (message_id,) = await site.house.deliver("One")
    one, other = await site.talk(select="INBOX"), await site.talk(select="INBOX")
    await asyncio.gather(
        one.command("STORE 1 +FLAGS (\\Seen)"), other.command("STORE 1 +FLAGS (\\Flagged)")
    )
    assert await site.house.flags(message_id) == 3
    await one.close()
    await other.close()


async def test_a_mark_is_set_also_where_another_client_took_it_away_meanwhile(
    any_site: Site,
) -> None:
    site = any_site
    (message_id,) = await site.house.deliver("One")
    one, other = await site.talk(select="INBOX"), await site.talk(select="INBOX")
    await one.command("STORE 1 +FLAGS (\\Seen)")
    await other.command("STORE 1 -FLAGS (\\Seen)")
    assert await one.command("STORE 1 +FLAGS (\\Seen)") == [
        b"* 1 FETCH (FLAGS (\\Seen))",
        b"a OK Stored",
    ]
    assert await site.house.flags(message_id) == SEEN
    await other.command("STORE 1 +FLAGS (\\Flagged)")
    await one.command("STORE 1 -FLAGS (\\Flagged)")
    assert await site.house.flags(message_id) == SEEN
    await one.close()
    await other.close()


@pytest.mark.parametrize("command", ["EXPUNGE", "UID EXPUNGE 1:*", "CLOSE"])
async def test_what_another_client_wants_to_keep_is_not_deleted(
    any_site: Site, command: str
) -> None:
    site = any_site
    kept, _ = await site.house.deliver("Kept", "Deleted by the other")
    one, other = await site.talk(select="INBOX"), await site.talk(select="INBOX")
    await one.command("STORE 1 +FLAGS (\\Deleted)")
    await other.command("STORE 1 -FLAGS (\\Deleted)")
    await other.command("STORE 2 +FLAGS (\\Deleted)")
    assert (await one.command(command))[-1].startswith(b"a OK ")
    assert await site.house.flags(kept) == 0
    assert len(await site.house.inbox(ANN)) == 1
    await one.close()
    await other.close()
