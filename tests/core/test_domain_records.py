"""The DNS records of a domain, and what is said about what was found instead."""

from __future__ import annotations

import pytest

from mailbox_service.core.domain_records import (
    LONGEST_FOUND,
    MOST_FOUND,
    Facts,
    Record,
    Seen,
    is_private,
    is_within,
    judge,
    records_of,
    sts_id,
    sts_policy,
)
from mailbox_service.core.public_address import is_public

KEY = ("mailbox-rsa-1._domainkey.own.org", "v=DKIM1; k=rsa; p=AAAA")
FACTS = Facts(own_name="mx.own.org", outbound="direct", dkim=(KEY,))
SPF_RECORD = "v=spf1 mx ~all"


def record(purpose: str, facts: Facts = FACTS) -> Record:
    return next(one for one in records_of("own.org", facts) if one.purpose == purpose)


def test_the_records_of_a_domain_whose_host_is_in_it() -> None:
    found = {(one.purpose, one.type, one.name): one for one in records_of("own.org", FACTS)}
    assert {key: (one.value, one.required) for key, one in found.items()} == {
        ("mx", "MX", "own.org"): ("10 mx.own.org.", True),
        ("host", "A", "mx.own.org"): ("the public address of this server", True),
        ("ptr", "PTR", "the address of mx.own.org"): ("mx.own.org.", True),
        ("spf", "TXT", "own.org"): (SPF_RECORD, True),
        ("dkim", "TXT", KEY[0]): (KEY[1], True),
        ("dmarc", "TXT", "_dmarc.own.org"): (
            "v=DMARC1; p=none; rua=mailto:postmaster@own.org", True),
        ("mta_sts", "TXT", "_mta-sts.own.org"): (
            f"v=STSv1; id={sts_id('mx.own.org', 'testing')}", False),
        ("mta_sts_policy", "CNAME", "mta-sts.own.org"): ("mx.own.org.", False),
        ("tls_rpt", "TXT", "_smtp._tls.own.org"): (
            "v=TLSRPTv1; rua=mailto:postmaster@own.org", False),
    }  # fmt: skip
    assert all(one.why.endswith(".") for one in found.values())


def test_what_the_settings_change() -> None:
    other = Facts(own_name="mx.elsewhere.org", outbound="relay", relay_host="smtp.relay.org",
                  bounce_domain="b.own.org", sts_mode="none")  # fmt: skip
    found = records_of("own.org", other)
    assert [(one.purpose, one.type, one.name) for one in found] == [
        ("mx", "MX", "own.org"),
        ("spf", "TXT", "own.org"),
        ("dmarc", "TXT", "_dmarc.own.org"),
        ("return_path", "MX", "b.own.org"),
        ("return_path", "TXT", "b.own.org"),
        ("tls_rpt", "TXT", "_smtp._tls.own.org"),
    ]
    assert found[1].value == "v=spf1 mx a:smtp.relay.org ~all"
    assert not any(one.purpose == "return_path" for one in records_of("other.org", other))


def test_the_policy_of_mta_sts() -> None:
    assert sts_policy("mx.own.org", "enforce") == (
        "version: STSv1\r\nmode: enforce\r\nmx: mx.own.org\r\nmax_age: 604800\r\n"
    )
    assert sts_id("mx.own.org", "enforce") != sts_id("mx.own.org", "testing")
    assert len(sts_id("mx.own.org", "enforce")) <= 32


