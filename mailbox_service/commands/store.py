"""The store as commands use it: all services, no door and no worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from mailbox_service.assembly import Parts, build
from mailbox_service.commands.common import fail
from mailbox_service.config import Config
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


def run(work: Callable[[Parts], Coroutine[Any, Any, T]], config: Config) -> T:
    """Run one piece of work on the store; trouble ends the program with one line."""

    async def whole() -> T:
        async with opened(config) as parts:
            return await work(parts)

    try:
        return asyncio.run(whole())
    except (MailError, SchemaTooNew, ValueError) as error:
        fail(str(error))
