"""Waiting in line for a connection, and giving up waiting."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.core.delivery import Reply
from mailbox_service.outbound.connections import Connections
from mailbox_service.outbound.dns import NotKnownNow, Resolver
from mailbox_service.outbound.opening import NotOpened, Opener, target_of
from mailbox_service.outbound.session import Session
from tests.nexthop import NextHop, running
from tests.outbound.wires import relay_to

pytestmark = pytest.mark.anyio


async def test_who_gives_up_waiting_leaves_the_line_in_order() -> None:
    async with running(NextHop()) as hop:
        opener, target = Opener("mail.x.test"), target_of(relay_to(hop))

        async def open_session() -> Session:
            return await opener.open(target)

        connections = Connections(a_hop=1)
        first = await connections.take("hop", open_session)
        waiting = [asyncio.ensure_future(connections.take("hop", open_session)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        connections.give_back("hop", first)
        waiting[1].cancel()  # it has just been handed the place
        third = await asyncio.wait_for(waiting[2], 5)
        assert third is first, "the connection was kept for whoever stayed"
        connections.give_back("hop", third)
        assert hop.connections == 1
        connections.close()


async def test_a_failure_to_open_frees_the_place_and_is_remembered() -> None:
    opened = 0

    async def fail() -> Session:
        nonlocal opened
        opened += 1
        raise NotOpened(Reply(0, "4.4.1", "Nobody there"), "mx", ["* mx"])

    connections = Connections(a_hop=1)
    for _ in range(5):
        with pytest.raises(NotOpened):
            await connections.take("hop", fail)
    assert opened == 1
    impatient = Connections(a_hop=1, unreachable_seconds=0.0)
    for _ in range(5):
        with pytest.raises(NotOpened):
            await impatient.take("hop", fail)
    assert opened == 6


async def test_a_machine_without_name_servers_puts_mail_off() -> None:
    resolver = Resolver(["127.0.0.1:1"], server_seconds=0.05, question_seconds=0.1)
    with pytest.raises(NotKnownNow):
        await resolver.mail_exchangers("next.test")