PASS = (("203.0.113.5", "pass"),)
OWN = ("8.8.8.8",)
# purpose, what was found, state, a word of the message
CASES: list[tuple[str, Seen, str, str]] = [
    ("mx", Seen(["mx.own.org"]), "right", "this server"),
    ("mx", Seen(["mx.own.org", "b.org"]), "right", "other hosts"),
    ("mx", Seen(["b.org"]), "different", "add MX 10 mx.own.org."),
    ("mx", Seen(), "missing", "add MX 10 mx.own.org."),
    ("mx", Seen(trouble="no answer"), "unknown", "no answer"),
    ("host", Seen(OWN), "right", "address"),
    ("host", Seen(["10.0.0.1", "fd00::1"]), "different", "private"),
    ("host", Seen(), "missing", "no address"),
    ("ptr", Seen(["mx.own.org"], own_addresses=OWN), "right", "back"),
    ("ptr", Seen(["dyn.isp.org"], own_addresses=OWN), "different", "dyn.isp.org"),
    ("ptr", Seen(own_addresses=OWN), "missing", "8.8.8.8"),
    ("ptr", Seen(), "missing", "comes first"),
    ("spf", Seen([SPF_RECORD], spf=PASS), "right", "passes"),
    ("spf", Seen(["x", "V=SPF1 -all"], spf=(("8.8.8.8", "fail"),)), "different", "ip4:8.8.8.8"),
    ("spf", Seen(["v=spf1 -all"], spf=(("2001:db8::1", "fail"),)), "different", "ip6:2001:db8::1"),
    ("spf", Seen(["v=spf1 mx"], spf=(("8.8.8.8", "temperror"),)), "unknown", "could not"),
    ("spf", Seen([SPF_RECORD]), "unknown", "not known"),
    ("spf", Seen([SPF_RECORD, SPF_RECORD], spf=PASS), "different", "merge"),
    ("spf", Seen(["v=spf10 mx", "other"]), "missing", "add"),
    ("dkim", Seen(["v=DKIM1; k=rsa; p=AA AA"]), "right", "published"),
    ("dkim", Seen(["v=DKIM1; p=BBBB"]), "different", "Another key"),
    ("dkim", Seen(["hello"]), "different", "no key"),
    ("dkim", Seen(), "missing", "not published"),
    ("dmarc", Seen(["v=DMARC1;p=reject"]), "right", "p=reject"),
    ("dmarc", Seen(["v=DMARC1; p=maybe"]), "different", "no policy"),
    ("dmarc", Seen(["v=DMARC1; p=none", "v=DMARC1; p=none"]), "different", "several"),
    ("dmarc", Seen(["v=spf1"]), "missing", "no DMARC"),
    ("mta_sts", Seen([f"v=STSv1; id={sts_id('mx.own.org', 'testing')};"]), "right", "policy"),
    ("mta_sts", Seen(["v=STSv1; id=1"]), "different", "another policy"),
    ("mta_sts", Seen(), "missing", "may leave"),
    ("mta_sts_policy", Seen(OWN, own_addresses=OWN), "right", "here"),
    ("mta_sts_policy", Seen(["9.9.9.9"], own_addresses=OWN), "different", "9.9.9.9"),
    ("mta_sts_policy", Seen(), "missing", "fetch"),
    ("tls_rpt", Seen(["v=TLSRPTv1; rua=mailto:a@b.org"]), "right", "mailto:a@b.org"),
    ("tls_rpt", Seen(["v=TLSRPTv1"]), "different", "nobody"),
    ("tls_rpt", Seen(), "missing", "may leave"),
]


@pytest.mark.parametrize(("purpose", "seen", "state", "word"), CASES)
def test_what_was_found_is_judged(purpose: str, seen: Seen, state: str, word: str) -> None:
    judged = judge(record(purpose), seen)
    assert judged.state == state
    assert word in judged.message
    assert judged.message.endswith(".") or judged.message.endswith("~all")


def test_the_return_path_is_judged_as_mail_and_as_sender() -> None:
    facts = Facts(own_name="mx.own.org", outbound="direct", bounce_domain="b.own.org")
    mx, text = [one for one in records_of("own.org", facts) if one.purpose == "return_path"]
    assert judge(mx, Seen(["mx.own.org"])).state == "right"
    assert judge(text, Seen([SPF_RECORD], spf=PASS)).state == "right"
    assert judge(text, Seen([])).state == "missing"


def test_behind_a_relay_spf_is_for_its_provider_to_know() -> None:
    facts = Facts(own_name="mx.own.org", outbound="relay", relay_host="smtp.relay.org")
    judged = judge(record("spf", facts), Seen(["v=spf1 include:relay.org -all"]))
    assert (judged.state, "provider" in judged.message) == ("right", True)


@pytest.mark.parametrize(
    ("relay", "term"),
    [
        ("smtp.relay.org", "a:smtp.relay.org"),
        ("192.0.2.7", "ip4:192.0.2.7"),
        ("2001:db8::7", "ip6:2001:db8::7"),
    ],
)
def test_a_relay_stands_in_spf_by_its_name_or_its_address(relay: str, term: str) -> None:
    """RFC 7208 §5.3 and §5.6."""
    facts = Facts(own_name="mx.own.org", outbound="relay", relay_host=relay)
    spf = record("spf", facts)
    assert spf.value == f"v=spf1 mx {term} ~all"
    assert "provider" in judge(spf, Seen(["v=spf1 include:relay.org -all"])).message


def test_what_strangers_publish_is_cut() -> None:
    judged = judge(record("spf"), Seen(["x" * 5_000] * 100))
    assert len(judged.found) == MOST_FOUND
    assert len(judged.found[0]) == LONGEST_FOUND


def test_names_and_addresses() -> None:
    assert is_private("mailbox.localhost")
    assert not is_private("own.org")
    assert is_within("a.own.org", "own.org")
    assert is_within("own.org", "own.org")
    assert not is_within("shown.org", "own.org")
    assert [is_public(one) for one in ("8.8.8.8", "10.0.0.1", "x")] == [True, False, False]
