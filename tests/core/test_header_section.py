"""One strict reader of header fields for submission, signing and reports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.errors import BadContent
from mailbox_service.core.header_section import (
    MAX_READ_SECTION,
    has_fields,
    read_fields,
    unfolded_value,
)


def test_fields_keep_their_octets_and_their_order() -> None:
    content = b"From: a@x\r\nSUBJECT : one\r\n two\r\n\tthree\r\nX:\r\n\r\nbody: no field\r\n"
    fields, end = read_fields(content)
    assert fields == [
        (b"from", b"From: a@x\r\n"),
        (b"subject", b"SUBJECT : one\r\n two\r\n\tthree\r\n"),
        (b"x", b"X:\r\n"),
    ]
    assert content[end:] == b"\r\nbody: no field\r\n"
    assert unfolded_value(fields[1][1]) == "one two\tthree"


@pytest.mark.parametrize(
    ("content", "end"),
    [(b"", 0), (b"\r\n", 0), (b"\r\nbody", 0), (b"A: b\r\n", 6), (b"A: b\r\n\r\n", 6)],
)
def test_a_section_may_be_empty_or_all_there_is(content: bytes, end: int) -> None:
    assert read_fields(content)[1] == end


@pytest.mark.parametrize(
    "content",
    [
        b"no field\r\n\r\n",
        b" folded: first\r\n\r\n",
        b"A: b\r\nno field\r\n\r\n",
        b"A: b\r\n: no name\r\n\r\n",
        b"A b: c\r\n\r\n",
        b"A: b\nB: c\r\n\r\n",
        b"A: b\rB: c\r\n\r\n",
        b"A: b",
        b"\xc3\xa4: b\r\n\r\n",
        b"A: b\r\n" * (MAX_READ_SECTION // 6 + 2),
        b"x" * (MAX_READ_SECTION - 1),
        b"x" * (MAX_READ_SECTION * 2),
        b"x " * (MAX_READ_SECTION // 2),
        b"A:" + b"\r\n " * (MAX_READ_SECTION // 4),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(content: bytes) -> None:
    """Among them the long lines of hazard 28, which must not take long either."""
    with pytest.raises(BadContent):
        read_fields(content)


def test_octets_that_are_no_utf8_never_become_text_that_could_be_sent() -> None:
    assert unfolded_value(b"From: J\xf6rg <a@x>\r\n") == "J\udcf6rg <a@x>"


@given(st.binary(max_size=200) | st.text(alphabet="Aa: \t\r\n\0", max_size=60).map(str.encode))
def test_the_fields_are_the_section_octet_for_octet(content: bytes) -> None:
    for text in (content, b"A: b\r\n" + content + b"\r\n\r\n"):
        has_fields(text)
        try:
            fields, end = read_fields(text)
        except BadContent:
            continue
        assert b"".join(raw for _, raw in fields) == text[:end]
        assert text[end:] == b"" or text[end : end + 2] == b"\r\n"
