"""The wire shapes of mail (mailbox-api §1.6), and our own light row beside them."""

from __future__ import annotations

import re
from functools import lru_cache
from time import gmtime, strftime

from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.parsing import ParsedMessage, PartInfo
from mailbox_service.core.stored import (
    ANSWERED,
    FLAGGED,
    SEEN,
    StoredMessage,
    StoredSummary,
)

HEAD = 65_536  # octets looked at for a Message-ID that no summary has told yet
_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:[ \t]*(?:\r?\n[ \t]+)?([^\r\n]*)", re.I | re.M)


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return strftime("%Y-%m-%d %H:%M:%S", gmtime(seconds))


def wire_time(micros: int) -> str:
    """`YYYY-MM-DD HH:MM:SS`, UTC."""
    return _second(micros // 1_000_000)


# The contract's rows


class MailRow(Struct, frozen=True):
    """A mail with its whole source. `metadata` is JSON in a string."""

    id: int
    message_id: str | None
    source: str
    address: str
    raw: str
    metadata: str | None
    created_at: str


class MailPage(Struct, frozen=True):
    """A page of mails; `count` is the total on the first page, and 0 on all others."""

    results: list[MailRow]
    count: int


class ParsedAttachment(Struct, frozen=True, rename="camel"):
    """An attachment without its bytes; `size` is octets, decoded."""

    filename: str
    mime_type: str
    disposition: str
    size: int


class ParsedRow(Struct, frozen=True):
    """A mail taken apart. `to` is `address` under the name that the documentation promised."""

    id: int
    message_id: str | None
    source: str
    address: str
    to: str
    metadata: str | None
    created_at: str
    sender: str
    subject: str
    text: str
    html: str
    attachments: list[ParsedAttachment]


class ParsedPage(Struct, frozen=True):
    """A page of mails taken apart."""

    results: list[ParsedRow]
    count: int


def mail_row(message: StoredMessage, raw: bytes, name: str = "") -> MailRow:
    """A mail with its source as text; octets that are not UTF-8 are replaced, in this view.
    `name` is how its address was spelled when it was opened (mailbox-api §9, step 1)."""
    return MailRow(
        message.id,
        message_id_of(message, raw),
        message.reverse_path,
        name or message.address,
        raw.decode("utf-8", "replace"),
        message.metadata,
        wire_time(message.received_at),
    )


def parsed_row(
    message: StoredMessage, raw: bytes, parsed: ParsedMessage, name: str = ""
) -> ParsedRow:
    """A mail taken apart by mailbox-api §9.7."""
    return ParsedRow(
        id=message.id,
        message_id=message_id_of(message, raw),
        source=message.reverse_path,
        address=name or message.address,
        to=name or message.address,
        metadata=message.metadata,
        created_at=wire_time(message.received_at),
        sender=parsed.sender.strip(),
        subject=parsed.subject,
        text=parsed.text,
        html=parsed.html,
        attachments=[
            ParsedAttachment(part.filename, part.mime_type, part.disposition, part.size)
            for part in parsed.attachments
        ],
    )


def message_id_of(message: StoredMessage, raw: bytes) -> str | None:
    """The author's name for the message, from its summary or else from its header."""
    if message.summary is not None:
        return message.summary.message_id
    head = raw[:HEAD]
    found = _MESSAGE_ID.search(head[: head.find(b"\r\n\r\n")] if b"\r\n\r\n" in head else head)
    return (found[1].strip().decode("utf-8", "replace") or None) if found else None


# Our own rows


class LinkRow(Struct, frozen=True):
    """A link that a mail asks to follow. `confidence`: how sure that is, 0 to 1; absent from
    brief rows, and where it is not known."""

    url: str
    text: str
    host: str
    confidence: float | UnsetType = UNSET


class PartRow(Struct, frozen=True):
    """A part that can be fetched by its index; `size` is octets, decoded."""

    index: int
    filename: str
    mime_type: str
    size: int
    disposition: str
    content_id: str


class HeaderRow(Struct, frozen=True):
    """One header field, decoded."""

    name: str
    value: str


class VerdictsRow(Struct, frozen=True):
    """Where a mail comes from, one word a method (RFC 8601 §2.7): `none`, `pass`, `fail`,
    `temperror`, `permerror`, and for SPF and DKIM a few more."""

    spf: str
    dkim: str
    dmarc: str
    arc: str


class LightRow(Struct, frozen=True):
    """A mail in a list: everything but its text. `code` and `link` are the best of their kind.
    `code_confidences` say how sure each of `codes` is, 0 to 1, in their order; absent where that
    is not known. `verdicts` are null until they were found out."""

    id: int
    address: str
    source: str
    from_name: str
    from_address: str
    to: str
    subject: str
    preview: str
    created_at: str
    size: int
    message_id: str | None
    seen: bool
    flagged: bool
    answered: bool
    attachment_count: int
    code: str | None
    codes: list[str]
    link: LinkRow | None
    links: list[LinkRow]
    verdicts: VerdictsRow | None = None
    # Only where somebody waited for the mail and so wants to read it at once.
    text: str | UnsetType = UNSET
    code_confidences: list[float] | UnsetType = UNSET


# Characters of what a page shows: as much as a line of a wide screen has room for.
BRIEF_PREVIEW = 110
BRIEF_LINK = 60


class BriefRow(Struct, frozen=True, omit_defaults=True):
    """A mail in a brief list, where what is empty is left out: an absent mark is false, an absent
    count 0, an absent text empty."""

    id: int
    created_at: str
    size: int
    from_address: str = ""
    from_name: str = ""
    subject: str = ""
    preview: str = ""
    seen: bool = False
    flagged: bool = False
    answered: bool = False
    attachment_count: int = 0
    code: str | None = None
    link: LinkRow | None = None


EMPTY_SUMMARY = StoredSummary(
    message_id=None,
    from_name="",
    from_address="",
    to="",
    subject="",
    preview="",
    attachment_count=0,
    codes=(),
    links=(),
)


def brief_row(message: StoredMessage) -> BriefRow:
    """A mail in a brief list."""
    summary = message.summary or EMPTY_SUMMARY
    best = summary.links[0] if summary.links else None
    link = LinkRow(best["url"], best["text"][:BRIEF_LINK], best["host"]) if best else None
    return BriefRow(
        id=message.id,
        created_at=wire_time(message.received_at),
        size=message.size,
        # A mail without From is told apart by its envelope.
        from_address=summary.from_address or message.reverse_path,
        from_name=summary.from_name,
        subject=summary.subject,
        preview=summary.preview[:BRIEF_PREVIEW],
        seen=bool(message.flags & SEEN),
        flagged=bool(message.flags & FLAGGED),
        answered=bool(message.flags & ANSWERED),
        attachment_count=summary.attachment_count,
        code=summary.codes[0] if summary.codes else None,
        link=link,
    )


def light_row(message: StoredMessage, text: str | UnsetType = UNSET) -> LightRow:
    """A mail in a list."""
    summary = message.summary or EMPTY_SUMMARY
    links = [
        LinkRow(link["url"], link["text"], link["host"], link.get("confidence", UNSET))
        for link in summary.links
    ]
    marks = summary.code_marks
    known = len(marks) == len(summary.codes)
    return LightRow(
        id=message.id,
        address=message.address,
        source=message.reverse_path,
        from_name=summary.from_name,
        from_address=summary.from_address,
        to=summary.to,
        subject=summary.subject,
        preview=summary.preview,
        created_at=wire_time(message.received_at),
        size=message.size,
        message_id=summary.message_id,
        seen=bool(message.flags & SEEN),
        flagged=bool(message.flags & FLAGGED),
        answered=bool(message.flags & ANSWERED),
        attachment_count=summary.attachment_count,
        code=summary.codes[0] if summary.codes else None,
        codes=list(summary.codes),
        link=links[0] if links else None,
        links=links,
        verdicts=verdicts_row(message),
        text=text,
        code_confidences=[mark["confidence"] for mark in marks] if known else UNSET,
    )


def verdicts_row(message: StoredMessage) -> VerdictsRow | None:
    """What was found out about where a mail comes from."""
    found = message.verdicts
    return None if found is None else VerdictsRow(found.spf, found.dkim, found.dmarc, found.arc)


def part_row(part: PartInfo) -> PartRow:
    """A part that can be fetched."""
    return PartRow(
        part.index, part.filename, part.mime_type, part.size, part.disposition, part.content_id
    )
