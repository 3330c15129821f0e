"""Settings that only the configuration file decides, as the page shows them to administrators."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct

from mailbox_service.config import Config
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin configuration")


class FileSettings(Struct, frozen=True, kw_only=True):
    """Values in force, by the names of the configuration. No secret is in it: of one only
    `has_…` tells, and of an address of a service what names the service."""

    mailbox_max_mails: int
    mailbox_max_octets: int
    mailbox_mails_per_minute: int
    mailbox_mails_per_hour: int
    retention_octets: int
    verify_origin: bool
    score_header: bool
    asn_database: str
    trusted_proxies: list[str]
    enable_send_from_subdomains: bool
    enable_owner_forwarding: bool
    imap_account_login: bool
    enable_ai_email_extract: bool
    extraction_url: str
    has_extraction_secret: bool
    extraction_private_addresses: bool


@routes.get("/admin/file_settings", ADMIN, returns=FileSettings)
async def file_settings(call: Call) -> FileSettings:
    """Settings of the configuration beyond those of `/admin/worker/configs`: limits of mailboxes,
    retention by size, where mail and clients come from, what owners may, and the model that is
    asked about mail."""
    return file_settings_of(call.config)


def file_settings_of(config: Config) -> FileSettings:
    """What an administrator may see of them."""
    return FileSettings(
        mailbox_max_mails=config.mailbox_max_mails,
        mailbox_max_octets=config.mailbox_max_octets,
        mailbox_mails_per_minute=config.mailbox_mails_per_minute,
        mailbox_mails_per_hour=config.mailbox_mails_per_hour,
        retention_octets=config.retention_octets,
        verify_origin=config.verify_origin,
        score_header=config.score_header,
        asn_database=config.asn_database,
        trusted_proxies=list(config.trusted_proxies),
        enable_send_from_subdomains=config.enable_send_from_subdomains,
        enable_owner_forwarding=config.enable_owner_forwarding,
        imap_account_login=config.imap_account_login,
        enable_ai_email_extract=config.enable_ai_email_extract,
        extraction_url=plain_address(config.extraction_url),
        has_extraction_secret=bool(config.extraction_secret),
        extraction_private_addresses=config.extraction_private_addresses,
    )


def plain_address(url: str) -> str:
    """The address of a service without what may be secret in it: a login, a query."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"
