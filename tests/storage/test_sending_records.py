"""Allowances, counters, idempotency keys, events and DKIM keys in SQL, on both engines."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.storage import allowances, dkim_keys, events, idempotency, send_counts
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.idempotency import KeptKey
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio

NOON = 1_795_262_400_000_000


async def test_an_allowance_never_goes_below_nothing(database: AnyDatabase) -> None:
    opened = await database.write(
        allowances.open_allowance, "ann@x.test", balance=3, enabled=True, now=NOON
    )
    assert opened
    again = await database.write(
        allowances.open_allowance, "ann@x.test", balance=9, enabled=True, now=NOON
    )
    assert not again, "a row that is there is left as it is"
    paid = await asyncio.gather(
        *(database.write(allowances.debit, "ann@x.test") for _ in range(10))
    )
    assert sorted(paid) == [False] * 7 + [True] * 3
    kept = await database.read(allowances.by_address, "ann@x.test")
    assert kept is not None
    assert kept.balance == 0
    assert not await database.write(allowances.debit, "bob@x.test")


async def test_a_disabled_allowance_sends_nothing(database: AnyDatabase) -> None:
    await database.write(
        allowances.open_allowance, "ann@x.test", balance=3, enabled=False, now=NOON
    )
    assert not await database.write(allowances.debit, "ann@x.test")
    (row,), total = await database.read(allowances.list_page, limit=10, offset=0)
    assert total == 1
    address = await database.write(allowances.change, row.id, balance=1, enabled=True)
    assert address == "ann@x.test"
    assert await database.write(allowances.debit, "ann@x.test")
    assert await database.write(allowances.change, 999, balance=1, enabled=True) is None
    await database.write(allowances.remove, row.id)
    assert await database.read(allowances.by_address, "ann@x.test") is None


async def test_counters_stop_at_their_limit(database: AnyDatabase) -> None:
    counted = [
        await database.write(send_counts.add_within, "day:2026-11-21", limit=2) for _ in range(4)
    ]
    assert counted == [True, True, False, False]
    assert await database.read(send_counts.get, "day:2026-11-21") == 2
    assert not await database.write(send_counts.add_within, "day:2026-11-22", limit=0)
    assert await database.write(send_counts.add_within, "month:2026-11", limit=-1)
    assert await database.write(send_counts.remove_before, "day:2026-11-22") == 1


async def take(tx: Transaction, number: int, fingerprint: str, now: int = NOON) -> KeptKey | None:
    kept = await idempotency.take(
        tx,
        principal="address:ann@x.test",
        key="k",
        fingerprint=fingerprint,
        queue_id=f"Q{number}",
        message_id=f"<{number}@x.test>",
        now=now,
        too_old=now - 1_000,
    )
    if kept is None:
        await idempotency.fill(tx, principal="address:ann@x.test", key="k", submission_id=number)
    return kept


async def test_a_key_is_taken_once_until_it_is_old(database: AnyDatabase) -> None:
    """Hazard 42, in SQL."""
    assert await database.write(take, 1, "same") is None
    assert await database.write(take, 2, "same") == KeptKey("same", 1, "Q1", "<1@x.test>")
    assert await database.write(take, 3, "other") == KeptKey("same", 1, "Q1", "<1@x.test>")
    assert await database.write(take, 4, "other", NOON + 2_000) is None
    assert await database.write(idempotency.remove_before, before=NOON, limit=10) == 0
    assert await database.write(idempotency.remove_before, before=NOON + 9_000, limit=10) == 1


async def test_events_are_told_in_order_and_to_their_owner_alone(database: AnyDatabase) -> None:
    for kind in ("one", "two"):
        await database.write(events.add, kind, at=NOON, address="ann@x.test", detail={"a": "ü"})
    await database.write(events.add, "three", at=NOON, address="bob@x.test", submission_id=7)
    found = await database.read(events.after, "ann@x.test", after_id=0, limit=10)
    assert [event.kind for event in found] == ["one", "two"]
    assert found[0].detail == {"a": "ü"}
    rest = await database.read(events.after, "ann@x.test", after_id=found[0].id, limit=10)
    assert [event.kind for event in rest] == ["two"]
    assert await database.read(events.newest_id, "ann@x.test") == found[1].id
    assert await database.read(events.newest_id, "eve@x.test") == 0
    (about,) = await database.read(events.of_submission, "bob@x.test", 7)
    assert about.kind == "three"


async def test_the_first_key_of_a_selector_stays(database: AnyDatabase) -> None:
    for private_key, added in (("first", True), ("second", False)):
        result = await database.write(
            dkim_keys.add,
            domain="x.test",
            selector="s1",
            algorithm="ed25519",
            private_key=private_key,
            now=NOON,
        )
        assert result is added
    (key,) = await database.read(dkim_keys.of_domain, "x.test")
    assert key.private_key == "first"
    assert "first" not in repr(key)
    await database.write(dkim_keys.remove, domain="x.test", selector="s1")
    assert await database.read(dkim_keys.of_domain, "x.test") == []
