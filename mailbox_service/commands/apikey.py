"""`mailbox apikey`: keys of the sending API from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import loaded, with_configuration
from mailbox_service.commands.store import note, run
from mailbox_service.services.sending_api.api_keys import ShownKey


@click.group()
def apikey() -> None:
    """Make keys for the sending API."""


@apikey.command()
@click.option("--name", default="", help="What the key is for; shown beside it in lists.")
@with_configuration
def new(name: str, config_file: Path | None, data: Path | None) -> None:
    """Make a key with all permissions; prints one line of JSON: api_key, username, name.

    The key is shown this once and kept as a hash.
    """

    async def work(parts: Parts) -> ShownKey:
        made = await parts.sending_api.api_keys.make(description=name)
        await note(parts, "apikey.new", made.username, name=name)
        return made

    made = run(work, loaded(config_file, data).config)
    click.echo(
        json.dumps(
            {"api_key": made.api_key, "username": made.username, "name": name},
            ensure_ascii=False,
        )
    )
