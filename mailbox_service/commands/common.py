"""What all commands share: where the configuration is, and the store behind it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from mailbox_service.assembly import Parts, build
from mailbox_service.config import Config, ConfigError
from mailbox_service.core.errors import MailError
from mailbox_service.first_run import Loaded, load_or_make
from mailbox_service.storage.migrate import SchemaTooNew

T = TypeVar("T")
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


def loaded(config_file: Path | None, data: Path | None) -> Loaded:
    """The configuration of this call; a wrong one ends the program with one line."""
    try:
        return load_or_make(config_file, data, os.environ)
    except ConfigError as error:
        fail(str(error))


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Parts]:
    """All services on the open store, no door and no worker."""
    parts = build(config)
    await parts.database.open()
    try:
        await parts.administering.refresh()
        yield parts
    finally:
        await parts.database.close()


def run(work: Callable[[Parts], Coroutine[Any, Any, T]], config: Config) -> T:
    """Run one piece of work on the store; trouble ends the program with one line."""

    async def whole() -> T:
        async with opened(config) as parts:
            return await work(parts)

    try:
        return asyncio.run(whole())
    except (MailError, SchemaTooNew, ValueError) as error:
        fail(str(error))
