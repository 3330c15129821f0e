"""What doors have met elsewhere, over real sockets. The numbers are those of the checklist.

Cases 9, 12, 13, 14, 15, 16 are conversations in `tests/dialogs`; 1, 2 and 7 are also in
`test_content`, 5 and the memory of 2 in `test_load`, 11 in `test_relaying`.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import resource
import select
import socket
import ssl
import struct
from itertools import pairwise

import pytest

from mailbox_service.core.errors import NotYours, StorageFull, TemporaryFailure
from smtp_proxy.limits import Limits
from smtp_proxy.peers import LoginGuard
from tests.smtp.conftest import OpenDoor, connections
from tests.smtp.post_office import TOKEN, PostOffice
from tests.smtp.wire import Wire

pytestmark = pytest.mark.anyio

AUTH = "AUTH PLAIN " + base64.b64encode(f"\0jwt\0{TOKEN}".encode()).decode()
WRONG = "AUTH PLAIN " + base64.b64encode(b"\0ann@example.test\0wrong").decode()


async def hello(wire: Wire, *, login: bool = False) -> Wire:
    assert (await wire.ask("EHLO me.test")).startswith("250")
    if login:
        assert (await wire.ask(AUTH)).startswith("235")
    return wire


# --- 1 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "false_end", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"\r\n\x00.\r\n"]
)
@pytest.mark.parametrize("kind", ["reception", "submission"])
async def test_a_smuggled_transaction_stays_content(
    kind: str, false_end: bytes, office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 1: no false end opens a second transaction, and none reaches the service."""
    door = await open_door(kind)
    async with await Wire.connect(door.address) as wire:
        await hello(wire, login=kind == "submission")
        smuggled = b"MAIL FROM:<boss@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nx\r\n"
        content = b"body" + false_end + smuggled
        reply = await wire.transaction(content, "ann@example.test", sender="ann@example.test")
        assert reply == "550 5.6.11 Content has a bare CR, a bare LF or a NUL"
        assert await wire.ask("NOOP") == "250 2.0.0 Ok"
    assert office.kept == []


# --- 2, 7 -------------------------------------------------------------------------------------


async def test_an_endless_line_ends_the_connection(office: PostOffice, open_door: OpenDoor) -> None:
    """Hazard 2: in content and in a command; the peer reads 421 although it was still sending."""
    door = await open_door(
        "reception", message_size=100_000, content_line=300_000, overrun=200_000, linger=5.0
    )
    for opening in (["MAIL FROM:<a@b.test>", "RCPT TO:<ann@example.test>", "DATA"], []):
        async with await Wire.connect(door.address) as wire:
            await hello(wire)
            for command in opening:
                await wire.ask(command)
            wire.send(b"x" * 1_000_000)
            assert await wire.reply() == "421 4.7.0 Too much input, closing connection"
            assert await wire.closed()
    assert office.kept == []


async def test_a_command_line_that_is_too_long_is_refused_and_forgotten(
    open_door: OpenDoor,
) -> None:
    door = await open_door("reception")
    async with await Wire.connect(door.address) as wire:
        assert await wire.ask("NOOP " + "x" * 100_000) == "500 5.5.2 Line too long"
        assert await wire.ask("NOOP " + "x" * 2000) == "250 2.0.0 Ok"


