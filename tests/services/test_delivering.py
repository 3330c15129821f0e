"""Delivering, through a real next hop and into our own mailboxes, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mailbox_service.config import SmtpChannel
from mailbox_service.core.notification import read_notice
from mailbox_service.storage import send_queue
from tests.databases import AnyDatabase
from tests.nexthop import NextHop, certificate, running
from tests.services.posting import LETTER, Post

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hop() -> AsyncIterator[NextHop]:
    async with running(NextHop()) as server:
        yield server


async def test_a_letter_goes_out_and_its_sender_can_see_how(
    database: AnyDatabase, hop: NextHop
) -> None:
    post = Post(database, hop)
    receipt = await post.post("bob@next.test")
    assert await post.states() == ["queued"]
    assert await post.delivering.deliver_due() == 1
    (taken,) = hop.taken
    assert taken.reverse_path == "ann@x.test"
    assert taken.recipients == ("bob@next.test",)
    assert b"Subject: Hello\r\n" in taken.content
    assert receipt.queue_id.encode() in taken.content.partition(b"\r\n\r\n")[0]
    assert await post.states() == ["delivered"]
    assert await post.kinds() == ["queued", "delivered"]
    (attempt,) = await post.attempts()
    assert attempt.reply == "250 2.0.0 Queued as 1"
    assert "> MAIL FROM:<ann@x.test>" in attempt.conversation
    assert "> RCPT TO:<bob@next.test>" in attempt.conversation
    assert "How are you" not in attempt.conversation
    assert await post.delivering.deliver_due() == 0


@pytest.mark.parametrize(
    ("recipient", "state", "events"),
    [
        ("bob@next.test", "delivered", ["queued", "delivered"]),
        ("deferred@next.test", "deferred", ["queued", "deferred"]),
        ("deferred-dot@next.test", "deferred", ["queued", "deferred"]),
        ("refused@next.test", "failed", ["queued", "failed", "reported"]),
        ("refused-dot@next.test", "failed", ["queued", "failed", "reported"]),
        ("closing@next.test", "deferred", ["queued", "deferred"]),
        ("reset@next.test", "delivered", ["queued", "delivered"]),
    ],
)
async def test_what_the_next_hop_says_reaches_the_sender(
    database: AnyDatabase, hop: NextHop, recipient: str, state: str, events: list[str]
) -> None:
    post = Post(database, hop)
    await post.post(recipient)
    await post.delivering.deliver_due()
    assert await post.states() == [state]
    assert await post.kinds() == events


async def test_mail_for_our_own_domains_never_touches_the_network(database: AnyDatabase) -> None:
    post = Post(database)
    await post.post("bob@y.test", "carol@sub.x.test")
    await post.delivering.deliver_due()
    assert await post.states() == ["delivered", "delivered"]
    (letter,) = await post.inbox("bob@y.test")
    assert letter.startswith(b"Received: by x.test with HTTP id ")
    assert b"DKIM-Signature" not in letter
    assert letter.endswith(b"How are you?\r\n")
    assert len(await post.inbox("carol@sub.x.test")) == 1


async def test_mail_for_foreign_domains_is_held_and_can_be_let_go(
    database: AnyDatabase, hop: NextHop
) -> None:
    post = Post(database)
    receipt = await post.post("bob@next.test", "carol@y.test")
    await post.delivering.deliver_due()
    assert await post.states() == ["held", "delivered"]
    assert (await post.only()).state == "held"
    later = Post(database, hop)
    assert await database.write(send_queue.retry, receipt.queue_id, now=later.clock()) == 1
    await later.delivering.deliver_due()
    assert await later.states() == ["delivered", "delivered"]
    assert len(hop.taken) == 1


async def test_a_failure_is_reported_into_the_mailbox_of_the_sender(
    database: AnyDatabase, hop: NextHop
) -> None:
    post = Post(database, hop)
    await post.post("refused@next.test", "bob@next.test")
    await post.delivering.deliver_due()
    assert await post.states() == ["failed", "delivered"]
    (raw,) = await post.inbox("ann@x.test")
    notice = read_notice(raw)
    assert notice is not None
    (about,) = notice.recipients
    assert (about.recipient, about.status) == ("refused@next.test", "5.1.1")
    assert about.remote_mta == "127.0.0.1"


async def test_a_report_about_a_report_is_never_written(
    database: AnyDatabase, hop: NextHop
) -> None:
    """Hazard 53: a DSN of a DSN."""
    post = Post(database, hop)
    report = (
        b"From: ann@x.test\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        b"--b\r\n\r\nSorry\r\n--b--\r\n"
    )
    await post.submit("refused@next.test", content=report)
    await post.delivering.deliver_due()
    assert await post.states() == ["failed"]
    assert await post.inbox("ann@x.test") == []


async def test_an_unknown_mailbox_of_ours_fails_with_a_report(database: AnyDatabase) -> None:
    post = Post(database)
    await post.administering.change(
        {"email_rule_settings": {"blockReceiveUnknowAddressEmail": True}}
    )
    await post.post("nobody@y.test")
    await post.delivering.deliver_due()
    assert await post.states() == ["failed"]
    (attempt,) = await post.attempts()
    assert attempt.reply.startswith("550 5.1.1")
    assert len(await post.inbox("ann@x.test")) == 1


async def test_deferred_mail_follows_the_schedule_and_is_given_up_after_four_days(
    database: AnyDatabase, hop: NextHop
) -> None:
    post = Post(database, hop)
    await post.submit("deferred@next.test", content=LETTER)
    attempts = 0
    for _ in range(6 * 24 * 2):
        attempts += await post.delivering.deliver_due()
        if await post.states() == ["failed"]:
            break
        assert await post.states() == ["deferred"]
        post.wait(30)
    assert await post.states() == ["failed"]
    assert 20 < attempts < 40
    (raw,) = await post.inbox("ann@x.test")
    notice = read_notice(raw)
    assert notice is not None
    assert notice.recipients[0].diagnostic.startswith("451 4.7.1")


async def test_a_resend_key_is_a_way_out_of_its_own(
    database: AnyDatabase, hop: NextHop, tmp_path: Path
) -> None:
    """Mailbox API §10.5: it comes before the relay of the domain and before `outbound`, which
    holds mail here, and hands the message over whole."""
    hop.tls = certificate(tmp_path).server
    hop.login = ("resend", "re_of_x")
    post = Post(
        database,
        outbound="hold",
        resend_tokens={"x_test": "re_of_x"},
        resend_server=f"smtp://127.0.0.1:{hop.port}?tls=required&verify=no",
        smtp_config={"x.test": SmtpChannel(host="127.0.0.1", port=1)},
    )
    await post.post("bob@next.test", "carol@next.test")
    assert await post.states() == ["queued", "queued"]
    assert await post.delivering.deliver_due() == 2
    (taken,) = hop.taken
    assert taken.recipients == ("bob@next.test", "carol@next.test")
    assert b"\r\nSubject: Hello\r\n" in taken.content
    assert await post.states() == ["delivered", "delivered"]
    attempts = await post.attempts()
    assert attempts
    assert all("re_of_x" not in attempt.conversation for attempt in attempts)


async def test_a_resend_key_that_is_wrong_keeps_the_mail(
    database: AnyDatabase, hop: NextHop, tmp_path: Path
) -> None:
    hop.tls = certificate(tmp_path).server
    hop.login = ("resend", "another")
    server = f"smtp://127.0.0.1:{hop.port}?tls=required&verify=no"
    post = Post(database, resend_token="re_wrong", resend_server=server)
    await post.post("bob@next.test")
    await post.delivering.deliver_due()
    assert await post.states() == ["deferred"]
    assert hop.taken == []
