"""`mailbox send`, `wait`, `backup` and `restore`, on a store of its own and beside a service."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from mailbox_service.storage import backups
from tests.journeys.running import RunningService
from tests.test_commands import Shell, shell

__all__ = ["shell"]


def open_box(shell: Shell, name: str = "ann") -> None:
    assert shell.mailbox("address", "new", "--name", name).exit_code == 0


def test_a_mail_is_queued_while_nothing_runs(shell: Shell, tmp_path: Path) -> None:
    open_box(shell)
    file = tmp_path / "figures.csv"
    file.write_text("1,2\n")
    result = shell.mailbox(
        "send", "--from", "Ann <ann@x.test>", "--to", "bob@else.test", "--to", "eve@else.test",
        "--subject", "Hello", "--text", "Your code is 123456.", "--attach", str(file),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.stdout)) == {"queue_id", "message_id"}
    waiting = shell.mailbox("queue", "list", "--json").stdout.splitlines()
    assert {json.loads(line)["recipient"] for line in waiting} == {"bob@else.test", "eve@else.test"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--from", "ann@else.test", "--to", "b@y.test", "--subject", "x", "--text", "y"),
            "domain",
        ),
        (("--from", "ann@x.test", "--to", "no address", "--subject", "x", "--text", "y"), ""),
        (("--from", "ann@x.test", "--to", "b@y.test", "--text", "y"), "ubject"),
    ],
)
def test_what_cannot_be_sent_is_said_in_one_line(
    shell: Shell, arguments: tuple[str, ...], words: str
) -> None:
    result = shell.mailbox("send", *arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert len(result.output.splitlines()) == 1


def test_waiting_finds_what_is_there_and_ends_when_nothing_comes(
    shell: Shell, tmp_path: Path
) -> None:
    open_box(shell)
    letter = tmp_path / "a.eml"
    letter.write_bytes(b"From: Shop <s@s.test>\r\nSubject: Code\r\n\r\nYour code is 482913.\r\n")
    assert shell.mailbox("import", str(letter), "--to", "ann@x.test").exit_code == 0
    result = shell.mailbox("wait", "ann@x.test", "--after-id", "0", "--from", "shop")
    found = json.loads(result.stdout)
    assert (found["subject"], found["code"], found["from"]) == ("Code", "482913", "s@s.test")
    for more in ((), ("--after-id", "0", "--subject", "other")):
        result = shell.mailbox("wait", "ann@x.test", "--timeout", "0.3", *more)
        assert result.exit_code == 1
        assert "no mail for ann@x.test" in result.output


def test_a_backup_comes_back_and_what_was_there_is_kept_aside(shell: Shell, tmp_path: Path) -> None:
    open_box(shell)
    (tmp_path / "data" / "attachments").mkdir()
    (tmp_path / "data" / "attachments" / "a.").write_bytes(b"file")
    result = shell.mailbox("backup", str(tmp_path / "backups"))
    assert result.exit_code == 0, result.output
    made = Path(result.stdout.strip())
    assert (made / "attachments" / "a.").read_bytes() == b"file"
    assert made.stat().st_mode & 0o077 == 0
    open_box(shell, "after")
    result = shell.mailbox("restore", str(made))
    assert result.exit_code == 0, result.output
    (aside,) = tmp_path.glob("data.before-*")
    assert (aside / "mailbox.db").is_file()
    open_box(shell, "after")  # it is not open in the backup
    again = shell.mailbox("address", "new", "--name", "ann")
    assert again.exit_code == 1
    assert (made / "mailbox.db").is_file()


def test_a_store_in_a_file_of_another_name_comes_back(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_box(shell)
    monkeypatch.setenv("MAILBOX_DATABASE_URL", "sqlite:///kept.db")
    open_box(shell)
    made = shell.mailbox("backup", str(tmp_path / "backups")).stdout.strip()
    open_box(shell, "after")
    result = shell.mailbox("restore", made)
    assert result.exit_code == 0, result.output
    open_box(shell, "after")  # it is not open in the backup
    assert shell.mailbox("address", "new", "--name", "ann").exit_code == 1


def test_a_backup_comes_back_to_where_the_data_folder_leads(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_box(shell)
    made = shell.mailbox("backup", str(tmp_path / "backups")).stdout.strip()
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "data").rename(disk / "mail")
    (tmp_path / "data").symlink_to(disk / "mail")
    monkeypatch.chdir(tmp_path / "data")
    result = shell.mailbox("restore", made, "--data", ".")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "data").readlink() == disk / "mail"
    assert len(list(disk.iterdir())) == 2  # and what was there before


def test_a_folder_that_is_no_backup_changes_nothing(shell: Shell, tmp_path: Path) -> None:
    open_box(shell)
    before = sorted(path.name for path in (tmp_path / "data").iterdir())
    empty = tmp_path / "empty"
    empty.mkdir()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    content = bytearray((tmp_path / "data" / "mailbox.db").read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (damaged / "mailbox.db").write_bytes(content)
    for folder in (empty, damaged):
        result = shell.mailbox("restore", str(folder))
        assert result.exit_code == 1
        assert "nothing was restored" in result.output
    after = {path.name for path in (tmp_path / "data").iterdir()} - {"lock"}
    assert sorted(after) == [name for name in before if name != "lock"]
    assert not list(tmp_path.glob("data.*"))


def test_a_disk_that_fills_up_leaves_everything_as_it_was(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_box(shell)
    made = shell.mailbox("backup", str(tmp_path / "backups")).stdout.strip()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "a file")

    monkeypatch.setattr(backups, "copy_folder", full)
    assert "No space left" in shell.mailbox("restore", made).output
    assert (tmp_path / "data" / "mailbox.db").is_file()
    assert not list(tmp_path.glob("data.*"))


def test_postgresql_is_told_its_own_commands(shell: Shell, tmp_path: Path) -> None:
    with shell.config.open("a") as stream:
        stream.write('database_url = "postgresql://postgres@/mail?host=/nowhere"\n')
    result = shell.mailbox("backup", str(tmp_path / "backups"))
    assert result.exit_code == 1
    assert "pg_dump --format=custom" in result.output
    result = shell.mailbox("restore", str(tmp_path))
    assert result.exit_code == 1
    assert "pg_restore" in result.output


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://x", "no engine of ours"),
        ("sqlite:///other.db", "postgresql://user@host/name"),
        ("postgresql://ann:secret@/mail?host=/nowhere", "cannot be reached"),
    ],
)
def test_a_store_moves_to_a_database_that_answers_or_not_at_all(
    shell: Shell, url: str, words: str
) -> None:
    open_box(shell)
    result = shell.mailbox("migrate-store", url)
    assert result.exit_code == 1
    assert words in result.output
    assert len(result.output.splitlines()) == 1
    assert "secret" not in result.output


def test_beside_a_running_service(tmp_path: Path) -> None:
    """Send and wait, a backup under load (hazard 26), and a restore that is refused until the
    service has stopped."""
    service = RunningService(tmp_path)
    service.start()
    try:
        ann, token = service.open_address("ann")
        waited: list[str] = []
        waiter = threading.Thread(
            target=lambda: waited.append(
                service.command("wait", ann, "--after-id", "0", "--timeout", "25").stdout
            )
        )
        waiter.start()
        sent = service.command(
            "send", "--from", ann, "--to", ann, "--subject", "Hi", "--text", "Code: 135790"
        )
        assert sent.returncode == 0, sent.stderr
        waiter.join()
        assert json.loads(waited[0])["subject"] == "Hi"
        acknowledged = 0
        with service.smtp() as client:
            for number in range(30):
                client.sendmail("a@s.test", [ann], f"Subject: {number}\r\n\r\n".encode())
                acknowledged += 1
            made = service.command("backup", str(tmp_path / "backups"))
            client.sendmail("a@s.test", [ann], b"Subject: after\r\n\r\n")
        assert made.returncode == 0, made.stderr
        refused = service.command("restore", made.stdout.strip())
        assert refused.returncode == 1
        assert "stop it first" in refused.stderr
        service.stop()
        assert service.command("restore", made.stdout.strip()).returncode == 0
        service.start()
        page = service.get("/api/mails?limit=100&offset=0", token=token).json()
        assert page["count"] >= acknowledged + 1
        assert not any("Subject: after" in row["raw"] for row in page["results"])
    finally:
        service.kill()
