"""The reader of contents: where they end, what is refused, and how little is held."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp_proxy import replies
from smtp_proxy.content import ContentReader, HeldContent
from smtp_proxy.limits import Limits

LIMITS = Limits()
SMALL = replace(LIMITS, message_size=64, content_line=24, overrun=100)


class Read:
    """What became of a stream of octets: content or refusal, and what was left unread."""

    def __init__(self, pieces: list[bytes], limits: Limits = LIMITS) -> None:
        self.held = HeldContent()
        self.reader = ContentReader(limits, self.held, now=0.0)
        self.buffer = bytearray()
        self.ended = False
        self.most_held = 0
        for piece in pieces:
            self.buffer += piece
            self.ended = self.ended or self.reader.take(self.buffer)
            self.most_held = max(self.most_held, len(self.buffer))

    @property
    def outcome(self) -> tuple[bool, bytes, bytes | None, bytes]:
        return self.ended, self.reader.content, self.reader.refusal, bytes(self.buffer)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


SOUND = [
    (b"hello\r\n.\r\n", b"hello\r\n"),
    (b".\r\n", b""),
    (b"\r\n.\r\n", b"\r\n"),
    (b"..a\r\n.\r\n", b".a\r\n"),
    (b"a\r\n..\r\n.\r\n", b"a\r\n.\r\n"),
    (b".x\r\ny\r\n.\r\n", b"x\r\ny\r\n"),
    (b"a\r\n\r\n..b\r\n...c\r\n.\r\n", b"a\r\n\r\n.b\r\n..c\r\n"),
    (b"8-bit \xff\x80\xe4\r\n.\r\n", b"8-bit \xff\x80\xe4\r\n"),
]
# Hazard 1: other servers have taken each of these for an end. What follows it here is a
# smuggled envelope that must stay content.
FALSE_ENDS = [
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n\x00.\r\n",
    b"\r\n.\x00\r\n",
    b"\r\r\n.\r\r\n",
]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 100])
@pytest.mark.parametrize(("stream", "content"), SOUND)
def test_a_content_ends_at_crlf_dot_crlf_and_loses_its_stuffed_dots(
    stream: bytes, content: bytes, size: int
) -> None:
    assert Read(cut(stream, size)).outcome == (True, content, None, b"")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 100])
@pytest.mark.parametrize("false_end", FALSE_ENDS)
def test_nothing_else_ends_a_content(false_end: bytes, size: int) -> None:
    """Hazard 1: the smuggled transaction stays content, and such content is refused."""
    smuggled = b"MAIL FROM:<boss@example.test>\r\nRCPT TO:<ann@example.test>\r\nDATA\r\nforged"
    stream = b"Subject: x\r\n\r\nbody" + false_end + smuggled + b"\r\n.\r\nQUIT\r\n"
    read = Read([stream] if size == 100 else cut(stream, size))
    while not read.ended and read.reader.take(read.buffer):
        read.ended = True
    ended, content, refusal, unread = read.outcome
    assert ended
    assert content == b""
    assert refusal == replies.BARE_CR_OR_LF
    assert unread == b"QUIT\r\n"


@given(
    stream=st.lists(
        st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.\r\n", b"\0", b"abc", b"x" * 20])
        | st.binary(max_size=8),
        max_size=30,
    ).map(b"".join),
    cuts=st.lists(st.integers(0, 200), max_size=8),
)
def test_the_verdict_depends_on_the_octets_and_not_on_the_packets(
    stream: bytes, cuts: list[int]
) -> None:
    """Hazard 1: read whole, in pieces, or octet by octet, a stream is the same content."""
    stream += b"\r\n.\r\n"
    places = [0, *sorted(min(place, len(stream)) for place in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(places)]
    whole = Read([stream], SMALL).outcome
    assert whole[0]
    assert Read([p for p in pieces if p], SMALL).outcome == whole
    assert Read(cut(stream, 1), SMALL).outcome == whole


@given(
    lines=st.lists(st.binary(max_size=40).filter(lambda x: not set(x) & set(b"\r\n\0")), max_size=9)
)
def test_what_was_stuffed_comes_back_octet_for_octet(lines: list[bytes]) -> None:
    """Hazard 16: 8-bit content with or without 8BITMIME is the content that was sent."""
    content = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join(b"." * line.startswith(b".") + line + b"\r\n" for line in lines)
    assert Read([stuffed + b".\r\n"]).outcome == (True, content, None, b"")


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_content_above_the_limit_is_read_to_its_end_and_refused(size: int) -> None:
    """Hazard 7: whatever SIZE said, the octets count; the commands behind are commands."""
    stream = b"line\r\n" * 20 + b".\r\nNOOP\r\n"
    pieces = cut(stream, size)
    read = Read(pieces, SMALL)
    assert read.outcome == (True, b"", replies.TOO_BIG, b"NOOP\r\n")
    assert read.most_held <= SMALL.message_size + size + 5 or size == 1000
    exact = b"x" * 14 + b"\r\n"
    assert Read([exact * 4 + b".\r\n"], SMALL).outcome == (True, exact * 4, None, b"")


def test_an_endless_line_is_thrown_away_early_and_at_last_cut_off() -> None:
    """Hazard 2: never more than one line of the limit and one read are held."""
    read = Read([b"x" * 8] * 25, SMALL)
    assert read.reader.refusal == replies.CONTENT_LINE_TOO_LONG
    assert read.reader.overrun
    assert not read.ended
    assert read.most_held <= SMALL.content_line + 16
    assert read.held.octets == 0


def test_a_long_line_that_ends_is_refused_and_the_next_command_is_read() -> None:
    stream = b"ok\r\n" + b"y" * 30 + b"\r\nok\r\n.\r\nRSET\r\n"
    for size in (1, 5, 100):
        outcome = Read(cut(stream, size), SMALL).outcome
        assert outcome == (True, b"", replies.CONTENT_LINE_TOO_LONG, b"RSET\r\n")


def test_many_unfinished_contents_do_not_fill_the_memory() -> None:
    """The door as a whole holds a limited amount; who comes too much is told to come back."""
    limits = replace(LIMITS, held_content=100)
    held = HeldContent()
    first, second = (ContentReader(limits, held, 0.0) for _ in range(2))
    one, two = bytearray(b"a" * 60), bytearray(b"b" * 60)
    assert not first.take(one)
    assert not second.take(two)
    assert (first.refusal, second.refusal) == (None, replies.NO_ROOM_NOW)
    two += b"\r\n.\r\n"
    assert second.take(two)
    one += b"\r\n.\r\n"
    assert first.take(one)
    assert first.content == b"a" * 60 + b"\r\n"
    assert held.octets == 0


def test_a_sender_below_the_least_rate_is_too_slow_after_its_grace() -> None:
    """Hazard 3."""
    limits = replace(LIMITS, content_rate=10.0, content_grace=5.0)
    reader = ContentReader(limits, HeldContent(), now=100.0)
    reader.take(bytearray(b"x" * 40))
    assert not reader.is_too_slow(104.9)
    assert reader.is_too_slow(105.1)
    reader.take(bytearray(b"x" * 60))
    assert not reader.is_too_slow(105.1)


@pytest.mark.parametrize("false_end", FALSE_ENDS)
def test_line_ends_are_repaired_and_false_ends_are_still_refused(false_end: bytes) -> None:
    """Hazard 1: for submissions a bare LF is mended, and it can never make an end."""
    for stream, content, refusal in (
        (b"a\n..b\n\r\n.\r\n", b"a\r\n.b\r\n\r\n", None),
        (b"a\rb\r\n.\r\n", b"", replies.BARE_CR_OR_LF),
        (b"a" + false_end + b"b\r\n.\r\n", b"", replies.BARE_CR_OR_LF),
    ):
        reader = ContentReader(LIMITS, HeldContent(), 0.0, repair_lines=True)
        assert reader.take(bytearray(stream))
        assert (reader.content, reader.refusal) == (content, refusal)


PIECES = [b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"\r\n.\r\n", b"\0", b"abc", b"x" * 30]


@pytest.mark.parametrize("repairs", [False, True])
@given(stream=st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=20).map(b"".join))
def test_a_content_in_one_piece_is_judged_as_any_other_or_left_to_the_long_way(
    repairs: bool, stream: bytes
) -> None:
    stream += b"\r\n.\r\n"
    short, long = (ContentReader(SMALL, HeldContent(), 0.0, repair_lines=repairs) for _ in range(2))
    buffer = bytearray(stream)
    assert long.take(buffer)
    if short.take_whole(stream):
        assert not buffer
    else:
        assert short.take(bytearray(stream))
    assert (short.content, short.refusal) == (long.content, long.refusal)


def test_nearly_every_content_goes_the_short_way() -> None:
    for stream, content in SOUND:
        reader = ContentReader(LIMITS, HeldContent(), 0.0)
        odd = stream[:1] == b"." or b"\r\n.." in stream
        assert reader.take_whole(stream) is not odd
        assert reader.content == (b"" if odd else content)
    begun = ContentReader(LIMITS, HeldContent(), 0.0)
    assert not begun.take(bytearray(b"abc"))
    assert not begun.take_whole(b"def\r\n.\r\n")
