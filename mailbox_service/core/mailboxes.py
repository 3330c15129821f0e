"""Mailboxes as mail clients see them (RFC 9051 §2.3, RFC 1939): two for each address.

Times are microseconds UTC, sizes octets, flags those of `core.stored`. A UID is the id of a row
and is never given twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Box(Enum):
    """What arrived for an address, and what it sent; the values are the names clients see."""

    INBOX = "INBOX"
    SENT = "SENT"


@dataclass(frozen=True, slots=True)
class MailRow:
    """One message in a list."""

    id: int
    flags: int
    size: int
    received_at: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """A mailbox in numbers; `top` is its highest UID, 0 when it is empty."""

    total: int
    unseen: int
    top: int


@dataclass(frozen=True, slots=True)
class Mark:
    """How far somebody has seen a mailbox: the last event, the highest UID, how many."""

    event_id: int
    top: int
    count: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to a mailbox since a mark.

    `rows` are new ones and those whose flags changed, by UID. With `whole` they are all there
    are, and what is not among them is gone; otherwise `gone` names what is gone.
    """

    rows: Sequence[MailRow]
    gone: Sequence[int]
    whole: bool
    mark: Mark
