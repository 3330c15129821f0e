"""Parts in the plainest transfer encoding, between boundaries that none of them contains."""

from __future__ import annotations

import pytest

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.mime import (
    base64_lines,
    encoded_part,
    fits_seven_bit,
    multipart,
    text_part,
)


@pytest.mark.parametrize(
    ("data", "fits"),
    [
        (b"", True),
        (b"a\r\nb\r\n", True),
        (b"x" * 998 + b"\r\n" + b"x" * 998, True),
        (b"x" * 999, False),
        (b"a\r\n" + b"x" * 999 + b"\r\n", False),
        (b"a\nb", False),
        (b"a\rb", False),
        (b"a\0b", False),
        (b"\xff", False),
    ],
)
def test_seven_bit_is_ascii_in_lines_of_mail(data: bytes, fits: bool) -> None:
    assert fits_seven_bit(data) is fits


def test_each_text_gets_the_encoding_that_suits_it() -> None:
    assert b"\r\nContent-Transfer-Encoding: 7bit\r\n" in text_part("hello", "plain")
    assert b"quoted-printable\r\n\r\nna=C3=AFve words\r\n" in text_part("naïve words", "plain")
    assert b"base64\r\n" in text_part("你好", "plain")
    assert b"quoted-printable\r\n" in encoded_part("text/html", b"x" * 2_000 + b"\r\n")


def test_lone_surrogates_are_no_text() -> None:
    with pytest.raises(BadRequest):
        text_part("\ud800", "plain")


def test_base64_stands_in_lines_of_76() -> None:
    assert base64_lines(b"") == b""
    assert base64_lines(b"x" * 57) == b"eHh4" * 19 + b"\r\n"
    assert {len(line) for line in base64_lines(b"x" * 171).split(b"\r\n")} == {76, 0}


def test_a_boundary_occurs_in_no_part() -> None:
    """A part that quotes the boundary we would have taken gets another."""
    first = multipart("mixed", [b"\r\nx\r\n"], "seed")
    boundary = first.partition(b'boundary="')[2].partition(b'"')[0]
    second = multipart("mixed", [b"\r\n--" + boundary + b"\r\n"], "seed")
    other = second.partition(b'boundary="')[2].partition(b'"')[0]
    assert other != boundary
    assert second.endswith(b"\r\n--" + other + b"--\r\n")
