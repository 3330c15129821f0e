"""What anybody may know about accounts here, and what an account sees of itself."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.settings import Rules
from mailbox_service.web.guards import ACCOUNT, OPEN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("account")


class ProviderButton(Struct, frozen=True):
    """A provider that people may sign in by."""

    client_id: str = msgspec.field(name="clientID")
    name: str
    icon: str | UnsetType = UNSET


class OpenSettings(Struct, frozen=True, kw_only=True, rename="camel"):
    """Whether accounts are opened here, and how; a switch that was never set is left out."""

    enable: bool | UnsetType = UNSET
    enable_mail_verify: bool | UnsetType = UNSET
    oauth2_client_ids: list[ProviderButton] = msgspec.field(name="oauth2ClientIDs")


class RoleOfAccount(Struct, frozen=True):
    """A role: the domains of its members' addresses, and what their names begin with."""

    role: str
    domains: list[str] | str | None
    prefix: str | None


class AccountState(Struct, frozen=True, kw_only=True):
    """An account by its token. `access_token` proves its role for an hour; `new_user_token` is
    there when the one that was shown ends soon."""

    user_email: str
    user_id: int
    exp: int
    iat: int
    is_admin: bool | UnsetType = UNSET
    access_token: str | None
    new_user_token: str | None
    user_role: RoleOfAccount | UnsetType | None = UNSET


@routes.get("/user_api/open_settings", OPEN, returns=OpenSettings)
async def open_settings(call: Call) -> OpenSettings:
    """How accounts are opened here."""
    return open_settings_of(call.services.administering.rules)


def open_settings_of(rules: Rules) -> OpenSettings:
    """What anybody may know of the rules of accounts."""
    settings = rules.accounts
    return OpenSettings(
        enable=UNSET if settings.enable is None else settings.enable,
        enable_mail_verify=(
            UNSET if settings.enable_mail_verify is None else settings.enable_mail_verify
        ),
        oauth2_client_ids=buttons(rules.oauth2_settings),
    )


def buttons(stored: Any) -> list[ProviderButton]:
    """What the page shows of the providers; nothing else of their settings is for everybody."""
    listed = stored if isinstance(stored, list) else []
    return [
        ProviderButton(
            entry["clientID"],
            str(entry.get("name") or ""),
            icon if isinstance(icon := entry.get("icon"), str) else UNSET,
        )
        for entry in listed
        if isinstance(entry, dict) and isinstance(entry.get("clientID"), str)
    ]


@routes.get("/user_api/settings", ACCOUNT, returns=AccountState)
async def account_state(call: Call) -> AccountState:
    """The account of the token, its role, and tokens to go on with."""
    proved = call.account
    standing = await call.services.accounts.standing(proved)
    role = standing.role
    wanted = call.config.admin_user_role
    shown: RoleOfAccount | UnsetType | None = None
    if role is not None:
        shown = RoleOfAccount(role.role, role.domains, role.prefix)
    elif standing.account.role:
        shown = UNSET  # a role that is no longer configured
    return AccountState(
        user_email=proved.email,
        user_id=proved.user_id,
        exp=proved.expires_at,
        iat=proved.issued_at,
        is_admin=(role is not None and role.role == wanted) if wanted else UNSET,
        access_token=standing.access_token,
        new_user_token=standing.new_user_token,
        user_role=shown,
    )
