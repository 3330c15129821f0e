"""From events to webhook posts: a worker behind a cursor.

Posts are written in one transaction with the cursor, so that a kill at any moment loses none and
makes none twice; `notifying` carries them out like those of mailboxes.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode

import msgspec

from mailbox_service import signals as topics
from mailbox_service.config import Config
from mailbox_service.core.api_values import precise_time, zulu
from mailbox_service.core.email_id import email_id_of
from mailbox_service.core.errors import MailError
from mailbox_service.core.webhook import HttpRequest
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.kept_requests import new_message_id
from mailbox_service.services.sending_api.documents import HOOKS
from mailbox_service.services.sending_api.hooks import Hook, owner_of, target_and_login
from mailbox_service.services.sending_api.outcomes import UNAVAILABLE
from mailbox_service.signals import Signals
from mailbox_service.storage import (
    cursors,
    fetched_files,
    send_counts,
    sending_events,
    sending_messages,
    sending_records,
    suppressions,
    webhooks,
)
from mailbox_service.storage.database import Database, Transaction
from mailbox_service.storage.sending_events import SendingEvent
from mailbox_service.storage.webhooks import NewPost

log = logging.getLogger("mailbox.reporting")

CURSOR = "sending-events"
BATCH = 200
LOOK_AGAIN_SECONDS = 10.0
# After a wake-up, for more events: a webhook hears of a mail no later than anybody would notice.
GATHER_SECONDS = 0.05
TROUBLE_SECONDS = 2.0
# A receiver that is away for two days keeps this many posts of one webhook.
MOST_WAITING = 100_000
TIDY_EVERY = 60 * 1_000_000
# While there is no webhook at all the cursor is moved this often, without a look at the events.
PASS_EVERY = 1_000_000
TIDY_ROWS = 500
DAY_MICROS = 86_400 * 1_000_000

# Kinds of events by the names that webhooks use, and what `bounce` says.
NAMES = {
    "processed": ("processed", ""),
    "delivered": ("delivered", ""),
    "opened": ("open", ""),
    "clicked": ("click", ""),
    "soft-bounced": ("bounce", "soft"),
    "hard-bounced": ("bounce", "hard"),
    "spam": ("spam", ""),
    "unsubscribed": ("unsubscribe", ""),
    "resubscribed": ("resubscribe", ""),
    "rejected": ("reject", ""),
}

read_hook = msgspec.json.Decoder(Hook)


class Reporting:
    """The worker that makes posts of events, and forgets what is old."""

    def __init__(
        self, database: Database, config: Config, signals: Signals, *, clock: Clock = now_micros
    ) -> None:
        self._database = database
        self._signals = signals
        self._clock = clock
        self._kept = config.sending_history_days * DAY_MICROS
        self._tidied = 0
        self._passed = 0

    async def run(self) -> None:
        """Report until cancelled."""
        with self._signals.watch(topics.SENDING_EVENTS) as watch:
            while True:
                seconds = LOOK_AGAIN_SECONDS
                try:
                    while await self.report():
                        pass
                    await self._tidy()
                except MailError as error:
                    log.warning("events-wait reason=%s", error.detail)
                    seconds = TROUBLE_SECONDS
                if await watch.wait(seconds):
                    await asyncio.sleep(GATHER_SECONDS)

    async def report(self) -> int:
        """Make the posts of the next events; how many events."""
        now = self._clock()
        if not await self._database.read_quick(sending_records.any_of_kind, HOOKS):
            if now - self._passed >= PASS_EVERY:
                self._passed = now
                await self._database.write_quick(pass_by)
            return 0
        events, posts = await self._database.write(make_posts, self._clock())
        if posts:
            self._signals.notify(topics.WEBHOOKS)
        return events

    async def _tidy(self) -> None:
        now = self._clock()
        if now - self._tidied < TIDY_EVERY:
            return
        self._tidied = now
        await self._database.write(tidy, now, now - self._kept)


async def pass_by(tx: Transaction) -> None:
    """Move the cursor behind all events, since nobody wants to hear of them."""
    begin = await cursors.get(tx, CURSOR)
    newest = await sending_events.newest_id(tx)
    if newest > begin:
        await cursors.move(tx, CURSOR, before=begin, position=newest)


async def make_posts(tx: Transaction, now: int) -> tuple[int, int]:
    """Read events behind the cursor and write the posts that they make."""
    begin = await cursors.get(tx, CURSOR)
    events = await sending_events.after(tx, after_id=begin, limit=BATCH)
    if not events:
        return 0, 0
    if not await cursors.move(tx, CURSOR, before=begin, position=events[-1].id):
        return 0, 0  # another process has them
    rows = await sending_records.of_kind_anywhere(tx, HOOKS)
    hooks = [(row, read_hook.decode(row.value)) for row in rows]
    made = 0
    for event in events:
        name, _ = NAMES[event.kind]
        for row, hook in hooks:
            # What happened before there was a webhook is not told to it.
            if row.account != event.account or event.at < row.created_at:
                continue
            if name not in hook.events:
                continue
            if hook.usernames and event.username not in hook.usernames:
                continue
            made += await webhooks.add(
                tx, post_of(row.id, hook, event), now=now, most_waiting=MOST_WAITING
            )
    return len(events), made


def post_of(hook_id: int, hook: Hook, event: SendingEvent) -> NewPost:
    """The post about one event to one webhook. Its id is made of both, so it is the same
    whenever it is made."""
    digest = hashlib.sha256(f"{hook_id} {event.id} {event.at}".encode()).hexdigest()[:32]
    payload = payload_of(event, digest, hook.headers)
    url, host, login = target_and_login(hook)
    if hook.output_format == "json":
        kind, body = "application/json", json.dumps(payload, ensure_ascii=False).encode()
    else:
        kind, body = "application/x-www-form-urlencoded", urlencode(payload, doseq=True).encode()
    headers = [("Content-Type", kind)]
    if login:
        headers.append(("Authorization", login))
    request = HttpRequest(url, host, "POST", tuple(headers), body)
    name = NAMES[event.kind][0]
    return NewPost(digest, owner_of(hook_id), event.id, event.recipient, request, event=name)


def payload_of(event: SendingEvent, post_id: str, wanted: Sequence[str]) -> dict[str, Any]:
    """What a webhook is told (sending-api §6.3)."""
    name, bounce = NAMES[event.kind]
    fields: Mapping[str, Any] = json.loads(event.fields)
    people = [*fields.get("to", []), *fields.get("cc", []), *fields.get("bcc", [])]
    recipients = [parseaddr(one)[1] or one for one in people]
    sender_text = str(fields.get("from", event.sender))
    from_name = parseaddr(sender_text)[0]
    headers = {str(key).lower(): str(text) for key, text in fields.get("headers", [])}
    payload: dict[str, Any] = {
        "event": name,
        "time": zulu(event.at),
        "sendtime": precise_time(event.created_at),
        "sender": event.sender,
        "from_address": event.sender,
        "rcpt": event.recipient,
        "recipients": recipients or [event.recipient],
        "email_id": email_id_of(event.queue_id) if event.queue_id else "",
        "subject": event.subject,
    }
    message_id = headers.get("message-id", "")
    if not message_id and event.queue_id:  # nobody wrote one, so it has the one of ours
        message_id = new_message_id(event.queue_id, event.sender)
    context = ""
    if event.kind in ("delivered", "soft-bounced", "hard-bounced"):
        context = UNAVAILABLE  # unless the event itself tells more
    detail: Mapping[str, Any] = json.loads(event.detail)
    for key, value in {
        "Subject": event.subject,
        "from": sender_text,
        "from_name": from_name,
        "auth": event.username,
        "message-id": message_id,
        "Message-Id": message_id,
        "id": post_id,
        "bounce": bounce,
        "host": event.host,
        "message": event.reply,
        "context": context,
        "reason": event.reason,
        "srchost": event.client_ip,
        **detail,
        **{one: headers.get(one.lower(), "") for one in wanted},
    }.items():
        if value not in ("", None, []):
            payload.setdefault(key, value)
    return payload


async def tidy(tx: Transaction, now: int, before: int) -> None:
    """Forget what is older than the history, and what has ended."""
    await sending_events.purge(tx, before=before, limit=TIDY_ROWS)
    await sending_messages.purge(tx, before=before, limit=TIDY_ROWS)
    await suppressions.purge(tx, now=now)
    await fetched_files.purge(tx, before=now - DAY_MICROS)
    await send_counts.remove_between(tx, "sending:", f"sending:{now // 1_000_000:012}")
