"""`mailbox check`: each check sees what it is named for, and says what to do."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from mailbox_service.config import FIELDS, Config
from mailbox_service.services import checking
from mailbox_service.services.checking import Finding, check_all, disk_has_room, door_is_open
from mailbox_service.services.domain_checking import DomainChecking
from mailbox_service.services.signing import Signing
from tests.databases import AnyDatabase
from tests.services.posting import Post
from tests.zones import Zone

pytestmark = pytest.mark.anyio


NOWHERE = Zone({})


async def findings(
    config: Config, database: AnyDatabase, names: Zone, page: Path
) -> dict[str, Finding]:
    domains = DomainChecking(config, Signing(database, config, algorithms=("ed25519",)), names)
    found = [finding async for finding in check_all(config, database, domains, page=page)]
    assert all(finding.do for finding in found if finding.level != "ok"), "it says what to do"
    return {finding.check: finding for finding in found}


def config_in(folder: Path, **settings: object) -> Config:
    closed = dict.fromkeys((name for name in FIELDS if name.endswith("_listen")), "")
    values: dict[str, object] = {
        "data_dir": str(folder),
        "domains": ["x.test"],
        "jwt_secret": "s" * 32,
        "admin_passwords": ["p"],
        **closed,
        **settings,
    }
    return Config(**values)  # type: ignore[arg-type]


async def test_all_is_well(database: AnyDatabase, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("")
    found = await findings(config_in(tmp_path), database, NOWHERE, tmp_path)
    wrong = {name for name, finding in found.items() if finding.level == "problem"}
    assert not wrong
    assert {"domains", "secrets", "page", "store", "queue", "mx x.test"} <= found.keys()
    assert found["store"].seen == "0 addresses, 0 mails"


@pytest.mark.parametrize(
    ("settings", "check", "level"),
    [
        ({"domains": []}, "domains", "problem"),
        ({"jwt_secret": ""}, "secrets", "problem"),
        ({"jwt_secret": "short"}, "secrets", "warning"),
        ({"admin_passwords": []}, "secrets", "warning"),
        ({"admin_passwords": [], "disable_admin_password_check": True}, "secrets", "ok"),
        ({"data_dir": "/no/such/folder"}, "disk", "problem"),
        ({"tls_cert": "/no/cert.pem", "tls_key": "/no/key.pem"}, "certificate", "problem"),
    ],
)
async def test_what_is_wrong_is_found(
    database: AnyDatabase, tmp_path: Path, settings: dict[str, object], check: str, level: str
) -> None:
    found = await findings(config_in(tmp_path, **settings), database, NOWHERE, tmp_path)
    assert found[check].level == level


async def test_a_page_that_is_not_built_is_a_warning(database: AnyDatabase, tmp_path: Path) -> None:
    found = await findings(config_in(tmp_path), database, NOWHERE, tmp_path)
    assert (found["page"].level, found["page"].do) == ("warning", "run: make setup")


@pytest.mark.parametrize(
    ("names", "level", "seen"),
    [
        (Zone({("own.example.org", "MX"): ["10 mx.own.example."]}), "ok", "Mail comes to this"),
        (Zone({("own.example.org", "MX"): ["10 mx.b.example."]}), "warning", "mx.b.example"),
        (NOWHERE, "warning", "no MX record"),
        (Zone({}, failing=frozenset({"own.example.org"})), "warning", "nobody could tell"),
    ],
)
async def test_the_mx_record_is_compared_with_our_name(
    database: AnyDatabase, tmp_path: Path, names: Zone, level: str, seen: str
) -> None:
    config = config_in(tmp_path, domains=["own.example.org"], hostname="mx.own.example")
    found = await findings(config, database, names, tmp_path)
    finding = found["mx own.example.org"]
    assert finding.level == level
    assert finding.seen.startswith(seen)
    assert level == "ok" or "MX 10 mx.own.example." in finding.do or "Try again" in finding.do
    assert {"spf own.example.org", "dmarc own.example.org"} <= found.keys()
    assert "tls_rpt own.example.org" not in found  # nothing that one may leave out is told


async def test_a_queue_that_does_not_move_is_told(database: AnyDatabase, tmp_path: Path) -> None:
    post = Post(database, outbound="relay", relay_url="smtp://127.0.0.1:9")
    await post.registering.open_by_admin(
        name="ann", domain="x.test", with_prefix=False, random_subdomain=False
    )
    post.clock.now = 1_000_000_000_000_000  # years ago
    await post.post("bob@elsewhere.example")
    found = await findings(config_in(tmp_path), database, NOWHERE, tmp_path)
    assert found["queue"].level == "warning"
    assert "has not moved since 2001-09-09" in found["queue"].seen
    assert found["store"].seen == "1 addresses, 0 mails"


async def test_a_door_is_open_free_or_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        opened = await door_is_open("http_listen", f"127.0.0.1:{port}")
        assert (opened.level, opened.seen) == ("ok", f"127.0.0.1:{port} answers")
    free = await door_is_open("http_listen", f"127.0.0.1:{port}")
    assert free.level == "ok"
    assert "nothing listens there now" in free.seen
    foreign = await door_is_open("http_listen", "192.0.2.1:80")
    assert foreign.level == "problem"


def test_a_disk_that_fills_up_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk_has_room(tmp_path).level in ("ok", "warning")
    monkeypatch.setattr(checking, "LEAST_FREE_OCTETS", 1 << 60)
    assert disk_has_room(tmp_path).level == "warning"
