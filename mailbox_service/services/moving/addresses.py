"""Addresses and accounts of an existing deployment.

Their ids are kept where nobody here had them, since tokens carry them. Those whose id is taken
come last: a new id must not be one that another row keeps. Their tokens still work, because the
former id is written down beside the address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from mailbox_service.core import deployment
from mailbox_service.core.address import split
from mailbox_service.core.deployment import BadRow, OldAddress, OldUser
from mailbox_service.core.dump import Row
from mailbox_service.services.importing import BATCH
from mailbox_service.services.moving.move import Move
from mailbox_service.storage import importing, passkeys, user_addresses, users
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.importing import NewRow

# Of one account; the limit for new ones is lower, and no reason to lose any.
MOST_PASSKEYS = 1_000

# Makes the stored form of a password out of the hash that clients send.
Keep = Callable[[str], str]


def check_domains(move: Move, found: Iterable[OldAddress], served: Iterable[str]) -> None:
    """Say which domains have addresses and are not served here: their mail is kept, and nothing
    new arrives."""
    ours = frozenset(served)
    domains = Counter(split(one.address)[1] for one in found if "@" in one.address)
    for domain, count in sorted(domains.items()):
        labels = domain.split(".")
        if not ours & {".".join(labels[at:]) for at in range(len(labels))}:
            move.done.problems.append(
                f"domains: {domain} ({count} addresses) is not one of `domains` here"
            )


async def take_addresses(
    move: Move, rows: list[Row], keep: Keep, served: Iterable[str]
) -> dict[int, int]:
    """Open the addresses of a dump; their ids here by their ids there."""
    found = list(move.each("address", rows, deployment.address_of))
    check_domains(move, found, served)
    taken = await move.database.read(importing.all_taken, move.source, "address")
    mark = await move.database.read(importing.highest, "addresses")
    new = [one for one in found if one.id not in taken]
    move.done.known["address"] += len(found) - len(new)
    for keeps_id in (True, False):
        group = [one for one in new if (one.id > mark) is keeps_id]
        for start in range(0, len(group), BATCH):
            batch = [
                (one, keep(one.digest) if one.digest else None)
                for one in group[start : start + BATCH]
            ]
            written = await move.database.write(
                keep_addresses,
                batch,
                source=move.source,
                keeps_id=keeps_id,
                joins=move.joins,
                now=move.clock(),
            )
            for (one, _), address_id in zip(batch, written, strict=True):
                if address_id is None:
                    move.foreign.add(one.address)
                    move.done.leave_out("address", f"{one.name} is open here already")
                else:
                    taken[one.id] = address_id
                    move.done.added["address"] += 1
    return taken


async def keep_addresses(
    tx: Transaction,
    batch: list[tuple[OldAddress, str | None]],
    *,
    source: str,
    keeps_id: bool,
    joins: bool,
    now: int,
) -> list[int | None]:
    """Open addresses as they were; their ids, None for those that somebody has here."""
    ids: list[int | None] = []
    for one, password_hash in batch:
        created_at = now if one.created_at is None else one.created_at
        values = {
            "address": one.address,
            "name": one.name,
            "password_hash": password_hash,
            "source_meta": one.source_meta,
            "created_at": created_at,
            "updated_at": created_at if one.updated_at is None else one.updated_at,
        }
        row = NewRow(one.id, keeps_id, values)
        address_id = await importing.insert(tx, importing.ADD_ADDRESS, "addresses", row)
        if address_id is None and joins:
            address_id = await importing.id_of_address(tx, one.address)
        ids.append(address_id)
        if address_id is not None:
            await importing.note(tx, source, "address", [(one.id, address_id)])
            if address_id != one.id:
                await importing.add_former_id(tx, former_id=one.id, address_id=address_id)
    return ids


async def take_users(move: Move, rows: list[Row], roles: list[Row], keep: Keep) -> dict[int, int]:
    """Open the accounts of a dump, with their roles; their ids here by their ids there."""
    role_of = {row.get("user_id"): deployment.text_of(row, "role_text") or None for row in roles}
    found = list(move.each("users", rows, deployment.user_of))
    taken = await move.database.read(importing.all_taken, move.source, "users")
    mark = await move.database.read(importing.highest, "users")
    move.done.known["users"] += sum(one.id in taken for one in found)
    for one in sorted(found, key=lambda one: (one.id <= mark, one.id)):
        if one.id in taken:
            continue
        user_id = await move.database.write(
            keep_user,
            one,
            keep(one.digest) if one.digest else None,
            role_of.get(one.id),
            source=move.source,
            keeps_id=one.id > mark,
            joins=move.joins,
            now=move.clock(),
        )
        if user_id is None:
            move.done.leave_out("users", f"{one.email} has an account here already")
        else:
            taken[one.id] = user_id
            move.done.added["users"] += 1
    return taken


async def keep_user(
    tx: Transaction,
    one: OldUser,
    password_hash: str | None,
    role: str | None,
    *,
    source: str,
    keeps_id: bool,
    joins: bool,
    now: int,
) -> int | None:
    """Open an account as it was; its id, None when the e-mail has one here."""
    created_at = now if one.created_at is None else one.created_at
    values = {
        "email": one.email,
        "password_hash": password_hash,
        "role": role,
        "user_info": one.user_info,
        "created_at": created_at,
        "updated_at": created_at if one.updated_at is None else one.updated_at,
    }
    row = NewRow(one.id, keeps_id, values)
    user_id = await importing.insert(tx, importing.ADD_USER, "users", row)
    if user_id is None and joins:
        account = await users.by_email(tx, one.email)
        user_id = None if account is None else account.id
    if user_id is not None:
        await importing.note(tx, source, "users", [(one.id, user_id)])
    return user_id


async def take_bindings(
    move: Move, rows: list[Row], people: dict[int, int], addresses: dict[int, int]
) -> None:
    """Give addresses to the accounts that had them."""

    def binding(row: Row) -> tuple[int, int, int | None]:
        user, address = deployment.id_of(row, "user_id"), deployment.id_of(row, "address_id")
        if user not in people or address not in addresses:
            raise BadRow("its account or its address was not taken over")
        return people[user], addresses[address], deployment.time_of(row, "created_at")

    for user_id, address_id, at in move.each("users_address", rows, binding):
        await move.keep(
            "users_address",
            user_addresses.bind,
            user_id=user_id,
            address_id=address_id,
            now=move.clock() if at is None else at,
        )


async def take_passkeys(move: Move, rows: list[Row], people: dict[int, int]) -> None:
    """Keep the passkeys of accounts."""
    for one in move.each("user_passkeys", rows, deployment.passkey_of):
        if one.user_id not in people:
            move.done.leave_out("user_passkeys", "its account was not taken over")
            continue
        await move.keep(
            "user_passkeys",
            passkeys.add,
            user_id=people[one.user_id],
            passkey_id=one.passkey_id,
            name=one.name,
            domain="",  # the old store did not write it down
            credential=one.credential,
            counter=one.counter,
            now=move.clock() if one.created_at is None else one.created_at,
            most=MOST_PASSKEYS,
        )
