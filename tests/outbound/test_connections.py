"""Waiting in line for a connection, and giving up waiting."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.core.delivery import Reply
from mailbox_service.outbound.connections import Connections
from mailbox_service.outbound.dns import NotKnownNow, Resolver
from mailbox_service.outbound.opening import NotOpened, Opener, target_of
from mailbox_service.outbound.session import Session
from mailbox_service.outbound.transaction import Letter
from tests.nexthop import NextHop, running
from tests.outbound.wires import LETTER, relay_to

pytestmark = pytest.mark.anyio


def letter(recipient: str = "bob@n.test", *, seconds: float = 60.0) -> Letter:
    """A letter that somebody waits for."""
    loop = asyncio.get_running_loop()
    return Letter(
        "ann@x.test",
        (recipient,),
        LETTER,
        smtputf8=False,
        begin=lambda: None,
        done=loop.create_future(),
        until=loop.time() + seconds,
    )


async def test_who_gives_up_waiting_leaves_the_line_in_order() -> None:
    async with running(NextHop()) as hop:
        opener, target = Opener("mail.x.test"), target_of(relay_to(hop))

        async def open_session() -> Session:
            return await opener.open(target)

        connections = Connections(a_hop=1)
        first, *waiting = letter("slow@n.test"), letter(), letter(), letter("eve@n.test")
        for one in (first, *waiting):
            connections.hand_over("hop", open_session, one)
        await hop.waiting.wait()
        waiting[0].done.cancel()
        hop.release.set()
        await first.done
        waiting[1].done.cancel()
        answers = await asyncio.wait_for(waiting[2].done, 5)
        assert answers["eve@n.test"].reply.code == 250
        assert hop.taken[0].recipients == ("slow@n.test",)
        assert hop.taken[-1].recipients == ("eve@n.test",)
        assert hop.connections == 1, "the connection was kept for whoever stayed"
        connections.close()


async def test_who_waits_in_line_for_too_long_is_answered() -> None:
    async with running(NextHop()) as hop:
        opener, target = Opener("mail.x.test"), target_of(relay_to(hop))

        async def open_session() -> Session:
            return await opener.open(target)

        connections = Connections(a_hop=1)
        first, second = letter("slow@n.test"), letter(seconds=0.05)
        connections.hand_over("hop", open_session, first)
        await hop.waiting.wait()
        connections.hand_over("hop", open_session, second)
        answer = (await second.done)["bob@n.test"]
        assert (answer.reply.code, answer.uncertain) == (0, False)
        assert "too long" in answer.reply.text
        hop.release.set()
        assert (await first.done)["slow@n.test"].reply.code == 250
        assert [taken.recipients for taken in hop.taken] == [("slow@n.test",)]
        connections.close()


async def test_a_failure_to_open_frees_the_place_and_is_remembered() -> None:
    opened = 0

    async def fail() -> Session:
        nonlocal opened
        opened += 1
        raise NotOpened(Reply(0, "4.4.1", "Nobody there"), "mx", ["* mx"])

    connections = Connections(a_hop=1)
    impatient = Connections(a_hop=1, unreachable_seconds=0.0)
    for one, times in ((connections, 1), (impatient, 6)):
        for _ in range(5):
            waiting = letter()
            one.hand_over("hop", fail, waiting)
            with pytest.raises(NotOpened):
                await waiting.done
        assert opened == times


async def test_a_machine_without_name_servers_puts_mail_off() -> None:
    resolver = Resolver(["127.0.0.1:1"], server_seconds=0.05, question_seconds=0.1)
    with pytest.raises(NotKnownNow):
        await resolver.mail_exchangers("next.test")
