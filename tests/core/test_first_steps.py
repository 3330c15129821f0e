"""The first steps, by how things stand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailbox_service.core.first_steps import Standing, Step, is_loopback, steps_of

FRESH = Standing(
    domains=("mailbox.localhost",),
    reception="127.0.0.1",
    reception_port=2525,
    http="127.0.0.1",
    outbound="hold",
    has_certificate=False,
    has_proxy=False,
    admin_passwords=("sixteen-letters-",),
    asks_no_password=False,
    addresses=0,
    received=0,
)
GROWN = replace(
    FRESH,
    domains=("own.org", "mailbox.localhost"),
    reception="0.0.0.0",
    reception_port=25,
    http="0.0.0.0",
    outbound="direct",
    has_certificate=True,
    has_proxy=True,
    addresses=3,
    received=9,
    dns=(("own.org", 0),),
    backup_age=1,
)


def step(now: Standing, key: str) -> Step:
    return next(one for one in steps_of(now) if one.key == key)


def test_a_fresh_service_has_nearly_everything_before_it() -> None:
    assert [(one.key, one.done) for one in steps_of(FRESH)] == [
        ("password", True), ("domain", False), ("reception", False), ("outbound", False),
        ("tls", False), ("backup", False), ("address", False)]  # fmt: skip


def test_a_grown_one_has_nothing() -> None:
    steps = steps_of(GROWN)
    assert all(one.done for one in steps)
    assert [one.key for one in steps] == [
        "password", "domain", "reception", "dns", "outbound", "tls", "backup", "address",
    ]  # fmt: skip


# what is different, step, whether it is done, a word of its message
CASES: list[tuple[dict[str, Any], str, bool, str]] = [
    ({"asks_no_password": True}, "password", False, "disable_admin_password_check"),
    ({"admin_passwords": ()}, "password", False, "There is no admin password"),
    ({"admin_passwords": ("", "short")}, "password", False, "fewer than 12"),
    ({"domains": ()}, "domain", False, "example.org"),
    ({"domains": ("x.test",)}, "domain", False, "x.test"),
    ({"reception": ""}, "reception", False, "No mail is taken"),
    ({"reception": "::1"}, "reception", False, "Only this machine"),
    ({"reception": "::", "reception_port": 2525}, "reception", True, "port 2525"),
    ({"dns": (("own.org", 2), ("b.org", 1))}, "dns", False, "2 records are missing"),
    ({"dns": (("own.org", 2), ("b.org", 1))}, "dns", False, "1 domains more"),
    ({"dns": (("own.org", 1),)}, "dns", False, "1 record is"),
    ({"dns": (("own.org", None),)}, "dns", False, "not answered"),
    ({"outbound": "relay"}, "outbound", True, "relay"),
    ({"has_certificate": False}, "tls", False, "tls_cert"),
    ({"has_certificate": False, "has_proxy": False}, "tls", False, "reverse proxy"),
    ({"backup_age": 0}, "backup", True, "today"),
    ({"backup_age": 31}, "backup", False, "31 days old"),
    ({"backup_age": None}, "backup", False, "None was made"),
    ({"received": 0}, "address", False, "Send a mail"),
]


@pytest.mark.parametrize(("changes", "key", "done", "word"), CASES)
def test_every_step(changes: dict[str, Any], key: str, done: bool, word: str) -> None:
    found = step(replace(GROWN, **changes), key)
    assert found.done is done
    assert word in found.message
    assert found.message.endswith((".", "]", '"'))


def test_where_the_store_makes_its_own_copies_there_is_no_such_step() -> None:
    assert "backup" not in {one.key for one in steps_of(replace(GROWN, backups=False))}


@pytest.mark.parametrize(
    ("host", "yes"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("mx", False)],
)
def test_loopback(host: str, yes: bool) -> None:
    assert is_loopback(host) is yes
