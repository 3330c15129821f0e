"""Addresses by the key that they were opened with, on both engines."""

from __future__ import annotations

import pytest

from mailbox_service.storage import addresses, opened_by_key
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio


async def test_a_key_finds_its_own_addresses_newest_first(database: AnyDatabase) -> None:
    async def open_some(tx: Transaction) -> None:
        for name, source in (
            ("a@x.test", "key:api-one"),
            ("b@x.test", "key:api-two"),
            ("c@x.test", "192.0.2.1"),
            ("d@x.test", "key:api-one"),
            ("e@x.test", None),
        ):
            await addresses.open_address(
                tx, address=name, name=name, password_hash=None, source_meta=source, now=1
            )

    async def newest(tx: Transaction) -> list[str]:
        rows = await opened_by_key.newest(tx, source="key:api-one", limit=10)
        return [row.address for row in rows]

    async def count(tx: Transaction) -> int:
        return await opened_by_key.count(tx, source="key:api-one")

    await database.write(open_some)
    assert await database.read(newest) == ["d@x.test", "a@x.test"]
    assert await database.read(count) == 2
