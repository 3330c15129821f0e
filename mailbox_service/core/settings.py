"""The rules that an administrator may change while the service runs, with types and bounds.

Stored under the names of mailbox-api §8.2, so that an existing deployment's settings can be
taken over as they are. What is stored is read leniently: a value of the wrong form counts as
never set, and a service never fails because of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.accounts import UserSettings, read_user_settings, role_send_limits
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.extract_list import ExtractList, read_extract_list
from mailbox_service.core.forwarding import read_rules
from mailbox_service.core.oauth2 import Provider, read_providers
from mailbox_service.core.overrides import Overrides
from mailbox_service.core.policy import ForwardingRule, SendLimits
from mailbox_service.core.telegram import TelegramSettings
from mailbox_service.core.telegram import read_settings as read_telegram_settings
from mailbox_service.core.webhook import (
    AllowList,
    WebhookSettings,
    read_allow_list,
    read_settings,
)


class EmailRules(Struct, frozen=True, kw_only=True, rename="camel"):
    """What happens to arriving mail (mailbox-api §3.6). The misspelled key is the contract's."""

    block_receive_unknow_address_email: bool = False
    email_forwarding_list: list[dict[str, Any]] = []


class AddressCreation(Struct, frozen=True, kw_only=True, rename="camel"):
    """How addresses may be opened (mailbox-api §4.4). None: as the configuration says."""

    enable_subdomain_match: bool | None = None


class Rules(Struct, frozen=True, kw_only=True):
    """One consistent state of all rules; a use case takes one and keeps it to its end."""

    address_block_list: tuple[str, ...] = ()
    send_block_list: tuple[str, ...] = ()
    verified_address_list: tuple[str, ...] = ()
    no_limit_send_address_list: tuple[str, ...] = ()
    from_block_list: tuple[str, ...] = ()
    email_rule_settings: EmailRules = EmailRules()
    address_creation_settings: AddressCreation = AddressCreation()
    send_mail_limit_config: dict[str, Any] | None = None
    # Ours: what holds instead of the configuration.
    overrides: Overrides = Overrides()
    # As they were posted, also what makes no sense: the contract returns them unchanged (§1.6).
    webhook_settings: Any = None
    mail_webhook_settings: Any = None
    ip_blacklist_settings: Any = None
    ai_extract_settings: Any = None
    auto_cleanup: Any = None
    user_settings: Any = None
    oauth2_settings: Any = None
    telegram_settings: Any = None
    role_address_config: Any = None

    @property
    def accounts(self) -> UserSettings:
        """Who may open an account, and how many addresses it holds (mailbox-api §8.4)."""
        return read_user_settings(self.user_settings)

    @property
    def role_limits(self) -> dict[str, Any]:
        """What roles change about that: `{role: {"maxAddressCount": n}}` (mailbox-api §8.2)."""
        return self.role_address_config if isinstance(self.role_address_config, dict) else {}

    @property
    def role_send_limits(self) -> dict[str, SendLimits]:
        """How many messages an account of a role sends, by role; none where none is set."""
        return role_send_limits(self.role_limits) if self.role_address_config else {}

    @property
    def oauth2_providers(self) -> tuple[Provider, ...]:
        """Where people may sign in instead (mailbox-api §8.5)."""
        return read_providers(self.oauth2_settings)

    @property
    def telegram(self) -> TelegramSettings:
        """Who may use the bot, and who is told of all mail (mailbox-api §3.6)."""
        return read_telegram_settings(self.telegram_settings)

    @property
    def webhook_allow_list(self) -> AllowList:
        """Which addresses may have a webhook (mailbox-api §3.6)."""
        return read_allow_list(self.webhook_settings)

    @property
    def extract_list(self) -> ExtractList:
        """Whose mail is looked through for codes (mailbox-api §9.9)."""
        return read_extract_list(self.ai_extract_settings)

    @property
    def mail_webhook(self) -> WebhookSettings:
        """The administrator's webhook about all mail (mailbox-api §9.10)."""
        return read_settings(self.mail_webhook_settings)

    @property
    def forwarding(self) -> tuple[ForwardingRule, ...]:
        """The administrator's forwarding rules (mailbox-api §9.8)."""
        return read_rules(self.email_rule_settings.email_forwarding_list)

    @property
    def send_limits(self) -> SendLimits:
        """How many mails the whole service sends (mailbox-api §10.6)."""
        if self.send_mail_limit_config is None:
            return SendLimits()
        try:
            return SendLimits.read(self.send_mail_limit_config)
        except BadRequest:
            return SendLimits()


TYPES = {item.name: item.type for item in msgspec.structs.fields(Rules)}


def rules_from(stored: Mapping[str, Any]) -> Rules:
    """The rules out of stored values; what is missing or malformed has its default."""
    values = {}
    for name, kind in TYPES.items():
        if stored.get(name) is None:
            continue
        try:
            values[name] = msgspec.convert(stored[name], kind)
        except msgspec.ValidationError:
            continue
    return Rules(**values)
