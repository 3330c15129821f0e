"""The audit log: kept, found, bounded, on both engines."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core.audit import HIDDEN
from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.services import auditing
from mailbox_service.services.auditing import KEPT_MICROS, TRIM_EVERY, Auditing
from mailbox_service.storage import audit_log
from tests.databases import AnyDatabase
from tests.services.parts import Clock

pytestmark = pytest.mark.anyio


async def actions(log: Auditing, **filters: Any) -> list[str]:
    found, count = await log.page(limit=100, **filters)
    assert count == len(found)
    return [entry.action for entry in found]


async def test_a_change_is_kept_without_its_secrets(database: AnyDatabase) -> None:
    clock = Clock()
    log = Auditing(database, clock=clock)
    detail = {"email": "a@b.test", "password": "hunter2"}
    await log.note("user.open", actor="admin password", peer="192.0.2.1", subject="a@b.test",
                   detail=detail)  # fmt: skip
    (entry,), count = await log.page(limit=10)
    assert (entry.at, entry.actor, entry.peer) == (clock.now, "admin password", "192.0.2.1")
    assert (entry.action, entry.subject, count) == ("user.open", "a@b.test", 1)
    assert entry.detail == {"email": "a@b.test", "password": HIDDEN}


# filter, what it finds
FILTERS: list[tuple[dict[str, str], list[str]]] = [
    ({}, ["login.failed", "queue.drop", "queue.retry", "user.open"]),
    ({"action": "queue"}, ["queue.drop", "queue.retry"]),
    ({"action": "queue."}, ["queue.drop", "queue.retry"]),
    ({"action": "user.open"}, ["user.open"]),
    ({"action": "pen"}, []),
    ({"action": "%"}, []),
    ({"actor": "USER 3"}, ["queue.drop"]),
    ({"q": "bob"}, ["queue.retry", "user.open"]),
    ({"q": "198.51"}, ["login.failed"]),
    ({"q": "domain"}, ["queue.drop"]),
    ({"q": "bob", "action": "user"}, ["user.open"]),
]


async def test_changes_are_found(database: AnyDatabase) -> None:
    log = Auditing(database)
    await log.note("user.open", actor="admin password", subject="bob@b.test")
    await log.note("queue.retry", actor="command line", subject="Bob")
    await log.note("queue.drop", actor="user 3 (a@b.test)", detail={"domain": "far.test"})
    await log.note("login.failed", actor="nobody", peer="198.51.100.7")
    for filters, expected in FILTERS:
        assert await actions(log, **filters) == expected, filters
    page, count = await log.page(limit=2)
    rest, _ = await log.page(limit=2, before_id=page[-1].id)
    assert [entry.action for entry in rest] == ["queue.retry", "user.open"]
    assert count == 4


async def test_the_log_is_bounded_in_age_and_number(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    log = Auditing(database, clock=clock)
    await log.note("old", actor="x")
    clock.now += KEPT_MICROS
    await log.note("young", actor="x")
    clock.now += TRIM_EVERY + 1
    await log.note("new", actor="x")
    assert await actions(log) == ["new", "young"]
    monkeypatch.setattr(auditing, "MOST_KEPT", 2)
    for _ in range(3):
        clock.now += TRIM_EVERY + 1
        await log.note("newer", actor="x")
    assert await actions(log) == ["newer", "newer"]
    assert await database.write(audit_log.trim, since=clock.now + 1, most=10) == 0  # all are old


async def test_a_huge_detail_is_told_by_its_fields(database: AnyDatabase) -> None:
    log = Auditing(database)
    await log.note("x", actor="x", detail={f"list{n}": ["y" * 200] * 40 for n in range(5)})
    (entry,), _ = await log.page(limit=1)
    assert entry.detail == {"fields": [f"list{n}" for n in range(5)]}


async def test_failed_logins_cannot_flood_the_log(database: AnyDatabase) -> None:
    clock = Clock()
    log = Auditing(database, clock=clock)
    for _ in range(50):
        await log.login_failed("192.0.2.1")
        await log.login_failed("192.0.2.200")  # the same network
    assert await actions(log) == ["login.failed"]
    clock.now += auditing.LOGIN_PAUSE + 1
    await log.login_failed("192.0.2.1")
    found, _ = await log.page(limit=10)
    assert [entry.detail for entry in found] == [{"more_tries_before": 99}, {}]
    for n in range(200):
        await log.login_failed(f"10.0.{n}.1")
    assert len(await actions(log)) == auditing.MOST_LOGINS_AN_HOUR


async def test_trouble_of_the_store_fails_no_change(
    database: AnyDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*args: object, **kwargs: object) -> None:
        raise TemporaryFailure("no disk")

    monkeypatch.setattr(audit_log, "add", broken)
    await Auditing(database).note("user.open", actor="x")
    assert "audit-not-written action=user.open" in caplog.text
