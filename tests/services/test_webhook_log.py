"""The log of all webhooks: found, opened, made again, given up, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailbox_service import signals as topics
from mailbox_service.core.errors import BadRequest, Conflict, NotFound
from mailbox_service.core.webhook import HttpRequest
from mailbox_service.core.webhook_log import DeliveryFilter
from mailbox_service.services.webhook_log import CANCELLED, WebhookLog
from mailbox_service.storage import webhooks
from mailbox_service.storage.webhooks import NewPost
from tests.databases import AnyDatabase
from tests.services.reactions import LETTER, Reactions
from tests.webhook_receiver import Receiver, answer, receiving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


async def mailed(database: AnyDatabase, url: str) -> Reactions:
    """A mailbox with a webhook and a mail that it is to be told about."""
    post = Reactions(database)
    hook: dict[str, Any] = {"enabled": True, "url": url, "method": "POST",
                            "headers": '{"X-Key": "s3cret"}', "body": "${subject}"}  # fmt: skip
    await post.hooks.save("bob@x.test", hook)
    await post.mail(content=LETTER)
    return post


def log_of(post: Reactions) -> WebhookLog:
    return WebhookLog(post.database, post.signals, clock=post.clock)


async def add(post: Reactions, owner: str, url: str, event: str = "mail") -> None:
    """Keep a post of another owner."""
    request = HttpRequest(url, "hook.test", "POST", (), b"{}")
    new = NewPost(f"msg_{owner}_{event}", owner, 1, "a@b.test", request, event=event)
    await post.database.write(webhooks.add, new, now=post.clock.now, most_waiting=10)


async def test_deliveries_of_every_kind_newest_first(database: AnyDatabase) -> None:
    post = Reactions(database)
    await add(post, "bob@x.test", "https://one.test/in")
    await add(post, "", "https://two.test/in")
    await add(post, "sending:7", "https://three.test/in", "delivered")
    log = log_of(post)
    found, count = await log.page(limit=2)
    assert [(one.owner, one.event, one.state) for one in found] == [
        ("sending:7", "delivered", "waiting"), ("", "mail", "waiting")]  # fmt: skip
    assert count == 3
    rest, _ = await log.page(limit=2, before_id=found[-1].id)
    assert [one.owner for one in rest] == ["bob@x.test"]


# filter, owners that are found
FILTERS = [
    (DeliveryFilter(kind="sending"), ["sending:7"]),
    (DeliveryFilter(kind="mailbox"), ["", "bob@x.test"]),
    (DeliveryFilter(url="ONE.test"), ["bob@x.test"]),
    (DeliveryFilter(url="%"), []),
    (DeliveryFilter(state="failed"), []),
    (DeliveryFilter(state="waiting", kind="sending"), ["sending:7"]),
    (DeliveryFilter(owners=("sending:7", "sending:8")), ["sending:7"]),
    (DeliveryFilter(owners=()), []),
]


async def test_every_filter(database: AnyDatabase) -> None:
    post = Reactions(database)
    await add(post, "bob@x.test", "https://one.test/in")
    await add(post, "", "https://two.test/in")
    await add(post, "sending:7", "https://three.test/in")
    for wanted, owners in FILTERS:
        found, count = await log_of(post).page(wanted, limit=10)
        assert ([one.owner for one in found], count) == (owners, len(owners)), wanted
    for wrong in (DeliveryFilter(state="lost"), DeliveryFilter(kind="telegram")):
        with pytest.raises(BadRequest):
            await log_of(post).page(wrong, limit=10)


async def test_a_delivery_with_its_body_and_every_answer(
    database: AnyDatabase, receiver: Receiver
) -> None:
    receiver.answers = [answer(500, "Oops", b"broken")]
    post = await mailed(database, receiver.url)
    await post.post_all()
    post.wait(1)
    await post.post_all()
    (line,) = await post.log()
    opened = await log_of(post).open(line.id)
    assert opened.body == "Hello"
    assert dict(opened.delivery.headers)["X-Key"] == "s3cret"
    assert [(one.status, one.reason, one.answer) for one in opened.attempts] == [
        (500, "Oops", "broken"), (204, "OK", "")] or opened.attempts[1].status == 204  # fmt: skip
    assert opened.attempts[0].at < opened.attempts[1].at
    with pytest.raises(NotFound):
        await log_of(post).open(line.id + 1)
    with pytest.raises(NotFound):
        await log_of(post).open(line.id, DeliveryFilter(owners=("sending:1",)))


async def test_a_delivery_is_made_again_with_the_same_id(
    database: AnyDatabase, receiver: Receiver
) -> None:
    post = await mailed(database, receiver.url)
    await post.post_all()
    (line,) = await post.log()
    with post.signals.watch(topics.WEBHOOKS) as watch:
        assert await log_of(post).replay(line.id) == line.id
        assert await watch.wait(0)
    await post.post_all()
    (again,) = await post.log()
    assert (again.state, again.attempts, again.webhook_id) == ("delivered", 2, line.webhook_id)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert [got.body for got in receiver.got] == [b"Hello", b"Hello"]
    assert len((await log_of(post).open(line.id)).attempts) == 2


async def test_what_was_given_up_has_all_its_tries_again(
    database: AnyDatabase, receiver: Receiver
) -> None:
    receiver.answers = [answer(410, "Gone"), answer(503, "Busy")]
    post = await mailed(database, receiver.url)
    await post.post_all()
    (line,) = await post.log()
    assert line.state == "failed"
    post.wait(3 * 24 * 60)  # longer than a post is tried
    await log_of(post).replay(line.id)
    await post.post_all()
    (line,) = await post.log()
    assert (line.state, line.attempts) == ("waiting", 2)
    assert line.next_attempt_at == post.clock.now + 5_000_000  # as after a first attempt
    post.wait(1)
    await post.post_all()
    assert (await post.log())[0].state == "delivered"


async def test_what_waits_comes_due(database: AnyDatabase, receiver: Receiver) -> None:
    receiver.answers = [answer(503, "Busy")]
    post = await mailed(database, receiver.url)
    await post.post_all()
    (line,) = await post.log()
    await log_of(post).replay(line.id)
    await post.post_all()
    (line,) = await post.log()
    assert (line.state, line.attempts) == ("delivered", 2)


async def test_what_cannot_be_made_again_says_why(
    database: AnyDatabase, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "KEPT_BODY", 1)
    post = await mailed(database, receiver.url)
    await post.post_all()
    (line,) = await post.log()
    with pytest.raises(Conflict, match="not kept any more"):
        await log_of(post).replay(line.id)
    assert (await log_of(post).open(line.id)).body is None
    await post.mail(content=LETTER)
    newest = (await post.log())[0]
    await database.write(
        webhooks.claim_due, now=post.clock.now, lease_until=post.clock.now + 10**9, holder="x",
        limit=9, room=lambda host: 9, after="",
    )  # fmt: skip
    with pytest.raises(Conflict, match="at this moment"):
        await log_of(post).replay(newest.id)
    with pytest.raises(Conflict, match="does not wait"):
        await log_of(post).cancel(newest.id)
    with pytest.raises(NotFound):
        await log_of(post).replay(newest.id + 1)


async def test_what_waits_can_be_given_up_and_made_again(
    database: AnyDatabase, receiver: Receiver
) -> None:
    receiver.answers = [answer(503, "Busy")]
    post = await mailed(database, receiver.url)
    await post.post_all()
    (line,) = await post.log()
    assert await log_of(post).cancel(line.id) == line.id
    post.wait(60)
    await post.post_all()
    (line,) = await post.log()
    assert (line.state, line.reason, len(receiver.got)) == ("failed", CANCELLED, 1)
    await log_of(post).replay(line.id)
    await post.post_all()
    assert (await post.log())[0].state == "delivered"
