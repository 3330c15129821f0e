"""One delivering process a file, so that whatever is leased at its start was leased by the dead."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Ownership:
    """A lock on a folder, held as long as the process lives and no longer, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def take(self) -> None:
        """Raises OSError when another process has it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise OSError(f"data_dir: another service runs on {self._folder} already") from None
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the next one have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
