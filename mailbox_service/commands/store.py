"""The store as commands use it: all services, no door and no worker."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from mailbox_service.assembly import Parts, build
from mailbox_service.commands.common import fail
from mailbox_service.config import Config
from mailbox_service.core.audit_words import COMMAND_LINE
from mailbox_service.core.errors import MailError
from mailbox_service.storage.migrate import SchemaTooNew

T = TypeVar("T")


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Parts]:
    """All services on the open store, no door and no worker."""
    parts = build(config)
    await parts.database.open()
    try:
        await parts.administering.refresh()
        yield parts
    finally:
        await parts.database.close()


async def note(parts: Parts, action: str, subject: str, **detail: object) -> None:
    """Write into the audit log what somebody did here by a command."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user need not have a name
        user = str(os.getuid())
    await parts.auditing.note(action, actor=COMMAND_LINE, peer=user, subject=subject, detail=detail)


def run(work: Callable[[Parts], Coroutine[Any, Any, T]], config: Config) -> T:
    """Run one piece of work on the store; trouble ends the program with one line."""

    async def whole() -> T:
        async with opened(config) as parts:
            return await work(parts)

    try:
        return asyncio.run(whole())
    except (MailError, SchemaTooNew, ValueError) as error:
        fail(str(error))
