"""Signals between the processes that share a PostgreSQL store (LISTEN, NOTIFY)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from mailbox_service.storage.grouping import describe
from mailbox_service.storage.postgres_errors import SERVER_ERRORS

log = logging.getLogger("mailbox.storage")

CHANNEL = "mailbox_signals"
SEND = f"SELECT pg_notify('{CHANNEL}', topic) FROM unnest($1::text[]) AS topic"
# The server refuses a payload of 8000 bytes; a topic is a word and an address.
LONGEST_TOPIC = 1024
# Topics that wait to be sent. They are sent many at once, so only a server that is away lets
# them pile up; then losing some is as good as losing all.
MOST_TOPICS = 10_000
# A connection that says nothing may be dead: ask it now and then.
PULSE_SECONDS = 30.0
PAUSE_SECONDS = 1.0


class Notices:
    """One connection that hears and sends topics, and comes back when it was lost."""

    def __init__(self, connect: Callable[[], Awaitable[Any]]) -> None:
        self._connect = connect
        self._callback: Callable[[str], None] = lambda topic: None
        self._topics: dict[str, None] = {}  # a set that keeps its order
        self._wake = asyncio.Event()
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def listen(self, callback: Callable[[str], None]) -> None:
        """Begin to hear; returns when the first connection listens, or was refused."""
        self._callback = callback
        self._start()
        await self._heard.wait()

    def send(self, topic: str) -> None:
        """Tell the others soon; the same topic twice is told once."""
        if len(topic.encode()) <= LONGEST_TOPIC and len(self._topics) < MOST_TOPICS:
            self._topics[topic] = None
            self._start()
            self._wake.set()

    async def close(self) -> None:
        """Stop hearing and sending."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="postgres notices")

    async def _run(self) -> None:
        while True:
            try:
                await self._serve()
            except SERVER_ERRORS as error:
                log.warning("signals-interrupted error=%s", describe(error))
            except Exception as error:
                # Nobody waits for this task: what ends it would end the signals for good.
                log.error("signals-interrupted error=%s", describe(error), exc_info=error)
            self._heard.set()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _serve(self) -> None:
        """Use one connection until it breaks."""
        connection = await self._connect()
        try:
            connection.add_termination_listener(lambda _: self._wake.set())
            await connection.add_listener(CHANNEL, self._arrived)
            self._heard.set()
            while True:
                # Cleared before the statement: a topic or a lost connection that shows while it
                # runs must not be slept over.
                self._wake.clear()
                topics, self._topics = list(self._topics), {}
                # Also with no topics at all: it is the pulse.
                await connection.execute(SEND, topics)
                await self._pause()
        finally:
            connection.terminate()

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(PULSE_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return

    def _arrived(self, connection: object, pid: int, channel: str, topic: str) -> None:
        self._callback(topic)
