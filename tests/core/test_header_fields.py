"""Fields are folded between their parts and encoded only where they must be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.header_fields import (
    LINE,
    date_text,
    mailbox_field,
    message_ids,
    message_ids_field,
    parameter,
    refuse_controls,
    text_field,
)

texts = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=300)


def test_what_fits_a_line_is_written_as_it_is() -> None:
    assert text_field("Subject", "Hello  there") == "Subject: Hello  there\r\n"
    assert mailbox_field("To", [("a@x.test", "")]) == "To: a@x.test\r\n"
    assert mailbox_field("To", [("a@x.test", "Lee, Ann")]) == 'To: "Lee, Ann" <a@x.test>\r\n'
    assert mailbox_field("To", [("a@x.test", '"\\')]) == 'To: "\\"\\\\" <a@x.test>\r\n'


@given(text=texts, name=st.sampled_from(["Subject", "X-A", "X-" + "Long-" * 12 + "Name"]))
def test_a_text_is_read_back_from_its_lines(text: str, name: str) -> None:
    field = text_field(name, text)
    assert field.isascii()
    lines = field.split("\r\n")
    assert lines.pop() == ""
    assert all(line[:1] == " " and line.strip() for line in lines[1:])
    assert all(len(line) <= LINE or " " not in line.strip() for line in lines[1:])
    value = "".join(lines).removeprefix(f"{name}:").removeprefix(" ")
    assert str(make_header(decode_header(value))) == text


def test_a_text_that_looks_encoded_is_encoded() -> None:
    """Else a reader would show something that the author did not write."""
    assert "=?utf-8?q?" not in text_field("Subject", "=?utf-8?q?hidden?=")


def test_lists_are_folded_between_their_items() -> None:
    field = mailbox_field("Cc", [(f"r{number}@y.example", "R") for number in range(20)])
    assert max(map(len, field.split("\r\n"))) <= LINE
    assert field.count(",") == 19
    field = message_ids_field("References", [f"<{number}@x.test>" for number in range(20)])
    assert max(map(len, field.split("\r\n"))) <= LINE


def test_message_identifiers_get_the_brackets_they_lack() -> None:
    assert message_ids("a@x <b@x>  c", "References") == ["<a@x>", "<b@x>", "<c>"]
    assert message_ids("", "References") == []
    assert message_ids("<a@x", "References") == ["<a@x>"]
    for text in ("<>", "<a><b>", "ä@x", "<" + "a" * 1_000 + ">"):
        with pytest.raises(BadRequest, match="References"):
            message_ids(text, "References")


def test_a_parameter_is_quoted_or_extended() -> None:
    """RFC 2231 §4."""
    assert parameter("filename", 'a "b".txt', "f") == ';\r\n filename="a \\"b\\".txt"'
    assert parameter("filename", "ä;.txt", "f") == ";\r\n filename*=utf-8''%C3%A4%3B.txt"


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\0b", "a\tb", "a\x85b", "a\u2028b", "\ud800"])
def test_a_control_character_is_refused_by_the_name_of_its_field(value: str) -> None:
    """Hazard 43."""
    with pytest.raises(BadRequest, match="Subject"):
        refuse_controls(value, "Subject")
    assert refuse_controls("a\u00a0b\u200d", "Subject") == "a\u00a0b\u200d"


def test_dates_are_in_utc_to_the_second() -> None:
    """RFC 5322 §3.3."""
    noon = datetime(2026, 1, 2, 12, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=-3)))
    assert date_text(noon) == "Fri, 02 Jan 2026 15:00:00 +0000"
    assert date_text(noon.astimezone(UTC)) == date_text(noon)
