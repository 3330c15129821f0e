"""The account settings: block lists, reception rules, sending limits (mailbox-api §3.6)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.policy import SendLimits, effective_subdomain_match
from mailbox_service.core.texts import text
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Uncaught
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call, shallow
from mailbox_service.web.routing import Routes

routes = Routes("admin settings")

# Lists of some thousand addresses or words.
LARGEST_SETTINGS = 1 << 20
MOST_ENTRIES = 10_000
LARGEST_LIMIT = 1 << 53  # what JavaScript counts exactly, and storage holds


class SubdomainMatch(Struct, frozen=True, rename="camel"):
    """Whether subdomains may be opened: what is configured, stored, and so in force."""

    env_configured: bool
    env_enabled: bool
    effective_enabled: bool
    stored_enabled: bool | UnsetType = UNSET


class AccountSettings(Struct, frozen=True, rename="camel"):
    """What an administrator may change while the service runs."""

    block_list: list[str]
    send_block_list: list[str]
    verified_address_list: list[str]
    from_block_list: list[str]
    no_limit_send_address_list: list[str]
    email_rule_settings: dict[str, Any]
    address_creation_settings: dict[str, Any]
    address_creation_subdomain_match_status: SubdomainMatch
    send_mail_limit_config: dict[str, Any] | None


class SettingsChange(Struct, frozen=True, rename="camel"):
    """The lists are replaced; the first three are needed."""

    block_list: list[str] | None = None
    send_block_list: list[str] | None = None
    verified_address_list: list[str] | None = None
    from_block_list: list[str] | None = None
    no_limit_send_address_list: list[str] | None = None
    email_rule_settings: dict[str, Any] | None = None
    address_creation_settings: Any = UNSET
    send_mail_limit_config: Any = None


read_change = msgspec.json.Decoder(SettingsChange)


@routes.get("/admin/account_settings", ADMIN, returns=AccountSettings)
async def account_settings(call: Call) -> AccountSettings:
    """The settings in force."""
    rules = await call.services.administering.refresh()
    stored_match = rules.address_creation_settings.enable_subdomain_match
    configured = call.config.enable_create_address_subdomain_match
    return AccountSettings(
        block_list=list(rules.address_block_list),
        send_block_list=list(rules.send_block_list),
        verified_address_list=list(rules.verified_address_list),
        from_block_list=list(rules.from_block_list),
        no_limit_send_address_list=list(rules.no_limit_send_address_list),
        email_rule_settings=await call.services.administering.stored("email_rule_settings") or {},
        address_creation_settings=(
            {} if stored_match is None else {"enableSubdomainMatch": stored_match}
        ),
        address_creation_subdomain_match_status=SubdomainMatch(
            env_configured=configured is not None,
            env_enabled=bool(configured),
            stored_enabled=UNSET if stored_match is None else stored_match,
            effective_enabled=effective_subdomain_match(configured, stored_match),
        ),
        send_mail_limit_config=rules.send_mail_limit_config,
    )


@routes.post(
    "/admin/account_settings",
    ADMIN,
    body=SettingsChange,
    returns=Success,
    body_limit=LARGEST_SETTINGS,
)
async def change_account_settings(call: Call) -> Success:
    """Change the settings: all of them, or none when one is wrong."""
    try:
        change = await call.json(read_change)
    except Uncaught as error:
        raise (invalid() if error.name == "TypeError" else error) from None
    if change.verified_address_list and call.config.outbound == "hold":
        raise BadRequest(text("EnableSendMailMsg"), message_key="EnableSendMailMsg")
    await call.services.administering.change(stored_values(change))
    return SUCCESS


def stored_values(change: SettingsChange) -> dict[str, Any]:
    """The values to store, by their stored names. Raises BadRequest."""
    values: dict[str, Any] = {
        "address_block_list": needed(change.block_list),
        "send_block_list": needed(change.send_block_list),
        "verified_address_list": needed(change.verified_address_list),
        "no_limit_send_address_list": bounded(change.no_limit_send_address_list or []),
        "email_rule_settings": change.email_rule_settings or {},
    }
    if not shallow(values["email_rule_settings"]):
        raise invalid()
    if change.from_block_list is not None:
        values["from_block_list"] = bounded(change.from_block_list)
    if change.address_creation_settings is not UNSET:
        values |= creation_values(change.address_creation_settings)
    if change.send_mail_limit_config is not None:
        limits = SendLimits.read(change.send_mail_limit_config)
        if max(limits.daily or 0, limits.monthly or 0) > LARGEST_LIMIT:
            raise invalid()
        values["send_mail_limit_config"] = limits.as_json()
    return values


def needed(entries: list[str] | None) -> list[str]:
    """A list that must be there, empty or not."""
    if entries is None:
        raise invalid()
    return bounded(entries)


def bounded(entries: list[str]) -> list[str]:
    """A list that every request can be compared with."""
    if len(entries) > MOST_ENTRIES:
        raise invalid()
    return entries


def creation_values(wanted: Any) -> dict[str, Any]:
    """What `addressCreationSettings` changes: absent leaves the switch, null clears it."""
    if not isinstance(wanted, dict):
        raise invalid()
    if "enableSubdomainMatch" not in wanted:
        return {}
    switch = wanted["enableSubdomainMatch"]
    if switch is None:
        return {"address_creation_settings": {}}
    if not isinstance(switch, bool):
        raise invalid()
    return {"address_creation_settings": {"enableSubdomainMatch": switch}}


def invalid() -> BadRequest:
    return BadRequest(text("InvalidInputMsg"), message_key="InvalidInputMsg")
