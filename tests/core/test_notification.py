"""Notices of failure: in words for people, in fields for machines, and never in a circle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.delivery import Reply
from mailbox_service.core.errors import BadAddress
from mailbox_service.core.notification import (
    MAX_ORIGINAL_HEADER,
    FailedRecipient,
    RecipientNotice,
    failure_notice,
    read_notice,
    wants_notice,
)

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ORIGINAL = (
    b"From: Ann <ann@x.test>\r\n"
    b"To: bob@y.example\r\n"
    b"Subject: Secret plans\r\n"
    b"Message-ID: <1@x.test>\r\n"
    b"\r\n"
    b"the body stays here\r\n"
)
REFUSED = FailedRecipient(
    "bob@y.example", Reply(550, "5.1.1", "No such user"), remote_mta="mx.y.example"
)


def notice(*failures: FailedRecipient, original: bytes = ORIGINAL, to: str = "ann@x.test") -> bytes:
    return failure_notice(
        to=to,
        failures=failures or (REFUSED,),
        original=original,
        reporting_mta="mail.x.test",
        arrival=NOON - timedelta(hours=1),
        message_id="<2@mail.x.test>",
        date=NOON,
    )


def read(content: bytes) -> Any:
    return message_from_bytes(content, policy=policy.default)


def test_a_notice_is_a_report_of_three_parts() -> None:
    """RFC 3464 §2, RFC 6522 §3."""
    message = read(notice())
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    words, status, headers = message.get_payload()
    assert words.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert headers.get_content_type() == "text/rfc822-headers"
    about, bob = status.get_payload()
    assert dict(about) == {
        "Reporting-MTA": "dns; mail.x.test",
        "Arrival-Date": "Sat, 21 Nov 2026 11:00:00 +0000",
    }
    assert dict(bob) == {
        "Final-Recipient": "rfc822; bob@y.example",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.y.example",
        "Diagnostic-Code": "smtp; 550 5.1.1 No such user",
        "Last-Attempt-Date": "Sat, 21 Nov 2026 12:00:00 +0000",
    }


def test_a_person_reads_what_happened_and_why() -> None:
    words = read(notice()).get_payload()[0].get_content()
    assert "bob@y.example" in words
    assert "There is no such address" in words
    assert "mx.y.example said: 550 5.1.1 No such user" in words
    assert "not be tried again" in words


def test_a_notice_answers_its_message_and_asks_for_no_answer() -> None:
    """RFC 3834 §5: no responder answers what was submitted automatically."""
    message = read(notice())
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["To"] == "ann@x.test"
    assert message["From"] == "Mail Delivery System <mailer-daemon@mail.x.test>"
    assert message["In-Reply-To"] == message["References"] == "<1@x.test>"


def test_only_the_headers_return() -> None:
    content = notice()
    assert b"the body stays here" not in content
    assert b"Subject: Secret plans\r\n" in content


def test_a_notice_is_well_formed_whatever_the_original_was() -> None:
    for original in (
        b"",
        b"\r\nno header\r\n",
        b"garbage without any line end",
        b"Subject: \xff\xfe raw\r\nMessage-ID: <1@x>\r\n\r\n",
        b"Subject: " + b"x" * 100_000 + b"\r\n\r\n",
        b"X: y\r\n" * 50_000 + b"\r\n",
        b"Message-ID: <a\0b>\r\nX: a\nb\rc\r\n\r\n",
    ):
        content = notice(original=original)
        lines = content.split(b"\r\n")
        assert content.isascii()
        assert content.endswith(b"\r\n")
        assert max(map(len, lines)) <= 998
        assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)
        assert len(content) < 4 * MAX_ORIGINAL_HEADER
        assert read_notice(content) is not None


def test_time_that_ran_out_is_told_as_such() -> None:
    expired = FailedRecipient("bob@y.example", Reply(451, "4.7.1", "later"), expired=True)
    silent = FailedRecipient("carol@y.example", Reply(), expired=True)
    content = notice(expired, silent)
    assert "time for it ran out" in read(content).get_payload()[0].get_content()
    found = read_notice(content)
    assert found is not None
    assert [one.status for one in found.recipients] == ["4.7.1", "4.4.7"]
    assert b"Diagnostic-Code: smtp; 451 4.7.1 later\r\n" in content
    assert content.count(b"Diagnostic-Code") == 1


def test_many_recipients_make_one_notice() -> None:
    failures = [
        FailedRecipient(f"r{number}@y.example", Reply(550, "", "no")) for number in range(500)
    ]
    content = notice(*failures)
    words = read(content).get_payload()[0].get_content()
    assert "and 480 more" in words
    found = read_notice(content)
    assert found is not None
    assert [one.recipient for one in found.recipients] == [one.recipient for one in failures]


def test_a_recipient_beyond_ascii_is_written_as_rfc_6533_says() -> None:
    content = notice(FailedRecipient("用户@y.example", Reply(550, "5.6.7", "no SMTPUTF8")))
    assert b"Final-Recipient: utf-8; \\x{7528}\\x{6237}@y.example\r\n" in content
    found = read_notice(content)
    assert found is not None
    assert found.recipients[0].recipient == "用户@y.example"


@given(text=st.text(), host=st.text())
def test_no_answer_of_a_remote_steps_out_of_its_field(text: str, host: str) -> None:
    """Hazard 43: what the other server said is user content."""
    content = notice(FailedRecipient("bob@y.example", Reply(550, "5.1.1", text), host))
    found = read_notice(content)
    assert found is not None
    assert len(found.recipients) == 1
    assert found.recipients[0].status == "5.1.1"
    message = read(content)
    assert len(message.get_payload()) == 3
    assert len(message.get_payload()[1].get_payload()) == 2


def test_a_notice_without_an_addressee_is_a_bug_of_ours() -> None:
    """RFC 5321 §4.5.5: the null reverse-path gets no reports."""
    with pytest.raises(ValueError, match="somebody"):
        notice(to="")
    with pytest.raises(BadAddress):
        failure_notice(
            to="ann@x.test",
            failures=[REFUSED],
            original=ORIGINAL,
            reporting_mta="mail.x.test\r\nBcc: eve@z.example",
            arrival=NOON,
            message_id="<2@x>",
            date=NOON,
        )


def test_silence_and_reports_get_no_report() -> None:
    """Hazard 53: a DSN of a DSN, in both of its disguises."""
    assert wants_notice("ann@x.test", ORIGINAL)
    assert wants_notice("ann@x.test", b"broken")
    assert not wants_notice("", ORIGINAL)
    assert not wants_notice("ann@x.test", notice())


def test_our_own_notice_can_be_read() -> None:
    found = read_notice(notice())
    assert found is not None
    assert found.reporting_mta == "mail.x.test"
    assert found.message_id == "<1@x.test>"
    assert found.recipients == (
        RecipientNotice(
            recipient="bob@y.example",
            action="failed",
            status="5.1.1",
            diagnostic="550 5.1.1 No such user",
            remote_mta="mx.y.example",
        ),
    )


POSTFIX = b"""\
Return-Path: <>
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4XyZ.1700000000/mail.z.example"
MIME-Version: 1.0

