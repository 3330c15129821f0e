"""Where an address of the internet is, as far as a file of the administrator's tells
(sending-api §6.3: `geoip-…`).

The file has the format of MaxMind DB: GeoLite2 City, DB-IP and IPinfo come in it. It is mapped
and not read into memory, opened when it is first asked, and again when it was replaced.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import maxminddb

log = logging.getLogger("mailbox.tracking")

# Such files are replaced once or twice a week.
LOOK_AGAIN_SECONDS = 60.0
LONGEST_NAME = 200
# What a file that is damaged makes the library raise: its own error, and what a decoder meets.
TROUBLE = (OSError, ValueError, KeyError, IndexError, TypeError, UnicodeError, RuntimeError)


class Places:
    """Looks addresses up. Without a file, or with one that cannot be read, nothing is known."""

    def __init__(self, file: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = Path(file) if file else None
        self._clock = clock
        self._reader: maxminddb.Reader | None = None
        self._opened: tuple[int, int, int] | None = None
        self._look_at: float | None = None

    def of(self, ip: str) -> dict[str, str]:
        """What webhooks are told about where an address is; empty when nobody knows."""
        if self._file is None or not ip:
            return {}
        try:
            self._follow(self._file)
            found = None if self._reader is None else self._reader.get(ip)
        except TROUBLE as error:
            log.warning("geoip-failed error=%s", type(error).__name__)
            return {}
        return told(found) if isinstance(found, Mapping) else {}

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
        log.info("geoip-opened type=%s", reader.metadata().database_type[:LONGEST_NAME])

    def close(self) -> None:
        """Let go of the file."""
        if self._reader is not None:
            self._reader.close()
        self._reader = self._opened = None


def told(found: Mapping[str, Any]) -> dict[str, str]:
    """The three values of a record, those of them that it has."""
    values = {
        "geoip-continent": inner(found, "continent", "code"),
        "geoip-country": inner(found, "country", "iso_code"),
        "geoip-city": inner(found, "city", "names", "en"),
    }
    return {
        name: value[:LONGEST_NAME]
        for name, value in values.items()
        if isinstance(value, str) and value
    }


def inner(value: Any, *path: str) -> Any:
    """What stands at a path of keys; None where it ends."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
