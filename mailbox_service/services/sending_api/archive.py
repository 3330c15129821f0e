"""Full copies of what was sent: looked for, and had by a signed link (sending-api §2.8)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.core.email_id import email_id_of, queue_id_of
from mailbox_service.core.sending_api import BadField, Caller, Refusal
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.sending_api.dates import range_of
from mailbox_service.services.sending_api.paging import Page, place_of, token_of
from mailbox_service.services.sending_api.scheduling import recipients_text
from mailbox_service.storage import contents, sending_messages
from mailbox_service.storage.database import Database
from mailbox_service.storage.sending_messages import SentMessage

LARGEST_PAGE = 5_000
LINK_SECONDS = 3_600
# Rows that one call looks at, since what is asked for has no index.
LOOKED_AT = 50_000
PORTION = 2_000


class ArchiveSearch(Struct, kw_only=True):
    """Which full copies."""

    start_date: str = ""
    end_date: str = ""
    limit: int | None = None
    username: str = ""
    recipient: str = ""
    sender: str = ""
    envelope_from: str = ""
    subject: str = ""
    headers: str = ""
    continue_token: str = ""


class EmailId(Struct):
    """Which message."""

    email_id: str


@dataclass(frozen=True, slots=True)
class Archived:
    """A message of which there is a full copy."""

    email_id: str
    message: SentMessage
    fields: Mapping[str, Any]
    url: str = ""


class Archive:
    """Knows the full copies of all accounts."""

    def __init__(self, database: Database, config: Config, *, clock: Clock = now_micros) -> None:
        self._database = database
        self._clock = clock
        self._secret = hashlib.sha256(b"archive links\0" + config.jwt_secret.encode()).digest()
        self._url = (config.frontend_url or f"http://{config.http_listen}").rstrip("/")

    async def search(self, caller: Caller, form: ArchiveSearch) -> Page[Archived]:
        """Full copies, newest first."""
        if form.limit is not None and form.limit < 1:
            raise BadField("limit", "Must be at least 1")
        start, end = range_of(form.start_date, form.end_date, now=self._clock(), from_today=False)
        limit = min(form.limit or LARGEST_PAGE, LARGEST_PAGE)
        from_here = sending_messages.NEWEST
        if form.continue_token:
            from_here = place_of(form.continue_token)
        before, looked, total = sending_messages.NEWEST, 0, 0
        shown: list[Archived] = []
        token: str | None = None
        while looked < LOOKED_AT:
            rows = await self._database.read(
                sending_messages.archived,
                caller.account,
                start=start,
                end=end,
                before=before,
                limit=PORTION,
            )
            for row in rows:
                one = Archived(email_id_of(row.queue_id), row, json.loads(row.fields))
                if not fits(one, form):
                    continue
                total += 1
                if row.submission_id >= from_here:
                    continue
                if len(shown) < limit:
                    shown.append(self._linked(row))
                elif token is None:
                    token = token_of(shown[-1].message.submission_id)
            if len(rows) < PORTION:
                break
            before, looked = rows[-1].submission_id, looked + len(rows)
        return Page(shown, total, token)

    async def email(self, caller: Caller, form: EmailId) -> Archived:
        """One full copy's description. Raises Refusal."""
        return self._linked(await self._kept(caller.account, form.email_id))

    def _linked(self, row: SentMessage) -> Archived:
        """A full copy with an address from which it can be had for an hour."""
        until = self._clock() // 1_000_000 + LINK_SECONDS
        email_id = email_id_of(row.queue_id)
        signature = self._signature(row.account, email_id, until)
        url = f"{self._url}/archive/{email_id}/{until}-{row.account or '-'}-{signature}"
        return Archived(email_id, row, json.loads(row.fields), url)

    def _signature(self, account: str, email_id: str, until: int) -> str:
        signed = f"{account}/{email_id}/{until}".encode()
        return hmac.digest(self._secret, signed, hashlib.sha256).hex()

    async def content(self, email_id: str, proof: str) -> bytes | None:
        """The full copy that a link of ours leads to; None when the link is no good."""
        until, _, rest = proof.partition("-")
        account, _, signature = rest.rpartition("-")
        account = "" if account == "-" else account
        if not (until.isascii() and until.isdigit() and len(until) < 15):
            return None
        good = self._signature(account, email_id, int(until))
        if not hmac.compare_digest(good.encode(), signature.encode(errors="replace")):
            return None
        if int(until) < self._clock() // 1_000_000:
            return None
        try:
            row = await self._kept(account, email_id)
        except Refusal:
            return None
        assert row.archived_content_id is not None
        return await self._database.read(contents.read, row.archived_content_id)

    async def _kept(self, account: str, email_id: str) -> SentMessage:
        queue_id = queue_id_of(email_id)
        row = None
        if queue_id is not None:
            row = await self._database.read(sending_messages.by_queue_id, account, queue_id)
        if row is None or row.archived_content_id is None:
            raise Refusal(f"There is no archived email with the id {email_id[:64]!r}")
        return row


def fits(one: Archived, form: ArchiveSearch) -> bool:
    """Whether a search finds an archived message."""
    message = one.message
    headers = "\n".join(f"{name}: {text}" for name, text in one.fields.get("headers", []))
    for wanted, text in (
        (form.username, message.username),
        (form.recipient, recipients_text(one.fields)),
        (form.sender, str(one.fields.get("from", ""))),
        (form.envelope_from, message.sender),
        (form.subject, message.subject),
        (form.headers, headers),
    ):
        if wanted.lower() not in text.lower():
            return False
    return True
