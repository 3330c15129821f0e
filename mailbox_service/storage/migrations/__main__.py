"""Brings the store in a file up to date, in a process of its own: `storage.migrate` starts it.

What goes wrong is written to standard output as the exception that it is.
"""

from __future__ import annotations

import pickle
import sqlite3
import sys
from pathlib import Path

from mailbox_service.storage.migrate import SchemaTooNew, run_sqlite_steps


def main() -> int:
    """The exit status."""
    try:
        run_sqlite_steps(Path(sys.argv[1]))
    except (sqlite3.Error, SchemaTooNew, OSError) as error:
        sys.stdout.buffer.write(pickle.dumps(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
