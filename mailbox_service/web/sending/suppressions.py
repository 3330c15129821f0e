"""Suppressions, and the block list that they were once called (sending-api §5)."""

from __future__ import annotations

from typing import Any

from mailbox_service.core.api_values import zulu
from mailbox_service.services.sending_api.paging import Page
from mailbox_service.services.sending_api.suppressions import (
    Added,
    Removed,
    SuppressionAdd,
    SuppressionRemove,
    SuppressionView,
)
from mailbox_service.web.sending.rows import Row


def added(result: Added) -> dict[str, Any]:
    """The first entry by the official names, all of them by a connector's."""
    return {
        "added": True,
        "block_description": result.description,
        "email_address": result.entries[0],
        "results": [{"email_address": one, "added": True} for one in result.entries],
        "failed": [{"email_address": one, "error": words} for one, words in result.failed],
        "succeeded": not result.failed,
    }


def removed(result: Removed) -> dict[str, Any]:
    """Each reason, and whether there was an entry."""
    return {
        "suppressions": [
            {"email_address": result.email_address, "reason": reason, "removed": gone}
            for reason, gone in result.reasons
        ]
    }


def entry(one: Any) -> dict[str, Any]:
    """One entry."""
    return {
        "block_description": one.description,
        "complaint": one.complaint,
        "email_address": one.target,
        "reason": one.reason,
        "subject": one.subject,
        "timestamp": zulu(one.created_at),
    }


def entries(page: Page[Any]) -> dict[str, Any]:
    """A page of entries."""
    return {
        "results": [entry(one) for one in page.rows],
        "total_results": page.total,
        "total": page.total,
        "continue_token": page.continue_token,
    }


def old_added(result: Added) -> dict[str, Any]:
    """The same, by the old path."""
    return {"added": True, "email_address": result.entries[0]}


def old_removed(result: Removed) -> dict[str, Any]:
    """The same, by the old path."""
    gone = any(done for _, done in result.reasons)
    return {"removed": gone, "email_address": result.email_address}


def old_entries(page: Page[Any]) -> dict[str, Any]:
    """The same, by the old path."""
    names = ("email_address", "reason", "timestamp", "complaint")
    rows = [entry(one) for one in page.rows]
    return {"results": [{name: row[name] for name in names} for row in rows]}


ROWS = (
    Row("suppression/add", SuppressionAdd, lambda api: api.suppressions.add, added),
    Row("suppression/remove", SuppressionRemove, lambda api: api.suppressions.remove, removed),
    Row("suppression/view", SuppressionView, lambda api: api.suppressions.view, entries,
        only_asks=True),
    Row("blocklist/add", SuppressionAdd, lambda api: api.suppressions.add, old_added),
    Row("blocklist/remove", SuppressionRemove, lambda api: api.suppressions.remove, old_removed),
    Row("blocklist/view", SuppressionView, lambda api: api.suppressions.view, old_entries,
        only_asks=True),
)  # fmt: skip
