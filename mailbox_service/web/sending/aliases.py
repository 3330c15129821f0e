"""Other names of paths and fields: one table for all of the sending API (Appendix B).

The official name wins when it is there and not null. `*` holds for every path.
"""

from __future__ import annotations

from typing import Any

from mailbox_service.core.api_values import day_after, is_day

# Path -> the one that it means.
PATHS = {
    "subaccount/search": "subaccounts/search",
    "subaccount/usage": "subaccounts/usage",
    "subaccounts/add": "subaccount/add",
    "subaccounts/edit": "subaccount/edit",
    "sms/received": "sms/view-received",
    "sms/sent": "sms/view-sent",
}

_DATES = {
    "date_start": "start_date",
    "date_end": "end_date",
    "date_from": "start_date",
    "date_to": "end_date",
}

# Names of a last day that is part of the range; the official ones end before it (§1.6). Statistics
# and suppressions know that by themselves.
_LAST_DAYS = ("date_end", "date_to")
_COUNT_LAST_DAYS = (
    *("activity/search", "archive/search", "email/search"),
    *("sms/view-received", "sms/view-sent", "sms/summary"),
)

# Path (or the part before its slash) -> other name -> official name.
FIELDS: dict[str, dict[str, str]] = {
    "activity/search": {**_DATES, "usernames": "search_usernames"},
    "email/search": {**_DATES},
    "archive/search": {**_DATES},
    "template": {"template_id": "id", "name": "template_name"},
    # A search has fields of both names, and nothing to rename.
    "template/search": {},
    "suppression/add": {"email": "email_address", "description": "block_description"},
    "suppression/remove": {
        "email": "email_address",
        "domain": "email_address",
        "reason": "reasons",
    },
    "suppression/view": {
        **_DATES,
        "email": "email_address",
        "recipient": "recipients",
        "reason": "reasons",
        "suppression_type": "suppression_types",
    },
    "webhook": {
        "webhook_url": "url",
        "webhook_id": "id",
        "users": "usernames",
        "email_events": "events",
        "output_type": "output_format",
        "output": "output_format",
        "email_headers": "headers",
    },
    "allowed_senders": {"allowed_senders": "entries", "email_address": "entries"},
    "allowed_recipients": {"allowed_recipients": "entries", "email_address": "entries"},
    "ip_allow_list": {
        "ip": "ip_address",
        "note": "description",
        "notes": "description",
        "new_ip": "new_ip_address",
    },
    "sms/send": {"to": "destination", "message": "content", "from": "sender"},
    "sms": {**_DATES},
    "users/smtp": {"password": "email_password"},
    "subaccounts/usage": {"subaccount_id": "subaccount"},
    "stats": {
        **_DATES,
        "recipient": "email",
        "email_address": "email",
        "result_limit": "limit",
        "result_offset": "offset",
        "grouping": "group_by",
    },
}


def names_of(path: str) -> dict[str, str]:
    """The other names of fields on a path: those of the path itself, else of its area."""
    if path in FIELDS:
        return FIELDS[path]
    area = path.rpartition("/")[0]
    return FIELDS.get(area) or FIELDS.get(path, {})


def rename(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request under their official names."""
    names = names_of(path)
    if not names:
        return body
    fields = {
        name: value for name, value in body.items() if name not in names and value is not None
    }
    for other, official in names.items():
        value = body.get(other)
        if value is None:
            continue
        if other in _LAST_DAYS and path in _COUNT_LAST_DAYS and is_day(value):
            value = day_after(value)
        fields.setdefault(official, value)
    return fields
