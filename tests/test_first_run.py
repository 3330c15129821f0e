"""The start without configuration: secrets are made, written for one pair of eyes, and kept."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path

import pytest

from mailbox_service.config import FIELDS, Config, ConfigError
from mailbox_service.configuring import load
from mailbox_service.first_run import as_toml, first_values, load_or_make, welcome


def test_the_first_start_makes_a_file_that_later_starts_read(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    first = load_or_make(None, folder, {})
    assert first.is_first
    assert first.file == folder / "mailbox.toml"
    assert stat.S_IMODE(first.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    second = load_or_make(None, folder, {})
    assert not second.is_first
    assert second.config == first.config
    assert second.config.data_dir == str(folder)


def test_no_two_first_starts_have_the_same_secrets(tmp_path: Path) -> None:
    """Hazard 48: from `secrets`, and long."""
    one, two = (load_or_make(None, tmp_path / name, {}).config for name in ("one", "two"))
    assert one.jwt_secret != two.jwt_secret
    assert one.admin_passwords != two.admin_passwords
    assert len(one.jwt_secret) >= 43  # 256 bits
    assert re.fullmatch(r"[a-z2-9]{16}", one.admin_passwords[0])


def test_a_laptop_may_be_used_at_once_and_sends_nothing_outside(tmp_path: Path) -> None:
    config = load_or_make(None, tmp_path, {}).config
    assert config.outbound == "hold"
    assert config.enable_user_create_email
    assert config.domains == ["mailbox.localhost"]
    assert all(
        getattr(config, name).startswith("127.0.0.1:")
        for name in FIELDS
        if name.endswith("_listen") and getattr(config, name)
    )


def test_the_written_file_explains_every_setting_and_is_what_it_says(tmp_path: Path) -> None:
    values = first_values()
    text = as_toml(values)
    assert tomllib.loads(text) == values
    shown = re.sub(r"^# ([a-z0-9_]+ = .*)$", r"\1", text, flags=re.MULTILINE)
    for name in FIELDS:
        if name != "data_dir":
            assert re.search(rf"^# \S.*\n(?:# )?{name} = ", text, re.MULTILINE), name
    file = tmp_path / "all.toml"
    file.write_text("\n".join(line for line in shown.split("\n") if not line.endswith(" = ")))
    assert load(file, {}) == load(
        None, {f"MAILBOX_{k.upper()}": _text(v) for k, v in values.items()}
    ), "what stands behind a # is the default"


def _text(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    "environment",
    [
        {"MAILBOX_DOMAINS": "x.test"},
        {"MAILBOX_JWT_SECRET": "a secret of somebody's own"},
        {"MAILBOX_ADMIN_PASSWORDS": "one"},
        {"MAILBOX_PASSWORDS": "one"},
    ],
)
def test_a_configuration_in_the_environment_stands_alone(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    found = load_or_make(None, tmp_path / "data", environment)
    assert (found.file, found.is_first) == (None, False)
    assert not (tmp_path / "data").exists()


def test_doors_of_the_environment_are_no_configuration_of_their_own(tmp_path: Path) -> None:
    environment = {
        "MAILBOX_HTTP_LISTEN": "127.0.0.1:1",
        "MAILBOX_DATA_DIR": str(tmp_path / "data"),
    }
    found = load_or_make(None, None, environment)
    assert found.is_first
    assert found.file == tmp_path / "data" / "mailbox.toml"
    assert found.config.http_listen == "127.0.0.1:1"


def test_a_named_file_is_read_and_never_written(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    with pytest.raises(ConfigError, match="there is no such file"):
        load_or_make(file, None, {})
    file.write_text('domains = ["x.test"]\n')
    found = load_or_make(file, tmp_path / "data", {})
    assert (found.file, found.is_first) == (file, False)
    assert found.config.data_dir == str(tmp_path / "data")
    assert file.read_text() == 'domains = ["x.test"]\n'


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError) as refused:
        load_or_make(None, tmp_path / "file" / "data", {})
    assert "choose another folder with --data" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_welcome_has_lines_that_are_python() -> None:
    config = Config(admin_passwords=["the password"], data_dir="/data")
    text = welcome(
        config,
        page="http://127.0.0.1:8787",
        submission="127.0.0.1:8025",
        address="hello@mailbox.localhost",
        token="a.b.c",
    )
    lines = text[text.index("import smtplib") : text.index("  Read it there")]
    compile(lines, "welcome", "exec")
    assert "the password" in text
    assert "/data/mailbox.toml" in text
