"""Writing to SQLite on the event loop: no way to a thread and back, and the kernel syncs.

Handing a group of short units to the writer's thread costs several times what they do: at each
statement the thread must take the interpreter back from a busy loop.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from mailbox_service.storage.grouping import Bound, Outcome, describe, log
from mailbox_service.storage.incoming_log import sync_folder
from mailbox_service.storage.sqlite_units import (
    SHRINK,
    SqliteTransaction,
    connect_here,
    roll_back,
    run_to_end,
)
from mailbox_service.storage.syncing import Syncing, syncing_for

# A quick read stops the event loop. One that takes more of the processor than this was none, and
# begins again in a reader's thread. Looked at every so many steps of SQLite's machine, some 0.1 ms.
QUICK_SECONDS = 0.005
QUICK_STEPS = 5000
# Commits on the event loop between two copies of the log into the tables; some megabytes.
COMMITS_A_CHECKPOINT = 250


class QuickWriter:
    """Commits groups of quick units on the event loop, and has the kernel sync them.

    The connection leaves its log unsynced (`synchronous = NORMAL`); a group is answered when a
    sync of the log that began after its commit has ended, which is what FULL means. What cannot
    be done at once, because somebody else writes or a unit is refused or takes long, is left to
    the writer's thread, which does the group again from the start.
    """

    def __init__(self, connection: sqlite3.Connection, log_file: int, syncing: Syncing) -> None:
        self._connection = connection
        self._tx = SqliteTransaction(connection)
        self._log_file = log_file
        self._syncing = syncing
        self._commits = 0
        self._until = 0.0
        connection.set_progress_handler(self._is_over, QUICK_STEPS)

    @classmethod
    async def of(cls, path: Path) -> QuickWriter:
        """One for a store whose log file exists. Raises OSError, sqlite3.Error."""
        connection = connect_here(
            path, "PRAGMA synchronous = NORMAL", "PRAGMA wal_autocheckpoint = 0"
        )
        log_file = os.open(f"{path}-wal", os.O_RDWR | os.O_CLOEXEC)
        syncing = await syncing_for(log_file)
        await asyncio.to_thread(sync_folder, path.parent)
        return cls(connection, log_file, syncing)

    @property
    def wants_checkpoint(self) -> bool:
        """So much was written here that the log should be copied into the tables."""
        if self._commits < COMMITS_A_CHECKPOINT:
            return False
        self._commits = 0
        return True

    async def commit(self, group: Sequence[Bound]) -> Sequence[Outcome] | None:
        """Commit a group and sync it; None when it has to be done in the writer's thread."""
        connection = self._connection
        self._until = time.thread_time() + QUICK_SECONDS
        try:
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [Outcome(run_to_end(start(self._tx))) for start in group]
            connection.execute("COMMIT")
        except Exception:
            # Whatever it was: the thread meets it again, and tells it to those concerned.
            roll_back(connection)
            return None
        self._commits += 1
        error = await self._sync()
        return outcomes if error is None else [Outcome(error=error)] * len(group)

    async def _sync(self) -> OSError | None:
        if os.fstat(self._log_file).st_nlink == 0:
            return OSError(errno.EIO, "the log of the store was removed")
        synced: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
        self._syncing.start(self._log_file, synced.set_result)
        return await synced

    def _is_over(self) -> bool:
        return time.thread_time() > self._until

    def shrink(self) -> None:
        """Give memory back."""
        self._connection.execute(SHRINK).fetchall()

    def close(self) -> None:
        """Disconnect."""
        self._syncing.close()
        os.close(self._log_file)
        self._connection.close()


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy the log into the tables, as far as nobody reads there. Where the disk has no room for
    it, all stays in the log: what was committed is no less so."""
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    except sqlite3.Error as error:
        log.warning("storage-checkpoint-failed error=%s", describe(error))
