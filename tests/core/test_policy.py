"""Who may receive and who may send: small rules as tables."""

from __future__ import annotations

import pytest

from mailbox_service.core import policy
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import (
    BadRequest,
    FromNotYours,
    MailError,
    NotYours,
    QuotaReached,
    RecipientBlocked,
    SenderRefused,
)
from mailbox_service.core.policy import ForwardingRule, SendLimits


def test_the_black_list_keeps_spaces_and_drops_empty_entries() -> None:
    assert policy.black_list_entries("spam.example, bad@,,") == ("spam.example", " bad@")
    assert policy.black_list_entries("") == ()


@pytest.mark.parametrize(
    ("reverse_path", "refused"),
    [
        ("a@spam.example", True),
        ("a@notspam.example", True),  # a plain substring
        ("a@SPAM.example", True),  # no way around it by other letters
        ("a@sPAM.example", True),
        ("", False),
        ("a@good.example", False),
    ],
)
def test_a_reverse_path_on_the_black_list_is_refused(reverse_path: str, refused: bool) -> None:
    if refused:
        with pytest.raises(SenderRefused, match="Reject from address"):
            policy.check_reverse_path(reverse_path, ["", "spam.example"])
    else:
        policy.check_reverse_path(reverse_path, ["", "spam.example"])


@pytest.mark.parametrize(
    ("configured", "stored", "effective"),
    [
        (False, True, False),
        (False, None, False),
        (True, None, True),
        (True, False, False),
        (True, True, True),
        (None, None, False),
        (None, True, True),
        (None, False, False),
    ],
)
def test_subdomain_matching(configured: bool | None, stored: bool | None, effective: bool) -> None:
    assert policy.effective_subdomain_match(configured, stored) is effective


@pytest.mark.parametrize(
    ("domain", "base"),
    [
        ("x.example", "x.example"),
        ("c.x.example", "x.example"),
        ("b.a.x.example", "a.x.example"),  # the most specific one
        ("evilx.example", None),
        ("example", None),
        ("", None),
        ("x.example.evil", None),
    ],
)
def test_served_domains(domain: str, base: str | None) -> None:
    assert policy.served_by(domain, {"x.example", "a.x.example"}) == base


@pytest.mark.parametrize(
    ("rule", "domain", "reverse_path", "copies"),
    [
        (ForwardingRule("f@f.example"), "x.example", "a@b.example", 1),
        (ForwardingRule("f@f.example", domains=("x.example",)), "a.X.example", "", 1),
        (ForwardingRule("f@f.example", domains=("x.example",)), "ax.example", "", 0),
        (ForwardingRule("f@f.example", domains=("y.example", " ")), "x.example", "", 1),
        (ForwardingRule("f@f.example", domains=("x.example", "a.x.example")), "a.x.example", "", 2),
        (ForwardingRule("f@f.example", sources=("^News@",)), "x.example", "news@b.example", 1),
        (ForwardingRule("f@f.example", sources=("^news@",)), "x.example", "old@b.example", 0),
        (ForwardingRule("f@f.example", sources=("(", "b")), "x.example", "a@b.example", 1),
        (ForwardingRule("f@f.example", sources=("a", "b"), all_sources=True), "x", "a@b", 1),
        (ForwardingRule("f@f.example", sources=("a", "c"), all_sources=True), "x", "a@b", 0),
        (ForwardingRule("f@f.example", sources=("a" * 201,)), "x", "a" * 300, 0),
    ],
)
def test_forwarding(rule: ForwardingRule, domain: str, reverse_path: str, copies: int) -> None:
    assert rule.copies(domain, reverse_path) == copies


@pytest.mark.parametrize(
    ("spf", "fields", "results"),
    [
        (["pass (mx: ok) client-ip=1.2.3.4"], [], {"spf": True}),
        (["Softfail x"], [], {"spf": False}),
        (["none", "neutral", "policy", "whatever", ""], [], {}),
        (
            [],
            ["mx.example; spf=fail smtp.mailfrom=a@b; dkim=pass (2048) header.d=b; dmarc=none"],
            {"spf": False, "dkim": True},
        ),
        ([], ["mx.example 1;\r\n DKIM = PASS"], {"dkim": True}),
        ([], ["mx.example; dkim/1=pass; spf/2=pass"], {"dkim": True}),
        ([], ["mx.example; dkim=fail; dkim=pass"], {"dkim": True}),
        ([], ["mx.example; dkim=neutral; arc=pass; x-spf=pass"], {}),
        ([], ["mx.example (spf=pass); dmarc=fail"], {"dmarc": False}),
        ([], ["mx.example; dmarc=policy; dmarc=softfail"], {}),
    ],
)
def test_reading_authentication_results(
    spf: list[str], fields: list[str], results: dict[str, bool]
) -> None:
    assert policy.authentication_results(spf, fields) == results


