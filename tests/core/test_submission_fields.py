"""What a submission gains and loses, and whose addresses it bears."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadContent
from mailbox_service.core.submission_fields import from_addresses, prepare_submission

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DATE = b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
NAME = b"Message-ID: <1@x.test>\r\n"
FROM = b"From: ann@x.test\r\n"


def prepared(content: bytes) -> bytes:
    return prepare_submission(content, sender="ann@x.test", message_id="<1@x.test>", date=NOON)


def test_a_complete_message_stays_as_it_is() -> None:
    content = FROM + b"Date: x\r\nMESSAGE-ID: <2@x>\r\nTo: b@y\r\n\r\n8-bit \xff and \0\r\n"
    assert prepared(content) == content


def test_what_is_missing_is_added() -> None:
    """RFC 6409 §8.1 to §8.3."""
    assert prepared(b"Subject: x\r\n\r\nbody\r\n") == (
        FROM + DATE + NAME + b"Subject: x\r\n\r\nbody\r\n"
    )
    assert prepared(FROM + b"\r\nbody\r\n") == DATE + NAME + FROM + b"\r\nbody\r\n"


@pytest.mark.parametrize(
    "body", [b"Just text\r\n", b"", b" indented\r\n", b"x" * 300_000 + b"\r\n"]
)
def test_text_without_header_becomes_a_body(body: bytes) -> None:
    assert prepared(body) == FROM + DATE + NAME + b"\r\n" + body
    assert from_addresses(body) == []


def test_a_message_that_begins_with_its_empty_line_keeps_it() -> None:
    assert prepared(b"\r\nbody\r\n") == FROM + DATE + NAME + b"\r\nbody\r\n"


def test_bcc_goes_wherever_and_however_it_is_written() -> None:
    head = FROM + b"Date: x\r\n"
    content = (
        b"Bcc: one@y,\r\n two@y,\r\n\tthree@y\r\n"
        + head
        + b"BCC : four@y\r\nX-Bcc: stays\r\nResent-Bcc: five@y\r\nMessage-ID: <2@x>\r\n"
        + b"\r\nBcc: is text here\r\n"
    )
    assert prepared(content) == (
        head + b"X-Bcc: stays\r\nMessage-ID: <2@x>\r\n\r\nBcc: is text here\r\n"
    )


@pytest.mark.parametrize(
    "content",
    [
        FROM + b"\r\nbare\nfeed\r\n",
        FROM + b"\r\nbare\rreturn\r\n",
        FROM + b"\r\n\n.\r\n",
        FROM + b"X: a\0b\r\n\r\n",
        FROM + b"no field\r\n\r\n",
        b"From ann@x.test Sat Nov 21\r\n" + FROM + b"\r\n",
        b">From ann@x.test Sat Nov 21\r\n" + FROM + b"\r\n",
        FROM + b"A: b\r\n" * 17_100 + b"\r\n",
        FROM + b"A: b\r\n" * 200_000 + b"\r\n",
    ],
)
def test_what_the_next_hop_could_read_otherwise_is_refused(content: bytes) -> None:
    """Hazard 1, seen from the sending side, among others."""
    with pytest.raises(BadContent):
        prepared(content)


def test_a_door_that_read_line_by_line_is_believed() -> None:
    content = FROM + DATE + NAME + b"\r\nbody\r\n"
    assert content == prepare_submission(
        content, sender="ann@x.test", message_id="<1@x>", date=NOON, lines_checked=True
    )


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        (b"ann@x.test", ["ann@x.test"]),
        (b" <Ann@X.test> ", ["ann@x.test"]),
        (b"Ann Lee <ann@x.test>", ["ann@x.test"]),
        (b"\r\n Ann\r\n\tLee\r\n <ann@x.test>", ["ann@x.test"]),
        (b'"Lee, Ann <eve@z.example>" <ann@x.test>', ["ann@x.test"]),
        (b'"say \\"hi\\"" <ann@x.test>', ["ann@x.test"]),
        (b"A. B. Lee <ann@x.test>", ["ann@x.test"]),
        (b"=?utf-8?q?J=C3=B6rg?= <ann@x.test>", ["ann@x.test"]),
        ("Jörg <ann@x.test>".encode(), ["ann@x.test"]),
        (b"J\xf6rg <ann@x.test>", ["ann@x.test"]),
        ("用户 <用户@x.test>".encode(), ["用户@x.test"]),
        (b"ann@x.test (Ann Lee)", ["ann@x.test"]),
        (b"(Ann) ann@x.test", ["ann@x.test"]),
        (b"Ann <ann@x.test>, bob@x.test", ["ann@x.test", "bob@x.test"]),
        (b"Ann <ann@x.test>, Ann again <ANN@x.test>", ["ann@x.test"]),
    ],
)
def test_the_addresses_of_from_are_found(value: bytes, addresses: list[str]) -> None:
    assert from_addresses(b"Subject: x\r\nFrom:" + value + b"\r\n\r\n") == addresses


@pytest.mark.parametrize(
    ("value", "address", "written"),
    [
        (b"a@b <ann@x.test>", "ann@x.test", b'"a@b" <ann@x.test>'),
        (b"ann@x.test <ann@x.test>", "ann@x.test", b'"ann@x.test" <ann@x.test>'),
        (b"Ann @ Work<ann@x.test> ", "ann@x.test", b'"Ann @ Work" <ann@x.test>'),
        (b"ann@x.test <eve@z.example>", "eve@z.example", b'"ann@x.test" <eve@z.example>'),
        (b"\r\n a@b\r\n <ann@x.test>", "ann@x.test", b'"a@b" <ann@x.test>'),
        (b"J\xf6rg@b <ann@x.test>", "ann@x.test", b'"J\xf6rg@b" <ann@x.test>'),
    ],
)
def test_a_name_with_an_at_sign_is_quoted_so_that_it_is_one_for_every_reader(
    value: bytes, address: str, written: bytes
) -> None:
    """Programs write such fields; taken as they are, some readers would see the wrong address."""
    content = b"Subject: x\r\nFrom: " + value + b"\r\nTo: bob@y\r\n\r\nText.\r\n"
    assert from_addresses(content) == [address]
    changed = prepared(content)
    assert b"From: " + written + b"\r\nTo: bob@y\r\n" in changed
    assert changed.endswith(b"\r\n\r\nText.\r\n")
    assert prepared(changed) == changed
    assert from_addresses(changed) == [address]
    shown = email.message_from_bytes(changed, policy=email.policy.default)["From"]
    assert [one.addr_spec for one in shown.addresses] == [address]


def test_a_quoted_name_or_one_without_an_at_sign_stays_as_it_is() -> None:
    for value in (b'"a@b" <ann@x.test>', b"Ann Lee <ann@x.test>", b"ann@x.test"):
        content = b"From: " + value + b"\r\n\r\nText.\r\n"
        assert prepared(content).endswith(content)


def test_sender_counts_as_well() -> None:
    content = FROM + b"Sender: Boss <boss@x.test>\r\n\r\n"
    assert from_addresses(content) == ["ann@x.test", "boss@x.test"]


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b" ", b",", b"<>", b"Ann", b"Ann <>", b"ann@x.test,", b",ann@x.test"),
        b"eve@z.example, ann@x.test <ann@x.test>",
        b"ann@x.test <eve@z.example> (Ann)",
        b"eve@z.example =?utf-8?q?J=C3=B6rg?= <ann@x.test>",
        b"ann@x.test eve@z.example",
        b"Lee, Ann <ann@x.test>",
        b"<ann@x.test> <eve@z.example>",
        b"<ann@x.test> eve@z.example",
        b"<ann@x.test> tail",
        b"<<ann@x.test>>",
        b"<ann@x.test",
        b"ann@x.test>",
        b'"Ann <ann@x.test>',
        b"(Ann <ann@x.test>",
        b"((Ann)) <ann@x.test>",
        b"(<eve@z.example>) ann@x.test",
        b"<@relay.example:ann@x.test>",
        b"Friends: ann@x.test, bob@x.test;",
        b"undisclosed-recipients:;",
        b'"ann"@x.test',
        b"ann@[127.0.0.1]",
        b"ann@x.test;eve@z.example",
        b"ann\x0b@x.test",
        b"J\xf6rg@x.test",
        b"a@x.test," * 30 + b"a@x.test",
        b'"' + b'\\"' * 40_000,
        b"(" * 80_000,
        b"<" * 80_000,
        b'""' * 40_000,
    ],
)
def test_a_from_that_two_readers_might_read_differently_is_refused(value: bytes) -> None:
    """Hazard 12: a From that shows one address and proves another."""
    with pytest.raises(BadContent) as refusal:
        from_addresses(b"From:" + value + b"\r\n\r\n")
    assert refusal.value.detail.isprintable()


@pytest.mark.parametrize(
    "fields",
    [
        FROM + b"From: eve@z.example\r\n",
        FROM + b"FROM : eve@z.example\r\n",
        FROM + b"Sender: a@x.test\r\nSender: b@x.test\r\n",
        FROM + b"Sender: a@x.test, b@x.test\r\n",
    ],
)
def test_a_second_from_or_sender_is_refused(fields: bytes) -> None:
    """Hazard 55: RFC 5322 §3.6 allows each of them once."""
    with pytest.raises(BadContent):
        from_addresses(fields + b"\r\n")


@given(st.text(alphabet='ann@x.test<>"(),:;\\ \t\0', max_size=40) | st.text(max_size=40))
def test_addresses_are_canonical_or_the_field_is_refused(text: str) -> None:
    try:
        found = from_addresses(b"From: " + text.encode() + b"\r\n\r\n")
    except BadContent:
        return
    assert found
    assert all(canonical(one) == one for one in found)


@given(st.lists(st.sampled_from([b"Bcc: a@x", b"Date: x", b"To: a\r\n b", b"From: a@x", b"X:"])))
def test_preparing_twice_changes_nothing_more(fields: list[bytes]) -> None:
    content = b"".join(field + b"\r\n" for field in fields) + b"\r\nbody\r\n"
    once = prepared(content)
    assert prepared(once) == once
    assert b"Bcc" not in once
    assert once.endswith(b"\r\n\r\nbody\r\n")