async def test_a_message_above_the_limit_is_refused_whatever_size_said(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 7: SIZE lies small, the octets are counted; SIZE lies big, the message is taken."""
    door = await open_door("reception", message_size=10_000)
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        assert await wire.ask("MAIL FROM:<a@b.test> SIZE=10") == "250 2.1.0 Sender ok"
        await wire.ask("RCPT TO:<ann@example.test>")
        await wire.ask("DATA")
        wire.send(b"0123456789\r\n" * 1000 + b".\r\n")
        assert await wire.reply() == "552 5.3.4 Message too big"
        assert await wire.ask("MAIL FROM:<a@b.test> SIZE=9999") == "250 2.1.0 Sender ok"
        await wire.ask("RCPT TO:<ann@example.test>")
        await wire.ask("DATA")
        wire.send(b"short\r\n.\r\n")
        assert (await wire.reply()).startswith("250 2.0.0")
    assert [message.content for message in office.kept] == [b"short\r\n"]


# --- 3, 4 -------------------------------------------------------------------------------------


async def drip(wire: Wire, octets: bytes) -> None:
    """Send octet by octet, ten per second of the limits below, as long as the door lets us."""
    for octet in octets:
        wire.send(bytes([octet]))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("where", ["command", "login", "content", "silence"])
async def test_a_slow_loris_is_dropped_with_421(
    where: str, office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 3: single octets do not buy time; only whole commands, or a decent rate, do."""
    door = await open_door(
        "submission", idle=0.5, content_pause=5, content_grace=0.5, content_rate=1_000
    )
    async with await Wire.connect(door.address) as wire:
        await hello(wire, login=where == "content")
        if where == "login":
            await wire.ask("AUTH LOGIN")
        if where == "content":
            for command in ("MAIL FROM:<ann@example.test>", "RCPT TO:<b@far.test>", "DATA"):
                await wire.ask(command)
        dripping = asyncio.create_task(drip(wire, b"x" * 500 if where != "silence" else b""))
        reply = await wire.reply()
        dripping.cancel()
        too_slow = "421 4.4.2 Message arrives too slowly, closing connection"
        timeout = "421 4.4.2 Timeout, closing connection"
        assert reply == (too_slow if where == "content" else timeout)
        assert await wire.closed()
    assert office.kept == []


async def test_a_content_that_stops_is_dropped_with_421(open_door: OpenDoor) -> None:
    """Hazard 3: half a message, then nothing."""
    door = await open_door("reception", content_pause=0.1)
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        await wire.ask("MAIL FROM:<a@b.test>")
        await wire.ask("RCPT TO:<ann@example.test>")
        await wire.ask("DATA")
        wire.send(b"half a")
        assert await wire.reply() == "421 4.4.2 Timeout, closing connection"


@pytest.mark.parametrize("implicit", [True, False])
async def test_a_tls_handshake_that_does_not_come_is_dropped(
    implicit: bool, open_door: OpenDoor
) -> None:
    """Hazard 3: the peer promises TLS and says nothing, or a first octet."""
    door = await open_door("submission", implicit_tls=implicit, tls_handshake=0.1)
    async with await Wire.connect(door.address, greet=False) as wire:
        if not implicit:
            await wire.reply()
            await hello(wire)
            assert (await wire.ask("STARTTLS")).startswith("220")
        wire.send(b"\x16")
        assert await wire.closed()
    await connections(door, 0)


async def test_a_tls_handshake_that_fails_leaves_nothing_behind(open_door: OpenDoor) -> None:
    door = await open_door("submission", implicit_tls=True)
    async with await Wire.connect(door.address, greet=False) as wire:
        wire.send(b"EHLO me.test\r\n")
        await wire.reader.read(100)  # an alert
        assert await wire.closed()
    await connections(door, 0)


@pytest.mark.parametrize("command", ["NOOP", "RSET", "VRFY a", "EHLO me.test", "HELP"])
async def test_a_loop_of_commands_that_move_nothing_ends(command: str, open_door: OpenDoor) -> None:
    """Hazard 4."""
    door = await open_door("reception", junk_commands=20)
    async with await Wire.connect(door.address) as wire:
        answers = [await wire.ask(command) for _ in range(20)]
        assert all(answer[0] == "2" for answer in answers)
        assert (await wire.ask(command)).startswith("421 4.7.0 Too many commands")
        assert await wire.closed()


async def test_a_loop_of_errors_ends_and_a_message_is_an_excuse(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 4."""
    door = await open_door("reception", errors=5)
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        for _ in range(2):
            for _ in range(5):
                assert (await wire.ask("FROB")).startswith("500")
            if not office.kept:
                await wire.transaction(b"x\r\n", "ann@example.test")
        assert await wire.ask("FROB") == "421 4.7.0 Too many errors, closing connection"
        assert await wire.closed()


async def test_a_harvester_of_addresses_is_sent_away(open_door: OpenDoor) -> None:
    """Hazard 4: so many refused recipients, and no more."""
    door = await open_door("reception", refused_recipients=10)
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        await wire.ask("MAIL FROM:<a@b.test>")
        for number in range(10):
            assert (await wire.ask(f"RCPT TO:<guess{number}@example.test>")).startswith("550")
        assert (await wire.ask("RCPT TO:<guess@example.test>")).startswith("421 4.7.0")


async def test_a_session_without_end_is_asked_to_connect_again(open_door: OpenDoor) -> None:
    """Hazard 4: not even one command in time keeps a connection for ever."""
    door = await open_door("reception", session=0.05)
    async with await Wire.connect(door.address) as wire:
        assert (await wire.reply()).startswith("421 4.4.2 Session has been open long enough")


# --- 5, 6 -------------------------------------------------------------------------------------


async def test_one_peer_has_so_many_connections_and_the_next_gets_421(
    open_door: OpenDoor,
) -> None:
    """Hazard 5: and gets in again when one of them has gone."""
    door = await open_door("reception", connections_loopback=3)
    wires = [await Wire.connect(door.address) for _ in range(3)]
    async with await Wire.connect(door.address, greet=False) as wire:
        assert await wire.reply() == "421 4.7.0 Too many connections from your network"
        assert await wire.closed()
    assert (await wires[0].ask("QUIT")).startswith("221")
    assert await wires[0].closed()
    await connections(door, 2)
    async with await Wire.connect(door.address) as wire:
        assert await wire.ask("NOOP") == "250 2.0.0 Ok"
    for wire in wires:
        await wire.__aexit__(None, None, None)


async def test_a_full_door_says_so_and_idle_peers_make_room(open_door: OpenDoor) -> None:
    """Hazard 5: when nearly all places are taken, silence is not worth one."""
    door = await open_door("reception", connections=4, busy_share=0.7, idle_when_busy=0.5)
    wires = [await Wire.connect(door.address) for _ in range(4)]
    async with await Wire.connect(door.address, greet=False) as wire:
        assert await wire.reply() == "421 4.3.2 Too many connections, try again later"
    for wire in wires[:2]:
        assert (await wire.reply()).startswith("421 4.4.2")
    for wire in wires:
        await wire.__aexit__(None, None, None)


async def test_a_door_leaves_file_descriptors_to_the_rest_of_the_process(
    open_door: OpenDoor,
) -> None:
    """Hazard 5 and 19: full comes before EMFILE."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    door = await open_door("reception", descriptor_share=2.5 / descriptors)
    wires = [await Wire.connect(door.address) for _ in range(2)]
    async with await Wire.connect(door.address, greet=False) as wire:
        assert (await wire.reply()).startswith("421 4.3.2 Too many connections")
    for wire in wires:
        await wire.__aexit__(None, None, None)


async def test_recipients_above_the_limit_wait_for_another_transaction(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 6: 452 for each, and the message is delivered to the rest."""
    door = await open_door("submission", recipients=100)
    async with await Wire.connect(door.address) as wire:
        await hello(wire, login=True)
        await wire.ask("MAIL FROM:<ann@example.test>")
        for number in range(100):
            assert (await wire.ask(f"RCPT TO:<r{number}@far.test>")).startswith("250")
        for number in range(100, 150):
            assert (await wire.ask(f"RCPT TO:<r{number}@far.test>")).startswith("452 4.5.3")
        await wire.ask("DATA")
        wire.send(b"hello\r\n.\r\n")
        assert (await wire.reply()).startswith("250")
    assert len(office.kept[0].envelope.recipients) == 100


async def test_a_recipient_named_twice_gets_the_message_once(
    office: PostOffice, open_door: OpenDoor
) -> None:
    door = await open_door("reception")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        await wire.transaction(b"x\r\n", "ann@example.test", "ANN@Example.test")
    assert office.kept[0].envelope.recipients == ("ann@example.test",)


# --- 8, 9, 10 ---------------------------------------------------------------------------------


async def test_what_is_sent_in_clear_behind_starttls_is_thrown_away(
    office: PostOffice, open_door: OpenDoor, client_tls: ssl.SSLContext
) -> None:
    """Hazard 8: commands injected in front of the handshake are never run (CVE-2011-0411)."""
    door = await open_door("submission")
    async with await Wire.connect(door.address) as wire:
        await hello(wire, login=True)
        wire.send("STARTTLS\r\nEHLO evil.test\r\n" + AUTH + "\r\nMAIL FROM:<ann@example.test>\r\n")
        assert (await wire.reply()).startswith("220")
        await wire.start_tls(client_tls)
        assert await wire.ask("MAIL FROM:<ann@example.test>") == "503 5.5.1 Send EHLO first"
        await wire.ask("EHLO me.test")
        assert (await wire.ask("MAIL FROM:<ann@example.test>")).startswith("530")
        await wire.ask(AUTH)
        reply = await wire.transaction(b"x\r\n", "b@far.test", sender="ann@example.test")
        assert reply.startswith("250")
    assert office.attempts == [("jwt", TOKEN)] * 2
    assert office.kept[0].peer.protocol == "ESMTPSA"


async def test_a_credential_of_twelve_kilobytes_is_taken_and_a_longer_one_is_not(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 9: RFC 4954 §4 asks for 12,288 octets; the rest of a longer line is no command."""
    door = await open_door("submission")
    long = base64.b64encode(b"\0jwt\0" + b"p" * 9_000).decode()
    longer = base64.b64encode(b"\0jwt\0" + b"p" * 20_000).decode()
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        assert (await wire.ask("AUTH PLAIN " + long)).startswith("535")
        assert len(office.attempts[0][1]) == 9_000
        too_long = "500 5.5.6 Authentication exchange line is too long"
        assert await wire.ask("AUTH PLAIN " + longer) == too_long
        assert (await wire.ask("AUTH PLAIN")).startswith("334")
        assert await wire.ask(longer) == too_long
        assert await wire.ask("NOOP") == "250 2.0.0 Ok"
    assert len(office.attempts) == 1


async def test_guessing_passwords_becomes_slow(
    office: PostOffice, open_door: OpenDoor, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 10: the 11th failure in a minute waits, on whichever connection it comes."""
    caplog.set_level(logging.INFO, "mailbox.smtp")
    door = await open_door("submission", auth_delay=0.3, auth_failures_per_connection=4)
    loop = asyncio.get_running_loop()

    def delayed() -> int:
        return caplog.text.count("login_delayed")

    for attempt in range(1, 13):
        async with await Wire.connect(door.address) as wire:
            await hello(wire)
            start = loop.time()
            assert await wire.ask(WRONG) == "535 5.7.8 Authentication credentials invalid"
            assert delayed() == max(0, attempt - 10)
            assert attempt <= 10 or loop.time() - start >= 0.29
    assert "wrong" not in caplog.text


async def test_a_login_from_a_place_that_is_not_allowed_fails_for_good(
    office: PostOffice, open_door: OpenDoor, caplog: pytest.LogCaptureFixture
) -> None:
    """sending-api §9.2, §9.3: in the words for a wrong password, and nobody comes back for it."""
    caplog.set_level(logging.INFO, "mailbox.smtp")
    door = await open_door("submission")
    office.trouble = NotYours("Your address is not on the list of allowed addresses")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        assert await wire.ask(AUTH) == "535 5.7.8 Authentication credentials invalid"
    assert "login_not_allowed" in caplog.text


async def test_one_connection_has_so_many_guesses(open_door: OpenDoor) -> None:
    """Hazard 10."""
    door = await open_door("submission", auth_failures_per_connection=3)
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        for _ in range(2):
            assert (await wire.ask(WRONG)).startswith("535")
        assert await wire.ask(WRONG) == "421 4.7.0 Too many failed logins, closing connection"
        assert await wire.closed()


# --- 12, 15 -----------------------------------------------------------------------------------

PROXY_V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def v2(source: str, port: int) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.1")
    body = addresses + struct.pack("!HH", port, 25)
    return PROXY_V2 + b"\x21\x11" + struct.pack("!H", len(body)) + body


@pytest.mark.parametrize(
    "header", [b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 25\r\n", v2("203.0.113.9", 4711)]
)
async def test_a_listed_proxy_tells_who_the_peer_is(
    header: bytes, office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 15: limits, trace and log speak of the real peer."""
    door = await open_door("reception", options={"proxy_peers": ["127.0.0.0/8"]})
    async with await Wire.connect(door.address, greet=False) as wire:
        wire.send(header + b"EHLO me.test\r\n")
        assert (await wire.reply()).startswith("220 ")
        assert (await wire.reply()).startswith("250")
        await wire.transaction(b"x\r\n", "ann@example.test")
    assert (office.kept[0].peer.ip, office.kept[0].peer.port) == ("203.0.113.9", 4711)


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO me.test\r\n",
        b"PROXY TCP4 999.0.0.1 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 25" + b" " * 100 + b"\r\n",
        b"PROXY " + b"x" * 20_000,
        PROXY_V2 + b"\x31\x11\x00\x0c" + b"x" * 12,
        PROXY_V2 + b"\x21\x11\x00\x04" + b"x" * 4,
        v2("203.0.113.9", 1)[:-3],
        b"PROX",
        b"",
    ],
)
async def test_a_listed_proxy_without_a_sound_header_gets_nowhere(
    header: bytes, open_door: OpenDoor
) -> None:
    """Hazard 15: malformed, oversized, short, missing."""
    door = await open_door(
        "reception", options={"proxy_peers": ["127.0.0.1"]}, proxy_header=0.1, linger=0.1
    )
    async with await Wire.connect(door.address, greet=False) as wire:
        wire.send(header)
        reply = await wire.reply()
        assert reply == "" or reply.startswith("421 4.4.2")


# --- 16, 17, 18, 19 ---------------------------------------------------------------------------


async def test_eight_bit_content_is_kept_octet_for_octet(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 16: with BODY=8BITMIME and without."""
    door = await open_door("reception")
    content = bytes(octet for octet in range(1, 256) if octet not in b"\r\n") + b"\r\n"
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        await wire.transaction(content, "ann@example.test")
        await wire.ask("MAIL FROM:<far@away.test> BODY=8BITMIME")
        await wire.ask("RCPT TO:<ann@example.test>")
        await wire.ask("DATA")
        wire.send(content + b".\r\n")
        await wire.reply()
    assert [(kept.content, kept.envelope.eight_bit) for kept in office.kept] == [
        (content, False),
        (content, True),
    ]


async def test_a_message_that_goes_round_in_circles_is_refused(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 17: 51 Received fields."""
    door = await open_door("reception")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        loop = await wire.transaction(b"Received: x\r\n" * 51, "ann@example.test")
        assert loop == "554 5.4.6 Too many Received fields"
        fine = await wire.transaction(b"Received: x\r\n" * 50, "ann@example.test")
        assert fine.startswith("250")
    assert len(office.kept) == 1


@pytest.mark.parametrize("cut", [b"", b"half a line", b"a line\r\n", b"a line\r\n.", b"x\r\n.\r"])
async def test_a_peer_that_vanishes_before_the_final_dot_has_sent_nothing(
    cut: bytes, office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 18."""
    door = await open_door("reception")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        await wire.ask("MAIL FROM:<far@away.test>")
        await wire.ask("RCPT TO:<ann@example.test>")
        await wire.ask("DATA")
        wire.send(cut)
        wire.writer.write_eof()
        assert await wire.closed()
    await connections(door, 0)
    assert office.kept == []
    assert door.held.octets == 0


@pytest.mark.parametrize("reset", [True, False])
async def test_a_peer_that_vanishes_after_the_final_dot_has_sent_a_message(
    reset: bool, office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 18: the 250 is not seen, and the mail is not lost."""
    office.gate = asyncio.Event()
    door = await open_door("reception")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        await wire.ask("MAIL FROM:<far@away.test>")
        await wire.ask("RCPT TO:<ann@example.test>")
        await wire.ask("DATA")
        wire.send(b"whole\r\n.\r\n")
        await asyncio.wait_for(office.handed_over.wait(), 10)
        if reset:
            linger = struct.pack("ii", 1, 0)
            raw = wire.writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    if reset:
        await connections(door, 0)
    office.gate.set()
    await asyncio.gather(*office.waiting)
    await connections(door, 0)
    assert [message.content for message in office.kept] == [b"whole\r\n"]


@pytest.mark.parametrize("in_memory", [True, False])
async def test_a_peer_that_has_said_all_still_hears_the_answers(
    in_memory: bool, office: PostOffice, open_door: OpenDoor
) -> None:
    """A script piped into the socket closes its half at once; the replies come anyway."""
    office.at_once = False
    office.in_memory = in_memory
    door = await open_door("reception")
    message = (
        b"MAIL FROM:<far@away.test>\r\nRCPT TO:<ann@example.test>\r\n"
        b"RCPT TO:<bob@example.test>\r\nDATA\r\nhello\r\n.\r\n"
    )
    async with await Wire.connect(door.address) as wire:
        wire.send(b"EHLO me.test\r\n" + message * 2 + b"NOOP\r\n")
        wire.writer.write_eof()
        replies = [await wire.reply() for _ in range(12)]
        assert [reply[:3] for reply in replies] == (
            ["250", *(["250", "250", "250", "354", "250"] * 2), "250"]
        )
        assert await wire.closed()
    assert len(office.kept) == 2


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        (TemporaryFailure("The database is locked"), "451 4.3.0 The database is locked"),
        (StorageFull("No room"), "452 4.3.1 No room"),
        (OSError(28, "No space left on /secret/path"), "451 4.3.0 Temporary failure, try again"),
        (RuntimeError("secret detail"), "451 4.3.0 Temporary failure, try again later"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
async def test_trouble_of_the_service_is_temporary_and_tells_nothing(
    trouble: Exception, expected: str, at_once: bool, office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 19: at RCPT, at the end of content, at AUTH; afterwards all is well again."""
    office.at_once = at_once
    office.in_memory = False
    door = await open_door("reception")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        await wire.ask("MAIL FROM:<far@away.test>")
        office.trouble = trouble
        assert (await wire.ask("RCPT TO:<ann@example.test>")).startswith(expected)
        office.trouble = None
        assert (await wire.ask("RCPT TO:<ann@example.test>")).startswith("250")
        await wire.ask("DATA")
        office.trouble = trouble
        wire.send(b"x\r\n.\r\n")
        assert (await wire.reply()).startswith(expected)
        office.trouble = None
        assert (await wire.transaction(b"x\r\n", "ann@example.test")).startswith("250")
    door = await open_door("submission")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        office.trouble = trouble
        reply = await wire.ask(AUTH)
        assert reply[0] == "4"
        assert "secret" not in reply
        office.trouble = None
        assert (await wire.ask(AUTH)).startswith("235")


async def test_a_service_that_raises_instead_of_answering_is_a_temporary_failure(
    office: PostOffice, open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 19: a bug in the call itself, before there is a future."""

    def broken(*_: object) -> None:
        raise KeyError("secret")

    door = await open_door("reception")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        with monkeypatch.context() as patched:
            patched.setattr(PostOffice, "recipient_now", broken)
            await wire.ask("MAIL FROM:<far@away.test>")
            reply = await wire.ask("RCPT TO:<ann@example.test>")
            assert reply == "451 4.3.0 Temporary failure, try again later"
            await wire.ask("RSET")
        monkeypatch.setattr(PostOffice, "receive", broken)
        reply = await wire.transaction(b"x\r\n", "ann@example.test")
        assert reply == "451 4.3.0 Temporary failure, try again later"
        assert await wire.ask("NOOP") == "250 2.0.0 Ok"


# --- 50, 56 -----------------------------------------------------------------------------------


async def test_no_credential_no_content_and_no_control_character_reaches_the_log(
    office: PostOffice, open_door: OpenDoor, caplog: pytest.LogCaptureFixture
) -> None:
    """Hazard 50: every logger, at every level."""
    caplog.set_level(logging.DEBUG)
    door = await open_door("submission")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        await wire.ask("AUTH PLAIN " + base64.b64encode(b"\0ann\0hunter2").decode())
        await wire.ask("AUTH LOGIN")
        await wire.ask(base64.b64encode(b"ann@example.test").decode())
        await wire.ask(base64.b64encode(b"hunter2").decode())
        await wire.ask(AUTH)
        await wire.ask("RCPT TO:<\x1b[31m@evil.test>")
        await wire.transaction(b"the body\r\n", "b@far.test", sender="ann@example.test")
    await connections(door, 0)
    said = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("accepted queue_id=Q1 ") for line in said)
    for secret in ("hunter2", TOKEN, "the body", AUTH.split()[-1]):
        assert secret not in caplog.text
        assert base64.b64encode(secret.encode()).decode().rstrip("=") not in caplog.text
    assert all(line.isprintable() for line in said)


async def test_closing_lets_a_transaction_end_and_idle_sessions_go(
    office: PostOffice, open_door: OpenDoor
) -> None:
    """Hazard 56: nothing that was begun is cut off within the grace, and nothing new begins."""
    office.gate = asyncio.Event()
    door = await open_door("reception")
    address = door.address
    idle, busy, half = [await Wire.connect(address) for _ in range(3)]
    for wire in (busy, half):
        await hello(wire)
        await wire.ask("MAIL FROM:<far@away.test>")
        await wire.ask("RCPT TO:<ann@example.test>")
        await wire.ask("DATA")
    busy.send(b"first\r\n.\r\nNOOP\r\n")
    half.send(b"sec")
    await asyncio.wait_for(office.handed_over.wait(), 10)
    closing = asyncio.create_task(door.close(10))
    assert (await idle.reply()).startswith("421 4.3.2 Service is shutting down")
    with pytest.raises(ConnectionRefusedError):
        await Wire.connect(address)
    half.send(b"ond\r\n.\r\n")
    office.gate.set()
    for wire in (busy, half):
        assert (await wire.reply()).startswith("250 2.0.0 Accepted as")
    assert await busy.reply() == "250 2.0.0 Ok"
    for wire in (busy, half):
        assert (await wire.reply()).startswith("421 4.3.2")
        assert await wire.closed()
    await asyncio.wait_for(closing, 10)
    assert sorted(message.content for message in office.kept) == [b"first\r\n", b"second\r\n"]
    for wire in (idle, busy, half):
        await wire.__aexit__(None, None, None)


async def test_the_grace_is_not_for_ever(office: PostOffice, open_door: OpenDoor) -> None:
    """Hazard 56."""
    door = await open_door("reception")
    async with await Wire.connect(door.address) as wire:
        await hello(wire)
        await wire.ask("MAIL FROM:<far@away.test>")
        await door.close(0.05)
        assert await wire.closed()
    await connections(door, 0)


async def test_a_peer_that_does_not_read_is_not_written_to_without_end(
    open_door: OpenDoor,
) -> None:
    """Replies nobody reads stop the reading of commands, and at last the connection."""
    door = await open_door("reception", junk_commands=10**9, idle=0.3, linger=0.1)
    deaf = socket.create_connection(door.address)
    deaf.setblocking(False)
    try:
        sent = await asyncio.wait_for(asyncio.to_thread(fill, deaf, b"HELP\r\n" * 10_000), 20)
        await connections(door, 0)
    finally:
        deaf.close()
    assert sent < 30_000_000


def fill(connection: socket.socket, data: bytes) -> int:
    """Send until nobody takes any more."""
    sent = 0
    while select.select([], [connection], [], 0.2)[1]:
        try:
            sent += connection.send(data)
        except ConnectionError:
            break
    return sent


def test_the_delays_of_a_network_queue_behind_each_other() -> None:
    """Hazard 10: a hundred connections guess no faster than one, and wider networks count."""
    guard = LoginGuard(Limits())
    for number in range(30):  # three failures from each of ten neighbours
        assert guard.delay(f"198.51.100.{number % 10}", now=1.0) == 0
        guard.failed(f"198.51.100.{number % 10}", now=1.0)
    waits = [guard.delay(f"198.51.100.{number}", now=2.0) for number in range(100, 120)]
    assert waits[0] == 5.0
    assert all(b - a == 5.0 for a, b in pairwise(w for w in waits if w is not None))
    assert waits[-1] is None
    assert guard.delay("203.0.113.1", now=2.0) == 0
    assert guard.delay("198.51.100.1", now=200.0) == 0
