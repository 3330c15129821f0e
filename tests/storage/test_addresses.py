"""Addresses that are opened together."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.core.errors import NameTaken
from mailbox_service.services.openings import Openings
from mailbox_service.storage import addresses
from mailbox_service.storage.addresses import NewAddress
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio


def wanted(name: str) -> NewAddress:
    return NewAddress(f"{name}@x.test", f"{name.title()}@x.test", "hash", "192.0.2.1", 7, 9)


async def test_each_has_its_own_id_and_a_name_is_given_once(database: AnyDatabase) -> None:
    await database.write(addresses.open_all, [wanted("bob")])
    names = ["dan", "ann", "bob", "cem", "ann"]
    ids = await database.write(addresses.open_all, [wanted(name) for name in names])
    assert ids[2] is None
    assert ids[4] is None
    for name, address_id in zip(names, ids, strict=True):
        if address_id is None:
            continue
        row = await database.read(addresses.by_id, address_id)
        assert row is not None
        assert (row.address, row.name) == (f"{name}@x.test", f"{name.title()}@x.test")
        assert (row.password_hash, row.source_meta) == ("hash", "192.0.2.1")
        assert (row.created_at, row.updated_at, row.expires_at) == (7, 7, 9)


async def test_of_those_who_want_one_name_at_once_one_has_it(database: AnyDatabase) -> None:
    openings = Openings(database)
    names = ["ann", "bob", "ann", "ann", "cem"] + [f"n{number}" for number in range(200)]
    answers = await asyncio.gather(
        *(openings.add(wanted(name)) for name in names), return_exceptions=True
    )
    ids = [answer for answer in answers if isinstance(answer, int)]
    assert len(ids) == len(set(ids)) == len(names) - 2
    assert [type(answer) for answer in answers[2:4]] == [NameTaken, NameTaken]
    with pytest.raises(NameTaken):
        await openings.add(wanted("cem"))
