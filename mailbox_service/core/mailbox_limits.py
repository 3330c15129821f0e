"""How much one mailbox may hold, and how much may arrive for it."""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_service.core.errors import MailboxFull, MessageTooBig, TooManyRequests

MINUTE = 60_000_000  # microseconds
HOUR = 60 * MINUTE

FULL = "The mailbox is full, try again later"
TOO_MANY = "Too much mail for this mailbox, try again later"


@dataclass(slots=True)
class Fill:
    """How full a mailbox is: the mails and octets in it, and how many mails arrived in the clock
    minute and the clock hour that is now (UTC)."""

    mails: int = 0
    octets: int = 0
    in_minute: int = 0
    in_hour: int = 0


@dataclass(frozen=True, slots=True)
class MailboxLimits:
    """The limits of every mailbox; 0 is no limit."""

    mails: int = 0
    octets: int = 0
    per_minute: int = 0
    per_hour: int = 0

    def __bool__(self) -> bool:
        return bool(self.mails or self.octets or self.per_minute or self.per_hour)

    def check_size(self, size: int) -> None:
        """Raises MessageTooBig for a mail that no mailbox has room for, however empty."""
        if self.octets and size > self.octets:
            raise MessageTooBig(f"The message is larger than a mailbox: {self.octets} octets")

    def is_full(self, fill: Fill) -> bool:
        """Whether a mailbox takes nothing further until something is deleted."""
        return bool(self.mails and fill.mails >= self.mails) or bool(
            self.octets and fill.octets >= self.octets
        )

    def check(self, fill: Fill, *, now: int, size: int = 0) -> None:
        """Raises MailboxFull or TooManyRequests when a mailbox takes no further mail. With `size`
        that mail has to have room too."""
        if self.is_full(fill) or (self.octets and fill.octets + size > self.octets):
            raise MailboxFull(FULL)
        if self.per_hour and fill.in_hour >= self.per_hour:
            raise TooManyRequests(TOO_MANY, retry_after=left(now, HOUR))
        if self.per_minute and fill.in_minute >= self.per_minute:
            raise TooManyRequests(TOO_MANY, retry_after=left(now, MINUTE))


def left(now: int, period: int) -> float:
    """Seconds until the clock's next period begins."""
    return (period - now % period) / 1_000_000
