"""Values that are read again after some seconds, or when something changed."""

from __future__ import annotations

from mailbox_service.services.remembered import Remembered


def test_a_value_is_known_until_its_seconds_are_over_or_all_is_forgotten() -> None:
    known = Remembered[str, int](5.0, 10)
    known.keep("ann", 1, 100.0, turn=known.turn)
    assert [known.get("ann", now) for now in (100.0, 104.9, 105.0)] == [1, 1, None]
    known.forget()
    assert known.get("ann", 100.0) is None


def test_what_was_read_while_something_changed_is_not_kept() -> None:
    known = Remembered[str, int](5.0, 10)
    turn = known.turn
    known.forget()
    known.keep("ann", 1, 100.0, turn=turn)
    assert known.get("ann", 100.0) is None


def test_the_oldest_makes_room() -> None:
    known = Remembered[str, int](5.0, 2)
    for number, name in enumerate(["ann", "bob", "ann", "eve"]):
        known.keep(name, number, 100.0, turn=known.turn)
    assert [known.get(name, 100.0) for name in ("ann", "bob", "eve")] == [2, None, 3]
