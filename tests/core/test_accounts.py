"""The rules of accounts as tables (mailbox-api §3.5, §8.4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.accounts import (
    DEFAULT_ADDRESS_LIMIT,
    MOST_SENT,
    Account,
    SignedIn,
    UserSettings,
    access_claims,
    address_limit,
    check_email,
    check_may_register,
    check_role_config,
    domain_of,
    in_time,
    is_password,
    names_in,
    read_user_settings,
    role_send_limits,
    signed_in,
    split_domains,
    user_claims,
)
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.policy import SendLimits

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
KEYS = (
    "enable", "enableMailVerify", "verifyMailSender", "enableMailAllowList", "mailAllowList",
    "maxAddressCount", "enableEmailCheckRegex", "emailCheckRegex",
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYS) | st.text(), json_values) | json_values)
def test_whatever_is_stored_is_read_and_reads_the_same_again(value: Any) -> None:
    settings = read_user_settings(value)
    shown = settings.as_json()
    assert read_user_settings(shown) == settings
    assert set(shown) <= set(KEYS)
    assert shown["maxAddressCount"] >= 0


@given(json_values)
def test_role_limits_are_refused_or_kept_as_numbers(value: Any) -> None:
    try:
        kept = check_role_config(value)
    except BadRequest:
        return
    assert check_role_config(kept) == kept


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("ann@x.test", "x.test"),
        ("a@b@X.Test ", "x.test"),
        ("x.test", "x.test"),
        ("ann@", ""),
        ("", ""),
    ],
)
def test_the_domain_is_behind_the_last_at(email: str, domain: str) -> None:
    assert domain_of(email) == domain


@pytest.mark.parametrize(
    ("email", "good"),
    [
        ("ann@x.test", True),
        ("plain words", True),
        ("安@例.test", True),
        ("x" * 256, True),
        ("x" * 257, False),
        ("", False),
        ("a\r\nBcc: b", False),
        ("a\0", False),
        ("a\ud800", False),
        ("a\u202e", False),
    ],
)
def test_what_may_name_an_account(email: str, good: bool) -> None:
    if good:
        check_email(email)
    else:
        with pytest.raises(BadRequest):
            check_email(email)


@pytest.mark.parametrize(
    ("configured", "domains"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        (["a.test", "b.test"], ("a.test", "b.test")),
        ("a.test, b.test,,", ("a.test", "b.test")),
        ('["a.test"]', ("a.test",)),
        ('["a.test", 5]', ("a.test",)),
        ("[broken", ()),
    ],
)
def test_the_domains_of_a_role(configured: Any, domains: tuple[str, ...]) -> None:
    assert split_domains(configured) == domains


def test_names_in_a_setting() -> None:
    assert names_in(" vip, ,chief ") == {"vip", "chief"}
    assert names_in("") == frozenset()


@pytest.mark.parametrize(
    ("role", "limit"),
    [
        (None, 7),
        ("none", 7),
        ("vip", 3),
        ("free", 0),
        ("odd", 7),
        ("wrong", 7),
        ("below", 7),
    ],
)
def test_a_role_has_a_limit_of_its_own_or_the_general_one(role: str | None, limit: int) -> None:
    config = {
        "vip": {"maxAddressCount": 3},
        "free": {"maxAddressCount": 0},
        "odd": {},
        "wrong": {"maxAddressCount": "3"},
        "below": {"maxAddressCount": -1},
        "none": None,
    }
    assert address_limit(UserSettings(max_address_count=7), config, role) == limit
    assert address_limit(UserSettings(), {}, role) == DEFAULT_ADDRESS_LIMIT


def test_roles_have_limits_of_sending_that_are_whole_numbers() -> None:
    kept = check_role_config(
        {
            "vip": {"maxAddressCount": 3, "sendLimitDay": 5.0, "sendLimitMonth": 50},
            "free": {"sendLimitDay": -1},
            "none": {"sendLimitDay": 0, "sendLimitMonth": "many"},
            "odd": {"sendLimitDay": True, "sendLimitMonth": None},
        }
    )
    assert kept == {
        "vip": {"maxAddressCount": 3, "sendLimitDay": 5, "sendLimitMonth": 50},
        "free": {"sendLimitDay": -1},
        "none": {"sendLimitDay": 0},
        "odd": {},
    }
    assert role_send_limits(kept) == {"vip": SendLimits(5, 50), "none": SendLimits(0, None)}
    stored = {"x": {"sendLimitDay": "5", "sendLimitMonth": -9}, "y": None, "z": {"sendLimitDay": 1}}
    assert role_send_limits(stored) == {"z": SendLimits(1, None)}
    for limit in (-2, 0.5, 1e300, MOST_SENT + 1, float("inf"), float("nan")):
        with pytest.raises(BadRequest, match="Invalid input: sendLimitMonth"):
            check_role_config({"vip": {"sendLimitMonth": limit}})


def test_a_pattern_that_takes_for_ever_lets_nobody_in_and_holds_up_nobody() -> None:
    """Hazard 46."""
    settings = UserSettings(enable_email_check_regex=True, email_check_regex="^(a+)+$")
    with pytest.raises(BadRequest):
        check_may_register("a" * 200 + "@x.test", settings)


@pytest.mark.parametrize(("length", "good"), [(0, False), (1, True), (100, True), (101, False)])
def test_the_length_of_what_a_client_sends_as_a_password(length: int, good: bool) -> None:
    assert is_password("x" * length) is good


def test_claims_are_those_of_the_contract() -> None:
    account = Account(7, "ann@x.test", None, "vip", 0, 0)
    claims = user_claims(account, 1000)
    assert claims == {"user_email": "ann@x.test", "user_id": 7, "iat": 1000, "exp": 2_593_000}
    assert signed_in(claims, 1000) == SignedIn(7, "ann@x.test", 1000, 2_593_000)
    assert access_claims(account, "vip", 1000) == {
        "user_email": "ann@x.test", "user_id": 7, "user_role": "vip", "iat": 1000, "exp": 4600,
    }  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(["exp", "iat", "nbf", "user_id", "user_email"]), json_values)
)
def test_no_claims_are_too_odd_to_be_judged(claims: dict[str, Any]) -> None:
    """Hazard 38."""
    proved = signed_in(claims, 1000)
    if proved is not None:
        assert in_time(claims, 1000)
        assert proved.expires_at >= 1000
        assert proved.user_id > 0


@pytest.mark.parametrize(("left", "renews"), [(604_800, False), (604_799, True), (1, True)])
def test_a_token_is_renewed_in_its_last_week(left: int, renews: bool) -> None:
    assert SignedIn(1, "a", 0, 10_000 + left).renews_at(10_000) is renews
