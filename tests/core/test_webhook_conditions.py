"""Of which mail a webhook tells: its conditions, what they mean, and what makes no sense."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from mailbox_service.core.parsing import parse
from mailbox_service.core.stored import StoredVerdicts
from mailbox_service.core.webhook import read_settings
from mailbox_service.core.webhook_conditions import (
    ConditionMail,
    Conditions,
    condition_mail,
    read_conditions,
)

MAIL = ConditionMail(
    senders=("Ann@Shop.example", "bounces@mailer.example"),
    recipient="bob@x.test",
    subject="Your order №7 is on its way",
    text="Your verification code is 482913.",
    html="",
    attachments=0,
    verdicts=StoredVerdicts("pass", "none", "fail", "none", ""),
)


def unmet(conditions: Any, mail: ConditionMail = MAIL) -> tuple[str, ...]:
    found = read_conditions(conditions)
    return () if found is None else found.unmet(mail)


@pytest.mark.parametrize(
    "conditions",
    [
        None,
        {},
        [],
        "",
        False,
        {"senders": []},
        {"senders": [], "recipients": [], "subject": "", "has_code": None, "verdicts": {}},
    ],
)
def test_without_conditions_it_tells_of_every_mail(conditions: Any) -> None:
    assert unmet(conditions) == ()


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({"senders": ["ann@shop.example"]}, ""),
        ({"senders": ["nobody@x.test", " *@SHOP.example "]}, ""),
        ({"senders": ["*@mailer.example"]}, ""),
        ({"senders": ["*"]}, ""),
        ({"senders": ["ann@shop"]}, "senders"),
        ({"senders": ["*@shopXexample"]}, "senders"),
        ({"senders": ["*@*.shop.example"]}, "senders"),
        ({"recipients": ["*@x.test"]}, ""),
        ({"recipients": ["carol@x.test"]}, "recipients"),
        ({"subject": "^your ORDER"}, ""),
        ({"subject": "№\\d"}, ""),
        ({"subject": "^order"}, "subject"),
        ({"has_code": True}, ""),
        ({"has_code": False}, "has_code"),
        ({"has_attachment": False}, ""),
        ({"has_attachment": True}, "has_attachment"),
        ({"verdicts": {"spf": ["PASS"]}}, ""),
        ({"verdicts": {"dmarc": ["pass", "none"]}}, "verdicts.dmarc"),
        ({"senders": ["*"], "subject": "x{9}", "has_attachment": True}, "subject has_attachment"),
    ],
)
def test_all_conditions_must_hold(conditions: dict[str, Any], names: str) -> None:
    assert unmet(conditions) == tuple(names.split())


@pytest.mark.parametrize(
    "conditions",
    [
        [1],
        "ann@shop.example",
        5,
        {"sender": ["*"]},
        {"senders": "*"},
        {"senders": [""]},
        {"senders": ["*"] * 51},
        {"senders": ["a" * 255]},
        {"subject": "("},
        {"subject": "a" * 201},
        {"subject": 5},
        {"has_code": "yes"},
        {"verdicts": {"dkim": "pass"}},
        {"verdicts": {"dane": ["pass"]}},
    ],
)
def test_a_filter_that_cannot_be_read_lets_nothing_through(conditions: Any) -> None:
    (reason,) = unmet(conditions)
    assert reason.startswith("conditions: ")


def test_verdicts_that_are_not_known_are_not_met() -> None:
    mail = dataclasses.replace(MAIL, verdicts=None)
    assert unmet({"verdicts": {"spf": ["pass"]}}, mail) == ("verdicts.spf",)


def test_evil_patterns_end() -> None:
    """Hazard 36: whoever writes them, a match has a deadline."""
    mail = dataclasses.replace(MAIL, subject="a" * 4_000, recipient="a" * 250 + "@x.test")
    began = time.process_time()
    assert unmet({"subject": "(a+)+$x"}, mail) == ("subject",)
    assert unmet({"recipients": ["*a" * 100 + "b"]}, mail) == ("recipients",)
    assert time.process_time() - began < 30


def test_a_mail_is_looked_at_as_its_reader_sees_it() -> None:
    content = (
        b"From: =?utf-8?q?Ann?= <ann@shop.example>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nHello\r\n--b\r\n'
        b"Content-Disposition: attachment; filename=x\r\n\r\nFile\r\n--b--\r\n"
    )
    mail = condition_mail(content, parse(content), recipient="bob@x.test", reverse_path="")
    assert mail.senders == ("ann@shop.example",)
    assert (mail.subject, mail.attachments) == ("Grüße", 1)


def test_settings_have_their_conditions() -> None:
    assert isinstance(read_settings({"conditions": {"subject": "x"}}).conditions, Conditions)
    assert not isinstance(read_settings({"conditions": {}}).conditions, Conditions)
    assert read_settings({"conditions": {"verdicts": {"spf": ["pass"]}}}).need_verdicts
    assert not read_settings({"conditions": {"nonsense": 1}}).need_verdicts
