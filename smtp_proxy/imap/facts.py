"""What was read out of messages, kept so that a list reads each content once.

A message never changes and its UID is never given twice, so nothing here grows old; what was
used longest ago goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from email.utils import parsedate_tz

from mailbox_service.core.header_words import decoded
from mailbox_service.core.mailboxes import Box
from smtp_proxy.imap.structure import Message

# All that is kept, in octets: some 10,000 messages of everyday mail.
KEPT_OCTETS = 32 << 20
# A header section above this is read anew each time.
KEPT_HEADER = 8_192
# Structures of hostile messages: they are made anew each time.
KEPT_ONE = 65_536
# What a Python object and a place in a dictionary take besides.
OVERHEAD = 1_200


@dataclass(frozen=True, slots=True)
class Facts:
    """The header of a message as lists show it, and as searches compare it (casefolded)."""

    envelope: bytes
    body: bytes
    structure: bytes
    header: bytes | None
    fields: Mapping[bytes, str]
    sent_on: date | None

    @property
    def cost(self) -> int:
        """About how many octets this takes."""
        fields = sum(4 * len(value) for value in self.fields.values())
        sizes = len(self.envelope) + len(self.body) + len(self.structure) + len(self.header or b"")
        return sizes + fields + OVERHEAD

    @classmethod
    def of(cls, message: Message) -> Facts:
        """Read a message."""
        header = message.root.header
        section = message.section((), b"HEADER", None) or b""
        return cls(
            message.envelope(),
            message.structure(extended=False),
            message.structure(extended=True),
            section if len(section) <= KEPT_HEADER else None,
            {
                name.upper().encode(): "\n".join(map(decoded, header.all(name))).casefold()
                for name in ("from", "to", "cc", "bcc", "subject")
            },
            sent_on(header.text("date")),
        )


def sent_on(text: str) -> date | None:
    """The day of a Date field, as it is written there (RFC 9051 §6.4.4)."""
    try:
        parts = parsedate_tz(text[:100])
        return None if parts is None else date(*parts[:3])
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


class Library:
    """Facts of messages of all mailboxes, within `KEPT_OCTETS`."""

    def __init__(self, octets: int = KEPT_OCTETS) -> None:
        self._room = octets
        self._kept: OrderedDict[tuple[Box, int], Facts] = OrderedDict()

    def get(self, box: Box, uid: int) -> Facts | None:
        """The facts of a message, when they are known."""
        facts = self._kept.get((box, uid))
        if facts is not None:
            self._kept.move_to_end((box, uid))
        return facts

    def keep(self, box: Box, uid: int, facts: Facts) -> None:
        """Remember the facts of a message."""
        if facts.cost > KEPT_ONE or (box, uid) in self._kept:
            return
        self._kept[(box, uid)] = facts
        self._room -= facts.cost
        while self._room < 0:
            _, oldest = self._kept.popitem(last=False)
            self._room += oldest.cost
