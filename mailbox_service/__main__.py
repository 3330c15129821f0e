"""The command line: `mailbox serve`, and what an operator does beside it."""

from __future__ import annotations

import gc
from importlib import import_module
from keyword import iskeyword

import click

from mailbox_service import __version__

# Each command is an object of its own name in the module of that name; with a `_` behind it
# where Python keeps the name for itself, and with a `_` for each `-`.
COMMANDS = (
    *("serve", "check", "health", "address", "apikey", "queue", "import", "export"),
    *(
        "send",
        "wait",
        "mcp",
        "backup",
        "restore",
        "migrate-store",
    ),
)


class Commands(click.Group):
    """Imports a command when it is called for: `health` needs no store, the others do."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # Imports leave next to no garbage, and what they make stays: looking through it again
        # and again would be a third of the start, and a part of every collection afterwards.
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name.replace("-", "_")
        gc.disable()
        try:
            module = import_module(f"mailbox_service.commands.{name}")
        finally:
            gc.freeze()
            gc.enable()
        command: click.Command = getattr(module, name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mailbox")
def main() -> None:
    """Temporary mailboxes and sending mail."""


if __name__ == "__main__":
    main()