@pytest.mark.parametrize(
    ("results", "check", "force", "junk"),
    [
        ({}, ["spf", "dkim"], [], False),
        ({"spf": False}, [" SPF "], [], True),
        ({"spf": True}, ["spf"], ["spf"], False),
        ({}, [], ["dkim"], True),
        ({"dkim": True}, [], ["dkim", ""], False),
        ({"spf": False}, ["dkim"], [], False),
    ],
)
def test_junk(results: dict[str, bool], check: list[str], force: list[str], junk: bool) -> None:
    assert policy.is_junk(results, check, force) is junk


def test_a_sender_domain_is_exactly_ours() -> None:
    policy.check_sender_domain("x.example", {"x.example"})
    with pytest.raises(NotYours, match="Invalid domain"):
        policy.check_sender_domain("a.x.example", {"x.example"})


@pytest.mark.parametrize(
    ("recipients", "error"),
    [
        ([], BadRequest),
        ([""], BadRequest),
        (["a@b", ""], BadRequest),
        (["a@bad.example"], RecipientBlocked),
    ],
)
def test_recipients_that_are_refused(recipients: list[str], error: type[MailError]) -> None:
    with pytest.raises(error):
        policy.check_recipients(recipients, ["", "bad"])


def test_recipients_that_are_not_blocked_pass() -> None:
    policy.check_recipients(["a@b.example"], ["", "BAD"])


@pytest.mark.parametrize(
    ("subject", "content", "key"),
    [("", "x", "SubjectEmptyMsg"), ("x", "", "ContentEmptyMsg"), ("", "", "SubjectEmptyMsg")],
)
def test_a_draft_needs_subject_and_content(subject: str, content: str, key: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        policy.check_draft_filled(subject, content)
    assert refusal.value.message_key == key
    policy.check_draft_filled("s", "c")


def test_from_must_be_the_principal() -> None:
    anna = Principal("address", "anna@x.example")
    policy.check_from(anna, ["anna@x.example", "anna@x.example"])
    with pytest.raises(FromNotYours):
        policy.check_from(anna, ["anna@x.example", "bob@x.example"])
    policy.check_from(Principal("admin", ""), ["bob@x.example"])


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        (
            {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": 5, "monthlyLimit": 9},
            SendLimits(5, None),
        ),
        ({"dailyEnabled": False, "monthlyEnabled": False}, SendLimits()),
        (
            {"dailyEnabled": True, "monthlyEnabled": True, "dailyLimit": -1, "monthlyLimit": 0},
            SendLimits(-1, 0),
        ),
        (
            {
                "dailyEnabled": True,
                "monthlyEnabled": False,
                "dailyLimit": 5.0,
                "monthlyLimit": None,
            },
            SendLimits(5, None),
        ),
    ],
)
def test_send_limits_are_read(value: dict[str, object], limits: SendLimits) -> None:
    assert SendLimits.read(value) == limits


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "x",
        {},
        {"dailyEnabled": 1, "monthlyEnabled": False},
        {"dailyEnabled": True, "monthlyEnabled": False},
        {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": -2},
        {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": 1.5},
        {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": True},
        {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": "5"},
        {"dailyEnabled": False, "monthlyEnabled": False, "dailyLimit": "5"},
        {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": float("nan")},
        {"dailyEnabled": True, "monthlyEnabled": False, "dailyLimit": float("inf")},
    ],
)
def test_other_send_limits_are_refused(value: object) -> None:
    with pytest.raises(BadRequest, match="Invalid input"):
        SendLimits.read(value)


@pytest.mark.parametrize("limits", [SendLimits(), SendLimits(5, None), SendLimits(-1, 0)])
def test_send_limits_survive_storing(limits: SendLimits) -> None:
    assert SendLimits.read(limits.as_json()) == limits


@pytest.mark.parametrize(
    ("limits", "today", "month", "key"),
    [
        (SendLimits(), 10**9, 10**9, None),
        (SendLimits(5, 9), 4, 8, None),
        (SendLimits(5, 9), 5, 8, "ServerSendMailDailyLimitMsg"),
        (SendLimits(5, 9), 5, 9, "ServerSendMailDailyLimitMsg"),
        (SendLimits(5, 9), 4, 9, "ServerSendMailMonthlyLimitMsg"),
        (SendLimits(0, None), 0, 0, "ServerSendMailDailyLimitMsg"),
        (SendLimits(-1, -1), 10**9, 10**9, None),
    ],
)
def test_send_limits_are_kept(limits: SendLimits, today: int, month: int, key: str | None) -> None:
    if key is None:
        limits.check(sent_today=today, sent_this_month=month)
    else:
        with pytest.raises(QuotaReached) as refusal:
            limits.check(sent_today=today, sent_this_month=month)
        assert refusal.value.message_key == key


def test_capitals_of_a_block_list_count_only_where_the_spelling_is_known() -> None:
    for written, refused in (((), True), (("bob@far.example",), False), (("BOB@far.test",), True)):
        if refused:
            with pytest.raises(RecipientBlocked):
                policy.check_recipients(["bob@far.example"], ["BOB@"], written=written)
        else:
            policy.check_recipients(["bob@far.example"], ["BOB@"], written=written)
