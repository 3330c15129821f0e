"""What can happen to a message, and what each fact proves.

An event is appended once and never changed. It says what we know, not what we hope: that a next
hop took a message does not mean that anybody can read it there. The words follow the actions of
RFC 3464 §2.3.3 where it has them.
"""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """The name of an event, as stored and as shown to users; `proves` is what it means."""

    proves: str

    def __new__(cls, name: str, proves: str = "") -> EventKind:
        member = str.__new__(cls, name)
        member._value_ = name
        member.proves = proves
        return member

    QUEUED = (
        "queued",
        "The message is on disk and ours to deliver or to report; nobody was asked to take it yet.",
    )
    HELD = (
        "held",
        "The message waits because this service sends nothing to foreign domains; it is not lost.",
    )
    DEFERRED = (
        "deferred",
        "An attempt ended without a yes or a final no, and another is planned. The next hop may "
        "still have taken the message when the connection broke after its end.",
    )
    DELIVERED = (
        "delivered",
        "The next hop answered 250 and answers for the message now; it may still refuse, sort or "
        "drop it, so this does not prove that it lies in a mailbox. For a mailbox of ours it does.",
    )
    FAILED = (
        "failed",
        "The next hop said no for good, or time ran out; nobody will try again unless asked to.",
    )
    REPORTED = (
        "reported",
        "A notice of failure was put into the sender's mailbox; not that anybody read it.",
    )
    RETRIED = (
        "retried",
        "An operator made the recipient due again; what comes of it is an event of its own.",
    )
    RECEIVED = (
        "received",
        "The message is on disk in a mailbox of ours; its sender was told so, and nothing that "
        "its header claims about its author is proven.",
    )

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to the recipient by itself."""
        return self in _FINAL


_FINAL = frozenset((EventKind.DELIVERED, EventKind.FAILED, EventKind.RECEIVED))
