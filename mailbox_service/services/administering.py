"""What an administrator changes while the service runs, and the snapshot that everybody reads."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from mailbox_service import signals as topics
from mailbox_service.core.errors import BadRequest, MailError
from mailbox_service.core.overrides import InForce, changed
from mailbox_service.core.settings import Rules, rules_from
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.signals import Signals
from mailbox_service.storage import settings, size
from mailbox_service.storage.database import Database, Transaction

log = logging.getLogger("mailbox.administering")

# A rule changed by another process without a signal is seen after this many seconds.
REFRESH_SECONDS = 10.0
# Values that front ends keep here under names of their own (mailbox-api §8.2). The known one
# keeps a single value.
KEPT_PREFIX = "admin-config:"
MOST_KEPT = 1000
OVERRIDES = "overrides"


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

    async def overrule(
        self, wish: dict[str, Any], *, configured: InForce, served: Collection[str]
    ) -> Rules:
        """Let values hold instead of the configuration; null gives one back to it, and what is
        absent stays. All or nothing. Raises BadRequest."""

        async def unit(tx: Transaction, now: int) -> None:
            stored = rules_from({OVERRIDES: await settings.get(tx, OVERRIDES)}).overrides
            after = changed(stored, wish, configured=configured, served=served)
            if value := msgspec.to_builtins(after):
                await settings.put(tx, OVERRIDES, value, now=now)
            else:
                await settings.remove(tx, OVERRIDES)

        await asyncio.shield(self._database.write(unit, self._clock()))
        rules = await self.refresh()
        self._signals.notify(topics.SETTINGS)
        return rules

    async def kept(self, key: str) -> str | None:
        """A value that a front end keeps here (mailbox-api §3.6); None when there is none."""
        value = await self.stored(KEPT_PREFIX + key)
        return value if isinstance(value, str) else None

    async def keep(self, key: str, value: str) -> None:
        """Keep a value for a front end. Raises BadRequest when there are too many."""

        async def unit(tx: Transaction, now: int) -> None:
            if await settings.count_kept(tx, besides=KEPT_PREFIX + key) >= MOST_KEPT:
                raise BadRequest(f"There are {MOST_KEPT} config values already")
            await settings.put(tx, KEPT_PREFIX + key, value, now=now)

        await asyncio.shield(self._database.write(unit, self._clock()))

    async def store_octets(self) -> int:
        """How large the store is."""
        return await self._database.read(size.octets)

    async def stored(self, name: str) -> Any:
        """One stored setting as it was written; None when it never was."""
        return await self._database.read(settings.get, name)
