"""The words of whoever looks at the queue: which recipients, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_service.core.stored import QueuedRecipient


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which recipients: `state` and `domain` exactly, `sender` and `recipient` in part; `reason`
    is in their last reply, `…` standing for anything."""

    state: str = ""
    domain: str = ""
    sender: str = ""
    recipient: str = ""
    reason: str = ""


EVERYTHING = QueueFilter()


@dataclass(frozen=True, slots=True)
class DeskRow:
    """A recipient with what is known of its message. Times are microseconds UTC."""

    recipient: QueuedRecipient
    domain: str
    queued_at: int
    queue_id: str
    sender: str
    subject: str
    size: int
    created_at: int
