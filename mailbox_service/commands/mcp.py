"""`mailbox mcp`: mailboxes as tools for the AI agent at the other end of standard input."""

from __future__ import annotations

from pathlib import Path

import click

from mailbox_service.assembly import Parts
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.commands.store import run
from mailbox_service.core.errors import TemporaryFailure
from mailbox_service.services.agents import OPERATOR
from mailbox_service.web.agents.tool import Visit
from mailbox_service.web.agents.toolbox import Toolbox
from mailbox_service.web.sending.door import check_place
from mailbox_service.web.services import Services
from mailbox_service.web.streams import Streams

# The service is another process, so nothing wakes a wait here.
LOOK_SECONDS = 0.2
HERE = "127.0.0.1"


class Closed:
    """This process has no doors to be well."""

    async def check(self) -> None:
        raise TemporaryFailure("The doors are not open.")


@click.command()
@click.option(
    "--credential",
    envvar="MCP_CREDENTIAL",
    default="",
    help="An API key, or the token of an address: the agent has what it opens. Better in the "
    "environment, as MCP_CREDENTIAL. Without one the agent is the operator, with all mailboxes.",
)
@with_configuration
def mcp(credential: str, config_file: Path | None, data: Path | None) -> None:
    """Serve the tools of /mcp over standard input and output (MCP, stdio).

    Mail comes and goes while the service runs beside it on the same store.
    """
    config = loaded(config_file, data, make=False).config
    if not config.enable_mcp:
        fail("enable_mcp is off.")

    async def work(parts: Parts) -> None:
        from mailbox_service.web.agents.protocol import serve_standard_streams

        agent = await parts.agents.prove(credential) if credential else OPERATOR
        if agent.credential is not None:
            await check_place(parts.sending_api, agent.credential, HERE)
        visit = Visit(
            agent,
            Services.of(parts, health=Closed()),
            parts.agents,
            config,
            Streams(),
            HERE,
            look_seconds=LOOK_SECONDS,
        )
        await serve_standard_streams(Toolbox(config.mcp_budgets), visit)

    run(work, config)
