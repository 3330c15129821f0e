"""What an administrator changes while the service runs, and the snapshot that everybody reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from mailbox_service import signals as topics
from mailbox_service.core.errors import MailError
from mailbox_service.core.settings import Rules, rules_from
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.signals import Signals
from mailbox_service.storage import settings
from mailbox_service.storage.database import Database, Transaction

log = logging.getLogger("mailbox.administering")

# A rule changed by another process without a signal is seen after this many seconds.
REFRESH_SECONDS = 10.0


class Administering:
    """The rules: `rules` is the current snapshot, kept up to date by `run`."""

    def __init__(self, database: Database, signals: Signals, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock
        self.rules = Rules()

    async def refresh(self) -> Rules:
        """Read the rules anew."""
        self.rules = rules_from(await self._database.read(settings.get_all))
        return self.rules

    async def run(self) -> None:
        """Follow changes until cancelled."""
        with self._signals.watch(topics.SETTINGS) as watch:
            while True:
                await watch.wait(REFRESH_SECONDS)
                try:
                    await self.refresh()
                except MailError as error:
                    log.warning("rules-not-read reason=%s", error.detail)

    async def change(self, values: Mapping[str, Any]) -> Rules:
        """Set several settings at once, by stored name; None forgets one."""

        async def unit(tx: Transaction, now: int) -> None:
            for name, value in values.items():
                if value is None:
                    await settings.remove(tx, name)
                else:
                    await settings.put(tx, name, value, now=now)

        await asyncio.shield(self._database.write(unit, self._clock()))
        rules = await self.refresh()
        self._signals.notify(topics.SETTINGS)
        return rules

    async def stored(self, name: str) -> Any:
        """One stored setting as it was written; None when it never was."""
        return await self._database.read(settings.get, name)
