"""Where mail comes from: found out behind a cursor, by real name servers, and never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailbox_service.core.dkim import Signer, dns_record, generate_key, sign
from mailbox_service.core.envelope import Envelope, Peer
from mailbox_service.core.names import Names
from mailbox_service.core.stored import StoredVerdicts
from mailbox_service.outbound.dns import Resolver
from mailbox_service.services import verifying_origin
from mailbox_service.services.judged_webhooks import TOO_OLD_MICROS, JudgedWebhooks
from mailbox_service.services.verifying_origin import BATCH, VerifyingOrigin
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.nameserver import NameServer, serving
from tests.services.parts import NOON, Mailboxes
from tests.services.reactions import Reactions
from tests.zones import Zone

pytestmark = pytest.mark.anyio

KEY = generate_key("ed25519")
SIGNER = Signer("sender.example", "sel", KEY)
GOOD, BAD = Peer("192.0.2.7", 25, "mx.sender.example"), Peer("198.51.100.9", 25, "evil.example")
RECORDS: dict[tuple[str, str], list[str]] = {
    ("sender.example", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
    ("sel._domainkey.sender.example", "TXT"): [f'"{dns_record(KEY)}"'],
    ("_dmarc.sender.example", "TXT"): ['"v=DMARC1; p=reject"'],
}
LETTER = b"From: Ann <ann@sender.example>\r\nSubject: Hello\r\n\r\nHow are you?\r\n"
SIGNED = sign(LETTER, [SIGNER], NOON // 1_000_000)


@pytest.fixture
async def names() -> AsyncIterator[Resolver]:
    async with serving(NameServer(records=dict(RECORDS))) as server:
        yield Resolver([server.address], server_seconds=10, question_seconds=20)


def worker(mailboxes: Mailboxes, names: Names, **options: Any) -> VerifyingOrigin:
    return VerifyingOrigin(
        mailboxes.database, mailboxes.config, names, mailboxes.signals, **options
    )


async def arrive(
    mailboxes: Mailboxes,
    content: bytes,
    *recipients: str,
    peer: Peer = GOOD,
    sender: str = "ann@sender.example",
) -> tuple[int, ...]:
    envelope = Envelope(sender, recipients or ("a@x.test",))
    return (await mailboxes.receiving.accept(envelope, content, peer)).message_ids


async def found(mailboxes: Mailboxes, message_id: int) -> StoredVerdicts | None:
    message = await mailboxes.reading.one(None, message_id)
    assert message is not None
    return message.verdicts


async def words(mailboxes: Mailboxes, message_id: int) -> tuple[str, ...]:
    verdicts = await found(mailboxes, message_id)
    assert verdicts is not None
    return (verdicts.spf, verdicts.dkim, verdicts.dmarc, verdicts.arc)


@pytest.mark.parametrize(
    ("content", "peer", "sender", "expected"),
    [
        (SIGNED, GOOD, "ann@sender.example", ("pass", "pass", "pass", "none")),
        (SIGNED, BAD, "ann@sender.example", ("fail", "pass", "pass", "none")),
        (LETTER, GOOD, "ann@sender.example", ("pass", "none", "pass", "none")),
        (LETTER, BAD, "ann@sender.example", ("fail", "none", "fail", "none")),
        (LETTER, GOOD, "x@nowhere.example", ("none", "none", "fail", "none")),
        (SIGNED + b"PS\r\n", BAD, "x@nowhere.example", ("none", "fail", "fail", "none")),
        (SIGNED, BAD, "", ("none", "pass", "pass", "none")),
        (b"Subject: x\r\n\r\n", GOOD, "ann@sender.example", ("pass", "none", "permerror", "none")),
        (b"", GOOD, "ann@sender.example", ("pass", "none", "permerror", "none")),
        (
            LETTER.replace(b"sender.example", b"other.example"),
            GOOD,
            "ann@sender.example",
            ("pass", "none", "none", "none"),
        ),
        (b"ARC-Seal: i=1; cv=none\r\n" + LETTER, GOOD, "", ("none", "none", "fail", "fail")),
    ],
)
async def test_a_mail_is_judged_by_who_brought_it_and_who_signed_it(
    database: AnyDatabase,
    names: Resolver,
    content: bytes,
    peer: Peer,
    sender: str,
    expected: tuple[str, ...],
) -> None:
    mailboxes = Mailboxes(database)
    [message_id] = await arrive(mailboxes, content, peer=peer, sender=sender)
    assert await found(mailboxes, message_id) is None, "nothing is known at first"
    assert await worker(mailboxes, names).judge_some() == 1
    assert await words(mailboxes, message_id) == expected


async def test_the_results_are_told_as_a_header_field_would(
    database: AnyDatabase, names: Resolver
) -> None:
    mailboxes = Mailboxes(database)
    [message_id] = await arrive(mailboxes, SIGNED)
    await worker(mailboxes, names).judge_some()
    verdicts = await found(mailboxes, message_id)
    assert verdicts is not None
    parts = verdicts.results.split("; ")
    assert parts[0] == "spf=pass smtp.mailfrom=ann@sender.example"
    assert parts[1].startswith(
        "dkim=pass header.d=sender.example header.s=sel header.a=ed25519-sha256 header.b="
    )
    assert parts[2] == "dmarc=pass header.from=sender.example policy.dmarc=reject"
    assert parts[3] == "arc=none"


async def test_one_content_is_judged_once_for_all_its_mailboxes(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    zone = Zone({key: [text.strip('"') for text in value] for key, value in RECORDS.items()})
    ids = await arrive(mailboxes, SIGNED, "a@x.test", "b@x.test", "c@y.test")
    assert await worker(mailboxes, zone).judge_some() == 3
    for message_id in ids:
        assert (await words(mailboxes, message_id))[:3] == ("pass", "pass", "pass")
    assert zone.asked.count(("sender.example", "TXT")) == 1


async def test_every_mail_is_judged_once_and_a_new_worker_goes_on(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    ids = [(await arrive(mailboxes, LETTER))[0] for _ in range(BATCH + 3)]
    zone = Zone({})
    first = worker(mailboxes, zone)
    assert await first.judge_some() == BATCH
    again = worker(mailboxes, zone)  # after a crash
    assert [await again.judge_some(), await again.judge_some()] == [3, 0]
    assert await words(mailboxes, ids[-1]) == ("none", "none", "none", "none")


async def test_two_processes_write_one_verdict(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    [message_id] = await arrive(mailboxes, LETTER)
    zone = Zone({("sender.example", "TXT"): ["v=spf1 -all"]})
    waiting = await database.read(verifying_origin.next_messages)
    assert await worker(mailboxes, zone).judge_some() == 1
    judged = [
        verifying_origin.Judged((message_id,), StoredVerdicts("pass", "pass", "pass", "pass", ""))
    ]
    await database.write(
        verifying_origin.keep_verdicts, judged, seen=waiting.seen, last=waiting.last
    )
    assert (await words(mailboxes, message_id))[0] == "fail", "who came second changes nothing"


async def test_what_came_from_nobody_is_not_judged(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    notice = await mailboxes.receiving.store_notice("a@x.test", "admin@internal", LETTER)
    [message_id] = await arrive(mailboxes, LETTER)
    assert await worker(mailboxes, Zone({})).judge_some() == 2
    assert await found(mailboxes, notice) is None
    assert await found(mailboxes, message_id) is not None


async def test_mail_that_stayed_in_the_house_does_not_fail(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    [message_id] = await arrive(mailboxes, LETTER, peer=Peer("", protocol="ESMTPA"))
    zone = Zone({("_dmarc.sender.example", "TXT"): ["v=DMARC1; p=reject"]})
    await worker(mailboxes, zone).judge_some()
    assert await words(mailboxes, message_id) == ("none", "none", "none", "none")


async def test_a_field_that_poses_as_ours_changes_nothing(
    database: AnyDatabase, names: Resolver
) -> None:
    """The peer is the one that our own field names, which lies on top."""
    mailboxes = Mailboxes(database)
    forged = (
        b"Received: from mx.sender.example ([192.0.2.7])\r\n\tby x.test with ESMTP id A;\r\n\tx\r\n"
    )
    [message_id] = await arrive(mailboxes, forged + LETTER, peer=BAD)
    await worker(mailboxes, names).judge_some()
    assert (await words(mailboxes, message_id))[0] == "fail"


async def test_names_that_nobody_knows_now_hold_up_nothing(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    [message_id] = await arrive(mailboxes, SIGNED)
    failing = frozenset(name for name, _ in RECORDS)
    await worker(mailboxes, Zone({}, failing=failing)).judge_some()
    assert await words(mailboxes, message_id) == ("temperror", "temperror", "temperror", "none")


async def test_a_name_server_that_never_answers_is_waited_for_in_vain_once(
    database: AnyDatabase,
) -> None:
    """Hazard 51: silence. The other mail of the batch has its verdict all the same."""
    mailboxes = Mailboxes(database)
    [silent] = await arrive(mailboxes, SIGNED)
    [other] = await arrive(mailboxes, LETTER, sender="x@other.example")
    records = {("other.example", "TXT"): ['"v=spf1 +all"'], **RECORDS}
    async with serving(NameServer(records=records)) as server:
        server.silent |= {"sender.example", "_dmarc.sender.example"}
        resolver = Resolver([server.address], server_seconds=30, question_seconds=30)
        judging = worker(mailboxes, resolver, names_seconds=0.5)
        assert await judging.judge_some() == 2
    assert (await words(mailboxes, silent))[0] == "temperror"
    assert (await words(mailboxes, silent))[2] == "temperror"
    assert (await words(mailboxes, other))[0] == "pass"


@pytest.mark.parametrize(
    "content",
    [
        b"DKIM-Signature: \xff\xfe\r\n" + LETTER,
        b"DKIM-Signature: v=1\r\nno field here\r\n\r\n",
        b"dkim-signature: " + b"a" * 200_000 + b"\r\n\r\n",
        b"From: " + b"<" * 50_000 + b"\r\n\r\n",
        b"\xff\xfe\x00",
        b":" * 5_000,
    ],
    ids=["no text", "no header", "long", "angles", "octets", "colons"],
)
async def test_what_cannot_be_read_holds_up_nothing(database: AnyDatabase, content: bytes) -> None:
    mailboxes = Mailboxes(database)
    [message_id] = await arrive(mailboxes, content)
    [other] = await arrive(mailboxes, LETTER)
    assert await worker(mailboxes, Zone({})).judge_some() == 2
    assert (await words(mailboxes, message_id))[1] in ("none", "permerror")
    assert await words(mailboxes, other) == ("none", "none", "none", "none")


async def test_a_bug_of_ours_costs_one_verdict(
    database: AnyDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Zone):
        async def texts(self, name: str) -> list[bytes]:
            if name == "broken.example":
                raise RuntimeError("a bug")
            return await super().texts(name)

    mailboxes = Mailboxes(database)
    [message_id] = await arrive(mailboxes, LETTER, sender="x@broken.example")
    [other] = await arrive(mailboxes, LETTER)
    assert await worker(mailboxes, Broken({})).judge_some() == 2
    assert (await words(mailboxes, message_id))[0] == "temperror"
    assert (await words(mailboxes, other))[0] == "none"
    assert f"verdict-failed message={message_id}" in caplog.text


async def test_a_damaged_content_holds_up_nothing(
    database: AnyDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 22."""
    mailboxes = Mailboxes(database)
    [damaged] = await arrive(mailboxes, LETTER)
    [other] = await arrive(mailboxes, LETTER)

    async def damage(tx: Transaction) -> None:
        await tx.execute("UPDATE contents SET checksum = checksum + 1 WHERE id = 1")

    await database.write(damage)
    assert await worker(mailboxes, Zone({})).judge_some() == 2
    assert f"content-damaged message={damaged}" in caplog.text
    assert await found(mailboxes, other) is not None


