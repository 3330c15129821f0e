"""API keys, SMTP users, authenticated addresses, address lists (sending-api §9.1 to §9.4)."""

from __future__ import annotations

from typing import Any

from mailbox_service.core.sending_api import BLOCKED, CredentialSettings
from mailbox_service.services.sending_api.api_keys import (
    KeyEdit,
    KeyForm,
    KeyId,
    KeySearch,
    Nothing,
    ShownKey,
)
from mailbox_service.services.sending_api.authenticated_ips import (
    AddressAdd,
    AddressEdit,
    AddressName,
    AddressView,
    ShownAddress,
)
from mailbox_service.services.sending_api.ip_lists import (
    IpAdd,
    IpEdit,
    IpRemove,
    IpSwitch,
    IpView,
    ShownIp,
)
from mailbox_service.services.sending_api.policies import IpList
from mailbox_service.services.sending_api.smtp_users import (
    ShownUser,
    UserAdd,
    UserEdit,
    UserName,
    UserView,
)
from mailbox_service.web.sending.rows import Row

# Fields that only a connector sends: an edit with one of them changes what it says, no more.
CONNECTOR_FIELDS = (
    *("new_username", "password", "disabled", "disable_senders", "allowed_ips", "allow_senders"),
    *("sender_domain", "reset_stats"),
)


def settings(shown: CredentialSettings, *, no_period: str) -> dict[str, Any]:
    """What all credentials have in common."""
    return {
        "description": shown.description,
        "custom_ratelimit": shown.custom_ratelimit,
        "custom_ratelimit_value": shown.custom_ratelimit_value,
        "custom_ratelimit_period": shown.custom_ratelimit_period or no_period,
        "default_ratelimit_value": 0,
        "default_ratelimit_period": "unlimited",
        "ippool": shown.ip_pool,
        "feedback_enabled": shown.feedback_enabled,
        "feedback_domain": shown.feedback_domain,
        "feedback_html": shown.feedback_html,
        "feedback_text": shown.feedback_text,
        "open_tracking_enabled": shown.open_tracking_enabled,
        "click_tracking_enabled": shown.click_tracking_enabled,
        "archive_enabled": shown.archive_enabled,
        "audit_email": shown.audit_email,
        "bounce_notifications": shown.bounce_notifications,
        "status": shown.status,
    }


def key(one: ShownKey) -> dict[str, Any]:
    """One key. The rate goes by both spellings."""
    return {
        "api_key": one.api_key,
        "username": one.username,
        **settings(one.settings, no_period=""),
        "custom_rate_limit": one.settings.custom_ratelimit,
        "endpoints": one.endpoints,
    }


def keys(found: list[ShownKey]) -> list[dict[str, Any]]:
    """Keys, as a bare list."""
    return [key(one) for one in found]


def user(one: ShownUser) -> dict[str, Any]:
    """One SMTP user."""
    return {
        "username": one.username,
        "email_password": one.password,
        "sending_allowed": one.settings.status != BLOCKED,
        **settings(one.settings, no_period="0:00:00"),
        "disable_senders": one.limits.disable_senders,
        "allow_senders": one.limits.allow_senders,
        "allowed_ips": one.limits.allowed_ips,
        "sender_domain": one.limits.sender_domain,
    }


def user_list(found: list[ShownUser]) -> list[dict[str, Any]]:
    """SMTP users, as a bare list."""
    return [user(one) for one in found]


def users(found: list[ShownUser]) -> dict[str, Any]:
    """SMTP users."""
    return {"results": user_list(found), "total": len(found)}


def unwrapped(fields: dict[str, Any]) -> dict[str, Any]:
    """A connector wraps everything in `user_data`."""
    inside = fields.get("user_data")
    found = {**inside, **fields} if isinstance(inside, dict) else fields
    # Nobody is disabled: some write the list as a switch.
    return {**found, "disable_senders": []} if found.get("disable_senders") is False else found


