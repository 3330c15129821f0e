"""`mailbox export`: a mailbox as a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import BinaryIO, cast

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.commands.store import run
from mailbox_service.core.transfer import as_address
from mailbox_service.services.exporting import FORMATS, Exporting, Format, file_name


@click.command()
@click.argument("address")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="mbox",
    show_default=True,
    help="mbox: one file for every mail program. eml: each mail as it is, in a folder or a ZIP. "
    "jsonl: one JSON object a line, with marks.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to write; for eml a folder, or a file that ends in .zip. Default: standard output.",
)
@with_configuration
def export(
    address: str, form: str, output: Path | None, config_file: Path | None, data: Path | None
) -> None:
    """Write every mail of ADDRESS, oldest first. Read it back with `mailbox import`."""
    chosen = cast(Format, form)
    box = as_address(address)
    if output is None and form == "eml":
        fail("--format eml: name a folder or a .zip file with --output.")

    async def work(parts: Parts) -> int:
        exporting = Exporting(parts.database)
        if chosen == "eml" and output is not None and output.suffix != ".zip":
            return await into_folder(exporting, box, output)
        if output is None:
            return await into_file(exporting, box, chosen, sys.stdout.buffer)
        with output.open("xb") as stream:
            return await into_file(exporting, box, chosen, stream)

    try:
        count = run(work, loaded(config_file, data, make=False).config)
    except BrokenPipeError:
        raise SystemExit(1) from None  # whoever reads has seen enough
    except OSError as error:
        fail(f"{output}: {error.strerror}")
    click.echo(f"{count} mails of {box}", err=True)


async def into_file(exporting: Exporting, box: str, form: Format, stream: BinaryIO) -> int:
    """Write one file; how many mails."""
    count = 0
    async for piece in exporting.stream(box, form):
        count += bool(piece)
        stream.write(piece)
    stream.flush()
    return count - (form == "eml")  # the directory of a ZIP is a piece too


async def into_folder(exporting: Exporting, box: str, folder: Path) -> int:
    """Write each mail as a file of its own, octet for octet; how many."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True, mode=0o700)
    count = 0
    async for message, content in exporting.mails(box):
        await asyncio.to_thread((folder / file_name(message)).write_bytes, content)
        count += 1
    return count
