"""`mailbox import`: mail out of files, or everything of an existing deployment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.commands.store import note, run
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
from mailbox_service.services.moving.move import TakenOver
from mailbox_service.services.moving.taking_over import TakingOver
from mailbox_service.storage.connect import connect
from mailbox_service.storage.ownership import Ownership
from mailbox_service.storage.sqlite import SqliteDatabase


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
@click.option(
    "--source",
    default="deployment",
    show_default=True,
    help="Name of the deployment, where several are taken over.",
)
@click.option(
    "--join",
    is_flag=True,
    help="Addresses and accounts that are open here already are the same people's.",
)
@with_configuration
def import_(
    files: tuple[Path, ...],
    address: str | None,
    form: str,
    source: str,
    join: bool,
    config_file: Path | None,
    data: Path | None,
) -> None:
    """Take in mail (mbox, .eml files or folders of them, JSON lines), or a whole deployment.

    A deployment is the SQL dump of its database and the JSON of its key-value store, in one call.
    Configure its jwt_secret here first: then its tokens and passwords go on working. Stop the
    service meanwhile. Every file may be gzipped.

    Nothing follows from imported mail: no webhook, no forward, no automatic reply. An import that
    was cut off is made again; what is there already is not taken twice.
    """
    config = loaded(config_file, data, make=False).config
    try:
        chosen = kinds(files, form)
        mail = [(path, kind) for path, kind in chosen if kind in MAIL_KINDS]
        if mail:
            import_mail(mail, address, config)
        dumps = [(path, kind) for path, kind in chosen if kind not in MAIL_KINDS]
        if dumps:
            take_over(dumps, source, config, joins=join)
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
        await note(parts, "import.mail", address or "", added=done.added, known=done.known)

    try:
        run(work, config)
    finally:
        click.echo(f"{done.added} mails taken in, {done.known} were there already.")


def take_over(files: list[tuple[Path, Kind]], source: str, config: Config, *, joins: bool) -> None:
    """Take over a deployment: databases first, since keys speak of their addresses."""
    if not config.jwt_secret:
        fail("jwt_secret: set that of the deployment first; its tokens and passwords need it.")
    done = TakenOver()
    ownership = Ownership(Path(config.data_dir))

    async def work(parts: Parts) -> None:
        nonlocal done
        taking = TakingOver(
            parts.database, config, parts.authenticating, parts.signals, source=source, joins=joins
        )
        done = taking.done
        # The database is read twice: what is small, then mail.
        with progress([*files, *(pair for pair in files if pair[1] == "sql")]) as advance:
            for path, kind in sorted(files, key=lambda pair: pair[1] == "kv"):
                take = taking.take_dump if kind == "sql" else taking.take_keys
                await take(path, advance)
        await note(parts, "import.deployment", source, files=[path.name for path, _ in files])

    try:
        if isinstance(connect(config.database_url, Path(config.data_dir)), SqliteDatabase):
            ownership.take()  # ids must not be given out meanwhile
        run(work, config)
    except (OSError, ValueError) as error:
        fail(f"{error}; stop it first." if isinstance(error, OSError) else str(error))
    finally:
        ownership.release()
        report(done)


def report(done: TakenOver) -> None:
    """Say what became of everything."""
    for kind in sorted({*done.added, *done.known, *done.left_out}):
        click.echo(
            f"{kind:<17} {done.added[kind]:>8} taken over {done.known[kind]:>8} there already"
            f" {done.left_out[kind]:>8} left out"
        )
    for problem in done.problems:
        click.echo(f"  {problem}")
    told = len([problem for problem in done.problems if not problem.startswith("domains:")])
    if (more := done.left_out.total() - told) > 0:
        click.echo(f"  and {more} more")


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
