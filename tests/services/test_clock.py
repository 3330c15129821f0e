"""Queue ids: in the order of their time, and never the same."""

from __future__ import annotations

import re
import time

import pytest

from mailbox_service.services import clock


def test_ids_have_26_letters_of_which_none_is_mistaken_and_are_all_different() -> None:
    ids = [clock.new_id() for _ in range(5_000)]
    assert len(set(ids)) == 5_000
    assert all(re.fullmatch("[0-7][0-9A-HJKMNP-TV-Z]{25}", one) for one in ids)
    assert len({one[10:] for one in ids}) == 5_000


def test_ids_sort_by_their_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = []
    for millis in (0, 1, 31, 32, 1_763_755_200_000, 1_763_755_200_001, 2**48 - 1):
        monkeypatch.setattr(time, "time_ns", lambda millis=millis: millis * 1_000_000 + 999)
        heads.append(clock.new_id()[:10])
    assert heads == sorted(set(heads))
    assert heads[0] == "0000000000"
    assert heads[-1] == "7ZZZZZZZZZ"
