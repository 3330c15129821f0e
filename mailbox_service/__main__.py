"""The command line: `mailbox serve`, and what an operator does beside it."""

from __future__ import annotations

import click

from mailbox_service import __version__
from mailbox_service.commands.address import address
from mailbox_service.commands.check import check, health
from mailbox_service.commands.queue import queue
from mailbox_service.commands.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mailbox")
def main() -> None:
    """Temporary mailboxes and sending mail."""


for command in (serve, check, health, address, queue):
    main.add_command(command)

if __name__ == "__main__":
    main()
