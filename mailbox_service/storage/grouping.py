"""Group commit: the units of work that came in while one group was committed are the next.

One sync to disk then serves many callers. Each engine says how a group is committed; here is
what both share: the waiting line, its bounds, and how every caller is answered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailbox_service.core.errors import StatementRefused, TemporaryFailure
from mailbox_service.storage.database import Transaction

Bound = Callable[[Transaction], Coroutine[Any, Any, Any]]

log = logging.getLogger("mailbox.storage")

# A group holds what came in while the group before it was committed. The bound keeps the first
# caller of a flood from waiting for the last.
LARGEST_GROUP = 512
# Nothing else moves while the event loop runs a group: some milliseconds at most.
LARGEST_QUICK_GROUP = 48
# Some seconds of work. Whoever comes on top of it would time out in line, so hears it at once.
LONGEST_LINE = 20_000
# A group is written within milliseconds, on a bad disk within hundreds of them.
STUCK_SECONDS = 1.0


@dataclass(slots=True)
class Waiting:
    """A unit of work in line."""

    start: Bound
    future: asyncio.Future[Any]
    quick: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of one unit: a value, or the reason why it was undone."""

    value: Any = None
    error: BaseException | None = None


# A group, and whether it is made of a few quick units only.
Commit = Callable[[Sequence[Bound], bool], Awaitable[Sequence[Outcome]]]
Translate = Callable[[BaseException], BaseException]


class Prelude(Protocol):
    """What each group begins with, if there is anything."""

    def take(self) -> Bound | None:
        """The unit of work for the next group."""
        ...

    def done(self, outcome: Outcome) -> None:
        """Hear what became of it."""
        ...


class GroupCommit:
    """The line of one writer."""

    def __init__(
        self, commit: Commit, translate: Translate, prelude: Prelude | None = None
    ) -> None:
        self._commit = commit
        self._translate = translate
        self._prelude = prelude
        self._line: deque[Waiting] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.in_trouble = False
        """The engine failed at the last group, rather than a unit of it."""
        self._began: float | None = None

    @property
    def is_stuck(self) -> bool:
        """A group has been on its way to the disk for longer than any ordinary one."""
        return self._began is not None and time.monotonic() - self._began > STUCK_SECONDS

    def start(self) -> None:
        """Begin to commit what comes in."""
        self._task = asyncio.create_task(self._run(), name="group commit")

    async def finish(self) -> None:
        """Refuse newcomers, commit all that waits, and end."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    def add(self, start: Bound, *, quick: bool = False) -> asyncio.Future[Any]:
        """Put a unit in line; the future ends with its group. `quick`: it is a few statements by
        key, so that the event loop may run it."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._closing:
            future.set_exception(TemporaryFailure("The service is stopping."))
        elif len(self._line) >= LONGEST_LINE:
            future.set_exception(TemporaryFailure("The store has too much to do now."))
        else:
            self._line.append(Waiting(start, future, quick))
            self._wake.set()
        return future

    async def _run(self) -> None:
        while self._line or not self._closing:
            if not self._line:
                self._wake.clear()
                await self._wake.wait()
                continue
            group = [self._line.popleft() for _ in range(min(len(self._line), LARGEST_GROUP))]
            first = self._prelude.take() if self._prelude is not None else None
            starts = [waiting.start for waiting in group]
            quick = first is None and len(group) <= LARGEST_QUICK_GROUP
            quick = quick and all(waiting.quick for waiting in group)
            if first is not None:
                starts.insert(0, first)
            self._began = time.monotonic()
            try:
                outcomes = list(await self._commit(starts, quick))
            except Exception as error:
                outcomes = [Outcome(error=error)] * len(starts)
            self._began = None
            if first is not None and self._prelude is not None:
                self._prelude.done(outcomes.pop(0))
            self._settle(group, outcomes)
            # Until the next group comes these would be held, with messages in them.
            group.clear()
            starts.clear()
            del outcomes, first

    def _settle(self, group: Sequence[Waiting], outcomes: Sequence[Outcome]) -> None:
        """Answer the callers, of whom some may have gone."""
        trouble: BaseException | None = None
        for waiting, outcome in zip(group, outcomes, strict=True):
            error = outcome.error
            if error is None:
                if not waiting.future.done():
                    waiting.future.set_result(outcome.value)
                continue
            refusal = self._translate(error)
            if isinstance(refusal, StatementRefused):
                log.error("storage-refused-statement error=%s", describe(error))
            elif refusal is not error:
                trouble = error
            if not waiting.future.done():
                waiting.future.set_exception(refusal)
        if trouble is not None:
            log.error("storage-write-failed units=%d error=%s", len(group), describe(trouble))
        self.in_trouble = trouble is not None


def describe(error: BaseException) -> str:
    """An engine's error for the log: its name and code, without the values of a statement."""
    code = getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or "-"
    return f"{type(error).__name__} code={code}"
