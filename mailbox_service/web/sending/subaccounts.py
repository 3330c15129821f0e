"""Subaccounts (sending-api §9.5)."""

from __future__ import annotations

from typing import Any

from mailbox_service.core.api_values import offset_time
from mailbox_service.services.sending_api.paging import Page
from mailbox_service.services.sending_api.subaccounts import (
    ShownSubaccount,
    SubaccountAdd,
    SubaccountEdit,
    SubaccountId,
    SubaccountSearch,
    SubaccountUsage,
)
from mailbox_service.web.sending.rows import Row


def plan(one: ShownSubaccount) -> dict[str, Any]:
    """What a subaccount sent this month, and may send."""
    return {
        "plan_size": one.cycle.most,
        "plan_used": one.cycle.used,
        "plan_remaining": one.cycle.remaining,
        "state": one.value.state,
    }


def subaccount(one: ShownSubaccount) -> dict[str, Any]:
    """One subaccount."""
    return {
        "name": one.value.fullname,
        "id": one.id,
        "email": one.value.email,
        **plan(one),
        "dedicated_ip": one.value.dedicated_ip,
        "archiving": one.value.archiving,
        "enforce_2fa": one.value.enforce_2fa,
        "sms_enabled": one.value.sms_enabled,
        "sms_limit": one.value.sms_limit,
    }


def subaccounts(page: Page[ShownSubaccount]) -> dict[str, Any]:
    """A page of subaccounts; at the end the token is an empty text."""
    return {
        "continue_token": page.continue_token or "",
        "subaccounts": [
            {
                "name": one.value.fullname,
                "email": one.value.email,
                "id": one.id,
                **plan(one),
                "dedicated_ip": one.value.dedicated_ip,
            }
            for one in page.rows
        ],
        "total_count": page.total,
        "total": page.total,
    }


def usage(found: list[ShownSubaccount]) -> dict[str, Any]:
    """The month of each."""
    return {
        "subaccounts": [
            {
                "id": one.id,
                "name": one.value.fullname,
                **plan(one),
                "cycle_start": offset_time(one.cycle.start),
                "cycle_end": offset_time(one.cycle.end),
            }
            for one in found
        ],
        "total": len(found),
    }


def as_it_is(text: str) -> str:
    """A word."""
    return text


ROWS = (
    Row("subaccount/add", SubaccountAdd, lambda api: api.subaccounts.add, subaccount),
    Row("subaccount/edit", SubaccountEdit, lambda api: api.subaccounts.edit, subaccount),
    Row("subaccount/close", SubaccountId, lambda api: api.subaccounts.close, as_it_is),
    Row("subaccount/reopen", SubaccountId, lambda api: api.subaccounts.reopen, as_it_is),
    Row("subaccounts/search", SubaccountSearch, lambda api: api.subaccounts.search, subaccounts,
        only_asks=True),
    Row("subaccounts/usage", SubaccountUsage, lambda api: api.subaccounts.usage, usage,
        only_asks=True),
)  # fmt: skip
