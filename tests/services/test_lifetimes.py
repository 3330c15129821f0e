"""Lifetimes, revoked tokens and addresses opened together, on both engines."""

from __future__ import annotations

import asyncio
from typing import Any

import jwt
import pytest

from mailbox_service.core.errors import BadCredential, BadRequest, Conflict, NameTaken
from mailbox_service.services.authenticating import Opened
from mailbox_service.services.batches import BatchWish
from mailbox_service.services.cleaning import Cleaning
from mailbox_service.services.passwords import digest_of
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.services.parts import SECRET, Mailboxes

pytestmark = pytest.mark.anyio

SECOND = 1_000_000
DAY = 86_400 * SECOND


def cleaning_of(mailboxes: Mailboxes) -> Cleaning:
    return Cleaning(
        mailboxes.database,
        mailboxes.config,
        mailboxes.administering,
        mailboxes.authenticating,
        mailboxes.signals,
        clock=mailboxes.clock,
    )


async def opened(mailboxes: Mailboxes, name: str = "ann", **wish: Any) -> Opened:
    return await mailboxes.registering.open_by_admin(
        name=name, domain="x.test", with_prefix=False, random_subdomain=False, **wish
    )


async def stored(database: AnyDatabase, table: str) -> int:
    async def unit(tx: Transaction) -> int:
        row = await tx.fetch_one(f"SELECT count(*) FROM {table}")
        assert row is not None
        return int(row[0])

    return await database.read(unit)


