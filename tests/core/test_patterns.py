"""JavaScript patterns of administrators."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.patterns import MAX_PATTERN, TIME_LIMIT, compile_pattern


@pytest.mark.parametrize(
    ("source", "text", "found"),
    [
        ("^a+$", "aaa", True),
        ("^a+$", "aaa\n", False),  # `$` is the very end, not before a line end
        (r"^\d+$", "٣", False),  # digits are ASCII
        (r"^\w+$", "é", False),
        (r"^\w+$", "a_9", True),
        (r"^\W$", "é", True),
        (r"[\d\w]", "é", False),
        (r"\s", "\u3000", True),
        (r"^[^\s]$", "\ufeff", False),
        (".", "\u2028", False),
        ("^[^]$", "\n", True),
        ("[]", "anything", False),
        ("^(?<year>[0-9]{4})-\\k<year>$", "2026-2026", True),
        ("^(?<year>[0-9]{4})-\\k<year>$", "2026-2027", False),
        (r"^(a)\1$", "aa", True),
        ("^a{,3}$", "a{,3}", True),  # not a quantifier
        ("^a{2}$", "aa", True),
        ("^}]$", "}]", True),
        ("^[[a]$", "[", True),
        ("^[a&&b]$", "&", True),
        ("^[a-f--c]$", "b", True),
        (r"^\x41\u0042\-\_\/$", "AB-_/", True),
        (r"^[\b]$", "\x08", True),
        (r"^\A\Z$", "AZ", True),  # unknown letters mean themselves
        ("(?<=@)x", "a@x", True),
        ("(?<!@)x", "@x", False),
        (r"^[a-z0-9]+(?:\.[a-z0-9]+)*$", "a.b.c", True),
    ],
)
def test_meaning_is_that_of_javascript(source: str, text: str, found: bool) -> None:
    assert compile_pattern(source).found_in(text) is found


@pytest.mark.parametrize(
    "source",
    ["(", "[a", "a**", "a++", "a{2}+", "(?i)a", "(?P<n>a)", "(?>a)", "(?#x)", "\\", "a" * 1001],
)
def test_what_javascript_would_refuse_is_refused(source: str) -> None:
    with pytest.raises(BadRequest):
        compile_pattern(source)


def test_ignoring_case() -> None:
    assert compile_pattern("^News@", ignore_case=True).found_in("nEWS@x.example")
    assert not compile_pattern("^News@").found_in("news@x.example")


@pytest.mark.parametrize(
    "source", ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_hazard_46_a_pattern_that_explodes_is_stopped(source: str) -> None:
    pattern = compile_pattern(source)
    subject = "a" * 4000 + "!"
    assert pattern.found_in(subject) is False
    pattern.removed_from(subject)  # ends; None or text, both are answers


def test_the_deadline_is_short_enough_to_run_beside_other_work() -> None:
    assert TIME_LIMIT <= 0.1


@settings(max_examples=300)
@given(st.text(alphabet="ab1()[]{}?*+|\\^$.,-:<>=!dwsk&~", max_size=24))
def test_any_text_is_a_pattern_or_refused(source: str) -> None:
    try:
        pattern = compile_pattern(source)
    except BadRequest:
        return
    assert pattern.found_in("ab1-") in (True, False)
    assert len(source) <= MAX_PATTERN
