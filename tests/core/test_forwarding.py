"""Where a mail goes on to, and that it never goes in a circle (mailbox-api §9.8)."""

from __future__ import annotations

from typing import Any

import pytest

from mailbox_service.core import forwarding
from mailbox_service.core.mime_parts import read_header

RULE = {"domains": [], "forward": "f@far.test"}


def targets(*rules: dict[str, Any], to: str = "bob@sub.x.test", sender: str = "ann@a.test") -> Any:
    found = forwarding.read_rules(rules)
    return forwarding.targets([], found, recipient=to, reverse_path=sender)


@pytest.mark.parametrize(
    ("change", "copies"),
    [
        ({}, 1),
        ({"domains": None}, 1),
        ({"domains": [""]}, 1),
        ({"domains": ["other.test", " "]}, 1),
        ({"domains": ["x.test"]}, 1),
        ({"domains": ["X.Test"]}, 1),
        ({"domains": ["x.test", "sub.x.test"]}, 2),
        ({"domains": [".test"]}, 0),
        ({"domains": ["b.x.test"]}, 0),
        ({"domains": ["est"]}, 0),
        ({"sourcePatterns": []}, 1),
        ({"sourcePatterns": ["ANN@"]}, 1),
        ({"sourcePatterns": ["nobody"]}, 0),
        ({"sourcePatterns": ["ann", "nobody"]}, 1),
        ({"sourcePatterns": ["ann", "nobody"], "sourceMatchMode": "all"}, 0),
        ({"sourcePatterns": ["ann", r"a\.test$"], "sourceMatchMode": "all"}, 1),
        ({"sourcePatterns": ["["]}, 0),
        ({"sourcePatterns": ["a" * 201]}, 0),
        ({"forward": ""}, 0),
        ({"forward": None}, 0),
    ],
)
def test_a_rule_forwards_as_often_as_the_contract_says(change: dict[str, Any], copies: int) -> None:
    assert targets({**RULE, **change}) == ["f@far.test"] * copies


def test_everything_comes_first_then_the_rules_in_order() -> None:
    rules = forwarding.read_rules([RULE, {"forward": "g@far.test"}])
    found = forwarding.targets(
        ["a@far.test", " "], rules, recipient="b@x.test", reverse_path="ann@a.test"
    )
    assert found == ["a@far.test", "f@far.test", "g@far.test"]


def test_second_copies_go_in_a_second_round() -> None:
    found = forwarding.in_rounds(["a@b.test", "c@d.test", "A@b.test", "nonsense", "a@b.test"])
    assert found == [("a@b.test", "c@d.test"), ("a@b.test",), ("a@b.test",)]


def test_a_forwarded_mail_is_the_original_below_one_field() -> None:
    letter = b"Subject: x\r\n\r\n\xff\x00 bytes\n"
    assert forwarding.marked(letter, "bob@x.test") == b"X-Loop: bob@x.test\r\n" + letter


def test_who_gets_a_copy_at_the_same_time_is_told_by_digests() -> None:
    letter = b"Subject: x\r\n\r\nx\r\n"
    several = [f"a{n}@far.test" for n in range(12)]
    sent = forwarding.marked(letter, "bob@x.test", several)
    assert sent.endswith(letter)
    assert b"far.test" not in sent  # a target hears of no other
    assert max(map(len, sent.split(b"\r\n"))) < 998
    header = read_header(sent)
    assert forwarding.without_copy(header, "carol@x.test", several) == []
    assert forwarding.without_copy(
        header, "carol@x.test", ["new@far.test", " A1@FAR.test", "carol@x.test", "bob@x.test"]
    ) == ["new@far.test"]
    again = forwarding.marked(sent, "carol@x.test", ["new@far.test", "newer@far.test"])
    known = [*several, "new@far.test", "newer@far.test"]
    assert forwarding.without_copy(read_header(again), "dave@x.test", known) == []


def test_two_copies_for_one_target_stay_two() -> None:
    letter = b"Subject: x\r\n\r\nx\r\n"
    found = ["f@far.test", "f@far.test"]
    assert forwarding.without_copy(read_header(letter), "bob@x.test", found) == found
    assert forwarding.marked(letter, "bob@x.test", found) == b"X-Loop: bob@x.test\r\n" + letter


def test_a_mail_that_was_here_before_goes_no_further() -> None:
    letter = b"Subject: x\r\n\r\nx\r\n"
    once = forwarding.marked(letter, "bob@x.test")
    assert forwarding.may_go_on(read_header(letter), letter, "bob@x.test")
    assert not forwarding.may_go_on(read_header(once), once, "bob@x.test")
    assert forwarding.may_go_on(read_header(once), once, "carol@x.test")
    twice = forwarding.marked(once, "carol@x.test")
    assert not forwarding.may_go_on(read_header(twice), twice, "bob@x.test")


def test_a_mail_that_passed_many_hosts_goes_no_further() -> None:
    letter = b"Received: by x\r\n" * 50 + b"\r\nx\r\n"
    assert not forwarding.may_go_on(read_header(letter), letter, "bob@x.test")
    fewer = b"Received: by x\r\n" * 49 + b"\r\nx\r\n"
    assert forwarding.may_go_on(read_header(fewer), fewer, "bob@x.test")
