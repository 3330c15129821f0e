"""All that goes when an address closes, and for how long nobody has its name then."""

from __future__ import annotations

from mailbox_service.config import Config
from mailbox_service.storage import (
    abandoned_files,
    addresses,
    allowances,
    auto_replies,
    closed_names,
    importing,
    keywords,
    messages,
    owner_forwards,
    submissions,
    telegram,
    user_addresses,
    webhooks,
)
from mailbox_service.storage.database import Transaction

# Mails deleted in one transaction when an address is closed or cleared: a mailbox of a million
# must not hold up everybody else's mail.
BATCH = 500


def hold_of(config: Config, now: int) -> closed_names.Hold | None:
    """How the name of an address that is closed now is held; None where names are free at once."""
    if not config.closed_name_days:
        return None
    return closed_names.Hold(now, now - config.closed_name_days * addresses.DAY)


async def close_address(
    tx: Transaction, address_id: int, address: str, *, hold: closed_names.Hold | None = None
) -> None:
    """Forget an address, its mail, its allowance and the list of what it sent; mail on its way
    is still delivered. With a `hold` nobody has the name for a while."""
    owner = await addresses.by_address(tx, address)
    if owner is not None and owner.id != address_id:
        return  # opened anew since this was asked for
    while await messages.remove_oldest(tx, address, limit=BATCH):
        pass
    await user_addresses.release(tx, address_id)
    if hold is not None and owner is not None:
        await closed_names.add(tx, address, hold)
    await addresses.remove(tx, address_id)
    await allowances.remove_of(tx, address)
    await submissions.unlist_all(tx, address)
    # A later owner of the name must not inherit what this one set up.
    await telegram.unbind_address(tx, address)
    await auto_replies.remove_of(tx, address)
    await keywords.remove_of(tx, address)
    await owner_forwards.remove_of(tx, address)
    await webhooks.remove_of(tx, address, limit=BATCH)
    await abandoned_files.add(tx, address, address_id=address_id)
    await importing.remove_former_ids(tx, address_id)
