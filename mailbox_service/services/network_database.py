"""What a file of the administrator's tells about addresses of the internet: where they are, or
whose.

The file has the format of MaxMind DB: GeoLite2, DB-IP and IPinfo come in it. It is mapped and not
read into memory, opened when it is first asked, and again when it was replaced.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import maxminddb

# Such files are replaced once or twice a week.
LOOK_AGAIN_SECONDS = 60.0
LONGEST_NAME = 200
# What a file that is damaged makes the library raise: its own error, and what a decoder meets.
TROUBLE = (OSError, ValueError, KeyError, IndexError, TypeError, UnicodeError, RuntimeError)
# Where the owner of a network stands: GeoLite2-ASN and DB-IP, then IPinfo.
OWNER_FIELDS = ("autonomous_system_organization", "as_name", "name")


class NetworkDatabase:
    """Looks addresses up. Without a file, or with one that cannot be read, nothing is known.
    `name` is what the log calls it."""

    def __init__(
        self, file: str, name: str, log: logging.Logger, *, clock: Callable[[], float]
    ) -> None:
        self._file = Path(file) if file else None
        self._name = name
        self._log = log
        self._clock = clock
        self._reader: maxminddb.Reader | None = None
        self._opened: tuple[int, int, int] | None = None
        self._look_at: float | None = None

    def record(self, ip: str) -> Mapping[str, Any]:
        """What the file has about an address; empty when that is nothing."""
        if self._file is None or not ip:
            return {}
        try:
            self._follow(self._file)
            found = None if self._reader is None else self._reader.get(ip)
        except TROUBLE as error:
            self._log.warning("%s-failed error=%s", self._name, type(error).__name__)
            return {}
        return found if isinstance(found, Mapping) else {}

    def _follow(self, file: Path) -> None:
        """Open the file, or the one that took its place."""
        now = self._clock()
        if self._look_at is not None and now < self._look_at:
            return
        self._look_at = now + LOOK_AGAIN_SECONDS
        stat = file.stat()
        version = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if version == self._opened:
            return
        import maxminddb

        reader = maxminddb.open_database(file)
        self.close()
        self._reader, self._opened = reader, version
        kind = reader.metadata().database_type[:LONGEST_NAME]
        self._log.info("%s-opened type=%s", self._name, kind)

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._opened = None


class NetworkOwners:
    """Tells which organisation owns the network of an address (mailbox-api §5.2, step 3)."""

    def __init__(self, file: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        log = logging.getLogger("mailbox.access")
        self._database = NetworkDatabase(file, "asn", log, clock=clock)

    def of(self, ip: str) -> str:
        """The owner's name; empty when nobody knows."""
        found = self._database.record(ip)
        for field in OWNER_FIELDS:
            name = found.get(field)
            if isinstance(name, str) and name:
                return name[:LONGEST_NAME]
        return ""

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
