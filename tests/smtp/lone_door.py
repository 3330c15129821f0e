"""A reception door in a process of its own, so that its memory can be measured.

Prints the port, and after that its resident memory in octets for every line it reads.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import sys

from smtp_proxy.limits import Limits
from smtp_proxy.reception import ReceptionDoor
from tests.smtp.post_office import PostOffice

# Opened once: later there may be no file descriptor left.
STATM = os.open("/proc/self/statm", os.O_RDONLY)


def resident() -> int:
    gc.collect()
    return int(os.pread(STATM, 200, 0).split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def main(open_files: int, loop: asyncio.AbstractEventLoop) -> None:
    if open_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
    limits = Limits(overrun=10**9, descriptor_share=2.0)
    door = ReceptionDoor(PostOffice(), hostname="mx.example.test", limits=limits)
    await door.start("127.0.0.1", 0)
    print(door.address[1], flush=True)
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    while await questions.readline():
        print(resident(), door.connections, flush=True)
    await door.close(0)


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(int(sys.argv[2]), runner.get_loop()))
    else:
        with asyncio.Runner() as runner:
            runner.run(main(int(sys.argv[2]), runner.get_loop()))
