"""Groups of what comes in together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mailbox_service.core.errors import MailError
from mailbox_service.services.gathering import Gathering, Written

pytestmark = pytest.mark.anyio


class Disk:
    """Takes groups, and ends each when it is told to."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self._written: list[asyncio.Future[list[int | MailError]]] = []

    def write(self, group: Sequence[int]) -> Written[int]:
        self.groups.append(list(group))
        self._written.append(asyncio.get_running_loop().create_future())
        return self._written[-1]

    def end(self) -> None:
        """The oldest group is on disk."""
        self._written.pop(0).set_result([*self.groups[-len(self._written) - 1]])


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def gathering(disk: Disk, enough: int | None) -> Gathering[int, int]:
    return Gathering(
        disk.write, lambda item: 1, most=64, most_octets=64, patient=True, enough=enough
    )


async def test_those_who_come_turn_by_turn_are_one_group() -> None:
    disk = Disk()
    line = gathering(disk, None)
    for number in range(10):
        line.add(number)
        await turns(1)
    await turns(10)
    assert disk.groups == [list(range(10))]


async def test_a_group_that_is_large_enough_waits_for_nobody() -> None:
    disk = Disk()
    line = gathering(disk, 4)
    answers = []
    for number in range(10):
        answers.append(line.add(number))
        await turns(2)
    assert [group[:4] for group in disk.groups] == [[0, 1, 2, 3]]
    disk.end()
    await turns(3)
    assert disk.groups[1][:4] == [4, 5, 6, 7]
    while not all(answer.done() for answer in answers):
        disk.end()
        await turns(10)
    assert [await answer for answer in answers] == list(range(10))
    assert [number for group in disk.groups for number in group] == list(range(10))
