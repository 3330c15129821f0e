"""Passkeys, marks that are used once, and bindings of Telegram, on both engines."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mailbox_service.storage import addresses, passkeys, sign_in_marks, telegram
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.telegram import Bound
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio

NOON = 1_795_262_400_000_000


async def add(database: AnyDatabase, user_id: int, passkey_id: str, most: int = 9) -> bool:
    return await database.write(
        passkeys.add,
        user_id=user_id,
        passkey_id=passkey_id,
        name="Phöne",
        domain="mail.example",
        credential={"id": passkey_id, "transports": ["usb"]},
        counter=3,
        now=NOON,
        most=most,
    )


async def test_a_passkey_is_kept_once_and_is_its_owners(database: AnyDatabase) -> None:
    assert await add(database, 1, "a")
    assert not await add(database, 1, "a")
    assert not await add(database, 2, "a")
    assert await add(database, 1, "b")
    assert not await add(database, 1, "c", most=2)
    newest, oldest = await database.read(passkeys.list_of, 1)
    assert (newest.passkey_id, oldest.passkey_id) == ("b", "a")
    assert (oldest.name, oldest.domain, oldest.counter) == ("Phöne", "mail.example", 3)
    assert oldest.credential == {"id": "a", "transports": ["usb"]}
    for user_id, name in ((2, "theirs"), (1, "mine")):
        await database.write(
            passkeys.rename, user_id=user_id, passkey_id="a", name=name, now=NOON + 1
        )
        await database.write(passkeys.remove, user_id=2, passkey_id="a")
    found = await database.read(passkeys.by_passkey_id, "a")
    assert found is not None
    assert (found.name, found.updated_at) == ("mine", NOON + 1)
    await database.write(passkeys.remove, user_id=1, passkey_id="b")
    assert len(await database.read(passkeys.list_of, 1)) == 1
    await database.write(passkeys.remove_of, 1)
    assert await database.read(passkeys.list_of, 1) == []


async def test_two_answers_with_one_counter_count_once(database: AnyDatabase) -> None:
    await add(database, 1, "a")
    found = await database.read(passkeys.by_passkey_id, "a")
    assert found is not None
    counted = await asyncio.gather(
        *(
            database.write(passkeys.count_up, found.id, before=3, counter=4, now=NOON)
            for _ in range(5)
        )
    )
    assert sorted(counted) == [False, False, False, False, True]


async def put(database: AnyDatabase, digest: str, ends_at: int, most: int = 9) -> bool:
    return await database.write(sign_in_marks.put, digest, ends_at=ends_at, now=NOON, most=most)


async def test_a_mark_is_put_once_and_taken_once(database: AnyDatabase) -> None:
    put_at_once = await asyncio.gather(*(put(database, "a", NOON + 9) for _ in range(5)))
    assert sorted(put_at_once) == [False, False, False, False, True]
    taken = await asyncio.gather(
        *(database.write(sign_in_marks.take, "a", now=NOON) for _ in range(5))
    )
    assert sorted(taken) == [False, False, False, False, True]


async def test_a_mark_ends_and_old_ones_make_room(database: AnyDatabase) -> None:
    await put(database, "old", NOON + 1)
    assert not await database.write(sign_in_marks.take, "old", now=NOON + 1)
    for number in range(4):
        await put(database, f"n{number}", NOON + 10 + number, most=2)
    found = [
        await database.write(sign_in_marks.take, f"n{number}", now=NOON) for number in range(4)
    ]
    assert found == [False, False, True, True]


async def opened(database: AnyDatabase, address: str) -> int:
    return await database.write(
        addresses.open_address,
        address=address,
        name=address.title(),
        password_hash=None,
        source_meta=None,
        now=NOON,
    )


async def bind(database: AnyDatabase, user: str, address: str, address_id: int) -> None:
    await database.write(
        telegram.bind, telegram_user=user, address=address, address_id=address_id, now=NOON
    )


async def told(database: AnyDatabase, *names: str) -> dict[str, str]:
    return await database.read(telegram.told_of, names)


async def test_the_last_who_binds_is_told(database: AnyDatabase) -> None:
    number = await opened(database, "a@x.test")
    for user in ("1", "2", "1"):
        await bind(database, user, "a@x.test", number)
        assert await told(database, "a@x.test", "b@x.test") == {"a@x.test": user}
    for user in ("1", "2"):
        assert await database.read(telegram.list_of, user) == [
            Bound("a@x.test", number, "A@X.Test", True)
        ]
    await database.write(telegram.unbind_address, "a@x.test")
    assert await told(database, "a@x.test") == {}
    assert len(await database.read(telegram.list_of, "2")) == 1


async def test_another_registration_of_the_name_is_somebody_elses(database: AnyDatabase) -> None:
    number = await opened(database, "a@x.test")
    await bind(database, "1", "a@x.test", number)
    await database.write(addresses.remove, number)
    assert [one.valid for one in await database.read(telegram.list_of, "1")] == [False]
    await opened(database, "a@x.test")
    assert await told(database, "a@x.test") == {}
    assert [one.valid for one in await database.read(telegram.list_of, "1")] == [False]
    assert await database.write(telegram.clean, "1") == 1
    assert await database.read(telegram.list_of, "1") == []


async def test_a_revocation_ends_what_was_bound_before(database: AnyDatabase) -> None:
    number = await opened(database, "a@x.test")
    await bind(database, "1", "a@x.test", number)

    async def revoke(tx: Transaction, now: int) -> None:
        await tx.execute("UPDATE addresses SET tokens_from = :now", {"now": now})

    await database.write(revoke, NOON)
    assert await told(database, "a@x.test") == {"a@x.test": "1"}
    await database.write(revoke, NOON + 1)
    assert await told(database, "a@x.test") == {}
    assert [one.valid for one in await database.read(telegram.list_of, "1")] == [False]


async def test_an_address_whose_lifetime_is_over_counts_no_longer(database: AnyDatabase) -> None:
    number = await opened(database, "a@x.test")
    await bind(database, "1", "a@x.test", number)

    async def end(tx: Transaction) -> None:
        await tx.execute("UPDATE addresses SET expires_at = :at", {"at": NOON})

    await database.write(end)
    for now, valid in ((NOON - 1, True), (NOON, False)):
        listed = await database.read(telegram.list_of, "1", now=now)
        assert [one.valid for one in listed] == [valid]


async def test_an_update_is_taken_once_until_it_is_given_back(database: AnyDatabase) -> None:
    async def take(now: int = NOON) -> bool:
        return await database.write(telegram.take_update, 7, now=now, kept=100)

    assert [await take(), await take()] == [True, False]
    await database.write(telegram.give_back_update, 7)
    assert [await take(), await take(NOON + 99), await take(NOON + 100)] == [True, False, True]


async def test_a_language_is_kept(database: AnyDatabase) -> None:
    values: list[Any] = [await database.read(telegram.language_of, "1")]
    for language in ("en", "zh"):
        await database.write(telegram.set_language, telegram_user="1", language=language)
        values.append(await database.read(telegram.language_of, "1"))
    assert values == [None, "en", "zh"]
