"""Memory that is given back: when, and that a freed block really goes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mailbox_service.memory import AGAIN_SECONDS, GROWN_OCTETS, ROOM_OCTETS, Tidying, glibc

START = 80 << 20

# In a process of its own, since the allocator is told once and for all.
FREES_MUCH = """
from mailbox_service import memory
memory.set_up()
blocks = [bytes(3 << 20) for _ in range(40)]
del blocks
print(memory.resident())
"""


class Process:
    """A process as `Tidying` sees it."""

    def __init__(self) -> None:
        self.size = START
        self.now = 1000.0
        self.relaxed = 0
        self.freed = 0

    async def relax(self) -> None:
        self.relaxed += 1
        self.size -= self.freed

    def tidying(self) -> Tidying:
        return Tidying(self.relax, measure=lambda: self.size, clock=lambda: self.now)


@pytest.mark.anyio
async def test_a_process_that_has_not_grown_is_left_alone() -> None:
    process = Process()
    tidying = process.tidying()
    for _ in range(5):
        assert not await tidying.look()
        process.size = START + ROOM_OCTETS
        process.now += AGAIN_SECONDS
    assert process.relaxed == 0


@pytest.mark.anyio
async def test_one_that_has_grown_gives_back_and_not_at_every_look() -> None:
    process = Process()
    tidying = process.tidying()
    await tidying.look()
    process.size = START + 300 * 2**20
    process.freed = 100 << 20
    assert await tidying.look()
    process.freed = 0
    process.now += 1
    assert not await tidying.look(), "what is left was just looked through"
    process.size += GROWN_OCTETS + 1
    assert await tidying.look(), "it grew again"
    process.now += AGAIN_SECONDS
    assert await tidying.look(), "the work that held it may be over"


@pytest.mark.skipif(glibc() is None, reason="the allocator is not glibc's")
def test_large_blocks_go_back_when_they_are_freed() -> None:
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", FREES_MUCH], capture_output=True, text=True, check=True, cwd=root
    )
    assert int(done.stdout) < 60 << 20
