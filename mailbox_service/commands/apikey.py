"""`mailbox apikey`: keys of the sending API from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import loaded, with_configuration
from mailbox_service.commands.store import note, run
from mailbox_service.services.sending_api.api_keys import ShownKey
from mailbox_service.services.sending_api.authenticated_ips import AddressAdd, ShownAddress


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


@apikey.command()
@click.argument("address")
@click.option("--name", default="", help="What stands at that address; shown beside it in lists.")
@with_configuration
def trust(address: str, name: str, config_file: Path | None, data: Path | None) -> None:
    """Let ADDRESS (or a network, up to /24 or /64) send at the submission door without a login.

    It is for printers and programs that cannot log in: whoever has this address sends with the
    verified senders of the sending API. `ip_auth/edit` changes its settings, `ip_auth/remove`
    ends it.
    """

    async def work(parts: Parts) -> ShownAddress:
        form = AddressAdd(ip_address=address, description=name)
        added = await parts.sending_api.authenticated_ips.trust(address, form)
        await note(parts, "apikey.trust", added.ip_address, name=name)
        return added

    added = run(work, loaded(config_file, data).config)
    click.echo(json.dumps({"ip_address": added.ip_address, "name": name}, ensure_ascii=False))
