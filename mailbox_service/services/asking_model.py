"""Ask a model of the operator's what a mail wants of its reader (mailbox-api §9.9).

The worker follows the one that makes summaries, behind a cursor of its own. So nobody ever waits
for a model: every mail has what the rules found, and what the model says is joined to it when it
comes. Whatever goes wrong leaves what the rules found, and the mail is not asked about again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.errors import MailError
from mailbox_service.core.model_extraction import (
    BadAnswer,
    Findings,
    asked,
    joined,
    record,
    told,
)
from mailbox_service.core.parsing import parse
from mailbox_service.core.webhook import HttpAnswer, HttpRequest
from mailbox_service.services import summarising
from mailbox_service.services.clock import Clock, as_datetime, now_micros
from mailbox_service.signals import Signals
from mailbox_service.storage import contents, cursors, summaries
from mailbox_service.storage.database import Database, Transaction

log = logging.getLogger("mailbox.extraction")

CURSOR = "model"
# For a whole question and its answer. A mail that a reader waits for is read by then.
SECONDS = 5.0
# An answer is a code and five links of 2048 characters at most.
ANSWER_OCTETS = 16_384
# Questions at once: what a small model answers side by side.
PLACES = 8
# A mail with a code is small; a larger one keeps what the rules found.
LARGEST_MAIL = 4 << 20
# What nobody waits for any more is not asked about: mail from before the setting, and what a
# slow service left behind.
OLDEST_MICROS = 600 * 1_000_000
LOOK_AGAIN_SECONDS = 5.0
TROUBLE_SECONDS = 2.0


class HttpPosts(Protocol):
    """Makes one request through the address guard; trouble is an answer with status 0."""

    async def post(self, request: HttpRequest) -> HttpAnswer: ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """Mails behind the cursor with their mailboxes and octets. `seen` is where the cursor stands,
    `last` where this batch ends."""

    seen: int
    last: int
    mails: tuple[tuple[int, str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a mail has in the end, and the contract's record of it where one is kept."""

    message_id: int
    address: str
    findings: Findings
    metadata: str | None


class AskingModel:
    """The worker that asks. Raises ValueError for settings that cannot work."""

    def __init__(
        self,
        database: Database,
        config: Config,
        http: HttpPosts,
        signals: Signals,
        *,
        clock: Clock = now_micros,
        looks_through: Callable[[str], bool] = lambda address: True,
    ) -> None:
        self._database = database
        self._http = http
        self._signals = signals
        self._clock = clock
        self._looks_through = looks_through
        self._with_metadata = config.enable_ai_email_extract
        self._url = config.extraction_url
        parts = urlsplit(self._url)
        if self._url and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("extraction_url: expected http[s]://host[:port][/path]")
        self._host = (parts.hostname or "").lower()
        secret = config.extraction_secret
        if not (secret.isascii() and secret.isprintable()):
            raise ValueError("extraction_secret: expected printable ASCII characters")
        self._headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
        if secret:
            self._headers += (("Authorization", f"Bearer {secret}"),)

    async def run(self) -> None:
        """Ask until cancelled."""
        with self._signals.watch(topics.SUMMARIES) as watch:
            while True:
                try:
                    went_on = await self.ask_some()
                except MailError as error:
                    log.warning("extraction-waits reason=%s", error.detail)
                    await asyncio.sleep(TROUBLE_SECONDS)
                    continue
                if not went_on:
                    await watch.wait(LOOK_AGAIN_SECONDS)

    async def ask_some(self) -> bool:
        """Ask about the next mails; False when there were none."""
        since = self._clock() - OLDEST_MICROS
        waiting = await self._database.read(next_mails, since=since)
        if waiting.last == waiting.seen:
            return False
        answers = await asyncio.gather(*(self._ask(*mail) for mail in waiting.mails))
        kept = [answer for answer in answers if answer is not None]
        changed = await asyncio.shield(
            self._database.write(keep, kept, seen=waiting.seen, last=waiting.last)
        )
        for address in changed:
            self._signals.notify(topics.mailbox(address))
        return True

    async def _ask(self, message_id: int, address: str, content: bytes) -> Answered | None:
        """What the model makes of a mail; None where the rules' result stays as it is."""
        if not content or not self._looks_through(address):
            return None
        mail = await asyncio.to_thread(lambda: asked(parse(content)))
        if mail is None:
            return None
        request = HttpRequest(self._url, self._host, "POST", self._headers, mail.question())
        answer = await self._http.post(request)
        if not answer.is_success:
            reason = answer.reason if answer.status == 0 else f"status {answer.status}"
            log.warning("extraction-failed message=%d reason=%s", message_id, reason)
            return None
        try:
            said = await asyncio.to_thread(told, mail, answer.head)
        except BadAnswer as error:
            log.warning("extraction-refused message=%d reason=%s", message_id, error)
            return None
        if not said:
            return None
        by_rule = await asyncio.to_thread(summarising.summary_of, content)
        moment = as_datetime(self._clock()).isoformat(timespec="milliseconds")
        metadata = record(said, moment.replace("+00:00", "Z")) if self._with_metadata else None
        return Answered(message_id, address, joined(by_rule, said), metadata)


async def next_mails(tx: Transaction, *, since: int) -> Waiting:
    """What comes behind the cursor and has a summary already, with its bytes."""
    seen = await cursors.get(tx, CURSOR)
    up_to = await cursors.get(tx, summarising.CURSOR)
    found = await summaries.to_ask_about(
        tx, after=seen, up_to=up_to, since=since, most=LARGEST_MAIL, limit=PLACES
    )
    mails: list[tuple[int, str, bytes]] = []
    for message_id, address, content_id in found:
        try:
            mails.append((message_id, address, await contents.read(tx, content_id)))
        except contents.Damaged as damage:
            log.error("content-damaged message=%d reason=%s", message_id, damage)
    last = found[-1][0] if len(found) == PLACES else max(seen, up_to)
    return Waiting(seen, last, tuple(mails))


async def keep(
    tx: Transaction, answers: Sequence[Answered], *, seen: int, last: int
) -> frozenset[str]:
    """Write down what was found, and how far the worker came; the mailboxes that changed. Nothing
    when another process was here first."""
    if not await cursors.move(tx, CURSOR, before=seen, position=last):
        return frozenset()
    changed = set()
    for answer in answers:
        findings = answer.findings
        if not await summaries.change(
            tx,
            answer.message_id,
            codes=findings.codes,
            code_marks=findings.code_marks,
            links=findings.links,
        ):
            continue
        if answer.metadata is not None:
            await summaries.set_metadata(tx, answer.message_id, answer.metadata)
        changed.add(answer.address)
    return frozenset(changed)
