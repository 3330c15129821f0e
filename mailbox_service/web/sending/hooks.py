"""Webhooks (sending-api §6.1)."""

from __future__ import annotations

from typing import Any

from mailbox_service.services.sending_api.hooks import (
    HookAdd,
    HookEdit,
    HookId,
    HookView,
    ShownHook,
)
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


ROWS = (
    Row("webhook/add", HookAdd, lambda api: api.hooks.add, hook),
    Row("webhook/edit", HookEdit, lambda api: api.hooks.edit, hook),
    Row("webhook/remove", HookId, lambda api: api.hooks.remove, hook),
    Row("webhook/view", HookView, lambda api: api.hooks.view, hooks),
)
