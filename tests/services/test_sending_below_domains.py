"""Addresses below a domain of ours: whether they may send, by which way, and with whose key."""

from __future__ import annotations

import email
from email.utils import parseaddr
from typing import Any

import dkim  # type: ignore[import-untyped]
import pytest

from mailbox_service.config import Config, SmtpChannel
from mailbox_service.core.compose import Draft, NamedAddress
from mailbox_service.core.envelope import Envelope, Principal, Receipt
from mailbox_service.core.errors import NoChannel, NotYours
from mailbox_service.core.policy import domain_of_way_out
from mailbox_service.outbound.sender import Outbound
from tests.databases import AnyDatabase
from tests.nexthop import NextHop, running
from tests.services.posting import ADMIN, Post

pytestmark = pytest.mark.anyio

BELOW: dict[str, Any] = {"enable_send_from_subdomains": True}


async def drafted(
    post: Post, sender: str, by: Principal | None = None, to: str = "bob@next.test"
) -> Receipt:
    draft = Draft(NamedAddress(sender), (NamedAddress(to),), subject="Hello", text="How are you?")
    return await post.sending.submit_draft(by or Principal("address", sender, 1), draft)


async def submitted(post: Post, sender: str) -> Receipt:
    content = f"From: {sender}\r\nSubject: Hello\r\n\r\nHow are you?\r\n".encode()
    principal, envelope = Principal("address", sender, 1), Envelope(sender, ("bob@next.test",))
    return await post.sending.submit(principal, envelope, content, door="smtp")


def relayed(hop: NextHop, *domains: str, **settings: Any) -> dict[str, Any]:
    """Settings where some domains have a relay, and all other mail is held."""
    channel = SmtpChannel(host="127.0.0.1", port=hop.port)
    return {"smtp_config": dict.fromkeys(domains, channel), "outbound": "hold", **settings}


async def test_without_the_option_nobody_sends_from_below_a_domain(database: AnyDatabase) -> None:
    post = Post(database, random_subdomain_domains=["x.test"])
    for sender in ("ann@a.x.test", "ann@b.a.x.test", "ann@A.X.test"):
        for by in (None, ADMIN):
            with pytest.raises(NotYours) as refused:
                await drafted(post, sender.lower(), by)
            assert refused.value.message_key == "InvalidDomainMsg"
        with pytest.raises(NotYours):
            await submitted(post, sender.lower())


async def test_with_it_they_send_through_every_door(database: AnyDatabase) -> None:
    post = Post(database, **BELOW)
    for sender in ("ann@a.x.test", "ann@b.a.x.test"):
        for by in (None, ADMIN):
            receipt = await drafted(post, sender, by)
            assert receipt.message_id.endswith(f"@{sender.partition('@')[2]}>")
        assert (await submitted(post, sender)).message_id.endswith(f"@{sender.partition('@')[2]}>")
        assert len((await post.sent.page(sender, limit=10)).messages) == 3


async def test_a_name_that_only_ends_alike_is_not_below(database: AnyDatabase) -> None:
    post = Post(database, **BELOW)
    for sender in ("ann@evilx.test", "ann@x.test.far.example", "ann@xx.test"):
        with pytest.raises(NotYours):
            await drafted(post, sender, ADMIN)


async def test_they_pay_like_any_other_address(database: AnyDatabase) -> None:
    post = Post(database, default_send_balance=1, **BELOW)
    await drafted(post, "ann@a.x.test")
    assert await post.sending.balance(Principal("address", "ann@a.x.test", 1)) == 0
    assert await post.sending.balance(Principal("address", "ann@x.test", 1)) == 1


