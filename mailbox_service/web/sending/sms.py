"""Short messages (sending-api §11.1)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mailbox_service.core.api_values import zulu
from mailbox_service.services.sending_api.paging import Page
from mailbox_service.services.sending_api.sms import SentSms, SmsForm, SmsRange, Summary
from mailbox_service.web.sending.rows import Row

WORDS = {
    "submitted": "Message sent",
    "delivered": "Message delivered",
    "failed": "Message failed",
}


def taken(messages: list[SentSms]) -> dict[str, Any]:
    """What became of each number."""
    statuses = Counter(one.status for one in messages)
    return {
        "statuses": dict(statuses),
        "total_sent": sum(one.status not in ("failed", "rejected", "held") for one in messages),
        "messages": [
            {"destination": one.destination, "message_id": one.public_id, "status": one.status}
            for one in messages
        ],
    }


def received(page: Page[Any]) -> dict[str, Any]:
    """What came in; numbers are texts."""
    return {
        "messages": [
            {
                "source_address": one.source,
                "destination_address": one.destination,
                "timestamp": zulu(one.received_at),
                "content": one.content,
                "message_id": one.public_id,
                "username": one.username,
            }
            for one in page.rows
        ],
        "total": page.total,
        "continue_token": page.continue_token,
    }


def sent(page: Page[Any]) -> dict[str, Any]:
    """What was sent."""
    return {
        "messages": [
            {
                "id": one.public_id,
                "timestamp": zulu(one.created_at),
                "username": one.username,
                "sender": one.sender,
                "sender_email": "",
                "destination_address": one.destination,
                "destination_address_country": "",
                "format": "SMS",
                "status": WORDS.get(one.status, f"Message {one.status}"),
                "state": one.status,
                "error": one.error,
                "content": one.content,
                "units": one.units,
            }
            for one in page.rows
        ],
        "total": page.total,
        "continue_token": page.continue_token,
    }


def summary(found: Summary) -> dict[str, Any]:
    """Sums; the price in units of the operator's currency."""
    return {
        "total_messages": found.messages,
        "total_units": found.units,
        "total_cost": found.cost / 1_000_000,
        "gateway": found.gateway,
        "subaccounts": [
            {"id": name, "total_messages": count, "total_units": units}
            for name, count, units in found.subaccounts
        ],
    }


ROWS = (
    Row("sms/send", SmsForm, lambda api: api.short_messages.send, taken),
    Row(
        "sms/view-received",
        SmsRange,
        lambda api: api.short_messages.received,
        received,
        names_itself=True,
        only_asks=True,
    ),
    Row(
        "sms/view-sent",
        SmsRange,
        lambda api: api.short_messages.sent,
        sent,
        names_itself=True,
        only_asks=True,
    ),
    Row("sms/summary", SmsRange, lambda api: api.short_messages.summary, summary, only_asks=True),
)