async def test_a_mail_that_is_deleted_meanwhile_leaves_no_verdict(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    [gone] = await arrive(mailboxes, LETTER)
    [kept] = await arrive(mailboxes, LETTER)
    waiting = await database.read(verifying_origin.next_messages)
    await mailboxes.reading.delete(None, [gone])
    word = StoredVerdicts("none", "none", "none", "none", "")
    judged = [verifying_origin.Judged((one,), word) for one in (gone, kept)]
    await database.write(
        verifying_origin.keep_verdicts, judged, seen=waiting.seen, last=waiting.last
    )

    async def ids(tx: Transaction) -> list[int]:
        return [int(row[0]) for row in await tx.fetch_all("SELECT id FROM verdicts")]

    assert await database.read(ids) == [kept]
    await mailboxes.reading.delete(None, [kept])
    assert await database.read(ids) == []


async def test_where_attachments_are_taken_out_a_signature_that_breaks_is_no_failure(
    database: AnyDatabase, names: Resolver
) -> None:
    mailboxes = Mailboxes(database, remove_all_attachment=True)
    letter = (
        b"From: ann@sender.example\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\n\r\nText\r\n--b\r\nContent-Disposition: attachment; filename=x\r\n\r\n"
        b"File\r\n--b--\r\n"
    )
    [message_id] = await arrive(mailboxes, sign(letter, [SIGNER], NOON // 1_000_000), peer=BAD)
    await worker(mailboxes, names).judge_some()
    assert await words(mailboxes, message_id) == ("fail", "neutral", "temperror", "none")


async def test_the_worker_judges_by_itself_what_arrives(
    database: AnyDatabase, names: Resolver
) -> None:
    mailboxes = Mailboxes(database)
    running = asyncio.create_task(worker(mailboxes, names).run())
    try:
        [message_id] = await arrive(mailboxes, SIGNED)
        async with asyncio.timeout(30):
            # Nobody is told when a verdict is there.
            while await found(mailboxes, message_id) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await words(mailboxes, message_id) == ("pass", "pass", "pass", "none")


async def test_it_can_be_switched_off(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, verify_origin=False)
    await asyncio.wait_for(worker(mailboxes, Zone({})).run(), 30)


HOOK = {"enabled": True, "url": "http://h.test/", "body": "${id}"}
PASSED = {**HOOK, "conditions": {"verdicts": {"dmarc": ["pass"]}}}


def judging(post: Reactions) -> VerifyingOrigin:
    """A worker that knows the names of `RECORDS`, with the webhooks that wait for it."""
    zone = Zone({key: [text.strip('"') for text in value] for key, value in RECORDS.items()})
    hooks = JudgedWebhooks(post.config, post.administering, post.sending, clock=post.clock)
    return worker(post, zone, webhooks=hooks)


async def posted(post: Reactions) -> list[tuple[str, int]]:
    """The posts of bob and of the administrator: whose, and about which mail."""
    lines = [(owner, line) for owner in ("bob@x.test", "") for line in await post.log(owner)]
    return sorted((owner, line.message_id) for owner, line in lines)


async def test_webhooks_that_ask_for_verdicts_are_decided_with_them(database: AnyDatabase) -> None:
    """Others do not wait, and nothing waits for a name server."""
    post = Reactions(database)
    await post.hooks.save("bob@x.test", PASSED)
    await post.hooks.save_admin(HOOK)
    [good] = await arrive(post, LETTER, "bob@x.test", peer=GOOD)
    [bad] = await arrive(post, LETTER, "bob@x.test", peer=BAD)
    await post.reacting.react_to(bad)
    assert await posted(post) == [("", good), ("", bad)]
    first = judging(post)
    assert [await first.judge_some(), await judging(post).judge_some()] == [2, 0]
    assert await posted(post) == [("", good), ("", bad), ("bob@x.test", good)]


async def test_the_webhook_about_all_mail_may_ask_for_verdicts(database: AnyDatabase) -> None:
    post = Reactions(database)
    await post.hooks.save_admin(PASSED)
    ids = await arrive(post, LETTER, "bob@x.test", "carol@y.test", peer=GOOD)
    await arrive(post, LETTER, "carol@y.test", peer=BAD)
    await judging(post).judge_some()
    assert await posted(post) == [("", number) for number in ids]


@pytest.mark.parametrize(
    "settings", [{"enable_webhook": False}, {"allowed": False}, {"late": True}], ids=str
)
async def test_verdicts_are_told_to_nobody_who_may_not_have_them(
    database: AnyDatabase, settings: dict[str, bool]
) -> None:
    """Switched off, not on the administrator's list, or so late that nobody wants to know."""
    post = Reactions(database, enable_webhook=settings.get("enable_webhook", True))
    await post.hooks.save("bob@x.test", PASSED)
    if "allowed" in settings:
        await post.administering.change({"webhook_settings": {"enableAllowList": True}})
    await arrive(post, LETTER, "bob@x.test", peer=GOOD)
    if "late" in settings:
        post.clock.now += TOO_OLD_MICROS + 1
    await judging(post).judge_some()
    assert await posted(post) == []


async def test_two_processes_tell_of_a_verdict_once(database: AnyDatabase) -> None:
    post = Reactions(database)
    await post.hooks.save("bob@x.test", PASSED)
    [number] = await arrive(post, LETTER, "bob@x.test", peer=GOOD)
    await asyncio.gather(judging(post).judge_some(), judging(post).judge_some())
    assert await posted(post) == [("bob@x.test", number)]
