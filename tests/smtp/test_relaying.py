"""Hazard 11: no shape of an address makes a door take mail for a foreign domain."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smtp_proxy.dialog import Dialog
from smtp_proxy.limits import Limits
from smtp_proxy.offer import Offer, Rules
from smtp_proxy.reception import ReceptionRules
from smtp_proxy.submission import SubmissionRules
from tests.smtp.post_office import PostOffice

ATOMS = ["ann", "bob", "victim", "ANN", "a.b", '"ann"', '"a@evil.test"', "", "änn", "ann\u200b"]
DOMAINS = [
    "example.test",
    "EXAMPLE.TEST",
    "example.test.",
    "evil.test",
    "evil.test.",
    "xn--vil-dma.test",
    "évil.test",
    "sub.evil.test",
    "example.test.evil.test",
    "evilexample.test",
    "[192.0.2.1]",
    "[IPv6:::1]",
    "localhost",
    "",
]
JOINTS = [
    "@",
    "%",
    "!",
    "@@",
    "(@",
    ",",
    ":",
    " ",
    "<",
    ">",
    "\\@",
    "@[",
    "\x00",
    "\t",
    "%40",
    "＠",
]

shapes = st.lists(
    st.sampled_from(ATOMS)
    | st.sampled_from(DOMAINS)
    | st.sampled_from(JOINTS)
    | st.text(max_size=3),
    min_size=1,
    max_size=9,
).map("".join) | st.sampled_from(
    [
        "victim%evil.test@example.test",
        "evil.test!victim@example.test",
        "@example.test:victim@evil.test",
        "@example.test,@other.test:victim@evil.test",
        "victim@evil.test(@example.test",
        "victim@evil.test,ann@example.test",
        "victim@evil.test><ann@example.test",
        "<ann@example.test>victim@evil.test",
        '"victim@evil.test"@example.test',
        "victim@[192.0.2.1]",
        "ann@example.test.",
        "ann@example.test @evil.test",
    ]
)


def heard(rules: Rules, address: str, keyword: str) -> tuple[list[bytes | None], tuple[str, ...]]:
    """The replies to a transaction with that recipient, and whom it would reach."""
    limits = Limits()
    offer = Offer(
        rules, limits, hostname="mx.example.test", starttls=False, require_tls_for_auth=False
    )
    dialog = Dialog(offer, "192.0.2.7", 4711)
    lines = [
        b"EHLO evil.test",
        f"MAIL FROM:<far@away.test>{keyword}".encode(),
        f"RCPT TO:<{address}>".encode("utf-8", "surrogatepass"),
    ]
    replies = [dialog.hear(line) or asyncio.run(dialog.ask_address(line)) for line in lines]
    return replies, dialog.end_of_content().recipients


@settings(max_examples=400, deadline=None)
@given(address=shapes, keyword=st.sampled_from(["", " SMTPUTF8"]))
def test_the_reception_door_never_takes_mail_for_a_foreign_domain(
    address: str, keyword: str
) -> None:
    """Hazard 11: what is accepted is a mailbox of ours, letter by letter."""
    office = PostOffice()
    replies, recipients = heard(ReceptionRules(office), address, keyword)
    assert replies[1] == b"250 2.1.0 Sender ok\r\n"
    assert set(recipients) <= office.mailboxes
    if recipients:
        assert address.lower() == recipients[0]
    else:
        assert replies[2] is not None
        assert replies[2][:1] in (b"5", b"")


@settings(max_examples=200, deadline=None)
@given(address=shapes, keyword=st.sampled_from(["", " SMTPUTF8"]))
def test_the_submission_door_takes_nothing_before_a_login(address: str, keyword: str) -> None:
    """Hazard 11: not even the sender is listened to."""
    replies, recipients = heard(SubmissionRules(PostOffice()), address, keyword)
    assert replies[1] == b"530 5.7.0 Authentication required\r\n"
    assert replies[2] is not None
    assert replies[2][:1] == b"5"
    assert recipients == ()


@pytest.mark.parametrize("address", ["victim@evil.test", "VICTIM@EVIL.TEST", "ann@sub.evil.test"])
def test_a_plain_foreign_address_is_denied_with_550(address: str) -> None:
    """Hazard 11."""
    replies, _ = heard(ReceptionRules(PostOffice()), address, "")
    assert replies[2] == b"550 5.7.1 Relaying denied\r\n"
