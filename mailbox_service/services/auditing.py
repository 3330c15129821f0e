"""The audit log: every change that an administrator makes, by page, API or command line, and
whose mail they read.

A change is written down after it was made, in a transaction of its own: the log tells what
happened, not what was tried. Where the store fails between the two, the line of the program's
log is what is left.
"""

from __future__ import annotations

import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from mailbox_service.core.audit import (
    LARGEST_DETAIL,
    LONGEST_SUBJECT,
    AuditEntry,
    safe_detail,
    safe_text,
)
from mailbox_service.core.audit_words import NOBODY
from mailbox_service.core.errors import MailError
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.throttling import network_of
from mailbox_service.storage import audit_log
from mailbox_service.storage.database import Database, Transaction

log = logging.getLogger("mailbox.audit")

# More than a busy administrator changes in a year, and some tens of megabytes at most.
KEPT_MICROS = 365 * 86_400 * 1_000_000
MOST_KEPT = 50_000
TRIM_EVERY = 3_600 * 1_000_000
# Failed logins: one line a network and ten minutes, which counts the tries since the last one,
# and so many lines an hour in all. Whoever guesses from everywhere fills nothing.
LOGIN_PAUSE = 600 * 1_000_000
MOST_LOGINS_AN_HOUR = 60
MOST_NETWORKS = 10_000
# Mails that were read: one line a mail and administrator in so long, since whoever looks at a mail
# asks for it, its files and its source; some 200 octets each are remembered.
READ_PAUSE = 600 * 1_000_000
MOST_READ = 10_000


@dataclass(slots=True)
class Tries:
    """Failed logins of one network: since when no line was written, and how many since."""

    told_at: int
    since: int = 0


class Auditing:
    """Writes down what administrators do, and shows it."""

    def __init__(self, database: Database, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._clock = clock
        self._trimmed_at = 0
        self._tries: OrderedDict[str, Tries] = OrderedDict()
        self._hour = (0, 0)
        # When a line was written, by who read what from where.
        self._read: OrderedDict[tuple[str, ...], int] = OrderedDict()

    async def note(
        self,
        action: str,
        *,
        actor: str,
        peer: str = "",
        subject: str = "",
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """Write a change down; secrets in its detail are hidden. Never raises: what was done
        was done."""
        safe = safe_detail(detail or {})
        if len(json.dumps(safe, ensure_ascii=False).encode()) > LARGEST_DETAIL:
            safe = {"fields": sorted(safe)}
        values = {
            "action": action,
            "actor": safe_text(actor),
            "peer": safe_text(peer),
            "subject": safe_text(subject)[:LONGEST_SUBJECT],
        }
        log.info(
            "audit action=%s actor=%s peer=%s subject=%s",
            *(values[name] for name in ("action", "actor", "peer", "subject")),
        )
        now = self._clock()
        trim = now - self._trimmed_at > TRIM_EVERY
        try:
            await self._database.write(write_down, now, values, safe, trim)
        except MailError as error:
            log.error("audit-not-written action=%s reason=%s", action, error.detail)
            return
        if trim:
            self._trimmed_at = now

    async def login_failed(self, peer: str) -> None:
        """Note a wrong password of an administrator, not more often than is of use."""
        now, network = self._clock(), network_of(peer)
        tries = self._tries.get(network)
        if tries is not None and now - tries.told_at < LOGIN_PAUSE:
            tries.since += 1
            return
        hour, told = self._hour
        if hour == now // TRIM_EVERY and told >= MOST_LOGINS_AN_HOUR:
            return
        self._hour = (now // TRIM_EVERY, told + 1 if hour == now // TRIM_EVERY else 1)
        self._tries[network] = Tries(now)
        self._tries.move_to_end(network)
        if len(self._tries) > MOST_NETWORKS:
            self._tries.popitem(last=False)
        before = 0 if tries is None else tries.since
        detail = {"more_tries_before": before} if before else {}
        await self.note(
            "login.failed", actor=NOBODY, peer=peer, subject="administration", detail=detail
        )

    async def read(self, action: str, *, actor: str, peer: str, subject: str) -> None:
        """Note that somebody's mail was read, once a mail, administrator and ten minutes. Each
        process remembers its own."""
        now, what = self._clock(), (action, actor, peer, subject)
        told_at = self._read.get(what)
        if told_at is not None and now - told_at < READ_PAUSE:
            return
        self._read[what] = now
        self._read.move_to_end(what)
        if len(self._read) > MOST_READ:
            self._read.popitem(last=False)
        await self.note(action, actor=actor, peer=peer, subject=subject)

    async def page(
        self,
        *,
        limit: int,
        before_id: int | None = None,
        actor: str = "",
        action: str = "",
        q: str = "",
    ) -> tuple[list[AuditEntry], int]:
        """A page of changes, newest first, and how many fit in all."""
        return await self._database.read(
            audit_log.page, limit=limit, before_id=before_id, actor=actor, action=action, q=q
        )


async def write_down(
    tx: Transaction, now: int, values: Mapping[str, str], detail: Mapping[str, object], trim: bool
) -> None:
    """Write one change, and forget old ones from time to time."""
    await audit_log.add(tx, at=now, detail=detail, **values)
    if trim:
        await audit_log.trim(tx, since=now - KEPT_MICROS, most=MOST_KEPT)
