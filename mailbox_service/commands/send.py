"""`mailbox send`: put a mail into the queue."""

from __future__ import annotations

import json
import mimetypes
import sys
from pathlib import Path

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.commands.store import run
from mailbox_service.core.compose import Attachment, Draft, NamedAddress
from mailbox_service.core.envelope import Principal, Receipt
from mailbox_service.core.header_words import first_mailbox


@click.command()
@click.option("--from", "sender", required=True, help="An address of ours, or `Name <address>`.")
@click.option("--to", "recipients", required=True, multiple=True, help="May be given again.")
@click.option("--subject", default="", help="Subject.")
@click.option("--text", help="The text. Default: what comes on standard input.")
@click.option("--html", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="File.")
@click.option(
    "--attach",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File to attach; may be given again.",
)
@with_configuration
def send(
    sender: str,
    recipients: tuple[str, ...],
    subject: str,
    text: str | None,
    html: Path | None,
    files: tuple[Path, ...],
    config_file: Path | None,
    data: Path | None,
) -> None:
    """Queue a mail as the administrator; prints one line of JSON: queue_id, message_id.

    It goes out when the service runs, and as `outbound` says.
    """
    config = loaded(config_file, data, make=False).config
    size = sum(file.stat().st_size for file in files)
    if size > config.max_message_size:
        fail(f"--attach: {size} octets are more than max_message_size.")
    if text is None and html is None:
        text = sys.stdin.read(config.max_message_size)
    draft = Draft(
        sender=named(sender),
        to=tuple(named(one) for one in recipients),
        subject=subject,
        text=text,
        html=None if html is None else html.read_text("utf-8"),
        attachments=tuple(attached(file) for file in files),
    )

    async def work(parts: Parts) -> Receipt:
        administrator = Principal("admin", "", unlimited=True)
        return await parts.sending.submit_draft(administrator, draft, door="command", charge=False)

    receipt = run(work, config)
    click.echo(json.dumps({"queue_id": receipt.queue_id, "message_id": receipt.message_id}))


def named(text: str) -> NamedAddress:
    """`Name <address>` or an address."""
    name, address = first_mailbox(text)
    return NamedAddress(address or text.strip(), name)


def attached(file: Path) -> Attachment:
    """A file as it goes with a mail."""
    kind, encoding = mimetypes.guess_type(file.name)
    plain = kind is None or encoding is not None
    return Attachment(
        file.name, file.read_bytes(), "application/octet-stream" if plain else str(kind)
    )
