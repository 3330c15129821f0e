"""When a post of the sending API is tried again (sending-api §6.5): 35 times in 48 hours."""

from __future__ import annotations

from mailbox_service.core.webhook import HttpAnswer

# Minutes after the first try: five soon, then one an hour for a day, then six to the end.
AFTER = (
    *(1, 5, 10, 20, 30),
    *range(90, 30 + 24 * 60 + 1, 60),
    *range(30 + 24 * 60 + 235, 48 * 60 + 1, 235),
)
MINUTE = 60 * 1_000_000
# How much of a pause chance may take away, so that what failed together does not come back so.
SPREAD = 0.1


def next_try(
    answer: HttpAnswer, *, attempt: int, created_at: int, now: int, jitter: float
) -> int | None:
    """When a post that was not taken comes again; None: never. Times are microseconds, `attempt`
    counts from 1, `jitter` is 0 to 1. The last try is at 48 hours exactly."""
    if answer.is_success or attempt > len(AFTER):
        return None
    minutes = AFTER[attempt - 1]
    pause = minutes - (AFTER[attempt - 2] if attempt > 1 else 0)
    early = 0.0 if attempt == len(AFTER) else SPREAD * jitter * pause
    # Whoever was away for long does not ask again and again in one moment.
    return max(created_at + int((minutes - early) * MINUTE), now + MINUTE // 2)
