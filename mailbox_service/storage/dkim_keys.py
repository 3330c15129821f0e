"""The private keys with which mail of our domains is signed (RFC 6376)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailbox_service.storage.database import Transaction


@dataclass(frozen=True, slots=True)
class DkimKey:
    """One key of a domain; `private_key` is PEM, `created_at` microseconds UTC."""

    domain: str
    selector: str
    algorithm: str
    private_key: str = field(repr=False)
    created_at: int


ADD = """
INSERT INTO dkim_keys (domain, selector, algorithm, private_key, created_at)
VALUES (:domain, :selector, :algorithm, :private_key, :now)
ON CONFLICT (domain, selector) DO NOTHING
"""

OF_DOMAIN = """
SELECT domain, selector, algorithm, private_key, created_at FROM dkim_keys
 WHERE domain = :domain ORDER BY id
"""

REMOVE = "DELETE FROM dkim_keys WHERE domain = :domain AND selector = :selector"


async def add(
    tx: Transaction, *, domain: str, selector: str, algorithm: str, private_key: str, now: int
) -> bool:
    """Keep a new key; False when the domain has that selector already."""
    added = await tx.execute(
        ADD,
        {
            "domain": domain,
            "selector": selector,
            "algorithm": algorithm,
            "private_key": private_key,
            "now": now,
        },
    )
    return added > 0


async def of_domain(tx: Transaction, domain: str) -> list[DkimKey]:
    """The keys of a domain, oldest first."""
    return [DkimKey(*row) for row in await tx.fetch_all(OF_DOMAIN, {"domain": domain})]


async def remove(tx: Transaction, *, domain: str, selector: str) -> None:
    """Forget a key: mail signed with it no longer verifies once its DNS record goes too."""
    await tx.execute(REMOVE, {"domain": domain, "selector": selector})
