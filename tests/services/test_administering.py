"""What an administrator changes counts at once, here and in every other process."""

from __future__ import annotations

import asyncio

import pytest

from mailbox_service.config import Config
from mailbox_service.services.administering import Administering
from mailbox_service.services.overruling import Overruling, configured
from mailbox_service.signals import Signals
from mailbox_service.storage import settings
from tests.databases import AnyDatabase

pytestmark = pytest.mark.anyio


async def test_a_change_counts_at_once_and_is_there_after_a_start(database: AnyDatabase) -> None:
    administering = Administering(database, Signals())
    await administering.change({"from_block_list": ["spam@evil.test"], "send_block_list": ["x"]})
    assert administering.rules.from_block_list == ("spam@evil.test",)
    again = Administering(database, Signals())
    assert again.rules.from_block_list == ()
    assert (await again.refresh()).from_block_list == ("spam@evil.test",)
    assert await again.stored("send_block_list") == ["x"]


async def test_a_setting_can_be_forgotten_and_the_others_stay(database: AnyDatabase) -> None:
    administering = Administering(database, Signals())
    await administering.change({"from_block_list": ["a"], "send_block_list": ["b"]})
    rules = await administering.change({"from_block_list": None})
    assert (rules.from_block_list, rules.send_block_list) == ((), ("b",))
    assert await administering.stored("from_block_list") is None


async def test_a_stored_value_of_the_wrong_form_counts_as_never_set(database: AnyDatabase) -> None:
    for wrong in ("nonsense", 5, {"a": 1}, [[1], None]):
        await database.write(settings.put, "from_block_list", wrong, now=1)
        await database.write(settings.put, "email_rule_settings", wrong, now=1)
        rules = await Administering(database, Signals()).refresh()
        assert rules.from_block_list == ()
        assert not rules.email_rule_settings.block_receive_unknow_address_email


async def test_a_process_that_is_told_reads_anew(database: AnyDatabase) -> None:
    signals = Signals()
    follower = Administering(database, signals)
    following = asyncio.create_task(follower.run())
    await asyncio.sleep(0)
    try:
        # Another process: its change reaches this one as a signal alone.
        await Administering(database, signals).change({"from_block_list": ["a"]})
        async with asyncio.timeout(10):
            while follower.rules.from_block_list != ("a",):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.001)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_what_overrules_the_configuration_outlives_a_start(database: AnyDatabase) -> None:
    config = Config(prefix="tmp", domains=["a.test"])
    administering = Administering(database, Signals())
    overruling = Overruling(config, administering)
    before = overruling.now
    await administering.overrule(
        {"prefix": "box", "randomSubdomainDomains": ["a.test"]},
        configured=configured(config),
        served=config.served_domains,
    )
    assert overruling.now.prefix == "box"
    again = Administering(database, Signals())
    after = Overruling(config, again)
    assert after.now == before
    await again.refresh()
    assert (after.now.prefix, after.now.random_subdomain_domains) == ("box", ("a.test",))
    held = after.now
    await again.refresh()
    assert after.now is held  # what did not change is not made anew
    await again.overrule(
        {"prefix": None, "randomSubdomainDomains": None},
        configured=configured(config),
        served=config.served_domains,
    )
    assert after.now == before
    assert await again.stored("overrides") is None


async def test_stored_overrides_of_the_wrong_form_count_as_never_set(
    database: AnyDatabase,
) -> None:
    for wrong in ("nonsense", 5, {"prefix": 1}, [[1], None]):
        await database.write(settings.put, "overrides", wrong, now=1)
        administering = Administering(database, Signals())
        await administering.refresh()
        assert Overruling(Config(prefix="tmp"), administering).now.prefix == "tmp"
