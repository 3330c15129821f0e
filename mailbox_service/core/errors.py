"""Why something was refused, as facts of mail. Each edge has one table from kind to its own answer.

MailError
├── BadRequest                5.5.4  a field that cannot be understood
├── BadAddress                5.1.3  not an address (RFC 5321 §4.1.2)
├── UnknownMailbox            5.1.1  no such mailbox here
├── NotOurDomain              5.7.1  we are not its mail server: relaying denied
├── SenderRefused             5.7.1  policy refuses this reverse-path
├── BadCredential             5.7.8  the token or password proves nobody
├── NotYours                  5.7.1  proven, but not allowed to do this
├── FromNotYours              5.7.1  From, Sender or reverse-path of somebody else
├── RecipientBlocked          5.7.1  on the send block list or suppressed
├── MessageTooBig             5.3.4
├── BadContent                5.6.0  the content cannot be taken as it is
├── RoutingLoop               5.4.6  too many Received fields
├── QuotaReached              5.7.1  allowance used up; waiting does not help
├── MailboxFull               4.2.2  no room in this mailbox, until its owner deletes
├── Conflict                  5.5.0  the same key was used for another request
├── NameTaken                 5.1.0  the address exists already
├── NotFound                  5.0.0  nothing with that id
├── NoChannel                 5.3.5  no way out is configured for this sender
├── TooManyRequests           4.7.0  slow down
└── TemporaryFailure          4.3.0  our trouble: come back later
    ├── StorageFull           4.3.1  no room, come back later
    └── StatementRefused      4.3.0  the store is well, and does not take a statement
"""

from __future__ import annotations


class MailError(Exception):
    """A refusal the caller may hear about. `detail` is safe to show; causes go to the log.

    `enhanced` is the status of RFC 3463 §2: class 4 asks the caller to come back, class 5
    not to. Each edge keeps one table from type to its own answer, HTTP status or SMTP reply.
    `message_key` names the localised text of `core.texts` when the refusal has one; `detail`
    is then its English form.
    """

    enhanced = "5.0.0"

    def __init__(self, detail: str, *, message_key: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.message_key = message_key


class BadRequest(MailError):
    """A field that is missing or cannot be understood (RFC 3463 §3.6, X.5.4)."""

    enhanced = "5.5.4"


class BadAddress(MailError):
    """Not an address by our grammar (RFC 5321 §4.1.2; RFC 3463 §3.2, X.1.3)."""

    enhanced = "5.1.3"


class UnknownMailbox(MailError):
    """No such mailbox on this host (RFC 3463 §3.2, X.1.1)."""

    enhanced = "5.1.1"


class NotOurDomain(MailError):
    """Mail for a domain that we do not serve: relaying is denied (RFC 5321 §7.9)."""

    enhanced = "5.7.1"


class SenderRefused(MailError):
    """Policy refuses mail of this reverse-path."""

    enhanced = "5.7.1"


class BadCredential(MailError):
    """The token or password proves nobody (RFC 4954 §6)."""

    enhanced = "5.7.8"


class NotYours(MailError):
    """The principal is known, and may not do this."""

    enhanced = "5.7.1"


class FromNotYours(MailError):
    """From, Sender or reverse-path belongs to somebody else (RFC 6409 §6.1)."""

    enhanced = "5.7.1"


class RecipientBlocked(MailError):
    """The recipient is on a block or suppression list."""

    enhanced = "5.7.1"


class MessageTooBig(MailError):
    """Larger than this host takes (RFC 1870 §6; RFC 3463 §3.4, X.3.4)."""

    enhanced = "5.3.4"


class BadContent(MailError):
    """The content cannot be taken as it is (RFC 3463 §3.7, X.6.0)."""

    enhanced = "5.6.0"


class RoutingLoop(MailError):
    """The message has been here too often (RFC 5321 §6.3; RFC 3463 §3.5, X.4.6)."""

    enhanced = "5.4.6"


class QuotaReached(MailError):
    """The allowance is used up, and only an administrator can raise it."""

    enhanced = "5.7.1"


class MailboxFull(MailError):
    """The mailbox holds as much as one may; deletions make room (RFC 3463 §3.3, X.2.2)."""

    enhanced = "4.2.2"


class Conflict(MailError):
    """The same idempotency key came with another request."""

    enhanced = "5.5.0"


class NameTaken(MailError):
    """The address exists already."""

    enhanced = "5.1.0"


class NotFound(MailError):
    """Nothing here has that id."""


class NoChannel(MailError):
    """No way out is configured for this sender (RFC 3463 §3.4, X.3.5)."""

    enhanced = "5.3.5"


class TooManyRequests(MailError):
    """The caller goes too fast; `retry_after` is in seconds."""

    enhanced = "4.7.0"

    def __init__(
        self, detail: str, *, retry_after: float = 60.0, message_key: str | None = None
    ) -> None:
        super().__init__(detail, message_key=message_key)
        self.retry_after = retry_after


class TemporaryFailure(MailError):
    """Our trouble: the caller should come back, nothing was taken (RFC 3463 §3.4, X.3.0)."""

    enhanced = "4.3.0"


class StorageFull(TemporaryFailure):
    """No room for the message now (RFC 3463 §3.4, X.3.1)."""

    enhanced = "4.3.1"


class StatementRefused(TemporaryFailure):
    """The store is well and does not take a statement: it names what is not there, or works with
    values that do not fit. For a caller it is our trouble like any other; who wrote the statement
    has to mend it."""
