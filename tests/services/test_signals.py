"""Wake-ups: none is lost between two waits, none reaches the wrong watcher."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.signals import MESSAGES, QUEUE, Signals, mailbox

pytestmark = pytest.mark.anyio


async def test_a_signal_that_comes_while_nobody_waits_is_kept_once() -> None:
    signals = Signals()
    with signals.watch(MESSAGES) as watch:
        signals.notify(MESSAGES)
        signals.notify(MESSAGES)
        assert await watch.wait(10)
        assert not await watch.wait(0.001)


async def test_everybody_who_watches_a_topic_wakes_and_nobody_else() -> None:
    signals = Signals()
    with (
        signals.watch(mailbox("a@x.test")) as one,
        signals.watch(mailbox("a@x.test")) as two,
        signals.watch(mailbox("b@x.test")) as other,
        signals.watch(QUEUE) as queue,
    ):
        waiting = asyncio.gather(one.wait(10), two.wait(10))
        await asyncio.sleep(0)
        signals.notify(mailbox("a@x.test"))
        assert list(await waiting) == [True, True]
        assert not await other.wait(0.001)
        assert not await queue.wait(0.001)


async def test_who_stopped_watching_costs_nothing() -> None:
    signals = Signals()
    for number in range(1000):
        with signals.watch(mailbox(f"{number}@x.test")):
            pass
        signals.notify(mailbox(f"{number}@x.test"))
    assert not signals._watches


async def test_a_signal_goes_abroad_and_one_from_abroad_does_not_go_back() -> None:
    signals = Signals()
    abroad: list[str] = []
    signals.send_abroad(abroad.append)
    with signals.watch(QUEUE) as watch:
        signals.notify(QUEUE)
        assert await watch.wait(10)
        signals.arrived(QUEUE)
        assert await watch.wait(10)
    assert abroad == [QUEUE]
