"""`mailbox import`: mail out of files, or everything of an existing deployment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.commands.store import run
from mailbox_service.config import Config
from mailbox_service.core.errors import UnknownMailbox
from mailbox_service.core.file_kinds import KINDS, MAIL_KINDS, Kind
from mailbox_service.core.transfer import MovedMail, as_address
from mailbox_service.services.importing import Imported, Importing, into
from mailbox_service.services.mail_files import (
    Advance,
    BadFile,
    files_in,
    kind_of_file,
    mails_of,
)


@click.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="FILE…"
)
@click.option("--to", "address", help="The open address that mails go to.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("auto", *KINDS)),
    default="auto",
    show_default=True,
    help="sql and kv: the dumps of an existing deployment.",
)
@with_configuration
def import_(
    files: tuple[Path, ...],
    address: str | None,
    form: str,
    config_file: Path | None,
    data: Path | None,
) -> None:
    """Take in mail (mbox, .eml files or folders of them, JSON lines), gzipped or not.

    Nothing follows from imported mail: no webhook, no forward, no automatic reply. An import that
    was cut off is made again; what is there already is not taken twice.
    """
    config = loaded(config_file, data, make=False).config
    try:
        chosen = kinds(files, form)
        mail = [(path, kind) for path, kind in chosen if kind in MAIL_KINDS]
        if mail:
            import_mail(mail, address, config)
    except BadFile as error:
        fail(str(error))


def kinds(files: tuple[Path, ...], form: str) -> list[tuple[Path, Kind]]:
    """Every file with what it holds. Raises BadFile."""
    found = []
    for path in files_in(files):
        given = next((kind for kind in KINDS if kind == form), None)
        found.append((path, given or kind_of_file(path)))
    return found


def import_mail(files: list[tuple[Path, Kind]], address: str | None, config: Config) -> None:
    """Put the mails of files into one mailbox, or into those that JSON lines name."""
    if address is None and any(kind != "jsonl" for _, kind in files):
        fail("--to ADDRESS says whose mail it is.")
    done = Imported()

    async def work(parts: Parts) -> None:
        if address is not None:
            box = as_address(address)
            if await parts.registering.find_address(box) is None:
                raise UnknownMailbox(f"{box} is not open; open it with: mailbox address new")
        with progress(files) as advance:
            mails = every_mail(files, advance)
            chosen = addressed(mails) if address is None else into(as_address(address), mails)
            await Importing(parts.database, config, parts.signals).add_all(chosen, done)

    try:
        run(work, config)
    finally:
        click.echo(f"{done.added} mails taken in, {done.known} were there already.")


def every_mail(files: list[tuple[Path, Kind]], advance: Advance) -> Iterator[MovedMail]:
    """The mails of all files. Raises BadFile."""
    for path, kind in files:
        yield from mails_of(path, kind, advance)


def addressed(mails: Iterator[MovedMail]) -> Iterator[MovedMail]:
    """Mails that say whose they are. Raises BadFile for one that does not."""
    for number, mail in enumerate(mails, start=1):
        if "@" not in mail.address:
            raise BadFile(f"mail {number} names no address; say whose it is with --to")
        yield mail


@contextmanager
def progress(files: list[tuple[Path, Kind]]) -> Iterator[Advance]:
    """Show how far the files are read, where somebody looks."""
    total = sum(path.stat().st_size for path, _ in files)
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=total, label="Reading", file=sys.stderr, hidden=hidden) as bar:
        yield bar.update
