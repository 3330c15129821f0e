"""Stored things as all layers speak of them: messages and their marks, addresses, allowances,
recipients of queued mail.

Times are microseconds UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec import Struct

# What an owner marks; the names are IMAP's (RFC 9051 §2.3.2).
SEEN = 1
FLAGGED = 2
ANSWERED = 4
DELETED = 8
DRAFT = 16
ALL_FLAGS = SEEN | FLAGGED | ANSWERED | DELETED | DRAFT
# Above them, keywords that a mailbox's owner has named (RFC 9051 §2.3.2): a flag each. So many
# fit beside the others into the 32 bits of a row; mail programs use five to ten.
FIRST_KEYWORD = 1 << 8
MOST_KEYWORDS = 20
KEYWORDS = ((1 << MOST_KEYWORDS) - 1) * FIRST_KEYWORD
EVERY_FLAG = ALL_FLAGS | KEYWORDS


class StoredSummary(Struct, frozen=True):
    """What was read out of a message after it was accepted."""

    message_id: str | None
    from_name: str
    from_address: str
    to: str
    subject: str
    preview: str
    attachment_count: int
    codes: tuple[str, ...]
    # With `url`, `text`, `host`; and, as long as both are known, `confidence` and `rule`.
    links: tuple[dict[str, Any], ...]
    # `confidence` and `rule` of each code, in their order; empty where that was not written down.
    code_marks: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class StoredVerdicts:
    """What was found out about where a message comes from: one word a method (RFC 8601 §2.7),
    and all results as they stand in an Authentication-Results field behind our name."""

    spf: str
    dkim: str
    dmarc: str
    arc: str
    results: str = ""


class StoredMessage(Struct, frozen=True):
    """One message in one mailbox. `summary` and `verdicts` are None until a worker has been
    there."""

    id: int
    address: str
    reverse_path: str
    content_id: int
    size: int
    flags: int
    received_at: int
    metadata: str | None
    summary: StoredSummary | None = None
    verdicts: StoredVerdicts | None = None


# A message as it may change: id, flags, metadata, how often its summary was changed (-1: there is
# none), whether it was judged. Two of one message are equal as long as everything is that a list
# shows of it.
State = tuple[int, int, str | None, int, bool]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which messages of a mailbox are wanted; texts are matched as they are, in any case.
    `since` is when they came at the earliest, microseconds UTC."""

    q: str = ""
    sender: str = ""
    subject: str = ""
    unread: bool = False
    flagged: bool = False
    codes: bool = False
    since: int | None = None

    def __bool__(self) -> bool:
        return self != NO_FILTERS


NO_FILTERS = Filters()


class Excerpt(Struct, frozen=True, gc=False):
    """Which part of a list of messages is wanted: `limit` of those that the filters let through,
    newest first; behind `after_id` oldest first. `unknown_only`: those for addresses that nobody
    has opened."""

    limit: int
    offset: int = 0
    before_id: int | None = None
    after_id: int | None = None
    filters: Filters = NO_FILTERS
    unknown_only: bool = False


@dataclass(frozen=True, slots=True)
class Address:
    """One opened address. Times are microseconds UTC.

    `address` is canonical, `name` the spelling it was opened with. Tokens issued before
    `tokens_from` no longer count, and neither do tokens without an issue time once it is set.
    """

    id: int
    address: str
    name: str
    password_hash: str | None
    source_meta: str | None
    created_at: int
    updated_at: int
    tokens_from: int
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class CountedAddress:
    """An opened address as administrators list it."""

    id: int
    name: str
    source_meta: str | None
    created_at: int
    updated_at: int
    mail_count: int
    send_count: int
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class Allowance:
    """The allowance of one address; `created_at` is microseconds UTC."""

    id: int
    address: str
    balance: int
    enabled: bool
    created_at: int


@dataclass(frozen=True, slots=True)
class QueuedRecipient:
    """A recipient and its state as people see it."""

    id: int
    submission_id: int
    recipient: str
    state: str
    attempts: int
    next_attempt_at: int | None
    last_reply: str | None
    remote: str | None
    updated_at: int
