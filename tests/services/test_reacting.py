"""What follows from a mail that arrived, on both stores."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailbox_service.core import forwarding, mime_parts
from mailbox_service.core.auto_reply import MOST_A_MAILBOX, MOST_A_SENDER, AutoReply
from mailbox_service.core.envelope import Envelope
from mailbox_service.core.errors import BadContent
from mailbox_service.services import consequences, reacting
from tests.databases import AnyDatabase
from tests.services.parts import PEER
from tests.services.reactions import LETTER, Reactions, read
from tests.webhook_receiver import Receiver, receiving

pytestmark = pytest.mark.anyio

AWAY = AutoReply("Away", "Back on Monday.", True, "", "Bob")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


def hook(receiver: Receiver, body: str = "${subject}", **changes: Any) -> dict[str, Any]:
    headers = '{"Content-Type": "text/plain"}'
    return {"enabled": True, "url": receiver.url, "method": "POST", "headers": headers,
            "body": body, **changes}  # fmt: skip


async def test_a_mail_goes_on_to_every_target_in_order_as_it_came(database: AnyDatabase) -> None:
    rules = [
        {"domains": ["x.test"], "forward": "b@far.test"},
        {"domains": ["y.test"], "forward": "never@far.test"},
        {"domains": ["x.test", ""], "forward": "a@far.test"},
    ]
    post = Reactions(
        database,
        forward_address_list=["a@far.test", "nonsense"],
        subdomain_forward_address_list=rules,
    )
    await post.administering.change(
        {"email_rule_settings": {"emailForwardingList": [{"forward": "c@far.test"}]}}
    )
    fate = await post.mail()
    assert fate.forwarded_to == ["a@far.test", "nonsense", "b@far.test", "a@far.test", "c@far.test"]
    (stored,) = await post.inbox("bob@x.test")
    queued = await post.queued()
    assert [names for _, names, _ in queued] == [
        ("a@far.test", "b@far.test", "c@far.test"), ("a@far.test",)
    ]  # fmt: skip
    for submission, _, content in queued:
        copies = b"".join(forwarding.marked(b"", "", fate.forwarded_to).splitlines(True)[1:])
        assert content == b"X-Loop: bob@x.test\r\n" + copies + stored
        assert (submission.reverse_path, submission.listed) == ("bob@x.test", 0)


async def test_a_forward_costs_nothing_and_is_in_no_sent_box(database: AnyDatabase) -> None:
    post = Reactions(database, forward_address_list=["a@far.test"])
    await post.mail()
    assert (await post.sent.page("bob@x.test", limit=10)).messages == []
    assert await post.count("allowances") == 0
    assert await post.count("send_counts") == 0


async def test_forwards_between_our_own_mailboxes_end(database: AnyDatabase) -> None:
    """A circle of rules: each mailbox gets the mail once, and then nothing moves."""
    rules = [
        {"domains": ["x.test"], "forward": "carol@y.test"},
        {"domains": ["y.test"], "forward": "bob@x.test"},
    ]
    post = Reactions(database, subdomain_forward_address_list=rules)
    await post.mail()
    for _ in range(5):
        await post.delivering.deliver_due()
        while await post.reacting.react_to_some():
            pass
    assert len(await post.inbox("bob@x.test")) == 1
    assert len(await post.inbox("carol@y.test")) == 1


async def test_forwards_to_many_of_our_own_mailboxes_are_one_copy_each(
    database: AnyDatabase,
) -> None:
    """Each copy is judged by the same rules; they must not make copies of copies."""
    several = [f"{name}@y.test" for name in "abcdefgh"]
    rules = [{"domains": ["y.test"], "forward": "last@x.test"}]
    post = Reactions(database, forward_address_list=several, subdomain_forward_address_list=rules)
    fate = await post.mail()
    assert fate.forwarded_to == several
    for _ in range(6):
        await post.delivering.deliver_due()
        while await post.reacting.react_to_some():
            pass
    assert [len(await post.inbox(name)) for name in several] == [1] * len(several)
    # What only a copy's own rule says is done for each of them, and ends there.
    assert len(await post.inbox("last@x.test")) == len(several)
    assert await post.count("messages") == 1 + 2 * len(several)


async def test_a_bounce_goes_on_with_the_null_reverse_path(database: AnyDatabase) -> None:
    """Hazard 53: a bounce of a bounce is not possible."""
    post = Reactions(database, forward_address_list=["a@far.test"])
    await post.mail(sender="")
    ((submission, _, _),) = await post.queued()
    assert submission.reverse_path == ""


async def test_without_a_way_out_nothing_is_queued(database: AnyDatabase) -> None:
    post = Reactions(database, forward_address_list=["a@far.test"], send_mail_domains=["y.test"])
    fate = await post.mail()
    assert (fate.forwarded_to, await post.queued()) == ([], [])


async def test_notices_of_our_own_are_quiet(database: AnyDatabase) -> None:
    post = Reactions(database, forward_address_list=["a@far.test"])
    await post.receiving.store_notice("bob@x.test", "admin@internal", LETTER)
    assert await post.reacting.react_to_some() == 1
    assert await post.queued() == []


async def test_a_mailbox_answers_by_itself(database: AnyDatabase) -> None:
    post = Reactions(database)
    await post.auto_replying.save("bob@x.test", AWAY)
    assert (await post.mail()).replied
    ((submission, names, content),) = await post.queued()
    assert (submission.reverse_path, names) == ("", ("ann@sender.example",))
    message = read(content)
    assert message["From"] == "Bob <bob@x.test>"
    assert message["In-Reply-To"] == "<1@sender.example>"
    assert message["Auto-Submitted"] == "auto-replied"


@pytest.mark.parametrize(
    ("change", "settings"),
    [({"enabled": False}, {}), ({"source_prefix": "x"}, {}), ({}, {"enable_auto_reply": False})],
)
async def test_one_that_is_off_does_not(
    database: AnyDatabase, change: dict[str, Any], settings: dict[str, Any]
) -> None:
    post = Reactions(database, **settings)
    values = {"subject": "s", "message": "m", "enabled": True, "source_prefix": "", "name": ""}
    await post.auto_replying.save("bob@x.test", AutoReply(**{**values, **change}))
    assert not (await post.mail()).replied
    assert await post.queued() == []


async def test_two_mailboxes_that_both_answer_do_not_talk_for_ever(database: AnyDatabase) -> None:
    """Limitation 30 of the contract: one answer, and none to it."""
    post = Reactions(database)
    await post.auto_replying.save("bob@x.test", AWAY)
    await post.auto_replying.save("ann@y.test", AWAY)
    await post.mail(sender="ann@y.test")
    for _ in range(5):
        await post.delivering.deliver_due()
        while await post.reacting.react_to_some():
            pass
    assert (len(await post.inbox("ann@y.test")), len(await post.inbox("bob@x.test"))) == (1, 1)


async def test_a_sender_gets_a_few_answers_an_hour(database: AnyDatabase) -> None:
    post = Reactions(database)
    await post.auto_replying.save("bob@x.test", AWAY)
    replied = [(await post.mail()).replied for _ in range(MOST_A_SENDER + 2)]
    assert replied == [True] * MOST_A_SENDER + [False] * 2
    assert (await post.mail(sender="other@sender.example")).replied
    post.wait(61)
    assert (await post.mail()).replied
    assert await post.count("auto_reply_counts") == 2


async def test_a_mailbox_gives_a_bounded_number_of_answers_to_forged_senders(
    database: AnyDatabase,
) -> None:
    """Hazard 53: no backscatter beyond a bound."""
    post = Reactions(database)
    await post.auto_replying.save("bob@x.test", AWAY)
    for number in range(MOST_A_MAILBOX + 5):
        await post.mail(sender=f"forged{number}@sender.example")
    assert len(await post.queued()) == MOST_A_MAILBOX


async def test_webhooks_are_told_the_administrators_first(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = Reactions(database, frontend_url="https://page.test/")
    await post.administering.change({"mail_webhook_settings": hook(receiver, "all ${to}")})
    await post.hooks.save("bob@x.test", hook(receiver, "own ${id} ${url} ${from}"))
    fate = await post.mail()
    assert [one.owner for one in fate.posts] == ["", "bob@x.test"]
    await post.post_all()
    number = fate.message_id
    assert sorted(got.text for got in receiver.got) == [
        "all bob@x.test",
        f"own {number} https://page.test/?mail_id={number} Ann <ann@sender.example>",
    ]
    assert [line.state for line in await post.log()] == ["delivered"]
    assert receiver.got[0].headers["content-type"] == "text/plain"


async def test_the_allow_list_decides_about_a_mailboxs_own(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = Reactions(database)
    await post.hooks.save("bob@x.test", hook(receiver))
    await post.administering.change(
        {"webhook_settings": {"enableAllowList": True, "allowList": ["carol@x.test"]}}
    )
    assert (await post.mail()).posts == []
    await post.administering.change(
        {"webhook_settings": {"enableAllowList": True, "allowList": ["BOB@x.test"]}}
    )
    assert len((await post.mail()).posts) == 1


async def test_webhooks_that_are_off_are_not_told(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = Reactions(database, enable_webhook=False)
    await post.hooks.save("bob@x.test", hook(receiver))
    assert (await post.mail()).posts == []
    post = Reactions(database)
    await post.hooks.save("bob@x.test", hook(receiver, enabled=False))
    assert (await post.mail()).posts == []


async def test_a_webhook_that_makes_no_request_says_so_in_its_log(database: AnyDatabase) -> None:
    post = Reactions(database)
    value = {"enabled": True, "url": "ftp://h.test", "method": "POST", "headers": "{", "body": ""}
    await post.hooks.save("bob@x.test", value)
    await post.mail()
    (line,) = await post.log()
    assert (line.state, line.attempts) == ("failed", 0)
    assert line.reason.startswith(("TypeError", "SyntaxError"))


async def test_services_are_called_by_keyword(database: AnyDatabase, receiver: Receiver) -> None:
    services = [
        {"binding": receiver.url, "keywords": ["nothing", "HOW are"]},
        {"binding": receiver.url, "keywords": []},
        {"binding": receiver.url, "keywords": ["absent"]},
        {"binding": "not-an-address", "keywords": ["how"]},
    ]
    post = Reactions(database, enable_another_worker=True, another_worker_list=services)
    await post.mail()
    await post.post_all()
    (got,) = receiver.got
    body = json.loads(got.text)
    assert (body["from"], body["to"]) == ("ann@sender.example", "bob@x.test")
    assert body["headers"]["subject"] == "Hello"
    assert body["rawEmail"].endswith("How are you?\r\n")


async def test_junk_is_refused_before_the_address_is_looked_at(database: AnyDatabase) -> None:
    post = Reactions(
        database, enable_check_junk_mail=True, junk_mail_check_list=["spf"],
        junk_mail_force_pass_list=["dkim"],
    )  # fmt: skip
    good = b"Authentication-Results: mx; dkim=pass; spf=pass\r\n" + LETTER
    for bad in (LETTER, good.replace(b"spf=pass", b"spf=fail"), good.replace(b"dkim=pass", b"x")):
        with pytest.raises(BadContent, match="Junk mail"):
            await post.mail(content=bad)
    await post.administering.change(
        {"email_rule_settings": {"blockReceiveUnknowAddressEmail": True}}
    )
    with pytest.raises(BadContent):
        await post.mail(content=LETTER)
    await post.administering.change({"email_rule_settings": {}})
    await post.mail(content=good)
    assert len(await post.inbox("bob@x.test")) == 1


@pytest.mark.parametrize(
    ("settings", "size", "kept"),
    [
        ({"remove_all_attachment": True}, 10, False),
        ({"remove_exceed_size_attachment": True}, 10, True),
        ({"remove_exceed_size_attachment": True}, 3 << 20, False),
        ({}, 10, True),
    ],
)
async def test_attachments_are_taken_out_before_the_mail_is_kept(
    database: AnyDatabase, settings: dict[str, Any], size: int, kept: bool
) -> None:
    post = Reactions(database, **settings)
    parts = (
        b"--b\r\nContent-Type: text/plain\r\n\r\nwords\r\n"
        b"--b\r\nContent-Type: application/pdf\r\n\r\nPDF" + b"\r\nx" * (size // 3) + b"\r\n--b--"
    )
    raw = b"Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + parts
    await post.mail(content=raw)
    (stored,) = await post.inbox("bob@x.test")
    assert (b"PDF" in stored) is kept
    assert b"words" in stored


async def test_closing_an_address_takes_its_webhook_and_answer_along(
    database: AnyDatabase, receiver: Receiver
) -> None:
    """A later owner of the name inherits nothing (mailbox-api §8.3)."""
    post = Reactions(database)
    opened = await post.registering.open_for_visitor(
        name="bob", domain="x.test", random_subdomain=False, ip=""
    )
    await post.hooks.save("bob@x.test", hook(receiver))
    await post.auto_replying.save("bob@x.test", AWAY)
    await post.mail()
    await post.registering.close(opened.address_id, "bob@x.test")
    for table in ("webhook_settings", "webhook_posts", "auto_replies", "auto_reply_counts"):
        assert await post.count(table) == 0, table
    fate = await post.mail()
    assert not fate


class Cut(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", ["put_into_queue", "webhooks.add", "answer_within"])
async def test_a_kill_between_decision_and_record_loses_and_doubles_nothing(
    database: AnyDatabase, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Jobs and cursor are one transaction: none of it is there, and then all of it, once."""
    post = Reactions(database, forward_address_list=["a@far.test", "b@far.test", "a@far.test"])
    await post.hooks.save("bob@x.test", hook(receiver))
    await post.auto_replying.save("bob@x.test", AWAY)
    receipt = await post.receiving.accept(
        Envelope("ann@sender.example", ("bob@x.test",)), LETTER, PEER
    )

    async def cut(*_: Any, **__: Any) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(f"mailbox_service.services.reacting.{step}", cut)
        with pytest.raises(Cut):
            await post.reacting.react_to_some()
    assert await post.queued() == []
    assert await post.count("webhook_posts") == 0
    restarted = post.another_worker()
    fate = await restarted.react_to(receipt.message_ids[0])
    assert (len(fate.forwards), len(fate.posts), fate.replied) == (2, 1, True)
    assert await post.another_worker().react_to_some() == 0
    assert len(await post.queued()) == 3
    assert await post.count("webhook_posts") == 1


