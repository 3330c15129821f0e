"""What both engines promise to storage functions, and keep in the same way."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.core.errors import NotFound, TemporaryFailure
from mailbox_service.storage.connect import connect
from mailbox_service.storage.database import Database, Transaction
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio

INSERT = """
INSERT INTO messages (address, reverse_path, content_id, size, received_at)
VALUES (:address, '', 1, 1, :now) RETURNING id
"""
NOW = 1_800_000_000_000_000


async def add(tx: Transaction, address: str) -> int:
    row = await tx.fetch_one(INSERT, {"address": address, "now": NOW})
    assert row is not None
    return int(row[0])


async def add_then_fail(tx: Transaction, address: str) -> int:
    await add(tx, address)
    raise NotFound(f"no {address}")


async def addresses(tx: Transaction) -> list[str]:
    return [row[0] for row in await tx.fetch_all("SELECT address FROM messages ORDER BY id")]


async def test_what_was_committed_is_read(database: AnyDatabase) -> None:
    message_id = await database.write(add, "ann@a.test")
    assert message_id == 1
    assert await database.read(addresses) == ["ann@a.test"]
    assert await database.read_quick(addresses) == ["ann@a.test"]


async def test_a_refusal_undoes_its_own_unit_and_no_other_of_the_group(
    database: AnyDatabase,
) -> None:
    units = [database.write(add_then_fail if n % 3 == 0 else add, f"{n}@a.test") for n in range(10)]
    results = await asyncio.gather(*units, return_exceptions=True)
    assert [type(result) for result in results] == [
        NotFound if n % 3 == 0 else int for n in range(10)
    ]
    assert await database.read(addresses) == [f"{n}@a.test" for n in range(10) if n % 3]
