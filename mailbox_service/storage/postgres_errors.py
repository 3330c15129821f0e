"""What asyncpg raises when the server or the way to it is in trouble, and what callers hear."""

from __future__ import annotations

import asyncpg  # type: ignore[import-untyped]

from mailbox_service.core.errors import (
    MailError,
    StatementRefused,
    StorageFull,
    TemporaryFailure,
)

# A server that ends a connection says so before it closes it; a statement begun between the two
# is an InternalClientError.
SERVER_ERRORS = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

# SQLSTATE classes that say "not now": connection, resources, operator, system, lock, rollback
# of a conflict, damaged pages; and what a new connection meets while somebody changes a password
# or puts a copy of the database in its place.
_TEMPORARY_CLASSES = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58", "XX"})
_TEMPORARY_STATES = frozenset(
    {
        "25006",  # read only: the primary became a standby
        "0A000",  # a prepared statement from before a migration of another process
    }
)
# Values that do not fit; features that are not there; grammar, names and rights.
_ABOUT_THE_STATEMENT = frozenset({"22", "0A", "42"})
_DISK_FULL = "53100"


def as_refusal(error: BaseException) -> BaseException:
    """Trouble of server or network as a temporary refusal; everything else as it is."""
    refusal: MailError | None = None
    state = getattr(error, "sqlstate", None) or ""
    if state == _DISK_FULL:
        refusal = StorageFull("There is no room to store this now.")
    elif (
        state[:2] in _TEMPORARY_CLASSES
        or state in _TEMPORARY_STATES
        or isinstance(error, OSError | asyncpg.InternalClientError)
        or (isinstance(error, asyncpg.InterfaceError) and "connection" in str(error))
    ):
        refusal = TemporaryFailure("The store cannot be reached now.")
    elif state[:2] in _ABOUT_THE_STATEMENT:
        refusal = StatementRefused("The store does not take this statement.")
    if refusal is None:
        return error
    refusal.__cause__ = error
    return refusal


def one_line(error: BaseException) -> str:
    """What an engine said, without what else it knows."""
    return next(iter(str(error).splitlines()), type(error).__name__)
