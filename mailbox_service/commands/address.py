"""`mailbox address`: open mailboxes from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import loaded, with_configuration
from mailbox_service.commands.store import note, run
from mailbox_service.services.authenticating import Opened
from mailbox_service.services.clock import random_text

# The length of names that visitors get (mailbox-api §4.3).
RANDOM_NAME = 13


@click.group()
def address() -> None:
    """Open addresses."""


@address.command()
@click.option("--name", help="The part before the @. Default: made up.")
@click.option("--domain", help="The part behind it. Default: one of ours.")
@with_configuration
def new(name: str | None, domain: str | None, config_file: Path | None, data: Path | None) -> None:
    """Open an address; prints one line of JSON: address, address_id, jwt."""

    async def work(parts: Parts) -> Opened:
        opened = await parts.registering.open_by_admin(
            name=name or random_text(RANDOM_NAME),
            domain=domain,
            with_prefix=False,
            random_subdomain=False,
        )
        await note(parts, "address.open", opened.address)
        return opened

    opened = run(work, loaded(config_file, data).config)
    click.echo(
        json.dumps(
            {
                "address": opened.address,
                "address_id": opened.address_id,
                "jwt": opened.jwt,
                "password": opened.password,
            },
            ensure_ascii=False,
        )
    )
