"""Whether a store answers, told in time: whoever asks is a load balancer or a person, and has
no use for an answer that comes after the busy timeout of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mailbox_service.core.errors import TemporaryFailure

# Health checks commonly wait two seconds or more.
ANSWER_SECONDS = 1.5


class Answering:
    """One look at the store at a time, shared by all who ask meanwhile. Nobody waits for it
    longer than ANSWER_SECONDS; the look itself goes on, and tells whoever asks next."""

    def __init__(self, look: Callable[[], Awaitable[None]]) -> None:
        self._look = look
        self._task: asyncio.Task[None] | None = None

    async def ask(self) -> None:
        """Return when the store answers. Raises TemporaryFailure."""
        task = self._task
        if task is None or task.done():
            task = self._task = asyncio.create_task(self._run(), name="store answers")
            task.add_done_callback(heard)
        done, _ = await asyncio.wait({task}, timeout=ANSWER_SECONDS)
        if not done:
            raise TemporaryFailure("The store does not answer now.")
        task.result()

    async def _run(self) -> None:
        await self._look()

    async def finish(self) -> None:
        """Wait for the look that goes on, whatever it finds."""
        if self._task is not None:
            await asyncio.wait({self._task})


def heard(task: asyncio.Task[None]) -> None:
    """What a look found is told to whoever asked, and else to nobody."""
    if not task.cancelled():
        task.exception()
