"""What all commands share: where the configuration is, and how they end when it is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from mailbox_service.config import ConfigError
from mailbox_service.first_run import Loaded, load_or_make

F = TypeVar("F", bound=Callable[..., Any])


def with_configuration(command: F) -> F:
    """Give a command the options `--config` and `--data`."""
    command = click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of the store. Default: data_dir of the settings.",
    )(command)
    return click.option(
        "--config",
        "config_file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Settings, a TOML file. Default: mailbox.toml in the data folder.",
    )(command)


def fail(reason: str) -> NoReturn:
    """End the program with one line."""
    click.echo(f"mailbox: {reason}", err=True)
    raise SystemExit(1)


def loaded(config_file: Path | None, data: Path | None, *, make: bool = True) -> Loaded:
    """The configuration of this call; a wrong one ends the program with one line.

    Without `make` a missing one does too: whoever looks at a service in the wrong folder wants
    to hear that, and not to find a new service there.
    """
    try:
        return load_or_make(config_file, data, os.environ, make=make)
    except ConfigError as error:
        fail(str(error))
