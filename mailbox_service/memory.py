"""Memory that is given back to the system.

A call with a message of 50 MB takes and frees a few hundred megabytes, and without what is done
here the process keeps most of it: glibc holds freed blocks of up to 32 MB for later, in as many
arenas as there are threads, and gives back only what lies at the end of one; each connection of
SQLite keeps its page cache, and with each kept statement the values that were bound last.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

log = logging.getLogger("mailbox.memory")

# Numbers of glibc's mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
# Blocks of this size are mappings of their own, which go back the moment they are freed. Left to
# itself glibc raises the threshold to the largest block that was freed.
OWN_MAPPING = 1 << 20
# Free octets at the end of the heap that are kept for what comes next.
KEPT_AT_END = 8 << 20
# Threads here wait more than they compute, so a few arenas serve them all.
MOST_ARENAS = 4

LOOK_SECONDS = 10.0
# What a working service may have above its size at the start before anything is done: caches of
# some connections, and room for a few calls.
ROOM_OCTETS = 32 << 20
# Above what the last time left, or after so long, it is worth doing again.
GROWN_OCTETS = 16 << 20
AGAIN_SECONDS = 30.0


def set_up() -> None:
    """Tell the allocator what to keep. Does nothing where it is not glibc's."""
    libc = glibc()
    if libc is not None:
        libc.mallopt(M_MMAP_THRESHOLD, OWN_MAPPING)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_AT_END)
        libc.mallopt(M_ARENA_MAX, MOST_ARENAS)


def glibc() -> ctypes.CDLL | None:
    """The C library of this process, when it is glibc."""
    if sys.platform != "linux":
        return None
    try:
        libc = ctypes.CDLL(None)
        if not hasattr(libc, "gnu_get_libc_version"):
            return None
    except OSError:
        return None
    return libc


def resident() -> int:
    """Octets of memory that this process holds now (proc(5)); 0 where nobody says."""
    try:
        pages = Path("/proc/self/statm").read_bytes().split()[1]
    except OSError:
        return 0
    return int(pages) * resource.getpagesize()


class Tidying:
    """Gives memory back when the process has grown."""

    def __init__(
        self,
        relax: Callable[[], Awaitable[None]],
        *,
        measure: Callable[[], int] = resident,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._relax = relax
        self._measure = measure
        self._clock = clock
        self._first = self._left = 0
        self._last = 0.0

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        self._first = self._measure()
        if not self._first:
            await asyncio.Event().wait()  # nobody says how much it is
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> bool:
        """Give memory back if there may be much of it; whether it was done."""
        now, size = self._clock(), self._measure()
        if not self._first:
            self._first = size
        self._left = min(self._left or size, size)
        if size <= self._first + ROOM_OCTETS:
            return False
        if size <= self._left + GROWN_OCTETS and now < self._last + AGAIN_SECONDS:
            return False
        await self._relax()
        # Middle-aged cycles: of a call that failed, with all that its frames hold.
        gc.collect(1)
        libc = glibc()
        if libc is not None:
            await asyncio.to_thread(libc.malloc_trim, 0)
        self._last, self._left = now, self._measure()
        log.debug("memory-given-back before=%d after=%d", size, self._left)
        return True
