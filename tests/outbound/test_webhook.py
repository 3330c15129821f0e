"""Requests to receivers that somebody else chose: where they may go, and how they end.

Hazards 40 and 41.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mailbox_service.core.public_address import is_public
from mailbox_service.core.webhook import HttpRequest
from mailbox_service.core.webhook_words import reason_words
from mailbox_service.outbound import webhook
from mailbox_service.outbound.address_guard import is_web_port, literal_address
from mailbox_service.outbound.dns import Resolver
from mailbox_service.outbound.webhook import HttpOut
from tests.nameserver import NameServer, serving
from tests.webhook_receiver import Receiver, answer, receiving

pytestmark = pytest.mark.anyio

REFUSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1"),
    *("127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192"),
    *("192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:808:808::"),
    *("2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001::1", "2001:db8::1", "3fff::1", "fe80::1"),
    *("fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "5f00::1"),
    *("2600::5efe:7f00:1", "2600::200:5efe:808:808", "x", "", "1.2.3", "256.1.1.1"),
]
TAKEN = [
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "172.32.0.1", "192.0.1.1"),
    *("2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8", "64:ff9b::808:808"),
]


def told(reason: str) -> str | None:
    """The code by which the page says a reason in another language."""
    words = reason_words(reason)
    return None if words is None else words.code


@pytest.mark.parametrize("address", REFUSED)
def test_addresses_that_are_not_of_the_public_internet(address: str) -> None:
    """Hazard 40: private, shared, link-local, metadata, mapped, NAT64, 6to4, Teredo, ISATAP."""
    assert not is_public(address)


@pytest.mark.parametrize("address", TAKEN)
def test_addresses_of_the_public_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("[::1]", "::1"),
        ("10.1", "10.0.0.1"),
        ("h.test", None),
        ("1.2.3.4.5", None),
    ],
)
def test_odd_numbers_are_the_addresses_that_they_mean(host: str, address: str | None) -> None:
    """Hazard 40: decimal, octal, hexadecimal."""
    assert literal_address(host) == address


@pytest.mark.parametrize(
    ("port", "expected"),
    [(80, True), (443, True), (8080, True), (49152, True), (25, False), (22, False), (0, False)]
    + [(port, False) for port in (6379, 5432, 3306, 11211, 9100, 27017, 2375)],
)
def test_only_ports_of_the_web_are_called(port: int, expected: bool) -> None:
    """Hazard 40: other protocols."""
    assert is_web_port(port) is expected


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def out() -> AsyncIterator[HttpOut]:
    """A way out that may reach the receiver."""
    opened = HttpOut(Resolver(["127.0.0.1:9"]), private_addresses=True, seconds=2.0)
    yield opened
    await opened.close()


def post(url: str, body: bytes = b"x", method: str = "POST") -> HttpRequest:
    return HttpRequest(url, "", method, (("X-Own", "yes"),), body)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "LOCALHOST.", "x.localhost", "[::1]", "169.254.169.254", "0"),
        *("2130706433", "[::ffff:127.0.0.1]", "0x7f.1", "0177.0.0.1", "127.1", "127。0。0。1"),
        *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "10.0.0.1", "①②⑦.0.0.1"),
    ],
)
async def test_no_private_address_is_ever_connected_to(receiver: Receiver, host: str) -> None:
    """Hazard 40, with a receiver behind most of these names."""
    guarded = HttpOut(Resolver(["127.0.0.1:9"]))
    found = await guarded.post(post(f"http://{host}:{receiver.port}/"))
    await guarded.close()
    assert (found.status, found.name) == (0, "TypeError")
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["10.0.0.1", "8.8.8.8"]]
)
async def test_a_name_with_any_private_address_is_refused(
    receiver: Receiver, addresses: list[str]
) -> None:
    """Hazard 40: what a name server of the attacker says is judged, all of it."""
    async with serving(NameServer({("evil.test", "A"): addresses})) as names:
        guarded = HttpOut(Resolver([names.address]))
        found = await guarded.post(post(f"http://evil.test:{receiver.port}/"))
        await guarded.close()
    assert told(found.reason) == "webhook.private"
    assert receiver.connections == 0


async def test_a_name_is_asked_for_once_and_the_answer_is_connected_to(receiver: Receiver) -> None:
    """Hazard 40: DNS rebinding has no second question to answer differently."""
    async with serving(NameServer({("h.test", "A"): ["127.0.0.1"]})) as names:
        opened = HttpOut(Resolver([names.address]), private_addresses=True)
        found = await opened.post(post(f"http://h.test:{receiver.port}/a?b=c"))
        await opened.close()
    assert found.status == 204
    assert names.asked.count(("h.test", "A")) == 1
    (got,) = receiver.got
    assert got.headers["host"] == f"h.test:{receiver.port}"
    assert (got.path, got.headers["x-own"]) == ("/a?b=c", "yes")


async def test_a_redirect_is_an_answer_and_is_not_followed(
    receiver: Receiver, out: HttpOut
) -> None:
    """Hazard 40: redirects to private addresses, and without end."""
    receiver.answers = [answer(302, "Found", more=f"Location: {receiver.url}\r\n")]
    found = await out.post(post(receiver.url))
    assert (found.status, found.reason, found.is_success) == (302, "Found", False)
    assert len(receiver.got) == 1


async def test_no_more_of_an_answer_is_read_than_is_kept(receiver: Receiver, out: HttpOut) -> None:
    """Hazard 40: a body of 10 GB, of which the beginning is looked at."""
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n" + b"\x1b<b>y" * 5_000
    receiver.answers = [endless]
    found = await out.post(post(receiver.url))
    assert found.status == 200
    assert 0 < len(found.head) <= webhook.ANSWER_OCTETS
    assert "\x1b" not in found.head


async def test_a_receiver_that_says_nothing_is_left_after_its_time(receiver: Receiver) -> None:
    """Hazard 41."""
    receiver.hangs = True
    quick = HttpOut(Resolver(["127.0.0.1:9"]), private_addresses=True, seconds=0.05)
    found = await quick.post(post(receiver.url))
    await quick.close()
    assert (found.status, found.name) == (0, "TimeoutError")
    assert told(found.reason) == "webhook.slow"


async def test_a_body_that_drips_is_left_after_the_same_time() -> None:
    """Hazard 40: the time is for all of it, not for each octet."""

    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.01)
        ended.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    quick = HttpOut(Resolver(["127.0.0.1:9"]), private_addresses=True, seconds=0.1)
    found = await quick.post(post(f"http://127.0.0.1:{port}/"))
    await quick.close()
    server.close()
    await server.wait_closed()
    assert found.name == "TimeoutError"
    await asyncio.wait_for(ended.wait(), 10)


async def test_nonsense_from_a_receiver_is_told_and_breaks_nothing(
    receiver: Receiver, out: HttpOut
) -> None:
    receiver.answers = [b"\x00\x01 nonsense\r\n\r\n", answer(200, "OK", b"fine")]
    trouble = await out.post(post(receiver.url))
    assert (trouble.status, told(trouble.reason)) == (0, "webhook.failed")
    assert (await out.post(post(receiver.url))).head == "fine"


async def test_nobody_there_is_told(out: HttpOut) -> None:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    found = await out.post(post(f"http://127.0.0.1:{port}/"))
    assert told(found.reason) == "webhook.refused"


async def test_get_goes_out_without_a_body(receiver: Receiver, out: HttpOut) -> None:
    await out.post(post(receiver.url, b"", "GET"))
    (got,) = receiver.got
    assert (got.method, got.body, "content-length" in got.headers) == ("GET", b"", False)
