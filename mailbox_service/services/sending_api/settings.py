"""The settings that all credentials have: what a request may say, and whether it makes sense."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.address import canonical
from mailbox_service.core.api_values import period_seconds
from mailbox_service.core.errors import BadAddress, BadRequest
from mailbox_service.core.sending_api import STATUSES, BadField, CredentialSettings
from mailbox_service.services.sending_api.documents import overlaid

LONGEST_DESCRIPTION = 1_000
LONGEST_FOOTER = 65_536
LARGEST_RATE = 10**9


class SettingsForm(Struct, kw_only=True):
    """The common settings as they are posted; what is absent is left as it is, or default."""

    description: str | UnsetType = UNSET
    custom_ratelimit: bool | UnsetType = UNSET
    custom_ratelimit_value: int | UnsetType = UNSET
    custom_ratelimit_period: str | UnsetType = UNSET
    ip_pool: str | UnsetType = UNSET
    feedback_enabled: bool | UnsetType = UNSET
    feedback_domain: str | UnsetType = UNSET
    feedback_html: str | UnsetType = UNSET
    feedback_text: str | UnsetType = UNSET
    open_tracking_enabled: bool | UnsetType = UNSET
    click_tracking_enabled: bool | UnsetType = UNSET
    archive_enabled: bool | UnsetType = UNSET
    audit_email: str | UnsetType = UNSET
    bounce_notifications: str | UnsetType = UNSET
    status: str | UnsetType = UNSET


def settings_from(form: SettingsForm, before: CredentialSettings) -> CredentialSettings:
    """The settings before, with what a form says. Raises BadField."""
    settings = overlaid(before, form)
    if settings.status not in STATUSES:
        raise BadField("status", f"Must be one of {', '.join(STATUSES)}")
    if not settings.custom_ratelimit:
        settings = overlaid(settings, NO_RATE)
    else:
        if not 1 <= settings.custom_ratelimit_value <= LARGEST_RATE:
            raise BadField("custom_ratelimit_value", "Must be a positive number")
        try:
            period_seconds(settings.custom_ratelimit_period)
        except BadRequest as error:
            raise BadField("custom_ratelimit_period", error.detail) from None
    for name, longest in (
        ("description", LONGEST_DESCRIPTION),
        ("ip_pool", LONGEST_DESCRIPTION),
        ("feedback_domain", LONGEST_DESCRIPTION),
        ("feedback_html", LONGEST_FOOTER),
        ("feedback_text", LONGEST_FOOTER),
    ):
        if len(getattr(settings, name)) > longest:
            raise BadField(name, f"Longer than {longest} characters")
    check_address("audit_email", settings.audit_email, also=("",))
    check_address("bounce_notifications", settings.bounce_notifications, also=("from", "drop"))
    return settings


NO_RATE = SettingsForm(custom_ratelimit_value=0, custom_ratelimit_period="")


def check_address(name: str, text: str, *, also: tuple[str, ...]) -> None:
    """Raises BadField unless a text is an address or one of some words."""
    if text in also:
        return
    try:
        canonical(text)
    except BadAddress as error:
        raise BadField(name, error.detail) from None
