"""The IP policy: mailbox-api §5.2 and §5.3, with properties beside the cases of the routes."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.access_policy import (
    DEFAULTS,
    NO_POLICY,
    BadPolicy,
    compiled,
    judge,
    validated,
)

# In their normal form, as a request brings them: IPv4 mapped into IPv6 is IPv4.
ADDRESSES = st.ip_addresses().map(lambda ip: str(getattr(ip, "ipv4_mapped", None) or ip))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=20,
)


def policy(**changed: Any) -> Any:
    return compiled({**DEFAULTS, **changed})


@given(JSON)
def test_whatever_is_posted_is_refused_in_words_or_becomes_a_policy(posted: Any) -> None:
    try:
        stored = validated(posted)
    except BadPolicy:
        return
    assert set(stored) == set(DEFAULTS)


@given(st.dictionaries(st.sampled_from([*DEFAULTS, "other"]), JSON) | JSON, ADDRESSES)
def test_whatever_is_stored_is_a_policy(stored: Any, ip: str) -> None:
    judge(compiled(stored), ip=ip, fingerprint="abc")


@given(st.lists(st.text(max_size=30), max_size=5))
def test_what_was_validated_stays_as_it_is_when_it_is_validated_again(entries: list[str]) -> None:
    once = validated({**DEFAULTS, "blacklist": entries, "fingerprintBlacklist": entries})
    assert validated(once) == once
    assert all(entry and entry == entry.strip() for entry in once["blacklist"])


@given(ADDRESSES, ADDRESSES)
def test_a_whitelisted_address_is_that_address_alone(listed: str, ip: str) -> None:
    in_force = policy(enableWhitelist=True, whitelist=[listed])
    allowed = judge(in_force, ip=ip) is None
    assert allowed == (ipaddress.ip_address(listed) == ipaddress.ip_address(ip))
    assert judge(in_force, ip=listed) is None


@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_a_network_holds_its_addresses_on_both_lists(
    base: ipaddress.IPv4Address, bits: int, ip: ipaddress.IPv4Address
) -> None:
    inside = ip in ipaddress.ip_network(f"{base}/{bits}", strict=False)
    entry = f"{base}/{bits}"
    white = policy(enableWhitelist=True, whitelist=[entry])
    assert (judge(white, ip=str(ip)) is None) == inside
    black = policy(enabled=True, blacklist=[entry])
    assert (judge(black, ip=str(ip)) is None) == (not inside)


@pytest.mark.parametrize(
    ("changed", "ip", "reason"),
    [
        (
            {"enableWhitelist": True, "whitelist": ["10.0.0.1"]},
            "",
            "Access denied: client IP unavailable",
        ),
        ({"enabled": True, "blacklist": [".*"]}, "", None),
        (
            {"enabled": True, "fingerprintBlacklist": ["f"]},
            "",
            "Access denied: Browser fingerprint is blacklisted",
        ),
        ({"enableWhitelist": True, "whitelist": ["::ffff:10.0.0.1"]}, "10.0.0.1", None),
        ({"enableWhitelist": True, "whitelist": ["localhost"]}, "localhost", None),
    ],
)
def test_a_client_without_an_address(changed: Any, ip: str, reason: str | None) -> None:
    found = judge(policy(**changed), ip=ip, fingerprint="f")
    assert (found.reason if found else None) == reason


@pytest.mark.parametrize(
    ("entry", "organisation", "refused"),
    [
        ("cloud", "Some Cloud Ltd", True),
        ("CLOUD ltd$", "Some Cloud Ltd", True),
        ("(cloud", "Some (Cloud) Ltd", True),
        ("cloudy", "Some Cloud Ltd", False),
    ],
)
def test_owners_of_networks_are_compared_without_case(
    entry: str, organisation: str, refused: bool
) -> None:
    in_force = policy(enabled=True, asnBlacklist=[entry])
    found = judge(in_force, ip="10.0.0.1", organisation=organisation)
    assert (found is not None) == refused
    if found:
        assert found.reason == "Access denied: ASN organization is blacklisted"
    assert judge(in_force, ip="10.0.0.1") is None


def test_nothing_stored_lets_everybody_in() -> None:
    assert compiled(None) == NO_POLICY
    assert judge(NO_POLICY, ip="10.0.0.1", fingerprint="ERROR") is None
    assert NO_POLICY.daily_limit is None
