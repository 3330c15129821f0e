"""From a reply to the fate of a recipient."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.delivery import (
    DAY,
    GIVE_UP_AFTER,
    HOUR,
    MAX_REPLY_TEXT,
    MINUTE,
    PAUSES,
    Deferred,
    Delivered,
    Failed,
    Reply,
    after_attempt,
)

NOON = 1_795_262_400_000_000

later = st.integers(400, 499) | st.integers(0, 199) | st.integers(300, 399) | st.integers(600, 999)
jitters = st.floats(0, 1)


@given(
    codes=st.lists(later, min_size=60, max_size=60),
    jitters=st.lists(jitters, min_size=60, max_size=60),
)
def test_deferral_always_moves_forward_and_always_ends(
    codes: list[int], jitters: list[float]
) -> None:
    now = NOON
    for attempt, (code, jitter) in enumerate(zip(codes, jitters, strict=True), start=1):
        fate = after_attempt(Reply(code), attempt=attempt, queued_at=NOON, now=now, jitter=jitter)
        if isinstance(fate, Failed):
            assert fate.expired
            assert NOON + 3 * DAY < now <= NOON + GIVE_UP_AFTER
            return
        assert isinstance(fate, Deferred)
        pause = fate.next_attempt - now
        assert 2 * MINUTE <= pause <= 4 * HOUR * 1.2
        now = fate.next_attempt
    raise AssertionError("still deferring after 60 attempts")


@given(code=st.integers(200, 299), attempt=st.integers(1, 99), now=st.integers(0, 2**62))
def test_a_yes_is_a_yes_however_late(code: int, attempt: int, now: int) -> None:
    fate = after_attempt(Reply(code), attempt=attempt, queued_at=NOON, now=now, jitter=0)
    assert fate == Delivered()


@given(code=st.integers(500, 599), attempt=st.integers(1, 99), now=st.integers(0, 2**62))
def test_a_final_no_is_final_at_once(code: int, attempt: int, now: int) -> None:
    fate = after_attempt(Reply(code), attempt=attempt, queued_at=NOON, now=now, jitter=0)
    assert fate == Failed(expired=False)


@given(
    attempt=st.integers(-5, 10**9),
    step=st.integers(-DAY, 3 * DAY),
    jitter=st.floats(allow_nan=False),
)
def test_no_clock_and_no_counter_makes_an_attempt_come_at_once(
    attempt: int, step: int, jitter: float
) -> None:
    """Hazard 23: the clock may step back; the next attempt still lies ahead of it."""
    now = NOON + step
    fate = after_attempt(Reply(451), attempt=attempt, queued_at=NOON, now=now, jitter=jitter)
    assert isinstance(fate, Deferred)
    assert PAUSES[0] <= fate.next_attempt - now <= PAUSES[-1] * 1.2


def test_the_first_pauses_are_short_and_each_is_longer() -> None:
    assert list(PAUSES) == sorted(PAUSES)
    fates = [
        after_attempt(Reply(450), attempt=number, queued_at=NOON, now=NOON, jitter=0)
        for number in (1, 2, 3, 99)
    ]
    assert fates == [
        Deferred(NOON + 2 * MINUTE),
        Deferred(NOON + 10 * MINUTE),
        Deferred(NOON + 30 * MINUTE),
        Deferred(NOON + 4 * HOUR),
    ]


def test_jitter_only_delays() -> None:
    fate = after_attempt(Reply(450), attempt=1, queued_at=NOON, now=NOON, jitter=1)
    assert fate == Deferred(NOON + 2 * MINUTE + 24_000_000)


@pytest.mark.parametrize(
    ("code", "text", "reply"),
    [
        (250, "2.0.0 Ok: queued as 1", Reply(250, "2.0.0", "Ok: queued as 1")),
        (550, "5.1.1 No such\n5.1.1 user", Reply(550, "5.1.1", "No such user")),
        (550, "5.1.1", Reply(550, "5.1.1", "")),
        (550, "No such user", Reply(550, "", "No such user")),
        (450, "5.1.1 odd", Reply(450, "", "5.1.1 odd")),
        (550, "5.1.1.1 odd", Reply(550, "", "5.1.1.1 odd")),
        (550, "a\x1b[31mb\0c\r\nd\u202e", Reply(550, "", "a [31mb c d")),
        (0, "", Reply()),
    ],
)
def test_a_reply_is_read_and_made_safe(code: int, text: str, reply: Reply) -> None:
    """Hazards 34 and 50: what a remote server says ends up on pages and in logs."""
    assert Reply.read(code, text) == reply


def test_an_endless_reply_is_cut() -> None:
    """Hazard 51."""
    assert len(Reply.read(550, "x" * 10_000_000).text) == MAX_REPLY_TEXT


@given(st.integers(0, 999), st.text())
def test_any_reply_becomes_printable(code: int, text: str) -> None:
    reply = Reply.read(code, text)
    assert reply.text.isprintable()
    assert str(reply).isprintable()
    assert reply.status.count(".") == 2


def test_a_reply_without_status_has_the_status_of_its_class() -> None:
    assert Reply(550).status == "5.0.0"
    assert Reply(451, "4.7.1").status == "4.7.1"
    assert Reply(0).status == "4.4.2"
    assert Reply(354).status == "4.4.2"
    assert str(Reply(550, "5.1.1", "no")) == "550 5.1.1 no"
    assert str(Reply()) == ""
