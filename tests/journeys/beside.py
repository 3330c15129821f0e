"""What is asynchronous beside a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

from anyio.from_thread import start_blocking_portal

T = TypeVar("T")


@contextmanager
def beside(context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Keep it up in a thread of its own: Playwright keeps the loop of this one."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(context) as entered:
        yield entered
