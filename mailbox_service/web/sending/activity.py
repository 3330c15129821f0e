"""What happened to mail (sending-api §3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

from mailbox_service.core.api_values import zulu
from mailbox_service.core.email_id import email_id_of
from mailbox_service.core.sending_api import MASTER_NAME
from mailbox_service.services.sending_api.activity import ActivitySearch, FoundEvents
from mailbox_service.web.sending.rows import Row

# What a connector may put into an object under `search`, by our names.
IN_SEARCH = {
    "start_date": "start_date",
    "date_start": "start_date",
    "date_from": "start_date",
    "end_date": "end_date",
    # A last day that is part of the range, as it is outside of the object.
    "date_end": "date_end",
    "date_to": "date_to",
    "event": "event_types",
    "events": "event_types",
    "event_type": "event_types",
    "event_types": "event_types",
    "recipient": "search_recipient",
    "to": "search_recipient",
    "sender": "search_sender",
    "from": "search_sender",
    "subject": "search_subject",
    "email_id": "search_email_id",
    "message_id": "search_email_id",
    "username": "search_usernames",
    "usernames": "search_usernames",
}


# What the program of somebody who opened or clicked is called, and under which names an event
# keeps it.
EMAIL_CLIENT = {
    "name": "client",
    "device": "client-device",
    "os": "client-os",
    "user_agent": "user-agent",
}


# Where they were, when a database tells.
GEOIP = ("geoip-continent", "geoip-country", "geoip-city")


def taken_apart(fields: dict[str, Any]) -> dict[str, Any]:
    """`search` as an object is a list of filters."""
    search = fields.get("search")
    if not isinstance(search, dict):
        return fields
    found = {name: value for name, value in fields.items() if name != "search"}
    for other, official in IN_SEARCH.items():
        if search.get(other) not in (None, "", []):
            found.setdefault(official, search[other])
    return found


def event(one: Any, found: FoundEvents) -> dict[str, Any]:
    """One event; what it has not is empty, since clients expect every key."""
    fields: Mapping[str, Any] = json.loads(one.fields)
    detail: Mapping[str, Any] = json.loads(one.detail)
    known = {str(name).lower(): str(text) for name, text in fields.get("headers", [])}
    people = [*fields.get("to", []), *fields.get("cc", []), *fields.get("bcc", [])]
    sender_full = str(fields.get("from", one.sender))
    bounced = one.kind in ("soft-bounced", "hard-bounced")
    shown = {
        "from": one.sender,
        "recipient": one.recipient,
        "subaccount_name": found.names.get(one.account, one.account) or MASTER_NAME,
        "email_id": email_id_of(one.queue_id) if one.queue_id else "",
        "date": zulu(one.at),
        "event": one.kind,
        "recipients": [parseaddr(text)[1] or text for text in people],
        "subject": one.subject,
        "username": one.username,
        "reply_to": fields.get("reply_to", ""),
        "sender": one.sender,
        "sender_full": sender_full,
        "to": ", ".join(fields.get("to", [])),
        "cc": ", ".join(fields.get("cc", [])),
        "bcc": ", ".join(fields.get("bcc", [])),
        "smtp_response": one.reply,
        "reason": one.reason,
        "host": one.host,
        "originating_host": one.client_ip,
        "error": one.reply if bounced else "",
        "email_client": {
            name: detail[key] for name, key in EMAIL_CLIENT.items() if detail.get(key)
        },
        "metadata": {key: detail[key] for key in GEOIP if detail.get(key)},
        "outbound_ip": "",
        "byte_size": one.size,
        "headers": "",
        "custom_headers": {
            name: known[name.lower()] for name in found.custom_headers if name.lower() in known
        },
    }
    if found.include_headers:
        lines = [f"{name}: {text}" for name, text in fields.get("headers", [])]
        shown["headers"] = "\n".join(lines)
    if one.kind == "processed":
        shown["delivery_attempts"] = [
            {"smtptime": zulu(tried.at), "host": tried.host, "smtpresponse": tried.reply}
            for tried in found.attempts.get(one.submission_id, ())
        ]
    return shown


def events(found: FoundEvents) -> dict[str, Any]:
    """A page of events."""
    page = found.page
    return {
        "events": [event(one, found) for one in page.rows],
        "total_events": page.total,
        "total": page.total,
        "continue_token": page.continue_token,
    }


ROWS = (
    Row(
        "activity/search",
        ActivitySearch,
        lambda api: api.activity.search,
        events,
        prepare=taken_apart,
        only_asks=True,
    ),
)
