"""What cleanups did: every run leaves a line, the newest of which are kept."""

from __future__ import annotations

import logging

from mailbox_service.core.cleanup import Run
from mailbox_service.core.errors import MailError
from mailbox_service.services.clock import Clock
from mailbox_service.storage import chores
from mailbox_service.storage.database import Database

log = logging.getLogger("mailbox.cleaning")

KEPT_RUNS = 1000


class CleanupRuns:
    """The runs of all cleanups, also of other processes."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def newest(self, *, limit: int, before_id: int | None = None) -> list[Run]:
        """What cleanups did, newest first."""
        return await self._database.read(chores.runs, limit=limit, before_id=before_id)

    async def write_down(
        self, kind: str, asked_by: str, *, began: int, removed: int, problem: str
    ) -> None:
        """Note a run that ends now: what is removed is gone, even where this cannot be noted."""
        try:
            await self._database.write(
                chores.record,
                kind=kind,
                asked_by=asked_by,
                began_at=began,
                ended_at=self._clock(),
                removed=removed,
                problem=str(problem),
                kept=KEPT_RUNS,
            )
        except MailError as error:
            log.warning("cleanup-not-recorded reason=%s", error.detail)
