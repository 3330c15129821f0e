"""What is deleted by age, and when: the kinds of cleanup and the automatic one (mailbox-api §12).

Statements that an administrator writes are read by `core.cleanup_statement`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailbox_service.core.cleanup_statement import check_words
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.texts import text

SECOND = 1_000_000  # microseconds
DAY = 86_400 * SECOND
MOST_DAYS = 1000  # mailbox-api §3.6
BATCH_SIZES = (1, 5000)  # mailbox-api §7.2
DEFAULT_BATCH_SIZE = 3000
MOST_STATEMENTS = 100  # nobody writes more; each may take seconds
LONGEST_NAME = 200  # characters of a statement's name that a refusal repeats


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a statement cannot be run; `why` may be a sentence with a code."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one kind of cleanup. Times are microseconds UTC; `problem` is empty when it
    came to its end."""

    id: int
    kind: str
    asked_by: str
    began_at: int
    ended_at: int
    removed: int
    problem: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of cleanup. `part` is its name in the automatic settings; `in_batches` says
    whether one run takes at most the configured number of rows."""

    name: str
    part: str
    in_batches: bool


MAILS = Kind("mails", "Mails", True)
MAILS_UNKNOWN = Kind("mails_unknow", "UnknowMails", False)
SENDBOX = Kind("sendbox", "SendBox", True)
INACTIVE_ADDRESS = Kind("inactiveAddress", "InactiveAddress", True)
ADDRESS_CREATED = Kind("addressCreated", "Address", True)
UNBOUND_ADDRESS = Kind("unboundAddress", "UnboundAddress", False)
EMPTY_ADDRESS = Kind("emptyAddress", "EmptyAddress", False)

# In the order in which the automatic cleanup takes them (mailbox-api §12.2).
KINDS = (
    MAILS,
    MAILS_UNKNOWN,
    SENDBOX,
    INACTIVE_ADDRESS,
    ADDRESS_CREATED,
    UNBOUND_ADDRESS,
    EMPTY_ADDRESS,
)
BY_NAME = {kind.name: kind for kind in KINDS}


def read_request(clean_type: Any, clean_days: Any) -> tuple[Kind, float]:
    """What an administrator asks for: a kind and an age in days. Raises BadRequest."""
    if not isinstance(clean_type, str) or not clean_type or not is_days(clean_days):
        raise _refusal("InvalidCleanupConfigMsg")
    kind = BY_NAME.get(clean_type)
    if kind is None:
        raise _refusal("InvalidCleanTypeMsg")
    return kind, float(clean_days)


def is_days(value: Any) -> bool:
    """Whether this is an age in days: a number from 0 to 1000."""
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_DAYS
    )


def before(now: int, days: float) -> int:
    """What is older than so many days was made before this time, microseconds UTC.

    Times count by the second, as the mailbox API shows them: what was made in this second is
    not older than 0 days.
    """
    return now - now % SECOND - round(days * DAY)


def batch_size(configured: int) -> int:
    """`CLEANUP_BATCH_SIZE`, or its default when it is out of bounds."""
    least, most = BATCH_SIZES
    return configured if least <= configured <= most else DEFAULT_BATCH_SIZE


@dataclass(frozen=True, slots=True)
class Automatic:
    """What the automatic cleanup does: kinds with their age in days, and named statements."""

    kinds: tuple[tuple[Kind, float], ...] = ()
    statements: tuple[tuple[str, str], ...] = ()


def automatic(stored: Any) -> Automatic:
    """The enabled parts of stored settings (mailbox-api §12.1), in the order of their turn.

    A part without a sensible age does nothing: deleting by a guess would be worse.
    """
    if not isinstance(stored, Mapping):
        return Automatic()
    kinds = []
    for kind in KINDS:
        days = stored.get(f"clean{kind.part}Days")
        if stored.get(f"enable{kind.part}AutoCleanup") is True and is_days(days):
            kinds.append((kind, float(days or 0)))
    statements = [
        (name_of(entry), entry["sql"])
        for entry in listed_statements(stored)
        if entry.get("enabled") is True and isinstance(entry.get("sql"), str)
    ]
    return Automatic(tuple(kinds), tuple(statements[:MOST_STATEMENTS]))


def check_automatic(posted: Any) -> None:
    """Refuse settings whose statements break the rules of mailbox-api §12.3. Raises BadRequest:
    `[<name or unnamed>]: <reason>`."""
    if not isinstance(posted, Mapping):
        raise _refusal("InvalidInputMsg")
    listed = posted.get("customSqlCleanupList")
    if listed is not None and not isinstance(listed, list):
        raise _refusal("InvalidInputMsg")
    if listed and len(listed) > MOST_STATEMENTS:
        raise _refusal("InvalidInputMsg")
    for entry in listed or []:
        if not isinstance(entry, Mapping):
            raise _refusal("InvalidInputMsg")
        try:
            check_words(entry.get("sql"))
        except BadRequest as error:
            raise BadStatement(name_of(entry), error) from None


class BadStatement(BadRequest):
    """A statement that breaks a rule; `name` says which, `reason` is the rule's refusal."""

    def __init__(self, name: str, reason: BadRequest) -> None:
        super().__init__(f"[{name}]: {reason.detail}")
        self.name = name
        self.reason = reason


def listed_statements(stored: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statements of settings, enabled or not."""
    listed = stored.get("customSqlCleanupList")
    if not isinstance(listed, list):
        return []
    return [entry for entry in listed if isinstance(entry, Mapping)]


def name_of(entry: Mapping[str, Any]) -> str:
    """How a refusal or a log calls a statement."""
    name = entry.get("name")
    return name[:LONGEST_NAME] if isinstance(name, str) and name else "unnamed"


def _refusal(key: str) -> BadRequest:
    return BadRequest(text(key), message_key=key)
