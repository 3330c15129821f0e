"""What mail that came back says: failures (RFC 3464) and complaints (RFC 5965).

Nothing here is believed: a report names recipients, and whoever acts on it looks whether the
message that its signed return-path stands for went to them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress, BadContent
from mailbox_service.core.header_section import read_fields, unfolded_value
from mailbox_service.core.mime_parts import content, read_tree
from mailbox_service.core.notification import Notice, read_notice

# Of a report: fields are few, recipients of one complaint are one.
LARGEST_REPORT = 65_536
MOST_RECIPIENTS = 100
# Kinds of feedback that mean that the recipient does not want the mail (RFC 5965 §7.3).
COMPLAINTS = frozenset(("abuse", "fraud", "virus", "other", "complaint"))


@dataclass(frozen=True, slots=True)
class Bounce:
    """One failure: who it may be about (best guess first, empty for unknown), and why."""

    recipients: tuple[str, ...]
    status: str
    diagnostic: str = ""
    host: str = ""

    @property
    def hard(self) -> bool:
        """Whether nobody is there (sending-api §7.4): a full mailbox and a policy are no proof."""
        if not self.status.startswith("5"):
            return False
        return self.status != "5.2.2" and not self.status.startswith("5.7.")


@dataclass(frozen=True, slots=True)
class Complaint:
    """Somebody called the mail spam."""

    recipients: tuple[str, ...]
    kind: str = "abuse"


def read_bounces(raw: bytes) -> list[Bounce] | None:
    """The failures that a notice tells of; None when the mail is no notice of the standard."""
    notice: Notice | None = read_notice(raw)
    if notice is None:
        return None
    return [
        Bounce(
            tuple(filter(None, (one.original_recipient, one.recipient))),
            one.status,
            one.diagnostic,
            one.remote_mta or notice.reporting_mta,
        )
        for one in notice.recipients[:MOST_RECIPIENTS]
        if one.action == "failed"
    ]


def read_complaint(raw: bytes) -> Complaint | None:
    """The complaint that a mail is; None when it is none."""
    tree = read_tree(raw)
    if tree.root.type != "multipart/report":
        return None
    for part in tree.root.children:
        if part.type != "message/feedback-report":
            continue
        octets = content(raw, part, LARGEST_REPORT).strip(b"\r\n")
        try:
            fields, _ = read_fields(b"\r\n".join(octets.splitlines()) + b"\r\n\r\n")
        except BadContent:
            return None
        people: list[str] = []
        kind = ""
        for name, value in fields:
            text = unfolded_value(value).strip()
            if name == b"feedback-type":
                kind = kind or text.lower()
            elif name in (b"original-rcpt-to", b"removal-recipient") and len(people) < 10:
                address = read_address(text)
                if address:
                    people.append(address)
        return Complaint(tuple(people), kind) if kind in COMPLAINTS else None
    return None


def read_address(text: str) -> str:
    """An address of a report in canonical form; empty when it is none."""
    _, _, after = text.rpartition(";")
    try:
        return canonical(after.strip().strip("<>"))
    except BadAddress:
        return ""
