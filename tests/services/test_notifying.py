"""Webhook posts: made, repeated, given up, and never in each other's way. Hazard 41."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailbox_service.core.errors import TooManyRequests
from mailbox_service.core.webhook import HttpAnswer, signing_key
from mailbox_service.services import notifying
from mailbox_service.storage import webhooks as stored
from tests.databases import AnyDatabase
from tests.services.reactions import LETTER, Reactions
from tests.webhook_receiver import Got, Receiver, answer, receiving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


def hook(url: str, body: str = "${subject}") -> dict[str, Any]:
    return {"enabled": True, "url": url, "method": "POST", "headers": "{}", "body": body}


async def mailed(database: AnyDatabase, url: str, count: int = 1, **settings: Any) -> Reactions:
    """A mailbox with a webhook and mail that it is to be told about."""
    post = Reactions(database, **settings)
    await post.hooks.save("bob@x.test", hook(url))
    for number in range(count):
        await post.mail(content=LETTER.replace(b"Hello", b"n%d" % number))
    return post


async def test_a_post_that_is_not_taken_is_made_again_with_the_same_id(
    database: AnyDatabase, receiver: Receiver
) -> None:
    receiver.answers = [answer(500, "Oops", b"<b>broken</b>" * 500), answer(302, "Found")]
    post = await mailed(database, receiver.url)
    await post.post_all()
    (line,) = await post.log()
    assert (line.state, line.status, line.reason, line.attempts) == ("waiting", 500, "Oops", 1)
    assert line.answer.startswith("<b>broken</b>")
    assert len(line.answer) <= 2048
    assert line.next_attempt_at == post.clock.now + 5_000_000
    await post.post_all()
    assert len(receiver.got) == 1
    for minutes in (0.1, 1):
        post.wait(minutes)
        await post.post_all()
    (line,) = await post.log()
    assert (line.state, line.status, line.attempts) == ("delivered", 204, 3)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert len({got.headers["webhook-timestamp"] for got in receiver.got}) == 3
    assert await post.count("contents") == 2  # for a day, so that it can be made again


async def test_a_receiver_that_fails_for_two_days_is_given_up(
    database: AnyDatabase, receiver: Receiver
) -> None:
    receiver.answers = [answer(503, "Busy")] * 100
    post = await mailed(database, receiver.url)
    for _ in range(100):
        await post.post_all()
        (line,) = await post.log()
        if line.next_attempt_at is None:
            break
        post.clock.now = line.next_attempt_at
    assert line.state == "failed"
    assert 15 < line.attempts < 30
    assert await post.count("contents") == 2  # for as long as the log has it
    assert await post.count("webhook_attempts") == line.attempts


async def test_a_receiver_that_is_gone_is_asked_once(
    database: AnyDatabase, receiver: Receiver
) -> None:
    receiver.answers = [answer(410, "Gone")]
    post = await mailed(database, receiver.url)
    await post.post_all()
    assert [line.state for line in await post.log()] == ["failed"]


async def test_posts_are_signed_and_each_mailbox_knows_its_own_secret(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = await mailed(database, receiver.url, webhook_secret="a secret of the service")
    await post.administering.change({"mail_webhook_settings": hook(receiver.url, "all")})
    await post.mail()
    await post.post_all()
    for got in receiver.got:
        owner = "" if got.text == "all" else "bob@x.test"
        assert signed_with(post.hooks.secret_of(owner), got)
        assert not signed_with(post.hooks.secret_of("carol@x.test"), got)
    assert len(receiver.got) == 3


def signed_with(secret: str, got: Got) -> bool:
    """What docs/api/webhooks.md tells receivers to do."""
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    digest = hmac.digest(signing_key(secret), signed, hashlib.sha256)
    return got.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()


async def test_without_a_secret_there_is_an_id_and_no_signature(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = await mailed(database, receiver.url)
    await post.post_all()
    (got,) = receiver.got
    assert got.headers["webhook-id"].startswith("msg_")
    assert "webhook-signature" not in got.headers


async def test_a_receiver_that_hangs_delays_no_other(database: AnyDatabase) -> None:
    """Hazard 41: a hundred posts to a host that says nothing, and one to another host."""
    async with receiving() as slow, receiving() as quick:
        slow.hangs = True
        post = await mailed(database, slow.url, 100)
        other = hook(quick.url.replace("127.0.0.1", "localhost"))
        await post.hooks.save("carol@x.test", other)
        await post.mail("carol@x.test")
        worker = asyncio.create_task(post.notifying.run())
        try:
            await quick.wait(1)
            await slow.wait(notifying.MOST_A_HOST)
            assert len(slow.got) == notifying.MOST_A_HOST
            slow.hangs = False
            slow.released.set()
            await slow.wait(100)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)


async def test_a_kill_between_a_post_and_its_record_posts_again_with_the_same_id(
    database: AnyDatabase, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never lost; and a receiver that looks at `webhook-id` sees it once."""
    post = await mailed(database, receiver.url)

    async def cut(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(notifying.Notifying, "_record", cut)
        await post.post_all()
    (line,) = await post.log()
    assert (line.state, len(receiver.got)) == ("posting", 1)
    restarted = post.another_poster()
    assert not await restarted.start_some()
    post.wait(1.1)
    assert await restarted.start_some()
    await restarted.settled()
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert [line.state for line in await post.log()] == ["delivered"]


async def test_leases_of_the_dead_end_at_the_start(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = await mailed(database, receiver.url)
    now = post.clock.now
    claims, _ = await database.write(
        stored.claim_due, now=now, lease_until=now + 10**9, holder="dead", limit=10,
        room=lambda host: 4, after="",
    )  # fmt: skip
    assert len(claims) == 1
    await database.write(stored.end_leases, now=now)
    await post.post_all()
    assert len(receiver.got) == 1


async def test_a_late_record_of_a_lost_lease_changes_nothing(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = await mailed(database, receiver.url)
    await post.post_all()
    (line,) = await post.log()
    assert line.state == "delivered"
    claim = stored.Claim(line.id, "", "bob@x.test", "h", 1, 0, 1, 0, 0, None)  # type: ignore
    kept = await database.write(
        stored.settle, claim, HttpAnswer(500, "x"), next_attempt_at=5, attempted_at=5,
        holder="another", now=5,
    )  # fmt: skip
    assert not kept
    assert await post.log() == [line]


async def test_new_settings_take_back_what_waits_for_the_old(
    database: AnyDatabase, receiver: Receiver
) -> None:
    receiver.answers = [answer(500, "Oops")]
    post = await mailed(database, receiver.url)
    await post.post_all()
    await post.hooks.save("bob@x.test", {"enabled": False})
    post.wait(10)
    await post.post_all()
    assert (len(receiver.got), await post.log()) == (1, [])
    assert await post.count("contents") == 1


async def test_the_table_is_bounded(
    database: AnyDatabase, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 41: a receiver that is away fills a bounded part of the store."""
    monkeypatch.setattr("mailbox_service.services.reacting.MOST_WAITING", 5)
    monkeypatch.setattr("mailbox_service.services.reacting.KEPT_POSTS", 3)
    post = await mailed(database, receiver.url, 9)
    assert await post.count("webhook_posts") == 5
    await post.post_all()
    await post.mail()
    assert len(await post.log()) == 3 + 1 - 1
    post.wait(8 * 24 * 60)
    await post.post_all()
    await database.write(stored.purge, before=post.clock.now - notifying.KEPT_MICROS, limit=100)
    assert await post.count("webhook_posts") == 1
    assert await post.count("webhook_attempts") == 1


async def test_the_body_of_a_post_that_was_taken_goes_after_a_day(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = await mailed(database, receiver.url)
    await post.post_all()
    for days, bodies in ((0.9, 1), (0.2, 0)):
        post.wait(days * 24 * 60)
        await database.write(stored.purge, before=post.clock.now - notifying.KEPT_MICROS, limit=9)
        assert await post.count("contents") == 1 + bodies
    assert len(await post.log()) == 1


async def test_a_large_body_goes_when_it_was_taken(
    database: AnyDatabase, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "KEPT_BODY", 1)
    post = await mailed(database, receiver.url)
    await post.post_all()
    assert (await post.log())[0].state == "delivered"
    assert await post.count("contents") == 1


async def test_a_private_address_is_told_in_the_log_and_never_called(
    database: AnyDatabase, receiver: Receiver
) -> None:
    """Hazard 40."""
    post = await mailed(database, receiver.url, private=False)
    await post.post_all()
    (line,) = await post.log()
    assert line.reason == "fetch failed: the host has no public address"
    assert receiver.connections == 0


async def test_the_test_call_tells_of_a_stored_mail_or_a_made_up_one(
    database: AnyDatabase, receiver: Receiver
) -> None:
    """mailbox-api §9.12."""
    post = Reactions(database, frontend_url="https://p.test")
    body = "${id}|${url}|${from}|${to}|${subject}|${raw}|${parsedText}|${parsedHtml}|${aiExtract}"
    value = hook(receiver.url, body)
    assert (await post.hooks.try_out(value, address="bob@x.test", recipient="to")).answer.is_success
    number = (await post.mail()).message_id
    assert number
    await post.hooks.try_out(value, address="bob@x.test", recipient="to")
    made_up, real = (got.text for got in receiver.got)
    assert made_up == (
        "0|https://p.test?mail_id=0|test@test.com|to|test subject|test raw email|"
        "test parsed text|test parsed html|null"
    )
    assert real.startswith(f"{number}|https://p.test?mail_id={number}|Ann <ann@sender.example>|to|")


async def test_one_owner_has_one_test_call_at_a_time(
    database: AnyDatabase, receiver: Receiver
) -> None:
    """Nobody makes this service call somebody else all day."""
    post = Reactions(database)
    receiver.hangs = True
    value = hook(receiver.url)
    first = asyncio.create_task(post.hooks.try_out(value, address="bob@x.test", recipient="to"))
    await receiver.wait(1)
    with pytest.raises(TooManyRequests):
        await post.hooks.try_out(value, address="bob@x.test", recipient="to")
    receiver.hangs = False
    assert (
        await post.hooks.try_out(value, address="carol@x.test", recipient="to")
    ).answer.is_success
    receiver.released.set()
    assert (await first).answer.is_success
    assert (await post.hooks.try_out(value, address="bob@x.test", recipient="to")).answer.is_success
