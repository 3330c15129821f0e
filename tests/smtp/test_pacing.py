"""How fast a peer may speak: no faster than we see what it said, and than it reads the replies."""

from __future__ import annotations

import asyncio

import pytest

from smtp_proxy.fast_lane import FastLane
from smtp_proxy.reception import ReceptionDoor
from smtp_proxy.server import template
from tests.smtp.conftest import LIMITS
from tests.smtp.post_office import PostOffice
from tests.smtp.test_same_replies import Line

MESSAGE = b"MAIL FROM:<>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\nhello\r\n.\r\n"
PACKET = MESSAGE * 600
HIGH_WATER = 64 * 1024  # asyncio's: with more to write, `pause_writing` is called
MESSAGES = 3_000
TURNS = 20 * MESSAGES
ENDLESS = 16 << 20  # octets


class Peer(Line):
    """A peer that sends a packet in each turn of the loop in which the door reads, and waits for
    no reply. A deaf one never reads any."""

    def __init__(self, office: PostOffice, *, deaf: bool) -> None:
        super().__init__()
        door = ReceptionDoor(office, hostname="mx.example.test", limits=LIMITS)
        door.template = template(door, asyncio.get_running_loop())
        self.office = office
        self.deaf = deaf
        self.reading = True
        self.sent = 0
        self.connection = FastLane(door)
        self.connection.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        before = len(self.written)
        super().write(data)
        if self.deaf and before <= HIGH_WATER < len(self.written):
            self.connection.pause_writing()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    async def talk(self) -> None:
        """Until so much mail has arrived, or the door has not read for long."""
        self.connection.data_received(b"EHLO me.test\r\n")
        idle = 0
        while len(self.office.kept) < MESSAGES and idle < TURNS and self.sent < ENDLESS:
            idle += 1
            if self.reading:
                idle = 0
                self.sent += len(PACKET)
                self.connection.data_received(PACKET)
            await asyncio.sleep(0)
        self.closed = True
        self.connection.connection_lost(None)
        await asyncio.sleep(0)
        await asyncio.gather(*self.office.waiting)


async def spoken_to_by(office: PostOffice, *, deaf: bool) -> Peer:
    peer = Peer(office, deaf=deaf)
    await peer.talk()
    return peer


@pytest.mark.parametrize("in_memory", [True, False])
def test_who_sends_much_without_waiting_does_not_fill_the_memory(in_memory: bool) -> None:
    """Not while each message is stored, and not while each recipient is looked up."""
    office = PostOffice(in_memory=in_memory, at_once=False)
    peer = asyncio.run(spoken_to_by(office, deaf=False))
    assert len(office.kept) >= MESSAGES
    assert peer.sent - len(office.kept) * len(MESSAGE) <= LIMITS.unread + 2 * len(PACKET)


@pytest.mark.parametrize("in_memory", [True, False])
def test_who_reads_no_reply_is_not_read_though_its_mail_is_stored(in_memory: bool) -> None:
    office = PostOffice(in_memory=in_memory, at_once=False)
    peer = asyncio.run(spoken_to_by(office, deaf=True))
    assert not peer.reading
    assert peer.sent < ENDLESS
    # An octet has hardly more than two in reply.
    assert len(peer.written) < HIGH_WATER + 3 * (LIMITS.unread + 2 * len(PACKET))
