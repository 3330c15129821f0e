"""Where an address of the internet is, as far as a file of the administrator's tells
(sending-api §6.3: `geoip-…`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from mailbox_service.services.network_database import (
    LONGEST_NAME,
    LOOK_AGAIN_SECONDS,
    NetworkDatabase,
)

__all__ = ["LOOK_AGAIN_SECONDS", "Places", "told"]


class Places:
    """Looks addresses up. Without a file, or with one that cannot be read, nothing is known."""

    def __init__(self, file: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        log = logging.getLogger("mailbox.tracking")
        self._database = NetworkDatabase(file, "geoip", log, clock=clock)

    def of(self, ip: str) -> dict[str, str]:
        """What webhooks are told about where an address is; empty when nobody knows."""
        return told(self._database.record(ip))

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


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
