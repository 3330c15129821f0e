"""Sync a file without stopping the event loop, at the least cost that the system offers.

A thread that syncs must take the interpreter back from a busy event loop twice a group of mail,
which costs more than the sync. Linux can be asked to sync and to say when it is done
(`io_submit` with IOCB_CMD_FDSYNC, since 4.18; include/uapi/linux/aio_abi.h): a fifth of the
processor time, and no thread. Where that is not to be had, a thread does it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

# The name that C has for it; macOS has no fdatasync.
fdatasync = getattr(os, "fdatasync", os.fsync)

Done = Callable[[OSError | None], None]

# io_setup, io_destroy, io_getevents, io_submit.
_CALLS = {"x86_64": (206, 207, 208, 209), "aarch64": (0, 1, 4, 2)}
_FDSYNC = 3
_TELL_EVENTFD = 1


# Syncs on their way at once; those who start one look to it that there are no more.
MOST_SYNCS = 4


class Syncing(Protocol):
    """A few syncs at a time, `MOST_SYNCS` at most."""

    def start(self, file: int, done: Done) -> None:
        """Have all that was written to a file put on disk; `done` hears of it on the loop. Syncs
        may end in another order than they were started in."""
        ...

    def close(self) -> None:
        """Give back what it holds; no sync is on its way."""
        ...


class ThreadSyncing:
    """A thread that syncs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sync")

    def start(self, file: int, done: Done) -> None:
        self._loop.run_in_executor(self._thread, fdatasync, file).add_done_callback(
            lambda synced: done(as_os_error(synced.exception()))
        )

    def close(self) -> None:
        self._thread.shutdown()


class _Request(ctypes.Structure):
    """struct iocb."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("key", ctypes.c_uint32 * 2),
        ("operation", ctypes.c_uint16),
        ("priority", ctypes.c_int16),
        ("file", ctypes.c_uint32),
        ("buffer", ctypes.c_uint64 * 4),
        ("flags", ctypes.c_uint32),
        ("eventfd", ctypes.c_uint32),
    )


class _Event(ctypes.Structure):
    """struct io_event."""

    _fields_ = (
        ("data", ctypes.c_uint64),
        ("request", ctypes.c_uint64),
        ("result", ctypes.c_int64),
        ("more", ctypes.c_int64),
    )


class KernelSyncing:
    """The kernel syncs, and says so through an eventfd."""

    def __init__(self) -> None:
        """Raises OSError or KeyError where the system does not offer it."""
        self._setup, self._destroy, self._get, self._submit = _CALLS[platform.machine()]
        self._call = ctypes.CDLL(None, use_errno=True).syscall
        self._call.restype = ctypes.c_long
        self._loop = asyncio.get_running_loop()
        self._events = (_Event * MOST_SYNCS)()
        self._context = ctypes.c_ulong(0)
        self._check(self._call(self._setup, MOST_SYNCS, ctypes.byref(self._context)))
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._requests = [
            _Request(data=place, operation=_FDSYNC, flags=_TELL_EVENTFD, eventfd=self._eventfd)
            for place in range(MOST_SYNCS)
        ]
        self._pointers = [
            (ctypes.POINTER(_Request) * 1)(ctypes.pointer(one)) for one in self._requests
        ]
        self._free = list(range(MOST_SYNCS))
        self._done: dict[int, Done] = {}
        self._loop.add_reader(self._eventfd, self._ready)

    def start(self, file: int, done: Done) -> None:
        place = self._free.pop()
        self._requests[place].file = file
        try:
            self._check(self._call(self._submit, self._context, 1, self._pointers[place]))
        except OSError as error:
            self._free.append(place)
            self._loop.call_soon(done, error)
        else:
            self._done[place] = done

    def _ready(self) -> None:
        """The kernel has synced, or could not."""
        os.eventfd_read(self._eventfd)
        # None may be left: one that ended since the last call was fetched then, and is told now.
        count = self._call(self._get, self._context, 0, MOST_SYNCS, self._events, None)
        ended = []
        for event in self._events[: max(0, count)]:
            ended.append((self._done.pop(event.data), -event.result))
            self._free.append(event.data)
        for done, code in ended:  # which may start the next
            done(OSError(code, os.strerror(code)) if code else None)

    def close(self) -> None:
        self._loop.remove_reader(self._eventfd)
        self._call(self._destroy, self._context)
        os.close(self._eventfd)

    def _check(self, result: int) -> None:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


async def syncing_for(file: int) -> Syncing:
    """The cheapest way that works for a file here: it is tried once."""
    if sys.platform != "linux":
        return ThreadSyncing()
    try:
        kernel = KernelSyncing()
    except (OSError, KeyError):
        return ThreadSyncing()
    tried: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
    kernel.start(file, tried.set_result)
    if await tried is None:
        return kernel
    kernel.close()
    return ThreadSyncing()


def as_os_error(error: BaseException | None) -> OSError | None:
    """An error of a sync as one of the system."""
    return error if error is None or isinstance(error, OSError) else OSError(str(error))