This is a MIME-encapsulated message.

--4XyZ.1700000000/mail.z.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you.

--4XyZ.1700000000/mail.z.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.z.example
X-Postfix-Queue-ID: 4XyZ
Original-Envelope-Id: env-7
X-Postfix-Sender: rfc822; ann@x.test
Arrival-Date: Tue, 14 Nov 2026 22:13:20 +0000 (UTC)

Final-Recipient: rfc822; Bob@Y.example
Original-Recipient: rfc822;robert@y.example
Action: failed
Status: 5.2.2
Remote-MTA: dns; mx.y.example
Diagnostic-Code: smtp; 552 5.2.2 <Bob@Y.example>: Recipient address rejected:
    mailbox is full

--4XyZ.1700000000/mail.z.example
Content-Description: Undelivered Message
Content-Type: message/rfc822
Content-Transfer-Encoding: 8bit

From: ann@x.test
Message-ID:
 <7@x.test>

body
--4XyZ.1700000000/mail.z.example--
""".replace(b"\n", b"\r\n")


def test_the_notice_of_another_mail_system_is_read() -> None:
    found = read_notice(POSTFIX)
    assert found is not None
    assert found.original_envelope_id == "env-7"
    assert found.message_id == "<7@x.test>"
    assert found.recipients == (
        RecipientNotice(
            recipient="bob@y.example",
            action="failed",
            status="5.2.2",
            original_recipient="robert@y.example",
            diagnostic="552 5.2.2 <Bob@Y.example>: Recipient address rejected:    mailbox is full",
            remote_mta="mx.y.example",
        ),
    )


def test_an_encoded_status_part_is_decoded() -> None:
    content = POSTFIX.replace(
        b"Content-Type: message/delivery-status\r\n",
        b"Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: Quoted-Printable\r\n",
    ).replace(b"Status: 5.2.2", b"Status: 5=2E2.2")
    found = read_notice(content)
    assert found is not None
    assert found.recipients[0].status == "5.2.2"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        ORIGINAL,
        b"broken",
        POSTFIX.replace(b"report-type=delivery-status", b"report-type=feedback-report"),
        POSTFIX.replace(b"boundary=", b"border="),
        POSTFIX.replace(b"message/delivery-status", b"text/plain"),
        POSTFIX.replace(b"Final-Recipient", b"Other-Recipient"),
        POSTFIX.replace(b"Action: failed", b"Action: surprised"),
        POSTFIX.replace(b"Reporting-MTA", b"\xff\xfe\r\n\r\n\0"),
        POSTFIX.partition(b"Reporting-MTA")[0],
        POSTFIX.replace(b'boundary="', b'boundary="' + b"x;" * 5_000),
    ],
)
def test_what_is_no_notice_is_none(content: bytes) -> None:
    """Hazard 53: nothing is concluded from half a report."""
    found = read_notice(content)
    assert found is None or found.reporting_mta == ""


def test_a_flood_of_parts_is_not_read() -> None:
    """Hazards 28 and 53."""
    head = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
    assert read_notice(head + b"\r\n--b\r\n" * 300_000) is None
    groups = b"Final-Recipient: rfc822; a@y.example\r\nAction: failed\r\n\r\n" * 100_000
    part = b"\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    found = read_notice(head + part + groups)
    assert found is not None
    assert len(found.recipients) <= 1_000


@given(st.binary(max_size=300), st.integers(0, len(POSTFIX)), st.integers(0, 40))
def test_reading_never_raises(junk: bytes, at: int, cut: int) -> None:
    read_notice(junk)
    read_notice(POSTFIX[:at] + junk + POSTFIX[at + cut :])
    wants_notice("a@x", POSTFIX[:at] + junk)
    value = POSTFIX.find(b"report-type") + at % 60
    read_notice(POSTFIX[:value] + junk + POSTFIX[value + cut :])
