"""Who owns the network of a client, out of a file of the MaxMind DB format (mailbox-api §5.2)."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mailbox_service.services.network_database import LOOK_AGAIN_SECONDS, NetworkOwners
from tests.network_file import write_networks

HOSTING = {
    "autonomous_system_number": 64500,
    "autonomous_system_organization": "Example Hosting LLC",
}


write = partial(write_networks, kind="GeoLite2-ASN")


@pytest.mark.parametrize(
    ("ip", "owner"),
    [
        ("203.0.113.9", "Example Hosting LLC"),
        ("2001:db8::9", "Example Hosting LLC"),
        ("198.51.100.1", "Another Form Ltd"),
        ("198.51.100.129", ""),
        ("192.0.2.1", ""),
        ("127.0.0.1", ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_an_owner_is_looked_up(tmp_path: Path, ip: str, owner: str) -> None:
    file = tmp_path / "asn.mmdb"
    networks: dict[str, dict[str, Any]] = {
        "203.0.113.0/24": HOSTING,
        "2001:db8::/32": HOSTING,
        "198.51.100.0/25": {"asn": "AS64501", "as_name": "Another Form Ltd"},
        "198.51.100.128/25": {"autonomous_system_number": 64502},
    }
    write(file, networks)
    owners = NetworkOwners(str(file))
    assert owners.of(ip) == owner
    owners.close()


def test_without_a_file_nobody_is_known_and_nothing_loaded() -> None:
    sys.modules.pop("maxminddb", None)
    assert NetworkOwners("").of("203.0.113.9") == ""
    assert "maxminddb" not in sys.modules


@pytest.mark.parametrize("content", [None, b"", b"no database", b"\xab\xcd\xefMaxMind.com" * 3])
def test_a_file_that_is_none_tells_nothing(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "asn.mmdb"
    if content is not None:
        file.write_bytes(content)
    assert NetworkOwners(str(file)).of("203.0.113.9") == ""


def test_a_file_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    file, now = tmp_path / "asn.mmdb", [0.0]
    write(file, {"203.0.113.0/24": HOSTING})
    owners = NetworkOwners(str(file), clock=lambda: now[0])
    assert owners.of("203.0.113.9") == "Example Hosting LLC"
    write(file, {"203.0.113.0/24": {"autonomous_system_organization": "Sold Ltd"}})
    now[0] += LOOK_AGAIN_SECONDS
    assert owners.of("203.0.113.9") == "Sold Ltd"
    owners.close()
