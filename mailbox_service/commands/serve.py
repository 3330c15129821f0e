"""`mailbox serve`: everything in one process, or some roles of it."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import sys
from pathlib import Path

import click

from mailbox_service import log, memory
from mailbox_service.commands.common import fail, loaded, with_configuration
from mailbox_service.core.errors import MailError
from mailbox_service.first_run import Loaded, welcome
from mailbox_service.service import ROLES, Service
from mailbox_service.storage.migrate import SchemaTooNew

SWITCH_SECONDS = 0.0005
# Container objects alive more than at the last look, before the next one: some megabytes.
GC_ALLOCATIONS = 25_000


@click.command()
@click.option(
    "--roles",
    default=",".join(ROLES),
    show_default=True,
    help="Parts to run here, comma-separated; the others run elsewhere on the same store.",
)
@with_configuration
def serve(roles: str, config_file: Path | None, data: Path | None) -> None:
    """Run the service until it is told to stop."""
    chosen = frozenset(role.strip() for role in roles.split(",") if role.strip())
    unknown = sorted(chosen - set(ROLES))
    if unknown or not chosen:
        fail(f"--roles: {', '.join(unknown) or 'nothing'} is no role; there are {', '.join(ROLES)}")
    found = loaded(config_file, data)
    log.start(found.config.log_level)
    allow_many_files()
    collect_seldom()
    memory.set_up()
    # The store's thread asks for the interpreter after every statement; at the default of 5 ms a
    # busy loop would let it wait for longer than a commit takes.
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        runner = asyncio.Runner(loop_factory=loop_factory())
        with runner:
            runner.run(serve_until_stopped(found, chosen))
    except* (SchemaTooNew, ValueError, OSError, MailError) as group:
        log.flush()  # the reason stands last
        fail(reason_of(group))


def allow_many_files() -> None:
    """Take as many open files as the system lets us: each connection is one, and the default
    of 1,024 would be the limit of all doors together."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def collect_seldom() -> None:
    """Look for reference cycles after many allocations instead of few.

    A message makes some hundred objects that die by themselves; at the default of 700 the
    collector ran for every few messages, and found nothing.
    """
    gc.set_threshold(GC_ALLOCATIONS, 20, 50)


def reason_of(group: BaseExceptionGroup[BaseException]) -> str:
    """The first reason in a group of failures, as one line."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


def loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: a quarter less CPU a message."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.Loop


async def serve_until_stopped(found: Loaded, roles: frozenset[str]) -> None:
    """Run until SIGTERM or SIGINT; a second one ends the process on the spot."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> None:
        if stop.is_set():
            # Every accepted message is on disk, so this is no worse than a power cut.
            signal.raise_signal(signal.SIGKILL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    async with Service(found.config, roles=roles) as service:
        if found.is_first:
            await greet(service)
        else:
            click.echo(f"Mailbox Service is running: {service.url or ', '.join(sorted(roles))}")
        await service.wait(stop)


async def greet(service: Service) -> None:
    """Tell a new user where to go, with an address that is open already."""
    opened = await service.parts.registering.open_by_admin(
        name="hello", domain=None, with_prefix=False, random_subdomain=False
    )
    click.echo(
        welcome(
            service.config,
            page=service.url,
            submission=service.submission_address,
            address=opened.address,
            token=opened.jwt,
        )
    )
