"""Randomness that is drawn ahead, and given away once."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailbox_service.services.clock import new_id
from mailbox_service.services.randomness import random_octets, random_uuid


@pytest.mark.parametrize("count", [0, 1, 12, 16, 64, 65, 1000])
def test_random_octets_are_as_many_as_were_asked_for(count: int) -> None:
    assert len(random_octets(count)) == count


def test_octets_drawn_ahead_are_given_away_once() -> None:
    with ThreadPoolExecutor(4) as threads:
        given = list(threads.map(lambda _: random_octets(16), range(20_000)))
    assert len(set(given)) == len(given)


@pytest.mark.parametrize("draw", [random_uuid, new_id])
def test_what_is_drawn_ahead_is_given_away_once(draw: Callable[[], str]) -> None:
    with ThreadPoolExecutor(4) as threads:
        given = list(threads.map(lambda _: draw(), range(20_000)))
    assert len(set(given)) == len(given)


def test_uuids_are_of_version_four() -> None:
    for _ in range(300):
        text = random_uuid()
        one = uuid.UUID(text)
        assert (one.version, one.variant, str(one)) == (4, uuid.RFC_4122, text)


def test_a_process_that_forks_draws_anew() -> None:
    random_uuid()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, random_uuid().encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 36).decode() not in {random_uuid() for _ in range(1_000)}
    os.close(reading)
    os.close(writing)
