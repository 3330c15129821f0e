"""`mailbox import` and `mailbox export`, as they are typed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.test_commands import Shell, shell

__all__ = ["shell"]

MBOX = b"".join(
    b"From a%d@s.test Sat Nov 21 12:00:0%d 2026\nSubject: letter %d\n\nhello\n\n" % (n, n, n)
    for n in range(5)
)


def open_box(shell: Shell) -> None:
    assert shell.mailbox("address", "new", "--name", "ann").exit_code == 0


def test_an_mbox_goes_in_once_and_comes_out(shell: Shell, tmp_path: Path) -> None:
    open_box(shell)
    file = tmp_path / "old.mbox"
    file.write_bytes(MBOX)
    for line in ("5 mails taken in, 0 were there already", "0 mails taken in, 5 were there"):
        result = shell.mailbox("import", str(file), "--to", "Ann@X.test")
        assert result.exit_code == 0, result.output
        assert line in result.output
    result = shell.mailbox("export", "ann@x.test")
    assert result.exit_code == 0
    assert result.stdout_bytes == MBOX


def test_a_folder_of_messages_and_a_gzipped_file(shell: Shell, tmp_path: Path) -> None:
    open_box(shell)
    folder = tmp_path / "letters"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.eml").write_bytes(b"Subject: %d\r\n\r\n" % n)
    (folder / "notes.txt").write_text("not a mail")
    packed = tmp_path / "old.mbox.gz"
    packed.write_bytes(gzip.compress(MBOX))
    result = shell.mailbox("import", str(folder), str(packed), "--to", "ann@x.test")
    assert "8 mails taken in" in result.output
    out = tmp_path / "out"
    assert (
        shell.mailbox("export", "ann@x.test", "--format", "eml", "--output", str(out)).exit_code
        == 0
    )
    assert [file.read_bytes() for file in sorted(out.iterdir())][:3] == [
        b"Subject: %d\r\n\r\n" % n for n in range(3)
    ]


def test_json_lines_say_whose_they_are(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mails.jsonl"
    rows = [{"raw": f"Subject: {n}\r\n\r\n", "address": f"box{n}@x.test"} for n in range(2)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "2 mails taken in" in shell.mailbox("import", str(file)).output
    result = shell.mailbox("export", "box1@x.test", "--format", "jsonl")
    assert json.loads(result.stdout)["raw"] == "Subject: 1\r\n\r\n"


def test_what_is_missing_is_said_in_one_line(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "old.mbox"
    file.write_bytes(MBOX)
    nameless = tmp_path / "mails.jsonl"
    nameless.write_text('{"raw":"a"}\n')
    for arguments, words in (
        (("import", str(file)), "--to ADDRESS"),
        (("import", str(file), "--to", "nobody@x.test"), "nobody@x.test is not open"),
        (("import", str(nameless)), "mail 1 names no address"),
        (("export", "ann@x.test", "--format", "eml"), "--output"),
        (("export", "ann@x.test", "--output", str(file)), "File exists"),
    ):
        result = shell.mailbox(*arguments)
        assert result.exit_code == 1, arguments
        assert words in result.output
        assert "Traceback" not in result.output
