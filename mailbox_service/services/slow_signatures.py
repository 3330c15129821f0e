"""RSA signatures in threads, several a call: each takes a quarter of a millisecond in which the
event loop does something else, and handing one to a thread costs half as much again."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from mailbox_service.core.dkim import Signer

# More threads than that take the event loop's turn more often than they help.
THREADS = min(4, os.cpu_count() or 1)
# Signatures that one thread makes before it tells of them: two milliseconds.
A_CALL = 8

Wanted = tuple[Signer, bytes, asyncio.Future[bytes]]


class SlowSignatures:
    """The threads that sign, begun when they are needed."""

    def __init__(self) -> None:
        self._waiting: deque[Wanted] = deque()
        self._threads: ThreadPoolExecutor | None = None
        self._busy = 0
        self._soon = False

    def sign(self, signer: Signer, data: bytes) -> asyncio.Future[bytes]:
        """A signature over some octets."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append((signer, data, future))
        if not self._soon and self._busy < THREADS:
            self._soon = True  # what else this round of the loop brings goes with it
            loop.call_soon(self._begin, loop)
        return future

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give what waits to threads that are free."""
        self._soon = False
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="signing")
        while self._waiting and self._busy < THREADS:
            some = [self._waiting.popleft() for _ in range(min(A_CALL, len(self._waiting)))]
            self._busy += 1
            work = [(signer, data) for signer, data, _ in some]
            made = loop.run_in_executor(self._threads, signatures, work)
            made.add_done_callback(partial(self._made, some, loop))

    def _made(
        self,
        some: Sequence[Wanted],
        loop: asyncio.AbstractEventLoop,
        made: asyncio.Future[list[bytes]],
    ) -> None:
        self._busy -= 1
        self._begin(loop)
        for place, (_, _, future) in enumerate(some):
            if future.done():
                continue
            if made.cancelled():
                future.cancel()
            elif (error := made.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(made.result()[place])


def signatures(work: Sequence[tuple[Signer, bytes]]) -> list[bytes]:
    """The signatures of several signers over several octets."""
    return [signer.signature(data) for signer, data in work]
