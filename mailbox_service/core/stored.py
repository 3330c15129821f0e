"""Stored mail as all layers speak of it: a message, its summary, its marks, and what is wanted.

Times are microseconds UTC.
"""

from __future__ import annotations

from dataclasses import dataclass

# What an owner marks; the names are IMAP's (RFC 9051 §2.3.2).
SEEN = 1
FLAGGED = 2
ANSWERED = 4
DELETED = 8
DRAFT = 16
ALL_FLAGS = SEEN | FLAGGED | ANSWERED | DELETED | DRAFT


@dataclass(frozen=True, slots=True)
class StoredSummary:
    """What was read out of a message after it was accepted."""

    message_id: str | None
    from_name: str
    from_address: str
    to: str
    subject: str
    preview: str
    attachment_count: int
    codes: tuple[str, ...]
    links: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message in one mailbox. `summary` is None until the worker has read it."""

    id: int
    address: str
    reverse_path: str
    content_id: int
    size: int
    flags: int
    received_at: int
    metadata: str | None
    summary: StoredSummary | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which messages of a mailbox are wanted; texts are matched as they are, in any case."""

    q: str = ""
    sender: str = ""
    subject: str = ""
    unread: bool = False
    flagged: bool = False
    codes: bool = False

    def __bool__(self) -> bool:
        return self != NO_FILTERS


NO_FILTERS = Filters()
