"""The same input gets the same replies, on the fast lane and on the slow path.

Fast: all octets at once, recipients judged from memory, messages kept at once. Slow: octets cut
anywhere, every recipient judged by a coroutine, every message kept later.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from smtp_proxy.door import Door
from smtp_proxy.fast_lane import FastLane
from smtp_proxy.reception import ReceptionDoor
from smtp_proxy.server import template
from smtp_proxy.submission import SubmissionDoor
from tests.smtp.conftest import LIMITS
from tests.smtp.post_office import Kept, PostOffice

AUTH = b"AUTH PLAIN AGp3dABleUoudG9rZW4tb2YtYW5uLnNpZw=="
COMMANDS = [
    b"EHLO me.test",
    b"HELO me.test",
    b"EHLO",
    b"MAIL FROM:<ann@example.test>",
    b"MAIL FROM:<far@away.test> SIZE=12 BODY=8BITMIME",
    b"MAIL FROM:<ann@example.test> SMTPUTF8",
    b"MAIL FROM:<>",
    b"RCPT TO:<ann@example.test>",
    b"RCPT TO:<BOB@example.test>",
    b"RCPT TO:<nobody@example.test>",
    b"RCPT TO:<far@away.test>",
    "RCPT TO:<änn@example.test>".encode(),
    b"DATA",
    b"hello",
    b"..",
    b".",
    b"RSET",
    b"NOOP",
    b"VRFY ann",
    b"HELP",
    b"FROB",
    b"",
    b"x" * 3000,
    b"AUTH LOGIN",
    b"*",
    AUTH,
    b"AUTH PLAIN " + b"A" * 13000,
    b"QUIT",
]
TRANSACTION = [
    b"EHLO me.test",
    AUTH,
    b"MAIL FROM:<ann@example.test>",
    b"RCPT TO:<ann@example.test>",
    b"DATA",
    b"Subject: x",
    b"",
    b"..",
    b".",
]


class Line(asyncio.Transport):
    """A transport whose other end is a list of octets."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.7", 4711)})
        self.written = bytearray()
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def converse(
    make: Any, office: PostOffice, pieces: list[bytes]
) -> tuple[bytes, bool, list[Kept]]:
    """All replies to the pieces, whether the door closed, and what was kept."""
    door: Door = make(office, hostname="mx.example.test", limits=replace(LIMITS, errors=8))
    door.template = template(door, asyncio.get_running_loop())
    transport = Line()
    connection = FastLane(door)
    connection.connection_made(transport)
    for piece in pieces:
        if transport.closed:
            break
        connection.data_received(piece)
        if not (office.at_once and office.in_memory):
            await asyncio.sleep(0)  # some pieces find the connection still busy, some do not
    for _ in range(400):
        await asyncio.sleep(0)
    if not transport.closed:
        connection.eof_received()
    closed, transport.closed = transport.closed, True
    connection.connection_lost(None)
    return bytes(transport.written), closed, office.kept


lines = st.lists(
    st.sampled_from(COMMANDS) | st.just(TRANSACTION) | st.binary(max_size=12), max_size=14
).map(
    lambda items: b"".join(
        line + b"\r\n" for item in items for line in (item if isinstance(item, list) else [item])
    )
)


def spoken(stream: bytes) -> list[bytes]:
    """The stream as a peer sends it that waits for each reply: line by line, a content at once."""
    pieces: list[bytes] = []
    in_content = False
    for line in re.findall(rb"[^\n]*\n|[^\n]+", stream):
        if in_content:
            pieces[-1] += line
        else:
            pieces.append(line)
        if in_content and line == b".\r\n":
            in_content = False
        elif pieces[-1] == b"DATA\r\n":
            in_content = True
            pieces.append(b"")
    return [piece for piece in pieces if piece]


@settings(max_examples=150, deadline=None)
@example(stream=b"\x16\n\r\n", cuts=[1], kind="r")  # a TLS record may have a line end anywhere
@given(
    stream=lines, cuts=st.lists(st.integers(0, 4000), max_size=10), kind=st.sampled_from(["r", "s"])
)
def test_how_the_input_arrives_and_who_answers_it_changes_no_reply(
    stream: bytes, cuts: list[int], kind: str
) -> None:
    make = ReceptionDoor if kind == "r" else SubmissionDoor
    places = [0, *sorted(min(place, len(stream)) for place in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(places) if a < b]
    fast = asyncio.run(converse(make, PostOffice(), [stream] if stream else []))
    slow = asyncio.run(converse(make, PostOffice(in_memory=False, at_once=False), pieces))
    assert slow == fast
    by_line = asyncio.run(converse(make, PostOffice(), spoken(stream)))
    assert by_line == fast
    octets = [bytes([octet]) for octet in stream[:600]]
    if len(stream) <= 600:
        by_octet = asyncio.run(converse(make, PostOffice(at_once=False), octets))
        assert by_octet == fast


def test_a_whole_session_in_one_packet_is_answered_in_full() -> None:
    stream = b"".join(line + b"\r\n" for line in [*TRANSACTION, *TRANSACTION[2:], b"QUIT"])
    written, closed, kept = asyncio.run(converse(SubmissionDoor, PostOffice(), [stream]))
    replies = [line for line in written.decode().split("\r\n") if line[3:4] != "-"]
    assert [reply[:3] for reply in replies] == (
        ["220", "250", "235"] + ["250", "250", "354", "250"] * 2 + ["221", ""]
    )
    assert closed
    assert [message.content for message in kept] == [b"Subject: x\r\n\r\n.\r\n"] * 2
    assert kept[0].peer.protocol == "ESMTPA"
