"""What can be typed behind `mailbox`, on a store of its own, nothing running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mailbox_service import __version__
from mailbox_service.__main__ import COMMANDS, main


class Shell:
    """An operator's shell in a folder with settings."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "settings.toml"
        settings: dict[str, Any] = {
            "data_dir": str(folder / "data"),
            "domains": ["x.test"],
            "jwt_secret": "a secret of the tests, long enough to be one",
            "admin_passwords": ["admin"],
            "http_listen": "127.0.0.1:9",
        }
        self.config.write_text(
            "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        )

    def mailbox(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--config", str(self.config)])


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell without settings of ours in its environment."""
    for name in ("MAILBOX_DOMAINS", "MAILBOX_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    return Shell(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        (),
        *((name,) for name in COMMANDS),
        ("address", "new"),
        ("queue", "list"),
        ("queue", "retry"),
        ("queue", "drop"),
    ],
)
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    assert len(result.output.splitlines()) >= 5


def test_the_version_is_that_of_the_package() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"mailbox, version {__version__}\n"


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["sreve"])
    assert result.exit_code == 2
    assert "No such command 'sreve'" in result.output


def test_a_new_address_is_one_line_of_json(shell: Shell) -> None:
    result = shell.mailbox("address", "new", "--name", "ann")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    opened = json.loads(result.stdout)
    assert opened["address"] == "ann@x.test"
    assert opened["address_id"] == 1
    assert opened["jwt"].count(".") == 2
    made_up = json.loads(shell.mailbox("address", "new").stdout)
    assert made_up["address"].endswith("@x.test")
    assert len(made_up["address"]) == 13 + len("@x.test")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("address", "new", "--name", "ann"), "mailbox: "),
        (("address", "new", "--domain", "elsewhere.example"), "mailbox: "),
        (("queue", "retry"), "mailbox: name a queue id, or --all."),
        (("queue", "retry", "X", "--all"), "mailbox: name a queue id, or --all."),
        (("health",), "mailbox: http://127.0.0.1:9: "),
        (("health", "--url", "gopher://x"), "mailbox: --url: expected http:// or https://."),
        (("serve", "--roles", "cook"), "mailbox: --roles: cook is no role; there are web"),
        (("serve", "--roles", ","), "mailbox: --roles: nothing is no role; there are web"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(
    shell: Shell, arguments: tuple[str, ...], reason: str
) -> None:
    shell.mailbox("address", "new", "--name", "ann")
    result = shell.mailbox(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith(reason)
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_an_empty_queue_says_so(shell: Shell) -> None:
    assert shell.mailbox("queue", "list").stdout == "Nothing waits.\n"
    assert shell.mailbox("queue", "list", "--json").stdout == ""
    assert shell.mailbox("queue", "retry", "--all").exit_code == 0
    for command in ("retry", "drop"):
        assert shell.mailbox("queue", command, "01ARZ3NDEKTSV4RRFFQ69G5FAV").exit_code == 1


def test_check_goes_through_everything_and_fails_where_there_is_a_problem(shell: Shell) -> None:
    good = shell.mailbox("check")
    assert good.exit_code == 0, good.output
    assert "  ok       domains: x.test" in good.stdout
    assert "store: 0 addresses, 0 mails" in good.stdout
    assert "is free; nothing listens there now" in good.stdout or "problem" in good.stdout
    shell.config.write_text(shell.config.read_text().replace('["x.test"]', "[]"))
    bad = shell.mailbox("check")
    assert bad.exit_code == 1
    assert "  PROBLEM  domains: no domain is served" in bad.stdout
    assert '-> set domains = ["example.org"]' in bad.stdout


def test_a_wrong_configuration_stops_every_command(shell: Shell) -> None:
    shell.config.write_text("nonsense = 1\n")
    for command in (("serve",), ("check",), ("health",), ("address", "new"), ("queue", "list")):
        result = shell.mailbox(*command)
        assert result.exit_code == 1
        assert "there is no setting 'nonsense'" in result.stderr


def test_a_store_of_a_newer_release_is_told_in_one_line(shell: Shell, tmp_path: Path) -> None:
    import sqlite3

    shell.mailbox("address", "new")
    store = sqlite3.connect(tmp_path / "data" / "mailbox.db")
    with store:
        store.execute("UPDATE alembic_version SET version_num = '9999_later'")
    store.close()
    for command in (("serve",), ("check",), ("address", "new"), ("queue", "list")):
        result = shell.mailbox(*command)
        assert result.exit_code == 1
        assert "This store has schema 9999_later" in result.stderr
        assert result.stderr.count("\n") == 1


def test_what_a_command_changes_is_in_the_audit_log(shell: Shell) -> None:
    import sqlite3

    key = json.loads(shell.mailbox("apikey", "new", "--name", "deploy").stdout)
    shell.mailbox("address", "new", "--name", "ann")
    trusted = shell.mailbox("apikey", "trust", "192.0.2.9", "--name", "printer")
    assert json.loads(trusted.stdout) == {"ip_address": "192.0.2.9", "name": "printer"}
    again = shell.mailbox("apikey", "trust", "192.0.2.9")
    assert again.exit_code == 1
    assert "192.0.2.9 is an authenticated address already" in again.stderr
    store = next(shell.config.parent.rglob("mailbox.db"))
    with sqlite3.connect(store) as connection:
        rows = connection.execute("SELECT action, actor, subject, detail FROM audit_log").fetchall()
    connection.close()
    assert [row[:3] for row in rows] == [
        ("apikey.new", "command line", key["username"]),
        ("address.open", "command line", "ann@x.test"),
        ("apikey.trust", "command line", "192.0.2.9"),
    ]
    assert key["api_key"] not in str(rows)
