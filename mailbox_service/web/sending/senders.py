"""Allowed senders and recipients, single senders (sending-api §8.1, §8.2, §8.4)."""

from __future__ import annotations

from typing import Any

from mailbox_service.services.sending_api.policies import DISABLED
from mailbox_service.services.sending_api.senders import (
    ListChange,
    ListUpdate,
    ListView,
    SenderAdd,
    SenderId,
    SenderView,
    ShownList,
)
from mailbox_service.web.sending.rows import Row

SENDERS = (("entries", "allowed_senders"),)
RECIPIENTS = (("entries", "allowed_recipients"),)
# An empty list replaces one.
KEEPS = frozenset(("entries",))


def senders(found: ShownList) -> dict[str, Any]:
    """The list and its mode; beside it the records that connectors see."""
    return {
        "allowed_senders": [one.value for one in found.listed.entries],
        "mode": found.listed.mode,
        "senders": [
            {
                "id": entry.id,
                "email_address": entry.value,
                "name": entry.name,
                "reply_prompt": entry.reply_prompt,
                "verified": verified,
            }
            for entry, verified in found.records.rows
        ],
        "total": found.records.total,
    }


def recipients(found: ShownList) -> dict[str, Any]:
    """The list, and whether it counts."""
    return {
        "allowed_recipients": [one.value for one in found.listed.entries],
        "enabled": found.listed.mode != DISABLED,
        "total": len(found.listed.entries),
    }


def single_senders(found: list[tuple[str, bool]]) -> dict[str, Any]:
    """Addresses, and whether each was proved."""
    return {
        "senders": [{"email_address": one, "verified": proved} for one, proved in found],
        "total": len(found),
    }


def as_it_is(text: str) -> str:
    """A word."""
    return text


ROWS = (
    Row("allowed_senders/add", ListChange, lambda api: api.allowed_senders.add, senders,
        wire_names=SENDERS),
    Row("allowed_senders/remove", ListChange, lambda api: api.allowed_senders.remove, senders,
        wire_names=SENDERS),
    Row("allowed_senders/update", ListUpdate, lambda api: api.allowed_senders.update, senders,
        wire_names=SENDERS, keeps=KEEPS),
    Row("allowed_senders/view", ListView, lambda api: api.allowed_senders.view, senders,
        only_asks=True),
    Row("allowed_recipients/add", ListChange, lambda api: api.allowed_recipients.add, recipients,
        wire_names=RECIPIENTS),
    Row("allowed_recipients/remove", ListChange, lambda api: api.allowed_recipients.remove,
        recipients, wire_names=RECIPIENTS),
    Row("allowed_recipients/update", ListUpdate, lambda api: api.allowed_recipients.update,
        recipients, wire_names=RECIPIENTS, keeps=KEEPS),
    Row("allowed_recipients/view", ListView, lambda api: api.allowed_recipients.view, recipients,
        only_asks=True),
    Row("single_sender_emails/add", SenderAdd, lambda api: api.single_senders.add, as_it_is),
    Row("single_sender_emails/remove", SenderId, lambda api: api.single_senders.remove, as_it_is),
    Row("single_sender_emails/view", SenderView, lambda api: api.single_senders.view,
        single_senders, names_itself=True, only_asks=True),
)  # fmt: skip