def perhaps_partial(fields: dict[str, Any]) -> dict[str, Any]:
    """Note whether a connector speaks."""
    fields = unwrapped(fields)
    partial = any(fields.get(name) is not None for name in CONNECTOR_FIELDS)
    return {**fields, "partial": True if partial else None}


def address_list(found: list[ShownAddress]) -> list[dict[str, Any]]:
    """Authenticated addresses, as a bare list."""
    return [
        {
            "ip_address": one.ip_address,
            "sending_allowed": one.settings.status != BLOCKED,
            **settings(one.settings, no_period="0:00:00"),
        }
        for one in found
    ]


def addresses(found: list[ShownAddress]) -> dict[str, Any]:
    """Authenticated addresses."""
    return {"results": address_list(found), "total": len(found)}


def switched(enabled: bool) -> dict[str, Any]:
    """Whether a list counts."""
    return {"enabled": enabled}


def place(one: ShownIp) -> dict[str, Any]:
    """One entry of a list."""
    return {"ip_address": one.ip_address, "description": one.description}


def places(found: IpList) -> dict[str, Any]:
    """A whole list."""
    return {
        "enabled": found.enabled,
        "ip_addresses": [
            {"ip_address": one.ip_address, "description": one.description} for one in found.entries
        ],
        "total": len(found.entries),
    }


def as_it_is(value: Any) -> Any:
    """A word or a list."""
    return value


# What a change may empty: texts that need not be, and lists of which an empty one means "any".
EMPTIED = frozenset((
    *("description", "audit_email", "feedback_html", "feedback_text", "sender_domain"),
    *("allowed_ips", "allow_senders", "disable_senders"),
))  # fmt: skip

ROWS = (
    Row("api_keys/add", KeyForm, lambda api: api.api_keys.add, keys),
    Row("api_keys/edit", KeyEdit, lambda api: api.api_keys.edit, keys),
    Row("api_keys/edit", KeyEdit, lambda api: api.api_keys.patch, keys, verb="PATCH",
        keeps=EMPTIED),
    Row("api_keys/remove", KeyId, lambda api: api.api_keys.remove, as_it_is),
    Row("api_keys/view", KeySearch, lambda api: api.api_keys.view, keys, only_asks=True),
    Row("api_keys/permissions", Nothing, lambda api: api.api_keys.permissions, as_it_is,
        open_to_keys=True, only_asks=True),
    Row("users/smtp/add", UserAdd, lambda api: api.smtp_users.add, users, prepare=unwrapped),
    Row("users/smtp/edit", UserEdit, lambda api: api.smtp_users.edit, users,
        prepare=perhaps_partial, keeps=EMPTIED),
    Row("users/smtp/edit", UserEdit, lambda api: api.smtp_users.patch, user_list, verb="PATCH",
        prepare=unwrapped, keeps=EMPTIED),
    Row("users/smtp/remove", UserName, lambda api: api.smtp_users.remove, users),
    Row("users/smtp/view", UserView, lambda api: api.smtp_users.view, users, only_asks=True),
    Row("ip_allow_list", IpSwitch, lambda api: api.ip_lists.switch, switched),
    Row("ip_allow_list/add", IpAdd, lambda api: api.ip_lists.add, place),
    Row("ip_allow_list/edit", IpEdit, lambda api: api.ip_lists.edit, place),
    Row("ip_allow_list/remove", IpRemove, lambda api: api.ip_lists.remove, place),
    Row("ip_allow_list/view", IpView, lambda api: api.ip_lists.view, places, only_asks=True),
    Row("ip_auth/add", AddressAdd, lambda api: api.authenticated_ips.add, addresses),
    Row("ip_auth/view", AddressView, lambda api: api.authenticated_ips.view, addresses,
        only_asks=True),
    Row("ip_auth/edit", AddressEdit, lambda api: api.authenticated_ips.patch, address_list,
        verb="PATCH", keeps=EMPTIED),
    Row("ip_auth/remove", AddressName, lambda api: api.authenticated_ips.remove, addresses),
    Row("dedicated_ips/view", Nothing, lambda api: api.authenticated_ips.pools, as_it_is,
        only_asks=True),
)  # fmt: skip
