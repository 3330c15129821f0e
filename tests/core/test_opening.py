"""Opening an address: mailbox-api §4 as tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core import opening
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.opening import OpeningRules, Role

RULES = OpeningRules(
    domains=("mail.example", "Other.Example ", "inner.example"),
    default_domains=("mail.example", "other.example"),
)


def last(choices: Sequence[str]) -> str:
    return choices[-1]


def letters(count: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz0123456789" * 3 if count > 36 else ("z9" * count)[:count]


@pytest.mark.parametrize(
    ("name", "address_regex", "cleaned"),
    [
        ("  anna  ", "", "anna"),
        ("MyName", "", "yame"),  # upper case is deleted, not lowered
        ("a.b+c-d_e", "", "abcde"),
        ("a.b-c", "[^a-z0-9.]", "a.bc"),
        ("MyName", "[^a-zA-Z]", "MyName"),
        ("a1٣", r"\d", "a٣"),  # digits of JavaScript are ASCII
        ("anna!", "(", "anna"),  # an invalid pattern is the default
        ("日本", "", ""),
    ],
)
def test_names_are_cleaned(name: str, address_regex: str, cleaned: str) -> None:
    assert opening.clean_name(name, address_regex) == cleaned


def test_a_cleaned_name_may_be_blocked() -> None:
    with pytest.raises(BadRequest) as refusal:
        opening.local_part("my.admin", RULES, prefix="", block_list=["", "admin"])
    assert refusal.value.detail == "Name[myadmin]is blocked"


@pytest.mark.parametrize("name", ["2anna", "Zoe"])
def test_a_name_must_match_the_pattern(name: str) -> None:
    rules = replace(RULES, address_regex="[^A-Za-z0-9]", address_check_regex="^[a-z][a-z0-9]+$")
    with pytest.raises(BadRequest) as refusal:
        opening.local_part(name, rules, prefix="")
    assert refusal.value.detail == "Name not match regex: /^[a-z][a-z0-9]+$/"
    assert opening.local_part("anna2", rules, prefix="") == "anna2"


def test_an_invalid_check_pattern_is_ignored() -> None:
    assert opening.local_part("x", replace(RULES, address_check_regex="("), prefix="") == "x"


def test_hazard_46_a_check_pattern_that_explodes_refuses() -> None:
    rules = replace(RULES, address_check_regex="^(a+)+$", max_length=5000)
    with pytest.raises(BadRequest):
        opening.local_part("a" * 900 + "1", rules, prefix="")


@pytest.mark.parametrize(
    ("name", "reason", "key"),
    [
        ("ab", "Name is too short (min 3)", "NameTooShortMsg"),
        ("", "Name is too short (min 3)", "NameTooShortMsg"),
        ("...", "Name is too short (min 3)", "NameTooShortMsg"),
        ("abcdef", "Name is too long (max 5)", "NameTooLongMsg"),
        ("a" * 5000, "Name is too long (max 1000)", "NameTooLongMsg"),
    ],
)
def test_names_have_a_length(name: str, reason: str, key: str) -> None:
    rules = replace(RULES, min_length=3, max_length=5)
    with pytest.raises(BadRequest) as refusal:
        opening.local_part(name, rules, prefix="tmp")
    assert (refusal.value.detail, refusal.value.message_key) == (reason, key)


def test_limits_below_one_are_one() -> None:
    with pytest.raises(BadRequest, match=re.escape("(min 1)")):
        opening.local_part("", replace(RULES, min_length=0), prefix="")


def test_the_prefix_is_not_counted_in_the_length() -> None:
    rules = replace(RULES, min_length=3, max_length=5)
    assert opening.local_part("abcde", rules, prefix=" TMP ") == "tmpabcde"


def test_an_administrator_has_no_block_list_and_fixed_lengths() -> None:
    rules = replace(RULES, min_length=5, max_length=6, address_check_regex="^x", prefix="Tmp")
    assert opening.admin_local_part("a", rules, with_prefix=False) == "a"
    assert opening.admin_local_part("a" * 30, rules, with_prefix=True) == "tmp" + "a" * 30
    with pytest.raises(BadRequest, match=re.escape("Name is too long (max 30)")):
        opening.admin_local_part("a" * 31, rules, with_prefix=False)


@pytest.mark.parametrize(
    ("role", "prefix"),
    [(None, "tmp"), (Role(), "tmp"), (Role(prefix=""), ""), (Role(prefix=" VIP"), "vip")],
)
def test_the_prefix_of_a_role(role: Role | None, prefix: str) -> None:
    assert opening.prefix_for(replace(RULES, prefix="tmp"), role) == prefix


@pytest.mark.parametrize(
    ("rules", "role", "domains"),
    [
        (RULES, None, ("mail.example", "other.example")),
        (RULES, Role(), ("mail.example", "other.example")),
        (RULES, Role(domains=("VIP.example",)), ("vip.example",)),
        (
            replace(RULES, default_domains=()),
            None,
            ("mail.example", "other.example", "inner.example"),
        ),
    ],
)
def test_allowed_domains(rules: OpeningRules, role: Role | None, domains: tuple[str, ...]) -> None:
    assert opening.allowed_domains(rules, role) == domains


def test_an_administrator_may_choose_any_domain() -> None:
    assert opening.admin_domains(RULES) == ("mail.example", "other.example", "inner.example")


OPEN = replace(RULES, random_subdomain_domains=("other.example",))
MATCH = replace(RULES, subdomain_match=True)


@pytest.mark.parametrize(
    ("rules", "requested", "domain"),
    [
        (RULES, None, "other.example"),
        (RULES, "  ", "other.example"),
        (replace(RULES, default_domain_first=True), None, "mail.example"),
        (RULES, " MAIL.Example ", "mail.example"),
        (RULES, "inner.example", None),  # served, but not for everybody
        (RULES, "a.mail.example", None),
        (MATCH, "a.mail.example", "a.mail.example"),
        (MATCH, "a.b.mail.example", "a.b.mail.example"),
        (MATCH, "evilmail.example", None),
        (MATCH, "mail.example.evil.example", None),
        (MATCH, ".mail.example", None),
        (MATCH, "a..mail.example", None),
        (MATCH, "-a.mail.example", None),
        (MATCH, "a-.mail.example", None),
        (MATCH, "a_b.mail.example", None),
        (MATCH, "ä.mail.example", None),
        (MATCH, "a" * 63 + ".mail.example", "a" * 63 + ".mail.example"),
        (MATCH, "a" * 64 + ".mail.example", None),
        (MATCH, ".".join(["a" * 60] * 4) + ".mail.example", None),  # 256 characters
        (MATCH, "a.mail.example\n", "a.mail.example"),
        (MATCH, "a.mail.example\n.mail.example", None),
        (OPEN, "a.other.example", "a.other.example"),
        (OPEN, "a.mail.example", None),
    ],
)
def test_which_domain_is_given(rules: OpeningRules, requested: str, domain: str | None) -> None:
    allowed = opening.allowed_domains(rules)
    if domain is None:
        with pytest.raises(BadRequest) as refusal:
            opening.choose_domain(requested, allowed, rules, last)
        assert refusal.value.message_key == "InvalidDomainMsg"
    else:
        assert opening.choose_domain(requested, allowed, rules, last) == domain


def test_without_any_domain_nothing_opens() -> None:
    with pytest.raises(BadRequest, match="Invalid domain"):
        opening.choose_domain(None, (), RULES, last)


@pytest.mark.parametrize(("length", "made"), [(8, 8), (0, 1), (-4, 1), (63, 63), (900, 63)])
def test_a_random_subdomain(length: int, made: int) -> None:
    rules = replace(OPEN, random_subdomain_length=length)
    domain = opening.with_random_subdomain("other.example", rules, lambda n: "q" * n)
    assert domain == "q" * made + ".other.example"


@pytest.mark.parametrize("domain", ["mail.example", "a.other.example"])
def test_a_random_subdomain_needs_a_base_that_is_open(domain: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        opening.with_random_subdomain(domain, OPEN, letters)
    assert refusal.value.detail == "Random subdomain is not enabled for this domain"


@pytest.mark.parametrize(
    ("minimum", "maximum", "length"),
    [(1, 30, 13), (14, 30, 26), (27, 30, 30), (1, 5, 5), (0, 30, 13)],
)
def test_generated_names_are_whole_chunks_cut_to_the_maximum(
    minimum: int, maximum: int, length: int
) -> None:
    rules = replace(RULES, min_length=minimum, max_length=maximum)
    assert len(opening.generated_name(rules, lambda n: "k" * n)) == length


def test_hazard_48_a_generated_name_has_64_bits() -> None:
    assert 36**opening.NAME_CHUNK > 2**64


@given(st.text(max_size=200))
def test_the_default_leaves_only_letters_and_digits(name: str) -> None:
    assert re.fullmatch("[a-z0-9]*", opening.clean_name(name))


@given(st.text(alphabet="ab.-_mailexp é", max_size=40))
def test_any_domain_given_is_ours(requested: str) -> None:
    allowed = opening.allowed_domains(MATCH)
    try:
        domain = opening.choose_domain(requested, allowed, MATCH, last)
    except BadRequest:
        return
    assert any(domain == base or domain.endswith("." + base) for base in allowed)
