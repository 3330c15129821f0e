"""What may be under way to each domain, and for how long one is left alone."""

from __future__ import annotations

from mailbox_service.services.lanes import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MOST_A_DOMAIN,
    MOST_FOREIGN,
    MOST_REMEMBERED,
    PROBE,
    Lanes,
)

NOON = 1_795_262_400_000_000


def test_slow_domains_never_take_everything() -> None:
    """Hazard 54: however many domains are slow, the next one still has room."""
    lanes = Lanes({"x.test"})
    for number in range(500):
        domain = f"slow{number}.test"
        room = lanes.room(NOON)(domain)
        for _ in range(room):
            lanes.take(domain)
        if lanes.under_way >= MOST_FOREIGN:
            break
        assert room >= 1, number
    assert number > 20
    assert lanes.room(NOON)("x.test") == MOST_A_DOMAIN, "our own mailboxes are never in line"
    assert lanes.room(NOON)("sub.x.test") == MOST_A_DOMAIN


def test_room_comes_back_with_every_end() -> None:
    lanes = Lanes(())
    full = lanes.room(NOON)("a.test")
    for _ in range(full):
        lanes.take("a.test")
    assert lanes.room(NOON)("a.test") == 0
    for _ in range(full):
        lanes.leave("a.test")
    assert lanes.under_way == 0
    assert lanes.room(NOON)("a.test") == full


def test_a_domain_that_cannot_be_reached_is_probed_ever_less_often() -> None:
    lanes = Lanes(())
    now = NOON
    pauses = []
    for _ in range(12):
        assert lanes.unreachable("dead.test", now)
        assert not lanes.unreachable("dead.test", now), "known already"
        assert lanes.room(now)("dead.test") == 0
        assert lanes.room(now)("alive.test") > 0
        until = lanes.next_probe(now)
        assert until is not None
        pauses.append(until - now)
        now = until
        assert lanes.room(now)("dead.test") == PROBE
        assert lanes.next_probe(now) is None
    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert max(pauses) == pauses[-1] == LONGEST_PAUSE
    lanes.reachable("dead.test")
    assert lanes.room(now)("dead.test") == MOST_A_DOMAIN


def test_what_is_remembered_is_bounded() -> None:
    lanes = Lanes(())
    for number in range(MOST_REMEMBERED + 100):
        lanes.unreachable(f"dead{number}.test", NOON)
    room = lanes.room(NOON)
    assert room("dead0.test") > 0
    assert room(f"dead{MOST_REMEMBERED + 99}.test") == 0
