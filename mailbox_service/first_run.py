"""What a start without any configuration does: make secrets, write them down, explain.

A configuration that is given stands alone: a file by `--config`, or any setting of the
environment that names domains or secrets. Otherwise the file in the data folder is read, and
written first if it is not there.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mailbox_service.config import FIELDS, Config, ConfigError
from mailbox_service.configuring import PREFIX, load

FILE_NAME = "mailbox.toml"
# A setting of the environment with one of these names is a configuration of its own.
STANDS_ALONE = ("domains", "jwt_secret", "admin_passwords", "passwords")
SECRET_OCTETS = 32  # 256 bits, the length of the HMAC's own key (RFC 7518 §3.2)
# Letters that nobody mistakes for one another; 16 of them are 80 bits.
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
ADMIN_PASSWORD_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration, where it came from, and whether this start made it."""

    config: Config
    file: Path | None
    is_first: bool = False


def first_values() -> dict[str, Any]:
    """What the first start sets: a laptop may be used at once, and sends nothing outside."""
    return {
        "domains": ["mailbox.localhost"],
        "jwt_secret": secrets.token_urlsafe(SECRET_OCTETS),
        "admin_passwords": ["".join(secrets.choice(LETTERS) for _ in range(ADMIN_PASSWORD_LENGTH))],
        "outbound": "hold",
        "default_send_balance": 1000,
        "enable_user_create_email": True,
        "enable_user_delete_email": True,
        "enable_address_password": True,
        "enable_auto_reply": True,
        "enable_webhook": True,
    }


def load_or_make(
    config_file: Path | None,
    data: Path | None,
    environment: Mapping[str, str],
    *,
    make: bool = True,
) -> Loaded:
    """The configuration of this start, made where there is none unless `make` is False. Raises
    ConfigError with one line."""
    if config_file is not None:
        return Loaded(with_data(load(config_file, environment), data), config_file)
    if any(is_set(name, environment) for name in STANDS_ALONE):
        return Loaded(with_data(load(None, environment), data), None)
    folder = data or Path(environment.get(PREFIX + "DATA_DIR", Config().data_dir))
    file = folder / FILE_NAME
    is_first = not file.exists()
    if is_first and not make:
        raise ConfigError(
            f"{file}: there is no such file. Start the service once with mailbox serve, "
            "or name its folder with --data or its settings with --config."
        )
    if is_first:
        write(file, first_values())
    return Loaded(with_data(load(file, environment), folder), file, is_first)


def is_set(name: str, environment: Mapping[str, str]) -> bool:
    variable = PREFIX + name.upper()
    return variable in environment or variable + "_FILE" in environment


def with_data(config: Config, data: Path | None) -> Config:
    """The configuration with the data folder that the command line names."""
    if data is None:
        return config
    import msgspec

    return msgspec.structs.replace(config, data_dir=str(data))


def write(file: Path, values: Mapping[str, Any]) -> None:
    """Write a configuration that explains its every line, for its owner's eyes alone."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(as_toml(values))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be written ({error.strerror}); choose another folder with --data."
        ) from None


def as_toml(values: Mapping[str, Any]) -> str:
    """Every setting with its description: the chosen ones set, the others shown as they are."""
    lines = [
        "# Settings of the mailbox service, made by its first start. A change counts from the",
        "# next start. What stands behind a # has the value shown. Keep this file to yourself.",
        "",
    ]
    descriptions = described()
    defaults = Config()
    ordered = [*values, *(name for name in FIELDS if name not in values)]
    for name in ordered:
        if name == "data_dir":
            continue  # where this file is
        lines.append(f"# {descriptions[name]}")
        if name in values:
            lines.append(f"{name} = {toml_value(values[name])}")
        else:
            default = getattr(defaults, name)
            shown = "" if default is None else toml_value(default)
            lines.append(f"# {name} = {shown}")
        lines.append("")
    return "\n".join(lines)


def toml_value(value: Any) -> str:
    """A value in TOML, which writes strings, numbers, booleans and lists as JSON does."""
    if isinstance(value, dict):
        return "{}" if not value else json.dumps(value)
    return json.dumps(value, ensure_ascii=False)


def described() -> dict[str, str]:
    """The description of every setting, by name."""
    from typing import get_type_hints

    hints = get_type_hints(Config, include_extras=True)
    return {name: str(hints[name].__metadata__[0].description) for name in FIELDS}


def welcome(config: Config, *, page: str, submission: str, address: str, token: str) -> str:
    """What the first start prints: where to go, and lines that send a mail as they stand."""
    host, _, port = submission.rpartition(":")
    return f"""
  Mailbox Service is running.

  Page             {page}
  Admin password   {config.admin_passwords[0]}
  Settings         {Path(config.data_dir) / FILE_NAME}

  Send a mail through port {port} (Python, ready to paste):

import smtplib
with smtplib.SMTP("{host}", {port}) as smtp:
    smtp.login("jwt", "{token}")
    smtp.sendmail("{address}", ["{address}"], "Subject: Hello\\n\\nIt works.")

  Read it there:   {page}/?jwt={token}
  Mail for other domains is held, not sent: see `outbound` in the settings.
"""
