"""Every event says what it proves."""

from __future__ import annotations

from mailbox_service.core.events import EventKind


def test_every_event_has_its_word_and_its_sentence() -> None:
    for kind in EventKind:
        assert kind == kind.value == kind.name.lower()
        assert kind.proves.endswith(".")
        assert EventKind(kind.value) is kind


def test_only_what_nobody_will_change_by_itself_is_final() -> None:
    assert {kind for kind in EventKind if kind.is_final} == {
        EventKind.DELIVERED,
        EventKind.FAILED,
        EventKind.RECEIVED,
    }
