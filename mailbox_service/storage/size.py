"""How large the store is."""

from __future__ import annotations

from mailbox_service.storage.database import Transaction

PAGES = "SELECT c.page_count * s.page_size FROM pragma_page_count() c, pragma_page_size() s"
OF_SERVER = "SELECT pg_database_size(current_database())"


async def octets(tx: Transaction) -> int:
    """Octets of the store, free room inside it included, without its log."""
    row = await tx.fetch_one(PAGES if tx.dialect == "sqlite" else OF_SERVER)
    assert row is not None
    return int(row[0])
