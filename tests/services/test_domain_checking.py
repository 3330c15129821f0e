"""DNS records of our domains: told from the settings and the keys, asked for side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailbox_service.config import Config
from mailbox_service.core.delivery import DAY
from mailbox_service.core.errors import Conflict, NotFound
from mailbox_service.outbound.dns import Resolver
from mailbox_service.services.domain_checking import MOST_KEYS, DomainChecking
from mailbox_service.services.signing import Signing
from tests.databases import AnyDatabase
from tests.nameserver import NameServer, serving
from tests.services.parts import NOON, Clock
from tests.zones import Zone

pytestmark = pytest.mark.anyio


def checking(database: AnyDatabase, names: Any, **settings: Any) -> DomainChecking:
    config = Config(
        **{"domains": ["own.org", "x.test"], "hostname": "mx.own.org", "outbound": "direct",
           **settings}
    )  # fmt: skip
    signing = Signing(database, config, algorithms=("ed25519",))
    return DomainChecking(config, signing, names, clock=Clock())


async def test_a_domain_whose_records_are_published_is_right(database: AnyDatabase) -> None:
    told = await checking(database, Zone({})).records("own.org")
    zone: dict[tuple[str, str], list[str]] = {}
    for record in told:
        if record.type in ("MX", "TXT"):
            zone.setdefault((record.name, record.type), []).append(record.value)
    zone["mx.own.org", "A"] = zone["mta-sts.own.org", "A"] = ["8.8.8.8"]
    zone["8.8.8.8.in-addr.arpa", "PTR"] = ["mx.own.org."]
    checked = await checking(database, Zone(zone)).check("own.org")
    assert (checked.domain, checked.at) == ("own.org", NOON)
    assert {one.record.purpose: one.state for one in checked.records} == {
        one.record.purpose: "right" for one in checked.records}  # fmt: skip
    assert len(checked.records) == len(told)


async def test_where_nothing_is_published_everything_is_missing(database: AnyDatabase) -> None:
    checked = await checking(database, Zone({})).check("own.org")
    assert {one.state for one in checked.records} == {"missing"}


async def test_spf_is_tried_with_the_addresses_of_the_host(database: AnyDatabase) -> None:
    zone = Zone({
        ("own.org", "TXT"): ["v=spf1 ip4:9.9.9.9 -all"],
        ("mx.own.org", "A"): ["8.8.8.8"],
        ("mx.own.org", "AAAA"): ["2001:4860:4860::8888"],
    })  # fmt: skip
    checked = await checking(database, zone).check("own.org")
    (judged,) = [one for one in checked.records if one.record.purpose == "spf"]
    assert judged.state == "different"
    assert "8.8.8.8 gets “fail”" in judged.message


async def test_names_that_nobody_can_tell_are_unknown_alone(database: AnyDatabase) -> None:
    zone = Zone({("own.org", "MX"): ["10 mx.own.org."]}, failing=frozenset({"_dmarc.own.org"}))
    checked = await checking(database, zone).check("own.org")
    states = {one.record.purpose: one.state for one in checked.records}
    assert (states["dmarc"], states["mx"], states["spf"]) == ("unknown", "right", "missing")


async def test_a_private_name_is_not_asked_for(database: AnyDatabase) -> None:
    zone = Zone({})
    checked = await checking(database, zone).check("x.test")
    assert {one.state for one in checked.records} == {"unknown"}
    assert zone.asked == []


async def test_only_our_own_domains(database: AnyDatabase) -> None:
    desk = checking(database, Zone({}))
    for work in (desk.records, desk.check, desk.rotate):
        with pytest.raises(NotFound):
            await work("elsewhere.org")


async def test_the_next_keys_are_there_beside_the_old_ones(database: AnyDatabase) -> None:
    desk = checking(database, Zone({}))
    before = {one.name for one in await desk.records("own.org") if one.purpose == "dkim"}
    after = {one.name for one in await desk.rotate("own.org") if one.purpose == "dkim"}
    assert before < after
    assert len(after) == 2


async def test_an_old_key_leaves_dns_when_its_successor_has_signed_for_a_week(
    database: AnyDatabase,
) -> None:
    clock = Clock()
    config = Config(domains=["own.org"], outbound="direct")
    signing = Signing(database, config, algorithms=("ed25519",), clock=clock)
    desk = DomainChecking(config, signing, Zone({}), clock=clock)
    await desk.records("own.org")
    clock.now += 30 * DAY
    after = []
    for days in (0, 3, 9.9, 10.1):
        if not days:
            await desk.rotate("own.org")
        at, clock.now = clock.now, clock.now + int(days * DAY)
        after.append(sum(one.purpose == "dkim" for one in await desk.records("own.org")))
        clock.now = at
    assert after == [2, 2, 2, 1]


async def test_keys_are_not_made_without_end(database: AnyDatabase) -> None:
    desk = checking(database, Zone({}))
    for _ in range(MOST_KEYS - 1):
        await desk.rotate("own.org")
    with pytest.raises(Conflict, match="wait"):
        await desk.rotate("own.org")


async def test_real_questions_are_answered_anew_each_time(
    database: AnyDatabase, tmp_path: Path
) -> None:
    async with serving(NameServer({("own.org", "MX"): ["10 b.org."]})) as server:
        desk = checking(database, Resolver([server.address], remembers=False))
        states = []
        for host in ("b.org.", "mx.own.org."):
            server.records["own.org", "MX"] = [f"10 {host}"]
            checked = await desk.check("own.org")
            states += [one.state for one in checked.records if one.record.purpose == "mx"]
        assert states == ["different", "right"]
