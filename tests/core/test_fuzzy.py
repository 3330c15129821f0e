"""Searches that forgive slips (sending-api §4, §9.5)."""

from __future__ import annotations

import pytest

from mailbox_service.core.fuzzy import any_resembles, distance


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("welcome", True),
        ("WELCOME", True),
        ("elcom", True),
        ("wlecome", True),
        ("welcom mail", True),
        ("mail welcome", True),
        ("welkome", True),
        ("wellcome", True),
        ("welcoem", True),
        ("wilkomme", False),
        ("cafe", True),
        ("kafé", True),
        ("customr", True),
        ("custommers", True),
        ("cutsoemrs", True),
        ("welcome-3", True),
        ("cat", False),
        ("goodbye", False),
        ("welcome goodbye", False),
        ("mai", True),
        ("maj", False),
        ("", True),
        ("???", False),
        ("x" * 10_000, False),
    ],
)
def test_a_term_finds_what_was_meant(term: str, found: bool) -> None:
    texts = ("Welcome mail", "welcome-3", "Café for new customers", "shop_news")
    assert any_resembles([term], texts) is found


def test_one_of_several_terms_is_enough() -> None:
    assert any_resembles(["nothing", "nwes"], ("shop_news",))
    assert not any_resembles([], ("shop_news",))


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [("", "", 0), ("a", "", 1), ("ab", "ba", 1), ("kitten", "sitting", 3), ("same", "same", 0)],
)
def test_slips_are_counted(one: str, other: str, slips: int) -> None:
    assert distance(one, other) == distance(other, one) == slips
