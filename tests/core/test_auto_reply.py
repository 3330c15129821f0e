"""Automatic replies: who gets one, and that none can begin a loop (RFC 3834)."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.auto_reply import AutoReply, may_be_answered, utf16_length, wants, written
from mailbox_service.core.mime_parts import read_header

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ID = b"Message-ID: <1@a.test>\r\n"


def reply(**changes: object) -> AutoReply:
    values: dict[str, object] = {
        "subject": "Away", "message": "Back on Monday.", "enabled": True, "source_prefix": "",
        "name": "",
    }  # fmt: skip
    return AutoReply(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prefix", "sender", "expected"),
    [
        ("", "anybody@a.test", True),
        ("ann@", "ann@a.test", True),
        ("ann@", "joann@a.test", False),
        (r"/@a\.test$/", "ann@a.test", True),
        (r"/@a\.test$/", "ann@b.test", False),
        ("/^ANN/", "ann@a.test", False),
        ("/[/", "ann@a.test", False),
        ("//", "ann@a.test", False),
        ("//", "//x@a.test", True),
        ("/x", "/x@a.test", True),
        ("/(a+)+$/", "a" * 60 + "!@a.test", False),
    ],
)
def test_the_source_prefix_says_who_is_answered(prefix: str, sender: str, expected: bool) -> None:
    """mailbox-api §9.14; hazard 46 for the last one."""
    assert wants(reply(source_prefix=prefix), sender) is expected


@pytest.mark.parametrize(
    ("fields", "sender", "expected"),
    [
        (b"", "ann@a.test", True),
        (b"Auto-Submitted: no\r\n", "ann@a.test", True),
        (b"Auto-Submitted: No (really)\r\n", "ann@a.test", True),
        (b"Precedence: first-class\r\n", "ann@a.test", True),
        (b"X-Auto-Response-Suppress: DR, RN\r\n", "ann@a.test", True),
        (b"", "", False),
        (b"", "bob@x.test", False),
        (b"", "mailer-daemon@a.test", False),
        (b"", "postmaster@a.test", False),
        (b"", "owner-list@a.test", False),
        (b"", "list-request@a.test", False),
        (b"Auto-Submitted: auto-replied\r\n", "ann@a.test", False),
        (b"auto-submitted: auto-generated; owner-email=x\r\n", "ann@a.test", False),
        (b"Auto-Submitted: no\r\nAuto-Submitted: auto-replied\r\n", "ann@a.test", False),
        (b"Precedence: bulk\r\n", "ann@a.test", False),
        (b"Precedence: LIST\r\n", "ann@a.test", False),
        (b"precedence: junk\r\n", "ann@a.test", False),
        (b"List-Id: <l.a.test>\r\n", "ann@a.test", False),
        (b"List-Unsubscribe: <mailto:x@a.test>\r\n", "ann@a.test", False),
        (b"X-Auto-Response-Suppress: DR, OOF\r\n", "ann@a.test", False),
        (b"X-Loop: bob@x.test\r\n", "ann@a.test", False),
        (b"Content-Type: multipart/report; boundary=x\r\n", "ann@a.test", False),
    ],
)
def test_what_is_automatic_or_for_many_gets_no_answer(
    fields: bytes, sender: str, expected: bool
) -> None:
    """Limitation 30 of the contract; RFC 3834 §2."""
    header = read_header(ID + fields + b"\r\nx\r\n")
    assert may_be_answered(header, sender, "bob@x.test") is expected


def test_a_mail_without_a_message_id_gets_no_answer() -> None:
    assert not may_be_answered(read_header(b"Subject: x\r\n\r\n"), "ann@a.test", "bob@x.test")


def compose(saved: AutoReply, original_id: str = "<1@a.test>") -> bytes:
    return written(
        saved, address="bob@x.test", reverse_path="ann@a.test", original_id=original_id,
        message_id="<2@x.test>", date=NOON,
    )  # fmt: skip


def test_the_answer_is_threaded_and_says_that_it_is_automatic() -> None:
    message = email.message_from_bytes(compose(reply()), policy=email.policy.default)
    assert message["From"] == '"bob@x.test" <bob@x.test>'
    assert message["To"] == "ann@a.test"
    assert message["Subject"] == "Away"
    assert message["In-Reply-To"] == "<1@a.test>"
    assert message["References"] == "<1@a.test>"
    assert message["Auto-Submitted"] == "auto-replied"
    assert message.get_content().strip() == "Back on Monday."


def test_without_words_of_its_own_it_has_those_of_the_contract() -> None:
    message = email.message_from_bytes(
        compose(reply(subject="", message="")), policy=email.policy.default
    )
    assert message["Subject"] == "Auto-reply"
    words = "This is an auto-reply message, please reconact later."
    assert message.get_content().strip() == words


def test_an_answer_is_never_answered() -> None:
    assert not may_be_answered(read_header(compose(reply())), "bob@x.test", "ann@a.test")


@given(text=st.text(max_size=80), original=st.text(max_size=40))
def test_no_setting_and_no_message_id_writes_a_field_of_its_own(text: str, original: str) -> None:
    """Hazard 43: header injection."""
    saved = reply(subject=text + "\r\nBcc: x@a.test", name="\r\nX-Evil: 1" + text, message=text)
    content = compose(saved, original + "\r\nX-Evil: 2")
    names = {name.lower() for name, _ in read_header(content).fields}
    assert not names & {"bcc", "x-evil"}


def test_lengths_are_those_of_javascript() -> None:
    assert utf16_length("a😀") == 3
