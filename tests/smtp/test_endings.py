"""However a connection ends, the door forgets it, and the others notice nothing."""

from __future__ import annotations

import asyncio
import math
import socket

import pytest

from smtp_proxy.door import Door
from smtp_proxy.fast_lane import FastLane
from smtp_proxy.server import Answer, MailServer
from tests.smtp.conftest import OpenDoor, connections
from tests.smtp.wire import Wire

pytestmark = pytest.mark.anyio


async def only_connection(door: Door) -> MailServer:
    async with asyncio.timeout(10):
        while not door.connections:  # noqa: ASYNC110 - a door has no event for this
            await asyncio.sleep(0.001)
    (connection,) = door._connections
    return connection


async def test_a_peer_can_be_told_of_its_time_that_has_gone_unnoticed(open_door: OpenDoor) -> None:
    """Its host answers the 421 with a reset, before the loop has looked."""
    door = await open_door("reception")
    with socket.create_connection(door.address) as peer:
        connection = await only_connection(door)
        assert peer.recv(1_000).startswith(b"220 ")
    connection.check_time(math.inf, crowded=False)
    await connections(door, 0)


async def test_trouble_with_one_connection_leaves_the_others_their_times(
    open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = await open_door("reception", idle=0.2)
    async with await Wire.connect(door.address) as odd:
        troubled = await only_connection(door)
        look = FastLane.check_time

        def check_time(self: FastLane, now: float, *, crowded: bool) -> None:
            if self is troubled:
                raise RuntimeError("a bug")
            look(self, now, crowded=crowded)

        monkeypatch.setattr(FastLane, "check_time", check_time)
        assert await odd.closed()
        for _ in range(2):
            async with await Wire.connect(door.address) as silent:
                assert (await silent.reply()).startswith("421 4.4.2")
    await connections(door, 0)


async def test_who_is_sent_away_before_the_handshake_begins_is_forgotten(
    open_door: OpenDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = FastLane._run

    def late(self: FastLane, answer: Answer) -> None:
        begin(self, answer)
        self.check_time(math.inf, crowded=False)

    monkeypatch.setattr(FastLane, "_run", late)
    door = await open_door("submission", implicit_tls=True, linger=0.05)
    with socket.create_connection(door.address):
        await only_connection(door)
        await connections(door, 0)
