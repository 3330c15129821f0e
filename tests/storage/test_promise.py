"""A promise tells whoever waits in the moment in which it is kept."""

from __future__ import annotations

import asyncio
import logging

import pytest

from mailbox_service.storage.promise import Promise

pytestmark = pytest.mark.anyio


def test_callbacks_are_told_at_once_and_in_their_order() -> None:
    promise: Promise[int] = Promise()
    told: list[str] = []
    promise.add_done_callback(lambda kept: told.append(f"first {kept.result()}"))
    promise.add_done_callback(lambda kept: told.append(f"second {kept.result()}"))
    promise.add_done_callback(lambda kept: told.append(f"third {kept.result()}"))
    assert not promise.done()
    promise.keep(7)
    assert told == ["first 7", "second 7", "third 7"]
    promise.add_done_callback(lambda kept: told.append("late"))
    assert told[3:] == ["late"]
    assert promise.done()
    assert not promise.cancelled()
    assert promise.exception() is None


def test_a_callback_that_raises_hinders_no_other(caplog: pytest.LogCaptureFixture) -> None:
    promise: Promise[int] = Promise()
    told: list[int] = []
    promise.add_done_callback(lambda kept: 1 // 0)
    promise.add_done_callback(lambda kept: told.append(kept.result()))
    with caplog.at_level(logging.ERROR, "mailbox.storage"):
        promise.keep(7)
    assert told == [7]
    assert "promise-callback-failed" in caplog.text


def test_it_is_kept_once_and_has_nothing_before() -> None:
    promise: Promise[int] = Promise()
    for early in (promise.result, promise.exception):
        with pytest.raises(asyncio.InvalidStateError):
            early()
    promise.keep(1)
    with pytest.raises(asyncio.InvalidStateError):
        promise.keep(2)


async def test_several_may_wait_for_it_and_one_may_go() -> None:
    promise: Promise[str] = Promise()

    async def wait() -> str:
        return await promise

    waiting = [asyncio.ensure_future(wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    promise.keep("here")
    assert [await waiting[0], await waiting[2]] == ["here", "here"]
    assert await promise == "here"
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]


async def test_an_error_reaches_whoever_waits() -> None:
    promise: Promise[str] = Promise()
    waiting = asyncio.ensure_future(asyncio.wait_for(promise, 20))
    await asyncio.sleep(0)
    promise.fail(OSError("no room"))
    with pytest.raises(OSError, match="no room"):
        await waiting
    assert isinstance(promise.exception(), OSError)
