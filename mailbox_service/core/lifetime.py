"""How long an address lives: for ever, or as long as was asked for when it was opened."""

from __future__ import annotations

from typing import Any

from mailbox_service.core.errors import BadRequest

SECOND = 1_000_000  # microseconds
LONGEST = 10 * 365 * 86_400  # seconds: ten years; whoever wants more wants no end


def read_lifetime(expires_in: Any) -> int | None:
    """The lifetime that was asked for in seconds; None: no end. Raises BadRequest."""
    if expires_in is None:
        return None
    whole = isinstance(expires_in, int) and not isinstance(expires_in, bool)
    if not whole or not 1 <= expires_in <= LONGEST:
        raise BadRequest(f"expires_in must be a whole number of seconds from 1 to {LONGEST}")
    return int(expires_in)


def end_of(lifetime: int | None, *, now: int) -> int | None:
    """When an address ends that begins a lifetime now, microseconds UTC; None: never."""
    return None if lifetime is None else now + lifetime * SECOND


def has_ended(expires_at: int | None, *, now: int) -> bool:
    """Whether an address that ends at a time has ended."""
    return expires_at is not None and expires_at <= now
