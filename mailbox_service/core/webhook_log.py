"""The log of webhooks as people look at it: which deliveries, and what is shown of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from mailbox_service.core.audit import HIDDEN, safe_url

# Headers whose values are no secret; others may be keys that a receiver asked for.
_HARMLESS = frozenset(
    ("accept", "accept-language", "content-type", "content-length", "user-agent", "date")
)
# A part of a path that looks like a key: long, and with letters and digits. Hooks of chat services
# have their secret there.
_KEY = re.compile(r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[A-Za-z0-9_.~+%-]{20,}")


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries: `state` is waiting, delivered or failed, `kind` mailbox or sending, `url`
    a part of the address; empty means any. `owners` are the only ones, None means all."""

    state: str = ""
    kind: str = ""
    url: str = ""
    owners: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A post with its history. Times are microseconds UTC. `size` is that of the body, which is
    there for as long as `has_body`."""

    id: int
    webhook_id: str
    owner: str
    event: str
    recipient: str
    url: str
    method: str
    headers: tuple[tuple[str, str], ...]
    state: str
    attempts: int
    status: int
    reason: str
    created_at: int
    next_attempt_at: int | None
    size: int
    has_body: bool


@dataclass(frozen=True, slots=True)
class PostAttempt:
    """One attempt at a post: when, for how long (microseconds), what was answered."""

    at: int
    duration: int
    status: int
    reason: str
    answer: str


def masked_url(url: str) -> str:
    """A receiver's address without what may be a secret in it."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return HIDDEN
    shown = safe_url(url)
    return shown.replace(path, _KEY.sub(HIDDEN, path), 1) if len(path) > 1 else shown


def masked_headers(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Headers of a request with every value hidden that may be a secret."""
    return {name: value if name.lower() in _HARMLESS else HIDDEN for name, value in headers}
