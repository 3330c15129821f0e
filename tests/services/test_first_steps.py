"""The first steps of a real service: settings, store, DNS, backups."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.core.first_steps import Step
from mailbox_service.services import first_steps
from mailbox_service.services.counting import Counting
from mailbox_service.services.domain_checking import DomainChecking
from mailbox_service.services.first_steps import LAST_BACKUP, FirstSteps
from mailbox_service.services.signing import Signing
from tests.databases import AnyDatabase
from tests.services.parts import Mailboxes
from tests.zones import Zone

pytestmark = pytest.mark.anyio


def standing(mailboxes: Mailboxes, names: Any) -> FirstSteps:
    config, database = mailboxes.config, mailboxes.database
    signing = Signing(database, config, algorithms=("ed25519",))
    return FirstSteps(
        config,
        Counting(database, config, clock=mailboxes.clock),
        DomainChecking(config, signing, names, clock=mailboxes.clock),
        clock=mailboxes.clock,
    )


async def found(steps: FirstSteps) -> dict[str, Step]:
    return {one.key: one for one in await steps.steps()}


async def test_mail_and_backups_are_seen(database: AnyDatabase, tmp_path: Path) -> None:
    mailboxes = Mailboxes(database, data_dir=str(tmp_path))
    fresh = await found(standing(mailboxes, Zone({})))
    assert not fresh["address"].done
    assert not fresh["backup"].done
    await mailboxes.receive("ann@x.test")
    (tmp_path / LAST_BACKUP).write_text("x")
    at = mailboxes.clock.now / 1_000_000 - 2 * 86_400
    os.utime(tmp_path / LAST_BACKUP, (at, at))
    later = await found(standing(mailboxes, Zone({})))
    assert later["address"].done
    assert (later["backup"].done, "2 days ago" in later["backup"].message) == (True, True)


async def test_dns_is_asked_for_public_domains_and_remembered(
    database: AnyDatabase, tmp_path: Path
) -> None:
    zone = Zone({("own.org", "MX"): ["10 mx.own.org."]})
    mailboxes = Mailboxes(
        database, domains=["own.org", "x.test"], hostname="mx.own.org", data_dir=str(tmp_path)
    )
    steps = standing(mailboxes, zone)
    message = (await found(steps))["dns"].message
    assert "missing or different for own.org" in message
    asked = len(zone.asked)
    assert asked > 0
    assert (await found(steps))["dns"].message == message
    assert len(zone.asked) == asked


async def test_dns_that_takes_long_holds_up_nobody(
    database: AnyDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_steps, "DNS_SECONDS", 0.0)
    mailboxes = Mailboxes(database, domains=["own.org"], data_dir=str(tmp_path))
    assert "not answered" in (await found(standing(mailboxes, Zone({}))))["dns"].message


async def test_names_that_nobody_can_tell_are_asked_for_again(
    database: AnyDatabase, tmp_path: Path
) -> None:
    zone = Zone({}, failing=frozenset({"own.org"}))
    mailboxes = Mailboxes(database, domains=["own.org"], data_dir=str(tmp_path))
    steps = standing(mailboxes, zone)
    assert "not answered" in (await found(steps))["dns"].message
    zone.failing = frozenset()
    assert "missing" in (await found(steps))["dns"].message
