"""How much is under way to each domain, and which domains are left alone for a while.

A domain that takes its time, or does not answer, must not hold up the others: it gets a share of
what may be under way at once, and after a failure to reach it a pause that grows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from mailbox_service.core.policy import served_by

# Recipients that may be under way at once: to foreign domains in all, and to one domain.
MOST_FOREIGN = 1_000
MOST_A_DOMAIN = 200
# A probe of a domain that could not be reached.
PROBE = 5
# Microseconds of the first pause after a failure to reach a domain, and of the longest.
FIRST_PAUSE = 15_000_000
LONGEST_PAUSE = 15 * 60_000_000
# Domains remembered as unreachable. Beyond that the oldest is tried again, no harm.
MOST_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Pause:
    """A domain that could not be reached: how often in a row, and when to try again."""

    failures: int
    until: int


class Lanes:
    """The traffic of one worker. Times are microseconds UTC."""

    def __init__(self, own_domains: Collection[str]) -> None:
        self._own = frozenset(own_domains)
        self._is_own: dict[str, bool] = {}
        self._under_way: Counter[str] = Counter()
        self._foreign = 0
        self._pauses: dict[str, Pause] = {}

    def is_own(self, domain: str) -> bool:
        """Whether a recipient's domain is one of ours, or below one."""
        known = self._is_own.get(domain)
        if known is None:
            known = domain in self._own or served_by(domain, self._own) is not None
            if len(self._is_own) >= MOST_REMEMBERED:
                self._is_own.clear()
            self._is_own[domain] = known
        return known

    @property
    def under_way(self) -> int:
        """Recipients under way."""
        return self._under_way.total()

    def room(self, now: int) -> Callable[[str], int]:
        """How many more recipients of a domain may be taken now: a snapshot.

        Of what is free for foreign domains one gets at most a quarter, so that something is
        left for the next, however many are slow.
        """
        under_way = dict(self._under_way)
        paused = {domain for domain, pause in self._pauses.items() if pause.until > now}
        probed = self._pauses.keys() - paused
        free = MOST_FOREIGN - self._foreign
        is_own = self.is_own

        def room_of(domain: str) -> int:
            taken = under_way.get(domain, 0)
            if is_own(domain):
                return MOST_A_DOMAIN - taken
            if domain in paused or free <= 0:
                return 0
            most = PROBE if domain in probed else MOST_A_DOMAIN
            return max(min(most, free // 4) - taken, 0 if taken else 1)

        return room_of

    def take(self, domain: str) -> None:
        """A recipient is under way now."""
        self._under_way[domain] += 1
        if not self.is_own(domain):
            self._foreign += 1

    def leave(self, domain: str) -> None:
        """A recipient is under way no more."""
        self._under_way[domain] -= 1
        if not self._under_way[domain]:
            del self._under_way[domain]
        if not self.is_own(domain):
            self._foreign -= 1

    def unreachable(self, domain: str, now: int) -> bool:
        """Note that a domain could not be reached. True for the first news of it, False while
        a pause is already on."""
        before = self._pauses.pop(domain, None)
        if before is not None and before.until > now:
            self._pauses[domain] = before
            return False
        failures = 1 if before is None else before.failures + 1
        if len(self._pauses) >= MOST_REMEMBERED:
            del self._pauses[next(iter(self._pauses))]
        length = min(FIRST_PAUSE << min(failures - 1, 10), LONGEST_PAUSE)
        self._pauses[domain] = Pause(failures, now + length)
        return True

    def reachable(self, domain: str) -> None:
        """Note that a domain answered."""
        self._pauses.pop(domain, None)

    def next_probe(self, now: int) -> int | None:
        """When the next pause ends; None when there is none."""
        return min(
            (pause.until for pause in self._pauses.values() if pause.until > now), default=None
        )
