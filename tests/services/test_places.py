"""Where readers are, out of a file of the MaxMind DB format (sending-api §6.3)."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest

from mailbox_service.services.sending_api.places import LOOK_AGAIN_SECONDS, Places
from tests.network_file import write_networks

BERLIN = {
    "continent": {"code": "EU", "names": {"en": "Europe"}},
    "country": {"iso_code": "DE", "names": {"en": "Germany"}},
    "city": {"geoname_id": 2950159, "names": {"de": "Berlin", "en": "Berlin"}},
}
TOLD = {"geoip-continent": "EU", "geoip-country": "DE", "geoip-city": "Berlin"}


write = partial(write_networks, kind="GeoLite2-City")


@pytest.mark.parametrize(
    ("ip", "told"),
    [
        ("203.0.113.9", TOLD),
        ("2001:db8::9", TOLD),
        ("198.51.100.1", {"geoip-country": "JP"}),
        ("192.0.2.1", {}),
        ("127.0.0.1", {}),
        ("", {}),
        ("nonsense", {}),
    ],
)
def test_an_address_is_looked_up(tmp_path: Path, ip: str, told: dict[str, str]) -> None:
    file = tmp_path / "city.mmdb"
    networks = {
        "203.0.113.0/24": BERLIN,
        "2001:db8::/32": BERLIN,
        "198.51.100.0/24": {"country": {"iso_code": "JP"}, "city": {"names": {"ja": "東京"}}},
    }
    write(file, networks)
    places = Places(str(file))
    assert places.of(ip) == told
    places.close()


def test_without_a_file_nothing_is_known_and_nothing_loaded() -> None:
    sys.modules.pop("maxminddb", None)
    assert Places("").of("203.0.113.9") == {}
    assert "maxminddb" not in sys.modules


@pytest.mark.parametrize("content", [None, b"", b"no database", b"\xab\xcd\xefMaxMind.com" * 3])
def test_a_file_that_is_none_tells_nothing(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "city.mmdb"
    if content is not None:
        file.write_bytes(content)
    assert Places(str(file)).of("203.0.113.9") == {}


def test_a_file_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    file, now = tmp_path / "city.mmdb", [0.0]
    write(file, {"203.0.113.0/24": BERLIN})
    places = Places(str(file), clock=lambda: now[0])
    assert places.of("203.0.113.9")["geoip-country"] == "DE"
    write(file, {"203.0.113.0/24": {"country": {"iso_code": "FR"}}})
    assert places.of("203.0.113.9")["geoip-country"] == "DE"
    now[0] += LOOK_AGAIN_SECONDS
    assert places.of("203.0.113.9") == {"geoip-country": "FR"}
    now[0] += LOOK_AGAIN_SECONDS
    file.unlink()
    assert places.of("203.0.113.9") == {}
    places.close()
