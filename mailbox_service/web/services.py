"""The services that the HTTP doors call, as one typed value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol, Self

from mailbox_service.services.access import Access
from mailbox_service.services.account_addresses import AccountAddresses
from mailbox_service.services.accounts import Accounts
from mailbox_service.services.administering import Administering
from mailbox_service.services.agents import Agents
from mailbox_service.services.auditing import Auditing
from mailbox_service.services.authenticating import Authenticating
from mailbox_service.services.auto_replying import AutoReplying
from mailbox_service.services.cleaning import Cleaning
from mailbox_service.services.counting import Counting
from mailbox_service.services.domain_checking import DomainChecking
from mailbox_service.services.exporting import Exporting
from mailbox_service.services.files import Files
from mailbox_service.services.first_steps import FirstSteps
from mailbox_service.services.following import Following
from mailbox_service.services.glancing import Glancing
from mailbox_service.services.human_verification import HumanVerification
from mailbox_service.services.integrating import Integrating
from mailbox_service.services.oauth2 import OAuth2
from mailbox_service.services.overruling import Overruling
from mailbox_service.services.owner_forwarding import OwnerForwarding
from mailbox_service.services.passkeys import Passkeys
from mailbox_service.services.reacting import Reacting
from mailbox_service.services.reading import Reading
from mailbox_service.services.receiving import Receiving
from mailbox_service.services.registering import Registering
from mailbox_service.services.sending import Sending
from mailbox_service.services.sending_api.api import SendingApi
from mailbox_service.services.sent import SentMail
from mailbox_service.services.telegram import Telegram
from mailbox_service.services.telegram_bot import TelegramBot
from mailbox_service.services.tending import Tending
from mailbox_service.services.webhook_log import WebhookLog
from mailbox_service.services.webhooks import Webhooks


class Health(Protocol):
    """Whether the service can do its work now."""

    async def check(self) -> None:
        """Return when all doors are open and the store answers. Raises TemporaryFailure."""
        ...


class Verifying(Protocol):
    """Asks whoever made a human-verification token whether it is good."""

    async def is_human(self, token: str, client_ip: str) -> bool:
        """Whether the token proves a human; False too when nobody can be asked."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the doors. A handler calls one method of one of them."""

    registering: Registering
    accounts: Accounts
    account_addresses: AccountAddresses
    oauth2: OAuth2
    passkeys: Passkeys
    telegram: Telegram
    telegram_bot: TelegramBot
    authenticating: Authenticating
    reading: Reading
    glancing: Glancing
    following: Following
    receiving: Receiving
    sending: Sending
    sending_api: SendingApi
    integrating: Integrating
    agents: Agents
    sent: SentMail
    administering: Administering
    overruling: Overruling
    auto_replying: AutoReplying
    owner_forwarding: OwnerForwarding
    webhooks: Webhooks
    exporting: Exporting
    files: Files
    reacting: Reacting
    access: Access
    cleaning: Cleaning
    counting: Counting
    first_steps: FirstSteps
    webhook_log: WebhookLog
    domain_checking: DomainChecking
    auditing: Auditing
    tending: Tending
    human_verification: HumanVerification
    health: Health
    verifying: Verifying | None = None

    @classmethod
    def of(cls, parts: object, *, health: Health, verifying: Verifying | None = None) -> Self:
        """Pick every service by its name from whatever holds them all. Raises AttributeError."""
        names = {field.name for field in fields(cls)} - {"health", "verifying"}
        held = {name: getattr(parts, name) for name in names}
        return cls(**held, health=health, verifying=verifying)
