"""mbox: what is written is read back, and what other programs write is read too."""

from __future__ import annotations

import mailbox
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core import mbox
from mailbox_service.core.stored import ANSWERED, FLAGGED, SEEN
from mailbox_service.core.transfer import MovedMail, wire_date

NOON = 1_795_262_400_000_000  # 2026-11-21 12:00:00 UTC, a Saturday


def read(text: bytes) -> list[MovedMail]:
    return list(mbox.messages(text.splitlines(keepends=True)))


LINES = st.lists(
    st.sampled_from(
        [b"", b"From here", b">From there", b">>From x", b"Subject: a", b"text", b"caf\xe9 \xff"]
    )
    | st.binary(max_size=20).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b"")),
    max_size=12,
)


@given(mails=st.lists(LINES, max_size=5))
def test_what_is_written_is_read_back_octet_for_octet(mails: list[list[bytes]]) -> None:
    contents = [b"".join(line + b"\r\n" for line in lines) for lines in mails]
    written = b"".join(
        mbox.written(MovedMail(content, reverse_path="a@x.test", received_at=NOON))
        for content in contents
    )
    found = [MovedMail(one.content, "", one.reverse_path, one.received_at) for one in read(written)]
    assert found == [MovedMail(content, "", "a@x.test", NOON) for content in contents]


def test_the_separator_is_that_of_rfc_4155() -> None:
    text = mbox.written(MovedMail(b"Subject: x\r\n\r\nFrom me\r\n", "", "a@x.test", NOON))
    assert text == b"From a@x.test Sat Nov 21 12:00:00 2026\nSubject: x\n\n>From me\n\n"


@pytest.mark.parametrize("sender", ["", "a b@x.test", "a@x.test\nFrom b"])
def test_no_reverse_path_breaks_the_separator(sender: str) -> None:
    text = mbox.written(MovedMail(b"a: b\r\n\r\n", "", sender, NOON))
    assert len(read(text)) == 1
    assert text.count(b"\nFrom ") == 0


def test_the_library_of_python_reads_what_we_write(tmp_path: Path) -> None:
    file = tmp_path / "box"
    contents = [b"Subject: %d\r\n\r\nFrom me to you\r\n" % n for n in range(3)]
    file.write_bytes(b"".join(mbox.written(MovedMail(one, "", "a@x.test")) for one in contents))
    box = mailbox.mbox(file)
    assert [message["subject"] for message in box] == ["0", "1", "2"]
    box.close()


def test_what_the_library_of_python_writes_is_read(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for n in range(3):
        message = mailbox.mboxMessage(f"Subject: {n}\n\nbody\nFrom me\n")
        message.set_flags("RAF" if n else "")
        box.add(message)
    box.flush()
    box.close()
    found = read((tmp_path / "box").read_bytes())
    assert [b"Subject: %d\r\n" % n in one.content for n, one in enumerate(found)] == [True] * 3
    assert [one.flags for one in found] == [0, *[SEEN | ANSWERED | FLAGGED] * 2]


@pytest.mark.parametrize(
    ("line", "sender", "date"),
    [
        (b"From a@x.test Sat Nov 21 12:00:00 2026", "a@x.test", "2026-11-21 12:00:00"),
        (b"From a@x.test Sat Nov  7 12:00 2026", "a@x.test", "2026-11-07 12:00:00"),
        (b"From a@x.test Sat Nov 21 12:00:00 +0000 2026", "a@x.test", "2026-11-21 12:00:00"),
        (b"From MAILER-DAEMON Sat Nov 21 12:00:00 2026", "", "2026-11-21 12:00:00"),
        (b"From - Sat Nov 21 12:00:00 2026", "", "2026-11-21 12:00:00"),
        (b"From - ", "", None),
        (b"From a@x.test Sat Feb 31 12:00:00 2026", "a@x.test", None),
        (b"From 1234@xxx Sat, 21 Nov 2026 12:00:00 +0000", "1234@xxx", None),
    ],
)
def test_separators_of_other_programs(line: bytes, sender: str, date: str | None) -> None:
    (found,) = read(line + b"\r\nSubject: x\r\n\r\nbody\r\n")
    assert (found.reverse_path, found.received_at) == (sender, wire_date(date))
    assert found.content == b"Subject: x\r\n\r\nbody\r\n"


def test_a_sentence_that_begins_with_from_is_no_separator() -> None:
    text = (
        b"From a@x.test Sat Nov 21 12:00:00 2026\nSubject: x\n\nHello,\n\nFrom now on I write.\n\n"
    )
    (found,) = read(text)
    assert found.content.endswith(b"\r\n\r\nFrom now on I write.\r\n")


def test_a_file_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match="no mbox"):
        read(b"PK\x03\x04 not a mailbox\n")


def test_a_message_beyond_all_sizes_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mbox, "LARGEST", 1000)
    with pytest.raises(ValueError, match="larger than 1000"):
        read(b"From a@x.test Sat Nov 21 12:00:00 2026\n" + b"x" * 99 + b"\n" * 1000)
