"""From a domain to the hosts that take its mail, with a real name server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mailbox_service.core.public_address import is_public
from mailbox_service.outbound.connections import Connections
from mailbox_service.outbound.dns import MailExchanger, Resolver, parse_server
from mailbox_service.outbound.routing import MOST_HOSTS, NoRoute, Router
from mailbox_service.outbound.sender import Outbound
from tests.nameserver import NameServer, serving
from tests.nexthop import NextHop, certificate, running
from tests.outbound.wires import LETTER, SHORT

pytestmark = pytest.mark.anyio

ZONE = {
    ("plain.test", "MX"): ["20 b.mx.test.", "10 a.mx.test."],
    ("a.mx.test", "A"): ["192.0.2.1"],
    ("b.mx.test", "A"): ["192.0.2.2"],
    ("b.mx.test", "AAAA"): ["2001:db8::2"],
    ("bare.test", "A"): ["192.0.2.3"],
    ("empty.test", "TXT"): ['"no mail here"'],
    ("null.test", "MX"): ["0 ."],
    ("lost.test", "MX"): ["10 nowhere.test."],
    ("alias.test", "MX"): ["10 cname.mx.test."],
    ("cname.mx.test", "CNAME"): ["a.mx.test."],
    ("whole.test", "CNAME"): ["plain.test."],
    ("ours.test", "MX"): ["10 mail.x.test.", "20 b.mx.test."],
    ("backup.test", "MX"): ["10 a.mx.test.", "20 mail.x.test.", "30 b.mx.test."],
    ("hundred.test", "MX"): [f"10 h{number}.mx.test." for number in range(100)],
    **{(f"h{number}.mx.test", "A"): [f"192.0.2.{number}"] for number in range(100)},
    ("partly.test", "MX"): ["10 broken.test.", "20 b.mx.test."],
    ("unsure.test", "MX"): ["10 broken.test."],
    ("inside.test", "MX"): ["10 loop.mx.test."],
    ("loop.mx.test", "A"): ["127.0.0.1", "10.1.2.3"],
    ("equal.test", "MX"): ["10 a.mx.test.", "10 b.mx.test."],
}


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    zone = NameServer(dict(ZONE), failing={"broken.test"}, silent={"silent.test"})
    async with serving(zone) as server:
        yield server


def by_name(records: list[MailExchanger]) -> None:
    """Chance, taken out of it."""
    records.sort(key=lambda record: record.host)


def router(names: NameServer, *, private: bool = True) -> Router:
    resolver = Resolver([names.address], server_seconds=1.0, question_seconds=1.0)
    return Router(resolver, "mail.x.test", private_addresses=private, shuffle=by_name)


async def addresses(names: NameServer, domain: str) -> list[str]:
    return [host.address for host in await router(names).hosts(domain)]


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("plain.test", ["192.0.2.1", "192.0.2.2", "2001:db8::2"]),
        ("bare.test", ["192.0.2.3"]),
        ("alias.test", ["192.0.2.1"]),
        ("whole.test", ["192.0.2.1", "192.0.2.2", "2001:db8::2"]),
        ("backup.test", ["192.0.2.1"]),
        ("partly.test", ["192.0.2.2", "2001:db8::2"]),
        ("equal.test", ["192.0.2.1", "192.0.2.2", "2001:db8::2"]),
    ],
)
async def test_hosts_in_their_order(names: NameServer, domain: str, expected: list[str]) -> None:
    """Hazard 51: MX by preference, no MX, a CNAME as MX, ourselves among the MX."""
    assert await addresses(names, domain) == expected


@pytest.mark.parametrize(
    ("domain", "code", "status"),
    [
        ("null.test", 556, "5.1.10"),
        ("missing.test", 550, "5.1.2"),
        ("empty.test", 550, "5.4.4"),
        ("lost.test", 550, "5.4.4"),
        ("ours.test", 554, "5.4.6"),
        ("unsure.test", 0, "4.4.3"),
        ("broken.test", 0, "4.4.3"),
        ("silent.test", 0, "4.4.3"),
        ("x" * 64 + ".test", 550, "5.1.2"),
    ],
)
async def test_no_way_now_and_no_way_ever_are_different(
    names: NameServer, domain: str, code: int, status: str
) -> None:
    """Hazard 51: null MX, no address at all, a loop, SERVFAIL against NXDOMAIN."""
    with pytest.raises(NoRoute) as caught:
        await router(names).hosts(domain)
    assert (caught.value.reply.code, caught.value.reply.enhanced) == (code, status)


async def test_a_hundred_mail_servers_are_not_all_tried(names: NameServer) -> None:
    """Hazard 51: 100 MX."""
    assert len(await router(names).hosts("hundred.test")) == MOST_HOSTS
    assert len(names.asked) < 25


async def test_private_addresses_are_nobodys_mail_server(names: NameServer) -> None:
    """Hazard 51: MX to loopback or to a private network."""
    with pytest.raises(NoRoute) as caught:
        await router(names, private=False).hosts("inside.test")
    assert (caught.value.reply.code, caught.value.reply.enhanced) == (550, "5.4.4")
    assert set(await addresses(names, "inside.test")) == {"127.0.0.1", "10.1.2.3"}


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1"),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


async def test_answers_are_kept(names: NameServer) -> None:
    one = router(names)
    await one.hosts("plain.test")
    asked = len(names.asked)
    await one.hosts("plain.test")
    assert len(names.asked) == asked


def test_name_servers_are_addresses_with_or_without_a_port() -> None:
    assert parse_server("192.0.2.1") == ("192.0.2.1", 53)
    assert parse_server("192.0.2.1:5353") == ("192.0.2.1", 5353)
    assert parse_server("2001:db8::1") == ("2001:db8::1", 53)
    assert parse_server("[2001:db8::1]:5353") == ("2001:db8::1", 5353)
    with pytest.raises(ValueError, match="address"):
        parse_server("ns.example")


# The whole way: name server, hosts, mail servers on loopback.


def direct(names: NameServer, port: int, name: str = "mail.x.test") -> Outbound:
    resolver = Resolver([names.address])
    return Outbound(
        name,
        "direct",
        router=Router(resolver, name, private_addresses=True),
        port=port,
        timeouts=SHORT,
        connections=Connections(unreachable_seconds=0.0),
    )


async def reply_for(outbound: Outbound, recipient: str) -> tuple[int, str]:
    answers = await outbound.send("x.test", "ann@x.test", [recipient], LETTER)
    outbound.close()
    return answers[recipient].reply.code, answers[recipient].reply.enhanced


async def test_the_next_host_is_tried_when_the_first_is_down(names: NameServer) -> None:
    """Direct delivery goes on to the next MX, and stays with one that answers."""
    names.records[("two.test", "MX")] = ["10 down.mx.test.", "20 up.mx.test."]
    names.records[("down.mx.test", "A")] = ["127.0.0.2"]
    names.records[("up.mx.test", "A")] = ["127.0.0.1"]
    async with running(NextHop()) as hop:
        outbound = direct(names, hop.port)
        assert await reply_for(outbound, "bob@two.test") == (250, "2.0.0")
        assert len(hop.taken) == 1
        busy = NextHop(greeting="421 4.3.2 Too busy", port=hop.port)
        async with running(busy, "127.0.0.2"):
            assert await reply_for(outbound, "bob@two.test") == (250, "2.0.0")


async def test_final_answers_of_the_name_server_fail_and_others_defer(names: NameServer) -> None:
    outbound = direct(names, 25)
    assert await reply_for(outbound, "bob@null.test") == (556, "5.1.10")
    assert await reply_for(outbound, "bob@missing.test") == (550, "5.1.2")
    assert await reply_for(outbound, "bob@broken.test") == (0, "4.4.3")


async def test_a_server_with_our_own_name_is_a_loop(names: NameServer) -> None:
    """Hazard 51: MX to self, found out by the name in the reply to EHLO."""
    names.records[("me.test", "A")] = ["127.0.0.1"]
    async with running(NextHop(name="mail.x.test")) as hop:
        assert await reply_for(direct(names, hop.port), "bob@me.test") == (554, "5.4.6")
        assert hop.taken == []


async def test_tls_that_does_not_work_is_done_without(
    names: NameServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Opportunistic TLS: STARTTLS fails, the message goes in plain text, and that is remembered."""
    names.records[("tls.test", "A")] = ["127.0.0.1"]
    async with running(NextHop()) as hop:
        hop.tls = certificate(tmp_path_factory.mktemp("tls"), "any").server
        hop.starttls_reply = b"454 4.7.0 TLS not available\r\n"
        outbound = direct(names, hop.port)
        assert await reply_for(outbound, "bob@tls.test") == (250, "2.0.0")
        assert not hop.taken[0].encrypted
        before = hop.connections
        assert await reply_for(outbound, "bob@tls.test") == (250, "2.0.0")
        assert hop.connections == before + 1
        hop.starttls_reply = b"220 2.0.0 Go ahead\r\n"
        assert await reply_for(direct(names, hop.port), "bob@tls.test") == (250, "2.0.0")
        assert hop.taken[-1].encrypted


async def test_one_slow_domain_does_not_hold_up_another(names: NameServer) -> None:
    names.records[("here.test", "A")] = ["127.0.0.1"]
    names.records[("there.test", "A")] = ["127.0.0.1"]
    async with running(NextHop()) as hop:
        outbound = direct(names, hop.port)
        slow = [
            asyncio.ensure_future(outbound.send("x.test", "ann@x.test", ["slow@here.test"], LETTER))
            for _ in range(30)
        ]
        await hop.waiting.wait()
        answers = await outbound.send("x.test", "ann@x.test", ["bob@there.test"], LETTER)
        assert answers["bob@there.test"].reply.code == 250
        hop.release.set()
        done = await asyncio.gather(*slow)
        assert {answer["slow@here.test"].reply.code for answer in done} == {250}
        outbound.close()
