"""A value that comes later, told to whoever waits for it in the moment in which it comes.

A future of asyncio tells its callbacks in the next round of the event loop, each by way of a
handle and a context: for a message that is only to be answered this costs more than the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")

log = logging.getLogger("mailbox.storage")


class Promise(Generic[T]):
    """One value or one error. It is kept once, and cannot be cancelled: who waits for it may go.

    Callbacks run inside `keep` and `fail`, so they must be short; one that raises is logged and
    does not hinder the others. Nothing here is safe to call from two threads.
    """

    __slots__ = ("_callback", "_done", "_error", "_more", "_value")

    def __init__(self) -> None:
        self._done = False
        self._error: BaseException | None = None
        self._value: T | None = None
        self._callback: Callable[[Promise[T]], object] | None = None
        self._more: list[Callable[[Promise[T]], object]] | None = None

    def keep(self, value: T) -> None:
        """The value has come."""
        self._value = value
        self._tell()

    def fail(self, error: BaseException) -> None:
        """It will not come."""
        self._error = error
        self._tell()

    def _tell(self) -> None:
        if self._done:
            raise asyncio.InvalidStateError("a promise is kept once")
        self._done = True
        first, more = self._callback, self._more
        self._callback = self._more = None
        if first is not None:
            self._call(first)
        for callback in more or ():
            self._call(callback)

    def _call(self, callback: Callable[[Promise[T]], object]) -> None:
        try:
            callback(self)
        except Exception:
            log.exception("promise-callback-failed")

    def done(self) -> bool:
        """Whether the value or the error is there."""
        return self._done

    def cancelled(self) -> bool:
        """Never, as a future would say it."""
        return False

    def result(self) -> T:
        """The value. Raises the error, or InvalidStateError before either has come."""
        if self._error is not None:
            raise self._error
        if not self._done:
            raise asyncio.InvalidStateError("the promise is not kept yet")
        return self._value  # type: ignore[return-value]

    def exception(self) -> BaseException | None:
        """The error, or None. Raises InvalidStateError before the value has come."""
        if not self._done:
            raise asyncio.InvalidStateError("the promise is not kept yet")
        return self._error

    def add_done_callback(self, callback: Callable[[Promise[T]], object], /) -> None:
        """Have a function called with this promise when it is kept, or now if it is."""
        if self._done:
            self._call(callback)
        elif self._callback is None:
            self._callback = callback
        elif self._more is None:
            self._more = [callback]
        else:
            self._more.append(callback)

    def __await__(self) -> Generator[Any, None, T]:
        if not self._done:
            woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def wake(_: Promise[T]) -> None:
                if not woken.done():
                    woken.set_result(None)

            self.add_done_callback(wake)
            yield from woken
        return self.result()
