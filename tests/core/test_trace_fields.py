"""Received and Return-Path: complete, in ASCII, and free of what the peer made up."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.envelope import Peer
from mailbox_service.core.errors import RoutingLoop
from mailbox_service.core.trace_fields import (
    Traced,
    count_received,
    needs_no_look,
    received_field,
    return_path_field,
    traced,
    without_claims,
)

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
QUEUE_ID = "01JD6S0000000000000000000A"


def received(peer: Peer, recipient: str | None = "ann@x.test", by: str = "mail.x.test") -> str:
    return received_field(peer, by, QUEUE_ID, recipient, NOON).decode("ascii")


def test_a_received_field_tells_who_when_and_how() -> None:
    """RFC 5321 §4.4."""
    assert received(Peer("192.0.2.1", 4711, "mx.example.com", "ESMTPS")) == (
        "Received: from mx.example.com ([192.0.2.1])\r\n"
        f"\tby mail.x.test with ESMTPS id {QUEUE_ID}\r\n"
        "\tfor <ann@x.test>;\r\n"
        "\tSat, 21 Nov 2026 12:00:00 +0000\r\n"
    )


@pytest.mark.parametrize(
    ("ip", "literal"),
    [
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("fe80::1%eth0", "[IPv6:fe80::1]"),
        ("::ffff:192.0.2.1", "[192.0.2.1]"),
        ("not an address", "unknown"),
    ],
)
def test_the_peer_is_named_by_its_address(ip: str, literal: str) -> None:
    assert f"from h ({literal})" in received(Peer(ip, 0, "h"))


@pytest.mark.parametrize("helo", ["[192.0.2.1]", "[IPv6:2001:db8::1]", "my_host", "a-b.c", "h"])
def test_a_greeting_that_fits_the_grammar_is_written_down(helo: str) -> None:
    assert f"from {helo} (" in received(Peer("192.0.2.1", 0, helo))


@pytest.mark.parametrize(
    "helo",
    [
        *(
            "",
            "a b",
            "a;b",
            "a(b",
            "(",
            "a\r\nBcc: x",
            "a\0b",
            "ä",
            "[1.2.3",
            "-a",
            "<a>",
            "x" * 5000,
        )
    ],
)
def test_a_greeting_that_does_not_is_unknown(helo: str) -> None:
    """Hazard 43, and the Received injection of CVE-2026-23829."""
    assert "from unknown ([192.0.2.1])\r\n" in received(Peer("192.0.2.1", 0, helo))


def test_a_peer_that_is_not_told_is_left_out() -> None:
    assert received(Peer("", 0, "", "HTTP"), None) == (
        f"Received: by mail.x.test with HTTP id {QUEUE_ID};\r\n"
        "\tSat, 21 Nov 2026 12:00:00 +0000\r\n"
    )


@pytest.mark.parametrize("recipient", [None, "", "a b@x", "a>b@x", "a\r\nb@x", "用户@x.test"])
def test_a_recipient_that_cannot_be_written_in_ascii_is_not_named(recipient: str | None) -> None:
    assert "for <" not in received(Peer("192.0.2.1", 0, "h"), recipient)


@given(helo=st.text(), ip=st.text(), protocol=st.text(), by=st.text(), queue_id=st.text())
def test_nothing_steps_out_of_the_field(
    helo: str, ip: str, protocol: str, by: str, queue_id: str
) -> None:
    field = received_field(Peer(ip, 0, helo, protocol), by, queue_id, helo, NOON)
    assert field.isascii()
    assert re.fullmatch(rb"Received:[ -~]+\r\n(?:\t[ -~]+\r\n)*", field)
    assert len(message_from_bytes(field + b"\r\n").items()) == 1
    assert max(map(len, field.split(b"\r\n"))) <= 998


def test_final_delivery_keeps_the_reverse_path() -> None:
    assert return_path_field("ann@x.test") == b"Return-Path: <ann@x.test>\r\n"
    assert return_path_field("") == b"Return-Path: <>\r\n"
    assert return_path_field("用户@x.test") == "Return-Path: <用户@x.test>\r\n".encode()


@pytest.mark.parametrize("path", ["a\r\nb@x", "a b@x", "a>b@x", "a\0@x"])
def test_a_reverse_path_that_is_not_canonical_is_a_bug_of_ours(path: str) -> None:
    with pytest.raises(ValueError, match="canonical"):
        return_path_field(path)


def message(hops: int) -> bytes:
    return b"Received: from a by b;\r\n\tx\r\n" * hops + b"From: a@x\r\n\r\nReceived: no\r\n"


@pytest.mark.parametrize("hops", [0, 1, 2, 50])
def test_hops_are_counted_in_the_header_alone(hops: int) -> None:
    assert count_received(message(hops)) == hops


def test_the_fifty_first_received_is_a_loop() -> None:
    """Hazard 17."""
    with pytest.raises(RoutingLoop):
        count_received(message(51))
    with pytest.raises(RoutingLoop):
        count_received(message(51).replace(b"Received:", b"RECEIVED :"))
    with pytest.raises(RoutingLoop):
        count_received(b"Received: a\r\n" * 51)


def test_received_spf_and_continuation_lines_are_no_hops() -> None:
    content = b"Received-SPF: pass\r\nX: a\r\n Received: b\r\n\r\n"
    assert count_received(content) == 0


def test_what_is_all_header_is_looked_at_within_bounds() -> None:
    assert count_received(b"X: " + b"y" * 1_000_000) == 0
    assert count_received(b"") == 0
    assert count_received(b"\r\n") == 0


@pytest.mark.parametrize(
    ("field", "claims"),
    [
        (b"Authentication-Results: mx.x.test; spf=pass\r\n", True),
        (b"AUTHENTICATION-RESULTS : MX.X.test.;\r\n\tspf=pass\r\n", True),
        (b"Authentication-Results:\r\n mx.x.test 1;\r\n spf=pass\r\n", True),
        (b"Authentication-Results: (a comment) mx.x.test (more); none\r\n", True),
        (b'Authentication-Results: "mx.x.test"; none\r\n', True),
        (b"Authentication-Results: mx.other.test; spf=pass\r\n", False),
        (b"Authentication-Results: x.test; spf=pass\r\n", False),
        (b"Authentication-Results: mx.x.test.evil.example; spf=pass\r\n", False),
        (b"Authentication-Results:\r\n", False),
        (b"ARC-Authentication-Results: i=1; mx.x.test; spf=pass\r\n", False),
        (b"X-Authentication-Results: mx.x.test; spf=pass\r\n", False),
        (b"Subject: Authentication-Results: mx.x.test\r\n", False),
    ],
)
def test_results_that_bear_our_name_and_are_not_ours_are_taken_out(
    field: bytes, claims: bool
) -> None:
    """RFC 8601 §5."""
    top = b"From: a@b.example\r\n"
    rest = b"To: c@x.test\r\n\r\nAuthentication-Results: mx.x.test\r\n"
    expected = top + rest if claims else top + field + rest
    assert without_claims(top + field + rest, "mx.x.test") == expected
    assert without_claims(field + rest, "mx.x.test") == (rest if claims else field + rest)
    assert without_claims(top + rest, "mx.x.test") == top + rest


def test_a_message_that_is_all_header_keeps_its_end() -> None:
    assert without_claims(b"Authentication-Results: x.test; a=b", "x.test") == b""
    long = b"A: b\r\n" * 100_000
    assert without_claims(long, "x.test") is long
    assert without_claims(b"Authentication-Results: (" * 20_000, "x.test")


@pytest.mark.parametrize(
    ("peer", "helo", "ip"),
    [
        (Peer("192.0.2.1", 25, "mx.a.example"), "mx.a.example", "192.0.2.1"),
        (Peer("2001:db8::1", 25, "no name"), "", "2001:db8::1"),
        (Peer("::ffff:192.0.2.1", 25, "[192.0.2.1]"), "[192.0.2.1]", "192.0.2.1"),
        (Peer("", 0, ""), "", ""),
        (Peer("", 0, "mx.a.example"), "mx.a.example", ""),
    ],
)
@pytest.mark.parametrize("recipient", [None, "ann@x.test"])
def test_our_own_field_is_read_back(peer: Peer, helo: str, ip: str, recipient: str | None) -> None:
    field = received_field(peer, "mx.x.test", "QUEUEID", recipient, NOON)
    message = b"Received: from evil ([203.0.113.1])\r\n\tby mx.x.test with SMTP;\r\n\tx\r\n\r\n"
    assert traced(field + message) == Traced(helo, ip, len(field))


@pytest.mark.parametrize(
    "content", [b"", b"From: a@b\r\n\r\n", b"Received: nonsense\r\n", b"received: by x with y\r\n"]
)
def test_where_our_field_is_not_on_top_nobody_is_named(content: bytes) -> None:
    assert traced(content) is None


@pytest.mark.parametrize(
    ("content", "plain"),
    [
        (b"", True),
        (b"Subject: x\r\n\r\nAuthentication-Results: mx.test; spf=pass", True),
        (b"Received: a\r\n" * 50 + b"\r\n", True),
        (b"Received: a\r\n" * 51 + b"\r\n", False),
        (b"Received: a\r\n" * 51, False),
        (b"A: b\r\n" + b"RECEIVED : a\r\n" * 50 + b"\r\n", False),
        (b"AUTHENTICATION-results: mx.test; spf=pass\r\n\r\n", False),
        (b"Subject: x\r\nAuthentication-Results: other.test; spf=pass", False),
    ],
)
def test_one_look_tells_of_most_messages_that_nothing_is_to_be_done(
    content: bytes, plain: bool
) -> None:
    assert needs_no_look(content) is plain
    if plain:
        assert count_received(content) <= 50
        assert without_claims(content, "mx.test") == content
