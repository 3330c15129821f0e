"""Answering by itself without ever starting a conversation (mailbox-api §9.14, RFC 3834)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from mailbox_service.core.address import split
from mailbox_service.core.compose import Draft, NamedAddress, compose
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.mime_parts import Header
from mailbox_service.core.patterns import compile_pattern

MAX_LENGTH = 255  # UTF-16 units of subject and message (mailbox-api §3.3)
MAX_NAME = 256  # characters of a display name
DEFAULT_SUBJECT = "Auto-reply"
# The spelling is the contract's.
DEFAULT_MESSAGE = "This is an auto-reply message, please reconact later."

# One sender gets this many answers of one mailbox in an hour: enough for somebody who tries it
# out, and the end of any loop that the marks below did not prevent.
MOST_A_SENDER = 5
# Senders are forged. What a mailbox can send to people who never wrote is bounded by this.
MOST_A_MAILBOX = 60
WINDOW_MICROS = 3_600_000_000

# RFC 2919 and RFC 2369: mail to many, where an answer would go to one or to all of them.
LIST_FIELDS = frozenset(
    f"list-{name}"
    for name in ("id", "help", "subscribe", "unsubscribe", "post", "owner", "archive")
)
# Marks of other automatic answers, older than RFC 3834.
AUTOMATIC_FIELDS = frozenset(("x-autoreply", "x-autorespond", "x-auto-reply", "x-loop"))
PRECEDENCES = frozenset(("bulk", "list", "junk", "auto_reply"))
SUPPRESSIONS = frozenset(("all", "oof", "autoreply"))
# RFC 3834 §2: nobody reads there.
ROBOTS = frozenset(("mailer-daemon", "postmaster", "listserv", "majordomo"))


@dataclass(frozen=True, slots=True)
class AutoReply:
    """What a mailbox answers by itself. `source_prefix` says whom: nobody excepted when it is
    empty, a pattern between slashes, or how the reverse-path begins."""

    subject: str
    message: str
    enabled: bool
    source_prefix: str
    name: str


def utf16_length(text: str) -> int:
    """The length of a text as JavaScript counts it."""
    return len(text) + sum(char > "\uffff" for char in text)


def wants(reply: AutoReply, reverse_path: str) -> bool:
    """Whether a sender is one of those that get the answer."""
    prefix = reply.source_prefix
    if len(prefix) > 2 and prefix.startswith("/") and prefix.endswith("/"):
        try:
            return compile_pattern(prefix[1:-1]).found_in(reverse_path)
        except BadRequest:
            return False
    return reverse_path.startswith(prefix)


def may_be_answered(header: Header, reverse_path: str, address: str) -> bool:
    """Whether a message may get an automatic answer at all (RFC 3834 §2)."""
    local = split(reverse_path)[0].lower()
    if not reverse_path or reverse_path == address or is_robot(local):
        return False
    if not header.text("message-id"):
        return False
    names = {name.lower() for name, _ in header.fields}
    if names & LIST_FIELDS or names & AUTOMATIC_FIELDS:
        return False
    if any(first_word(value) != "no" for value in header.all("auto-submitted")):
        return False
    if any(first_word(value) in PRECEDENCES for value in header.all("precedence")):
        return False
    if header.text("content-type").lower().startswith("multipart/report"):
        return False
    suppressed = ",".join(header.all("x-auto-response-suppress")).lower().split(",")
    return not any(word.strip() in SUPPRESSIONS for word in suppressed)


def is_robot(local: str) -> bool:
    return local in ROBOTS or local.startswith("owner-") or local.endswith("-request")


def first_word(value: str) -> str:
    """The word of a field, without parameters and comments."""
    words = value.partition(";")[0].partition("(")[0].split()
    return words[0].lower() if words else ""


def written(
    reply: AutoReply,
    *,
    address: str,
    reverse_path: str,
    original_id: str,
    message_id: str,
    date: datetime,
) -> bytes:
    """The answer. Raises BadAddress when the sender's address is none."""
    draft = Draft(
        sender=NamedAddress(address, one_line(reply.name)[:MAX_NAME] or address),
        to=(NamedAddress(reverse_path),),
        subject=one_line(reply.subject) or DEFAULT_SUBJECT,
        text=clean(reply.message) or DEFAULT_MESSAGE,
        headers=(("Auto-Submitted", "auto-replied"), ("X-Auto-Response-Suppress", "All")),
    )
    threaded = replace(draft, in_reply_to=original_id, references=(original_id,))
    try:
        return compose(threaded, message_id=message_id, date=date)
    except BadRequest:  # a Message-ID that is none cannot be referred to
        return compose(draft, message_id=message_id, date=date)


def one_line(text: str) -> str:
    """A text for a header field: what could end the field is a space (hazard 43)."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def clean(text: str) -> str:
    """A text for a body, without controls that no mail may have."""
    return "".join(char for char in text if char in "\n\r\t" or char.isprintable())
