"""Contents made smaller, and back."""

from __future__ import annotations

import gzip
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.packing import WORTHWHILE, BadPacking, pack, unpack

LETTER = b"Subject: figures\r\n\r\n" + b"all work and no play\r\n" * 200


@given(st.binary(max_size=4096).map(lambda octets: octets * 3))
def test_what_is_packed_unpacks_to_the_same_octets(content: bytes) -> None:
    packed = pack(content)
    assert packed is None or unpack(packed, most=len(content)) == content


def test_any_tool_reads_the_packed_form() -> None:
    packed = pack(LETTER)
    assert packed is not None
    assert len(packed) < len(LETTER) / 5
    assert gzip.decompress(packed) == LETTER


def test_what_would_not_get_smaller_is_not_packed() -> None:
    assert pack(LETTER[: WORTHWHILE - 1]) is None
    assert pack(os.urandom(4096)) is None


def test_the_packed_form_of_an_existing_deployment_is_read() -> None:
    assert unpack(gzip.compress(LETTER, 6), most=1 << 20) == LETTER


@pytest.mark.parametrize(
    "packed",
    [b"", b"no gzip at all", gzip.compress(LETTER)[:-9], gzip.compress(LETTER)[:20]],
    ids=["nothing", "words", "without its end", "its head"],
)
def test_what_is_cut_off_or_no_gzip_is_told(packed: bytes) -> None:
    with pytest.raises(BadPacking):
        unpack(packed, most=1 << 20)


def test_a_bomb_is_not_unpacked_hazard_31() -> None:
    bomb = gzip.compress(bytes(64 << 20), 9)
    assert len(bomb) < 100_000
    with pytest.raises(BadPacking, match="more than 1048576 octets"):
        unpack(bomb, most=1 << 20)
