"""Locks that reach across the processes of a cluster.

On SQLite they cost nothing and say nothing: it has one writer at a time.
"""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

# PostgreSQL knows such locks by number alone; these are "mail" in ASCII and a count.
_MAIL = 0x6D61696C
SCHEMA = (_MAIL << 8) + 0
ORDER = (_MAIL << 8) + 1
ACCOUNTS = (_MAIL << 8) + 2


async def order_messages(tx: Transaction) -> None:
    """Take this before a message is inserted, so that message ids become visible in order.

    Clients poll for ids above the last that they saw, and an IMAP UID must exceed all that
    were announced (RFC 9051 §2.3.1.1). Without the lock a process that drew the lower id could
    commit after one that drew the higher, and the lower would never be seen.
    """
    await tx.hold(ORDER)


async def order_events(tx: Transaction) -> None:
    """Take this before an event is appended: streams resume after the last id that they sent,
    so an event id that became visible late would never be sent. It is the lock of messages
    too: two locks, taken now in this order and now in that, would stand in each other's way."""
    await tx.hold(ORDER)


async def order_accounts(tx: Transaction) -> None:
    """Take this before the addresses of an account are counted and changed: two that come at
    once must not both find room for one. Nothing that takes the other locks comes after it."""
    await tx.hold(ACCOUNTS)
