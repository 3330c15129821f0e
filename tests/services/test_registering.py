"""Opening addresses and closing them, on both engines."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.core.errors import BadCredential, BadRequest, NameTaken, NotYours
from mailbox_service.core.stored import Excerpt
from mailbox_service.storage.addresses import DAY
from mailbox_service.storage.database import Transaction
from tests.databases import AnyDatabase
from tests.services.parts import Mailboxes

pytestmark = pytest.mark.anyio


async def test_a_visitor_gets_the_name_that_was_asked_for(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database, prefix="tmp")
    opened = await mailboxes.registering.open_for_visitor(
        name="ann", domain="y.test", random_subdomain=False, ip="192.0.2.1"
    )
    assert opened.address == "tmpann@y.test"
    principal = await mailboxes.authenticating.address_token(opened.jwt)
    assert (principal.address, principal.address_id) == ("tmpann@y.test", opened.address_id)
    row = await mailboxes.registering.find(opened.address_id)
    assert row is not None
    assert row.source_meta == "192.0.2.1"
    assert opened.password is not None
    assert opened.password not in str(row.password_hash)


async def test_a_visitor_without_a_wish_gets_a_name_that_nobody_guesses(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database, create_address_default_domain_first=True)
    names = {
        (
            await mailboxes.registering.open_for_visitor(
                name="", domain=None, random_subdomain=False, ip=""
            )
        ).address
        for _ in range(20)
    }
    assert len(names) == 20
    assert all(len(name.partition("@")[0]) >= 13 and name.endswith("@x.test") for name in names)


async def test_a_name_is_opened_once_however_many_ask_at_once(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    results = await asyncio.gather(
        *(
            mailboxes.registering.open_for_visitor(
                name="ann", domain="x.test", random_subdomain=False, ip=""
            )
            for _ in range(20)
        ),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, NameTaken)]
    assert len(refused) == 19


@pytest.mark.parametrize(
    ("settings", "wish", "kind", "reason"),
    [
        ({"enable_user_create_email": False}, {}, NotYours, "New address is disabled"),
        (
            {"disable_anonymous_user_create_email": True},
            {},
            NotYours,
            "New address for anonymous user",
        ),
        ({"min_address_len": 5}, {"name": "ann"}, BadRequest, "Name is too short (min 5)"),
        ({}, {"domain": "z.test"}, BadRequest, "Invalid domain"),
        ({}, {"random_subdomain": True}, BadRequest, "Random subdomain is not enabled"),
        ({"address_check_regex": "^b"}, {}, BadRequest, "Name not match regex: /^b/"),
    ],
)
async def test_what_a_visitor_may_not_open_is_refused_with_the_reason(
    database: AnyDatabase,
    settings: dict[str, object],
    wish: dict[str, object],
    kind: type[Exception],
    reason: str,
) -> None:
    mailboxes = Mailboxes(database, **settings)
    asked = {"name": "ann", "domain": "x.test", "random_subdomain": False, "ip": "", **wish}
    with pytest.raises(kind) as refused:
        await mailboxes.registering.open_for_visitor(**asked)  # type: ignore[arg-type]
    assert str(refused.value).startswith(reason)


async def test_a_blocked_name_is_refused_with_its_raw_text(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    await mailboxes.administering.change({"address_block_list": ["admin"]})
    with pytest.raises(BadRequest, match=r"^Name\[MyadminX\]is blocked$"):
        await mailboxes.registering.open_for_visitor(
            name="MyadminX", domain=None, random_subdomain=False, ip=""
        )


async def test_a_closed_address_leaves_nothing_to_whoever_opens_it_next(
    database: AnyDatabase,
) -> None:
    """Its token ends at once, its mail is gone, and its id never returns (hazard 38)."""
    mailboxes = Mailboxes(database)
    registering = mailboxes.registering
    first = await registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    await mailboxes.authenticating.address_token(first.jwt)
    for _ in range(3):
        await mailboxes.receive("ann@x.test")
    await registering.close(first.address_id, "ann@x.test")
    with pytest.raises(BadCredential):
        await mailboxes.authenticating.address_token(first.jwt)
    second = await registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    assert second.address_id > first.address_id
    with pytest.raises(BadCredential):
        await mailboxes.authenticating.address_token(first.jwt)
    assert (await mailboxes.reading.page("ann@x.test", Excerpt(10))).count == 0


async def test_the_name_of_a_closed_address_is_kept_from_visitors_for_a_while(
    database: AnyDatabase,
) -> None:
    """Hazard 48: released names are quarantined, and nobody learns from the refusal what was
    there. Mail that comes meanwhile is for whoever had the name."""
    mailboxes = Mailboxes(database, closed_name_days=30)
    registering, clock = mailboxes.registering, mailboxes.clock

    async def visitor(name: str) -> str:
        opened = await registering.open_for_visitor(
            name=name, domain="x.test", random_subdomain=False, ip=""
        )
        await registering.close(opened.address_id, opened.address)
        return opened.address

    assert await visitor("ann") == "ann@x.test"
    clock.now += 30 * DAY - 1
    with pytest.raises(NameTaken, match=r"^Address already exists$"):
        await visitor("ann")
    assert await visitor("bob") == "bob@x.test"
    both = await asyncio.gather(visitor("ann"), visitor("cem"), return_exceptions=True)
    assert isinstance(both[0], NameTaken)
    assert both[1] == "cem@x.test"
    clock.now += 1
    assert await visitor("ann") == "ann@x.test"
    with pytest.raises(NameTaken):
        await visitor("ann")
    again = await registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    assert again.address == "ann@x.test"
    # What is free again is forgotten as others are closed.
    clock.now += 60 * DAY
    for name in ("dan", "eve"):
        await visitor(name)
    assert await closed(database) == ["dan@x.test", "eve@x.test"]


async def test_without_a_quarantine_no_name_is_written_down(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    for _ in range(2):
        opened = await mailboxes.registering.open_for_visitor(
            name="ann", domain="x.test", random_subdomain=False, ip=""
        )
        await mailboxes.registering.close(opened.address_id, "ann@x.test")
    assert await closed(database) == []


async def closed(database: AnyDatabase) -> list[str]:
    async def unit(tx: Transaction) -> list[str]:
        rows = await tx.fetch_all("SELECT address FROM closed_names ORDER BY address")
        return [str(row[0]) for row in rows]

    return await database.read(unit)


async def test_an_old_id_closes_nothing_of_the_next_owner(database: AnyDatabase) -> None:
    mailboxes = Mailboxes(database)
    first = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    await mailboxes.registering.close(first.address_id, "ann@x.test")
    second = await mailboxes.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    await mailboxes.receive("ann@x.test")
    await mailboxes.registering.close(first.address_id, "ann@x.test")
    assert (await mailboxes.reading.page("ann@x.test", Excerpt(10))).count == 1
    await mailboxes.authenticating.address_token(second.jwt)


async def test_mail_that_came_before_an_address_was_opened_is_there_when_it_opens(
    database: AnyDatabase,
) -> None:
    mailboxes = Mailboxes(database)
    await mailboxes.receive("later@x.test")
    unknown = await mailboxes.reading.page(None, Excerpt(10, unknown_only=True))
    assert [message.address for message in unknown.messages] == ["later@x.test"]
    await mailboxes.registering.open_by_admin(
        name="later", domain="x.test", with_prefix=False, random_subdomain=False
    )
    assert (await mailboxes.reading.page("later@x.test", Excerpt(10))).count == 1
    assert (await mailboxes.reading.page(None, Excerpt(10, unknown_only=True))).count == 0


async def test_administrators_list_addresses_sorted_and_searched_as_typed(
    database: AnyDatabase,
) -> None:
    """A percent sign or underscore in a search stands for itself (hazard 46)."""
    mailboxes = Mailboxes(database)
    for name in ("carl", "ann", "bob"):
        await mailboxes.registering.open_by_admin(
            name=name, domain="x.test", with_prefix=False, random_subdomain=False
        )
    await mailboxes.receive("bob@x.test")
    for wish, expected in (
        ({"sort_by": "name", "descending": False}, ["ann", "bob", "carl"]),
        ({"sort_by": "mail_count"}, ["bob", "ann", "carl"]),
        ({"sort_by": "no such column"}, ["bob", "ann", "carl"]),
        ({"query": "AN"}, ["ann"]),
        ({"query": "%"}, []),
        ({"query": "_nn"}, []),
    ):
        page, total = await mailboxes.registering.list_addresses(
            **{  # type: ignore[arg-type]
                "limit": 10,
                "offset": 0,
                "query": "",
                "sort_by": "id",
                "descending": True,
                **wish,
            }
        )
        assert [row.name.partition("@")[0] for row in page] == expected, wish
        assert total == len(expected)
