"""Webhooks (sending-api §6.1)."""

from __future__ import annotations

from typing import Any

from mailbox_service.core.webhook_log import Delivery, masked_headers, masked_url
from mailbox_service.services.sending_api.hooks import (
    HookAdd,
    HookDelivery,
    HookEdit,
    HookId,
    HookLog,
    HookView,
    LogPage,
    ShownHook,
)
from mailbox_service.services.webhook_log import OpenedDelivery
from mailbox_service.web.rows import wire_time
from mailbox_service.web.sending.rows import Row


def hook(one: ShownHook) -> dict[str, Any]:
    """One webhook; lists are always lists."""
    shown = one.hook
    data: dict[str, Any] = {
        "id": one.id,
        "url": shown.url,
        "events": shown.events,
        "sms_events": shown.sms_events,
        "headers": shown.headers,
        "usernames": shown.usernames,
        "output_format": shown.output_format,
        "auth_header_type": shown.auth_header_type,
        "auth_header_value": shown.auth_header_value,
        "name": shown.name,
    }
    if one.signing_secret:
        data["signing_secret"] = one.signing_secret
    return data


def hooks(found: list[ShownHook]) -> list[dict[str, Any]]:
    """All of them: the live service answers with a list."""
    return [hook(one) for one in found]


def delivery(one: Delivery) -> dict[str, Any]:
    """One delivery; what may be a secret in its address is hidden."""
    return {
        "delivery_id": one.id,
        "webhook_id": int(one.owner.rpartition(":")[2]),
        "id": one.webhook_id,
        "event": one.event,
        "rcpt": one.recipient,
        "url": masked_url(one.url),
        "state": "waiting" if one.state == "posting" else one.state,
        "attempts": one.attempts,
        "status": one.status or None,
        "reason": one.reason,
        "created_at": wire_time(one.created_at),
        "next_attempt_at": None if one.next_attempt_at is None else wire_time(one.next_attempt_at),
        "replayable": one.has_body and one.state != "posting",
    }


def log_page(found: LogPage) -> dict[str, Any]:
    """A page of the log."""
    return {
        "deliveries": [delivery(one) for one in found.deliveries],
        "total": found.total,
        "continue_token": found.continue_token or None,
    }


def opened(found: OpenedDelivery) -> dict[str, Any]:
    """One delivery with its body and every answer."""
    return {
        **delivery(found.delivery),
        "body": found.body,
        "headers": masked_headers(found.delivery.headers),
        "attempts_made": [
            {
                "at": wire_time(one.at),
                "status": one.status or None,
                "reason": one.reason,
                "duration_ms": one.duration // 1_000,
                "answer": one.answer,
            }
            for one in found.attempts
        ],
    }


def named(delivery_id: int) -> dict[str, Any]:
    """Which delivery was acted on."""
    return {"delivery_id": delivery_id}


# No user names are all of them, and a webhook may lose its header.
KEEPS = frozenset(("usernames", "headers", "auth_header_type", "auth_header_value"))

ROWS = (
    Row("webhook/add", HookAdd, lambda api: api.hooks.add, hook),
    Row("webhook/edit", HookEdit, lambda api: api.hooks.edit, hook, keeps=KEEPS),
    Row("webhook/remove", HookId, lambda api: api.hooks.remove, hook),
    Row("webhook/view", HookView, lambda api: api.hooks.view, hooks, only_asks=True),
    # Ours: the log of what was posted, and posting again.
    Row("webhook/log", HookLog, lambda api: api.hooks.log, log_page, only_asks=True),
    Row("webhook/delivery", HookDelivery, lambda api: api.hooks.delivery, opened, only_asks=True),
    Row("webhook/replay", HookDelivery, lambda api: api.hooks.replay, named),
    Row("webhook/cancel", HookDelivery, lambda api: api.hooks.cancel, named),
)