async def test_two_workers_on_one_store_do_everything_once(database: AnyDatabase) -> None:
    post = Reactions(database, forward_address_list=["a@far.test"])
    for _ in range(30):
        await post.receive("bob@x.test", content=LETTER)
    workers = [post.another_worker() for _ in range(3)]

    async def work(worker: reacting.Reacting) -> None:
        while await worker.react_to_some():
            pass

    await asyncio.gather(*(work(worker) for worker in workers))
    assert len(await post.queued()) == 30


async def test_while_nothing_follows_the_cursor_is_not_written_for_each_mail(
    database: AnyDatabase,
) -> None:
    post = Reactions(database)
    post.reacting._written_at = post.clock.now
    for _ in range(3):
        await post.mail()
    assert await post.count("cursors") == 0
    post.wait(1)
    await post.mail()
    assert await post.count("cursors") == 1


async def test_a_mail_that_breaks_a_rule_of_ours_does_not_stop_the_next(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = Reactions(database, forward_address_list=["a@far.test"])
    real = mime_parts.read_header

    def broken(content: bytes) -> Any:
        if b"Hello" in content:
            raise ZeroDivisionError
        return real(content)

    monkeypatch.setattr(consequences, "read_header", broken)
    await post.receive("bob@x.test", content=LETTER)
    fate = await post.mail(content=LETTER.replace(b"Hello", b"Other"))
    assert fate.forwarded_to == ["a@far.test"]
    assert len(await post.queued()) == 1


async def test_a_webhook_tells_of_the_mail_that_meets_its_conditions(
    database: AnyDatabase, receiver: Receiver
) -> None:
    """What is filtered out makes no row: neither the mailbox's nor the administrator's."""
    post = Reactions(database)
    own = {"senders": ["*@sender.example"], "subject": "^hello"}
    await post.hooks.save("bob@x.test", hook(receiver, "own", conditions=own))
    all_mail = {"recipients": ["*@x.test"], "has_code": False}
    await post.hooks.save_admin(hook(receiver, "all", conditions=all_mail))
    for to, subject, expected in (
        ("bob@x.test", b"Hello", ["", "bob@x.test"]),
        ("bob@x.test", b"Goodbye", [""]),
        ("carol@y.test", b"Hello", []),
        ("bob@x.test", b"Hello, your code is 482913", ["bob@x.test"]),
    ):
        fate = await post.mail(to, LETTER.replace(b"Hello", subject))
        assert [one.owner for one in fate.posts] == expected
    assert await post.count("webhook_posts") == 4


async def test_conditions_that_make_no_sense_keep_everything_back(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = Reactions(database)
    await post.hooks.save("bob@x.test", hook(receiver, conditions={"sender": ["*"]}))
    assert (await post.mail()).posts == []
