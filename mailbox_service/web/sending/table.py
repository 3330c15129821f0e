"""All rows of the sending API (Appendix A), area by area."""

from __future__ import annotations

from mailbox_service.web.sending import (
    activity,
    credentials,
    domains,
    emails,
    hooks,
    senders,
    sms,
    statistics,
    subaccounts,
    suppressions,
    templates,
)
from mailbox_service.web.sending.rows import Row

# The areas by their names in the documentation.
AREAS: dict[str, tuple[Row, ...]] = {
    "sending api: e-mail": emails.ROWS,
    "sending api: activity": activity.ROWS,
    "sending api: templates": templates.ROWS,
    "sending api: suppressions": suppressions.ROWS,
    "sending api: webhooks": hooks.ROWS,
    "sending api: senders": senders.ROWS,
    "sending api: domains": domains.ROWS,
    "sending api: credentials": credentials.ROWS,
    "sending api: subaccounts": subaccounts.ROWS,
    "sending api: statistics": statistics.ROWS,
    "sending api: short messages": sms.ROWS,
}
ROWS = tuple(row for rows in AREAS.values() for row in rows)