async def test_an_address_with_a_lifetime_is_removed_with_its_mail(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    cleaning = cleaning_of(mailboxes)
    short, long = await opened(mailboxes, lifetime=60), await opened(mailboxes, "bob")
    assert short.expires_at == mailboxes.clock.now + 60 * SECOND
    assert long.expires_at is None
    await mailboxes.receive("ann@x.test", "bob@x.test")
    mailboxes.clock.now += 60 * SECOND - 1
    assert await cleaning.remove_ended() == 0
    mailboxes.clock.now += 1
    assert await cleaning.remove_ended() == 1
    assert await mailboxes.registering.find(short.address_id) is None
    assert await mailboxes.registering.find(long.address_id) is not None
    assert (await stored(database, "messages"), await stored(database, "contents")) == (1, 1)
    again = await opened(mailboxes)
    assert again.address_id > short.address_id


async def test_the_name_of_an_address_whose_lifetime_ended_is_held_like_any_other(
    database: AnyDatabase,
) -> None:
    """Hazard 48."""
    mailboxes = Mailboxes(database, closed_name_days=1)
    await opened(mailboxes, lifetime=60)
    mailboxes.clock.now += 60 * SECOND
    assert await cleaning_of(mailboxes).remove_ended() == 1
    with pytest.raises(NameTaken):
        await mailboxes.registering.open_for_visitor(
            name="ann", domain="x.test", random_subdomain=False, ip=""
        )


async def test_a_lifetime_that_is_over_ends_tokens_and_passwords_before_the_worker_comes(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database)
    ann = await opened(mailboxes, lifetime=60)
    assert ann.password is not None
    await mailboxes.authenticating.address_token(ann.jwt)
    mailboxes.clock.now += 60 * SECOND
    mailboxes.authenticating.forget()  # what five seconds do
    with pytest.raises(BadCredential):
        await mailboxes.authenticating.address_token(ann.jwt)
    with pytest.raises(BadCredential):
        await mailboxes.authenticating.password_login(
            ann.address, digest_of(ann.password), "192.0.2.1"
        )


async def test_a_lifetime_may_be_changed(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    cleaning = cleaning_of(mailboxes)
    ann = await opened(mailboxes, lifetime=60)
    await mailboxes.registering.set_lifetime(ann.address_id, None)
    mailboxes.clock.now += 61 * SECOND
    assert await cleaning.remove_ended() == 0
    await mailboxes.registering.set_lifetime(ann.address_id, 1)
    mailboxes.clock.now += SECOND
    assert await cleaning.remove_ended() == 1


async def test_hazard_37_a_revocation_ends_all_tokens_before_it(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    proves = mailboxes.authenticating.address_token
    ann = await opened(mailboxes)
    tokens = [ann.jwt]
    for _ in range(3):
        fresh = await mailboxes.registering.revoke_tokens(ann.address_id)
        assert (await proves(fresh.jwt)).address_id == ann.address_id
        for ended in tokens:
            with pytest.raises(BadCredential):
                await proves(ended)
        # Within the same microsecond too: the clock stands still.
        tokens.append(fresh.jwt)
    claims = jwt.decode(tokens[-1], SECRET, algorithms=["HS256"], options={"verify_iat": False})
    assert claims["address"] == "ann@x.test"
    assert ann.password is not None
    login = await mailboxes.authenticating.password_login(
        "ann@x.test", digest_of(ann.password), "192.0.2.1"
    )
    assert (await proves(login.jwt)).address == "ann@x.test"


async def test_a_token_from_before_the_first_revocation_says_nothing_of_its_time(
    database: AnyDatabase,
) -> None:
    """mailbox-api §2.1: no `iat`, no `exp`."""
    mailboxes = Mailboxes(database)
    ann = await opened(mailboxes)
    claims = jwt.decode(ann.jwt, SECRET, algorithms=["HS256"])
    assert claims == {"address": "ann@x.test", "address_id": ann.address_id}


def wish(**changed: Any) -> BatchWish:
    values: dict[str, Any] = {
        "names": None,
        "count": None,
        "domain": "x.test",
        "with_prefix": False,
        "random_subdomain": False,
        "lifetime": None,
        **changed,
    }
    return BatchWish(**values)


async def test_many_addresses_are_opened_at_once(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    many = await mailboxes.registering.open_many(wish(count=100, lifetime=60))
    assert len({one.address for one in many}) == 100
    for one in (many[0], many[-1]):
        assert one.expires_at == mailboxes.clock.now + 60 * SECOND
        assert (await mailboxes.authenticating.address_token(one.jwt)).address == one.address
        assert one.password is not None
        await mailboxes.authenticating.password_login(
            one.address, digest_of(one.password), "192.0.2.1"
        )


async def test_all_of_many_addresses_are_opened_or_none(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    await opened(mailboxes, "bob")
    with pytest.raises(NameTaken, match=r"Address already exists \(bob@x\.test\)"):
        await mailboxes.registering.open_many(wish(names=("ann", "bob")), key="k")
    with pytest.raises(NameTaken, match=r"\(ann@x\.test\)"):
        await mailboxes.registering.open_many(wish(names=("ann", "a.nn")))
    assert await stored(database, "addresses") == 1
    # Nothing was opened under the key, so it may be used.
    many = await mailboxes.registering.open_many(wish(names=("ann", "cat")), key="k")
    assert [one.address for one in many] == ["ann@x.test", "cat@x.test"]


@pytest.mark.parametrize(
    "changed",
    [{}, {"count": 0}, {"count": 501}, {"names": ()}, {"names": ("a",), "count": 1}],
)
async def test_either_names_or_a_count_is_needed(
    database: AnyDatabase, changed: dict[str, Any]
) -> None:
    with pytest.raises(BadRequest, match="either names or a count"):
        await Mailboxes(database).registering.open_many(wish(**changed))


async def test_hazard_42_the_same_key_opens_the_same_addresses(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    answers = await asyncio.gather(
        *(mailboxes.registering.open_many(wish(count=3), key="k") for _ in range(20))
    )
    first = [(one.address, one.address_id, one.password) for one in answers[0]]
    for answer in answers[1:]:
        assert [(one.address, one.address_id, one.password) for one in answer] == first
    assert await stored(database, "addresses") == 3
    for _, _, password in first:
        assert password is not None
    await mailboxes.authenticating.password_login(
        first[0][0], digest_of(str(first[0][2])), "192.0.2.1"
    )
    with pytest.raises(Conflict):
        await mailboxes.registering.open_many(wish(count=4), key="k")
    await mailboxes.registering.close(first[1][1], first[1][0])
    again = await mailboxes.registering.open_many(wish(count=3), key="k")
    assert [one.address for one in again] == [first[0][0], first[2][0]]


async def test_a_key_is_forgotten_after_a_day(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    cleaning = cleaning_of(mailboxes)
    await mailboxes.registering.open_many(wish(count=1), key="k")
    mailboxes.clock.now += DAY + 1
    await cleaning._tidy()
    await mailboxes.registering.open_many(wish(count=1), key="k")
    assert await stored(database, "addresses") == 2