async def test_their_mail_takes_the_relay_of_the_domain_above_with_its_signature(
    database: AnyDatabase,
) -> None:
    async with running(NextHop()) as hop:
        post = Post(database, **relayed(hop, "x.test"), **BELOW)
        await drafted(post, "ann@a.x.test")
        await post.delivering.deliver_due()
        (taken,) = await hop.wait_for(1)
        post.outbound.close()
    assert taken.reverse_path == "ann@a.x.test"
    message = email.message_from_bytes(taken.content)
    tags = dict(
        part.strip().split("=", 1) for part in message["DKIM-Signature"].split(";") if part.strip()
    )
    # Relaxed alignment (RFC 7489 §3.1.1): the domain of From is below the one that signs.
    assert tags["d"] == "x.test"
    assert parseaddr(message["From"])[1] == "ann@a.x.test"
    records = dict(await post.signing.records("a.x.test"))
    assert all(name.endswith("._domainkey.x.test") for name in records)

    def lookup(name: bytes, timeout: int = 5) -> bytes | None:
        text = records.get(name.decode().rstrip("."))
        return text.encode() if text else None

    assert dkim.verify(taken.content, dnsfunc=lookup)


async def test_without_the_option_what_leaves_a_mailbox_below_takes_no_relay(
    database: AnyDatabase,
) -> None:
    """Forwards and automatic replies of such mailboxes go by `outbound`, as ever."""
    async with running(NextHop()) as hop:
        for option, state in ((False, True), (True, False)):
            settings = relayed(hop, "x.test", enable_send_from_subdomains=option)
            post = Post(database, **settings)
            assert post.sending.orders.plain_way("a.x.test") is state
            assert (post.outbound.next_hop("a.x.test", "next.test") is None) is state


def outbound(**settings: Any) -> Outbound:
    names = [f"{name}:53" for name in ("127.0.0.1",)]
    return Outbound.of(Config(name_servers=names, **settings))


def test_a_relay_of_its_own_comes_before_that_of_the_domain_above() -> None:
    channel = SmtpChannel(host="relay.test", port=587)
    chosen = outbound(
        domains=["x.test", "y.x.test", "z.test"],
        smtp_config={"x.test": channel, "own.x.test": channel},
        resend_tokens={"z_test": "re_z"},
        **BELOW,
    )
    for sender, hop in (
        ("x.test", "relay of x.test"),
        ("a.x.test", "relay of x.test"),
        ("own.x.test", "relay of own.x.test"),
        ("a.own.x.test", "relay of x.test"),  # what is served decides, and that is x.test
        ("y.x.test", None),  # a domain of ours has ways of its own, or none
        ("a.y.x.test", None),
        ("a.z.test", "relay of z.test"),
        ("far.example", None),
    ):
        assert chosen.next_hop(sender, "next.test") == hop, sender


async def test_domains_that_may_send_let_those_below_them_send(database: AnyDatabase) -> None:
    post = Post(database, send_mail_domains=["x.test"], **BELOW)
    await drafted(post, "ann@a.x.test")
    with pytest.raises(NoChannel, match=r"\(a\.y\.test\)$"):
        await drafted(post, "ann@a.y.test")


async def test_a_failure_is_told_in_the_mailbox_below(database: AnyDatabase) -> None:
    async with running(NextHop()) as hop:
        post = Post(database, **relayed(hop, "x.test"), **BELOW)
        await drafted(post, "ann@a.x.test", to="refused@next.test")
        await post.delivering.deliver_due()
        post.outbound.close()
    (notice,) = await post.inbox("ann@a.x.test")
    assert b"refused@next.test" in notice


@pytest.mark.parametrize(
    ("domain", "own", "below", "way"),
    [
        ("a.x.test", (), (), "a.x.test"),
        ("a.x.test", (), ("x.test",), "x.test"),
        ("a.x.test", ("a.x.test",), ("x.test",), "a.x.test"),
        ("a.y.x.test", (), ("x.test", "y.x.test"), "y.x.test"),
        ("x.test", (), ("x.test",), "x.test"),
        ("far.example", (), ("x.test",), "far.example"),
        ("evilx.test", (), ("x.test",), "evilx.test"),
    ],
)
def test_whose_ways_out_a_sender_takes(
    domain: str, own: tuple[str, ...], below: tuple[str, ...], way: str
) -> None:
    assert domain_of_way_out(domain, own, below) == way
