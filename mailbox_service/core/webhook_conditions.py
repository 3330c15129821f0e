"""Conditions of a webhook: of which mail it tells (mailbox-api §15, 26).

They stand in the settings of a webhook, which are kept as they were posted. All of them must hold.
A filter that cannot be read lets nothing through: what its owner wanted kept from a receiver must
not go there because of a slip of the pen, and the test call says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.extraction import extract
from mailbox_service.core.header_words import first_mailbox
from mailbox_service.core.mime_parts import read_header
from mailbox_service.core.parsing import ParsedMessage
from mailbox_service.core.patterns import compile_pattern, fits_wildcards
from mailbox_service.core.stored import StoredVerdicts

# Each entry may be tried on two addresses of every mail, and a bad one takes 50 ms.
MOST_ENTRIES = 50
LONGEST_PATTERN = 200  # characters, as those of forwarding rules (mailbox-api §9.8)
LONGEST_WORD = 20  # characters of a verdict; the longest is `permerror`
MOST_WORDS = 10

Entries = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=254)]], Meta(max_length=MOST_ENTRIES)
]
Words = Annotated[list[Annotated[str, Meta(max_length=LONGEST_WORD)]], Meta(max_length=MOST_WORDS)]


class WantedVerdicts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may have been found out about where a mail comes from: for each method the words that
    will do, such as `["pass"]`; none: any."""

    spf: Words = []
    dkim: Words = []
    dmarc: Words = []
    arc: Words = []


@dataclass(frozen=True, slots=True)
class ConditionMail:
    """What conditions look at. `senders` are the author and the reverse-path. `verdicts` are None
    until they were found out."""

    senders: tuple[str, ...]
    recipient: str
    subject: str
    text: str
    html: str
    attachments: int
    verdicts: StoredVerdicts | None = None


class Conditions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which mail a webhook tells; what is absent or empty does not matter, all others must
    hold. `senders` and `recipients` are addresses in any case, with `*` for any text, of which one
    must fit; `subject` is a regular expression (JavaScript, any case)."""

    senders: Entries = []
    recipients: Entries = []
    subject: Annotated[str, Meta(max_length=LONGEST_PATTERN)] = ""
    has_code: bool | None = None
    has_attachment: bool | None = None
    verdicts: WantedVerdicts = WantedVerdicts()

    @property
    def need_verdicts(self) -> bool:
        """Whether these can be judged only when it is known where the mail comes from."""
        return self.verdicts != WantedVerdicts()

    def unmet(self, mail: ConditionMail) -> tuple[str, ...]:
        """The names of those that do not hold for a mail."""
        return tuple(self._unmet(mail))

    def _unmet(self, mail: ConditionMail) -> Iterable[str]:
        if self.senders and not any(fits(self.senders, sender) for sender in mail.senders):
            yield "senders"
        if self.recipients and not fits(self.recipients, mail.recipient):
            yield "recipients"
        if self.subject and not found_in(self.subject, mail.subject):
            yield "subject"
        if self.has_attachment is not None and self.has_attachment != (mail.attachments > 0):
            yield "has_attachment"
        if self.has_code is not None:
            codes = extract(mail.subject, mail.text, mail.html).codes
            if self.has_code != bool(codes):
                yield "has_code"
        for method in WantedVerdicts.__struct_fields__:
            wanted = getattr(self.verdicts, method)
            if wanted and (
                mail.verdicts is None or getattr(mail.verdicts, method) not in lowered(wanted)
            ):
                yield f"verdicts.{method}"


class Unreadable(Conditions, frozen=True, kw_only=True):
    """Conditions that make no sense: no mail meets them. `reason` says what is wrong."""

    reason: str

    @property
    def need_verdicts(self) -> bool:
        return False

    def unmet(self, mail: ConditionMail) -> tuple[str, ...]:
        return (f"conditions: {self.reason}",)


def read_conditions(stored: Any) -> Conditions | None:
    """The conditions of stored settings; None when there are none."""
    if not stored:
        return None
    try:
        found = msgspec.convert(stored, Conditions)
        if found.subject:
            compile_pattern(found.subject, ignore_case=True)
    except msgspec.ValidationError as error:
        return Unreadable(reason=str(error))
    except BadRequest as error:
        return Unreadable(reason=error.detail)
    return None if found == Conditions() else found


def condition_mail(
    content: bytes,
    parsed: ParsedMessage,
    *,
    recipient: str,
    reverse_path: str,
    verdicts: StoredVerdicts | None = None,
) -> ConditionMail:
    """What conditions look at in a mail."""
    author = first_mailbox(read_header(content).text("from"))[1]
    return ConditionMail(
        senders=tuple(filter(None, (author, reverse_path))),
        recipient=recipient,
        subject=parsed.subject,
        text=parsed.text,
        html=parsed.html,
        attachments=len(parsed.attachments),
        verdicts=verdicts,
    )


def fits(entries: Iterable[str], address: str) -> bool:
    """Whether an address is one of the entries."""
    subject = address.lower()
    wanted = (entry.strip().lower() for entry in entries)
    return any(subject == entry or fits_wildcards(entry, subject) for entry in wanted)


def found_in(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text; one that takes too long is not."""
    return compile_pattern(pattern, ignore_case=True).found_in(text)


def lowered(words: Iterable[str]) -> set[str]:
    """Words in any case."""
    return {word.strip().lower() for word in words}
