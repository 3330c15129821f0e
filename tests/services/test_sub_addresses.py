"""`name+tag`: mail for it lands in `name`, and whoever owns `name` may write as it (RFC 5233)."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core.address import without_detail
from mailbox_service.core.envelope import Envelope, Principal
from mailbox_service.core.errors import FromNotYours, UnknownMailbox
from mailbox_service.signals import mailbox as topic
from tests.databases import AnyDatabase
from tests.nexthop import NextHop, running
from tests.services.parts import LETTER, PEER
from tests.services.posting import Post

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("address", "below"),
    [
        ("ann+shop@x.test", "ann@x.test"),
        ("ann+a+b@x.test", "ann@x.test"),
        ("ann+@x.test", "ann@x.test"),
        ("ann@x.test", None),
        ("+shop@x.test", None),
        ("+@x.test", None),
    ],
)
def test_what_a_sub_address_is(address: str, below: str | None) -> None:
    assert without_detail(address) == below


async def opened(post: Post, *names: str) -> dict[str, Principal]:
    """Open addresses of x.test; their owners."""
    owners = {}
    for name in names:
        made = await post.registering.open_by_admin(
            name=name, domain="x.test", with_prefix=False, random_subdomain=False
        )
        owners[name] = Principal("address", made.address, made.address_id)
    return owners


NAMES: dict[str, Any] = {"address_regex": "[^a-z0-9+]"}


async def arrived(post: Post, *recipients: str) -> None:
    await post.receiving.accept(Envelope("bob@far.example", recipients), LETTER, PEER)


async def counts(post: Post, *addresses: str) -> list[int]:
    return [len(await post.inbox(address)) for address in addresses]


async def test_mail_for_a_tag_lands_in_the_mailbox_and_keeps_the_tag(
    database: AnyDatabase,
) -> None:
    post = Post(database)
    await opened(post, "ann")
    with post.signals.watch(topic("ann@x.test")) as watch:
        await arrived(post, "ann+shop@x.test")
        assert await watch.wait(10)
    [raw] = await post.inbox("ann@x.test")
    assert b"for <ann+shop@x.test>" in raw
    assert await counts(post, "ann+shop@x.test") == [0]


async def test_the_mail_door_takes_the_same_way(database: AnyDatabase) -> None:
    post = Post(database)
    await opened(post, "ann")
    await post.receiving.receive(Envelope("bob@far.example", ("ann+a@x.test",)), LETTER, PEER)
    await arrived(post, "bob@x.test")  # what is accepted at once is in the tables by now
    assert await counts(post, "ann@x.test", "ann+a@x.test") == [1, 0]


async def test_several_tags_of_one_mailbox_make_one_copy(database: AnyDatabase) -> None:
    post = Post(database)
    await opened(post, "ann", "bob")
    await arrived(post, "ann+a@x.test", "ann@x.test", "ann+b@x.test", "bob@x.test")
    assert await counts(post, "ann@x.test", "bob@x.test") == [1, 1]


async def test_an_address_that_was_opened_with_a_tag_is_its_own(database: AnyDatabase) -> None:
    post = Post(database, **NAMES)
    await opened(post, "ann", "ann+shop")
    await arrived(post, "ann+shop@x.test")
    assert await counts(post, "ann@x.test", "ann+shop@x.test") == [0, 1]


async def test_without_such_a_mailbox_the_mail_waits_under_its_own_name(
    database: AnyDatabase,
) -> None:
    post = Post(database)
    await arrived(post, "ann+shop@x.test")
    assert await counts(post, "ann@x.test", "ann+shop@x.test") == [0, 1]


async def test_it_can_be_switched_off(database: AnyDatabase) -> None:
    post = Post(database, enable_sub_addresses=False)
    owners = await opened(post, "ann")
    await arrived(post, "ann+shop@x.test")
    assert await counts(post, "ann@x.test", "ann+shop@x.test") == [0, 1]
    with pytest.raises(FromNotYours):
        await submitted(post, owners["ann"], "ann+shop@x.test")


@pytest.mark.parametrize("enabled", [True, False])
async def test_where_unknown_addresses_are_refused_a_tag_makes_none_of_a_known_one(
    database: AnyDatabase, enabled: bool
) -> None:
    post = Post(database, enable_sub_addresses=enabled)
    await opened(post, "ann")
    await post.administering.change(
        {"email_rule_settings": {"blockReceiveUnknowAddressEmail": True}}
    )
    await post.receiving.check_recipient("ann@x.test", "bob@far.example")
    with pytest.raises(UnknownMailbox):
        await post.receiving.check_recipient("bob+shop@x.test", "bob@far.example")
    if enabled:
        await post.receiving.check_recipient("ann+shop@x.test", "bob@far.example")
        return
    with pytest.raises(UnknownMailbox):
        await post.receiving.check_recipient("ann+shop@x.test", "bob@far.example")


async def submitted(post: Post, owner: Principal, sender: str, *to: str) -> None:
    content = f"From: <{sender}>\r\nSubject: Hello\r\n\r\nText.\r\n".encode()
    envelope = Envelope(sender, to or ("bob@x.test",))
    await post.sending.submit(owner, envelope, content, door="smtp")


async def deliver(post: Post) -> None:
    while await post.delivering.deliver_due():
        pass


async def test_mail_between_our_own_mailboxes_lands_there_too(database: AnyDatabase) -> None:
    post = Post(database)
    owners = await opened(post, "ann", "bob")
    await submitted(post, owners["ann"], "ann@x.test", "bob+a@x.test", "bob+b@x.test")
    await deliver(post)
    assert await counts(post, "bob@x.test", "bob+a@x.test") == [1, 0]


async def test_an_owner_writes_as_a_sub_address_and_finds_it_in_the_sent_box(
    database: AnyDatabase,
) -> None:
    post = Post(database)
    owners = await opened(post, "ann", "bob")
    await submitted(post, owners["ann"], "ann+shop@x.test")
    await deliver(post)
    [raw] = await post.inbox("bob@x.test")
    assert b"From: <ann+shop@x.test>" in raw
    sent = await post.only()
    assert (sent.submission.address, sent.submission.from_address) == (
        "ann@x.test",
        "ann+shop@x.test",
    )


async def test_a_notice_for_a_sub_address_lands_in_the_mailbox(database: AnyDatabase) -> None:
    async with running(NextHop()) as hop:
        post = Post(database, hop)
        owners = await opened(post, "ann")
        await submitted(post, owners["ann"], "ann+shop@x.test", "refused@far.example")
        await deliver(post)
        post.outbound.close()
    [notice] = await post.inbox("ann@x.test")
    assert b"multipart/report" in notice
    assert await counts(post, "ann+shop@x.test") == [0]


@pytest.mark.parametrize(
    "sender", ["bob+shop@x.test", "annx+shop@x.test", "ann+shop@y.test", "bob@x.test"]
)
async def test_sub_addresses_of_others_are_theirs(database: AnyDatabase, sender: str) -> None:
    post = Post(database)
    owners = await opened(post, "ann", "bob")
    with pytest.raises(FromNotYours):
        await submitted(post, owners["ann"], sender)


async def test_a_sub_address_that_somebody_opened_is_theirs(database: AnyDatabase) -> None:
    post = Post(database, **NAMES)
    owners = await opened(post, "ann", "ann+shop", "bob")
    with pytest.raises(FromNotYours):
        await submitted(post, owners["ann"], "ann+shop@x.test")
    await submitted(post, owners["ann+shop"], "ann+shop@x.test")
    with pytest.raises(FromNotYours):
        await submitted(post, owners["ann+shop"], "ann@x.test")
