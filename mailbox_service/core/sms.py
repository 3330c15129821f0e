"""Short messages: numbers, units, states (sending-api §11).

This server has no phone network. A gateway has one: it takes messages, and tells later what
became of them and what was answered. What those speak that are reached over HTTP is in
`sms_dialects`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_DESTINATIONS = 100
# Ten parts; phones and gateways differ on what they put together beyond that.
LONGEST_CONTENT = 1_530

QUEUED, SUBMITTED, DELIVERED = "queued", "submitted", "delivered"
FAILED, REJECTED, HELD, PROCESSING = "failed", "rejected", "held", "processing"
ENROUTE, EXPIRED, CANCELLED = "enroute", "expired", "cancelled"
# Nothing changes any more.
FINAL = frozenset((DELIVERED, FAILED, REJECTED, EXPIRED, CANCELLED))

OPT_OUT = frozenset(("STOP", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"))

MINUTE = 60 * 1_000_000
PAUSES = tuple(minutes * MINUTE for minutes in (1, 5, 15))
# A code that comes an hour late helps nobody.
GIVE_UP_AFTER = 60 * MINUTE

# 3GPP 23.038 §6.2.1; what needs an escape counts twice.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€\f")

# The words of SMPP receipts (3.4, appendix B), of Twilio and others, of our own.
STATES: Mapping[str, str] = {
    "enroute": ENROUTE,
    "delivrd": DELIVERED,
    "expired": EXPIRED,
    "deleted": CANCELLED,
    "undeliv": FAILED,
    "acceptd": SUBMITTED,
    "unknown": PROCESSING,
    "rejectd": REJECTED,
    "accepted": SUBMITTED,
    "scheduled": SUBMITTED,
    "queued": SUBMITTED,
    "sending": SUBMITTED,
    "sent": SUBMITTED,
    "sms:sent": SUBMITTED,
    "submitted": SUBMITTED,
    "delivered": DELIVERED,
    "read": DELIVERED,
    "sms:delivered": DELIVERED,
    "undelivered": FAILED,
    "failed": FAILED,
    "sms:failed": FAILED,
    "rejected": REJECTED,
    "canceled": CANCELLED,
    "cancelled": CANCELLED,
}
# Kannel tells receipts by the bits of its dlr-mask.
KANNEL: Mapping[str, str] = {
    "1": DELIVERED,
    "2": FAILED,
    "4": ENROUTE,
    "8": SUBMITTED,
    "16": REJECTED,
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way to a gateway. `id` is ours; numbers begin with `+`."""

    id: str
    sender: str
    destination: str
    content: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a gateway tells about a message; `ours` is our id when it gave that back."""

    status: str
    gateway_id: str = ""
    ours: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message from a phone."""

    source: str
    destination: str
    content: str
    gateway_id: str = ""


class GatewayProblem(Exception):
    """A gateway did not take a message. `passes`: it is worth another try."""

    def __init__(self, words: str, *, passes: bool) -> None:
        super().__init__(words)
        self.passes = passes


def number_of(text: str) -> str:
    """A number in the form of E.164, `+` in front; empty for what is none."""
    plain = re.sub(r"[ ().-]", "", text)
    found = re.fullmatch(r"(?:\+|00)?([1-9][0-9]{6,14})", plain)
    return f"+{found[1]}" if found else ""


def is_gsm(content: str) -> bool:
    """Whether a text needs nothing beyond the GSM alphabet."""
    return all(one in _GSM or one in _GSM_EXTENDED for one in content)


def units_of(content: str) -> int:
    """How many messages a text is: 160 or 153 letters of GSM, 70 or 67 of UCS-2."""
    if is_gsm(content):
        length, alone, part = len(content), 160, 153
        length += sum(one in _GSM_EXTENDED for one in content)
    else:
        length, alone, part = len(content.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= alone else -(-length // part)


def opts_out(content: str) -> bool:
    """Whether somebody wants no more messages."""
    return content.strip().strip(".!").upper() in OPT_OUT


def state_of(word: str, preset: str = "") -> str:
    """Our state for a gateway's word; empty for one that says nothing."""
    word = word.strip().lower()
    if preset == "kannel" and word in KANNEL:
        return KANNEL[word]
    return STATES.get(word, "")


def next_try(attempt: int, *, created_at: int, now: int) -> int | None:
    """When a message is tried again; None: never. Microseconds."""
    at = now + PAUSES[min(attempt, len(PAUSES)) - 1]
    return None if at > created_at + GIVE_UP_AFTER else at
