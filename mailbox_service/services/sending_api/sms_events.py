"""What webhooks are told of short messages (sending-api §6.4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from mailbox_service.core.api_values import precise_time
from mailbox_service.core.sms import DELIVERED, EXPIRED, FAILED, REJECTED, SUBMITTED
from mailbox_service.core.webhook import HttpRequest
from mailbox_service.services.sending_api.documents import HOOKS
from mailbox_service.services.sending_api.hooks import Hook, owner_of, target_and_login
from mailbox_service.services.sending_api.reporting import MOST_WAITING
from mailbox_service.storage import sending_records, webhooks
from mailbox_service.storage.database import Transaction
from mailbox_service.storage.sms import Sms
from mailbox_service.storage.webhooks import NewPost

# State -> the event that webhooks subscribe to (sending-api §6.4).
EVENTS: Mapping[str, str] = {
    SUBMITTED: "submitted",
    DELIVERED: "delivered",
    FAILED: "failed",
    EXPIRED: "failed",
    REJECTED: "rejected",
}
read_hook = msgspec.json.Decoder(Hook)


async def post(tx: Transaction, message: Sms, event: str, now: int) -> int:
    """Write the webhook posts about a message; how many."""
    if not event:
        return 0
    made = 0
    for row in await sending_records.of_kind(tx, account=message.account, kind=HOOKS):
        hook = read_hook.decode(row.value)
        if event not in hook.sms_events:
            continue
        if hook.usernames and message.username not in hook.usernames:
            continue
        new = post_of(row.id, hook, message, event, now)
        made += await webhooks.add(tx, new, now=now, most_waiting=MOST_WAITING)
    return made


def post_of(hook_id: int, hook: Hook, message: Sms, event: str, now: int) -> NewPost:
    """The post about one message to one webhook (sending-api §6.4)."""
    about = f"{hook_id} sms {message.public_id} {event}"
    digest = hashlib.sha256(about.encode()).hexdigest()[:32]
    payload: dict[str, Any] = {
        "event": event if event == "opt-out" else f"sms_{event}",
        "id": digest,
        "message_id": message.public_id,
        "destination_number": message.destination,
        "source_number": message.sender,
        "message_content": message.content,
        "received_timestamp": precise_time(message.created_at),
        "submitted_timestamp": precise_time(message.submitted_at or now),
        "retry_count": max(message.attempts - 1, 0),
        "status_code": message.error,
        "region": "",
        "sender_email": "",
        "email_subject": "",
    }
    url, host, login = target_and_login(hook)
    if hook.output_format == "json":
        kind, body = "application/json", json.dumps(payload, ensure_ascii=False).encode()
    else:
        kind, body = "application/x-www-form-urlencoded", urlencode(payload).encode()
    headers = [("Content-Type", kind)]
    if login:
        headers.append(("Authorization", login))
    request = HttpRequest(url, host, "POST", tuple(headers), body)
    name = str(payload["event"])
    return NewPost(digest, owner_of(hook_id), 0, message.destination, request, event=name)
