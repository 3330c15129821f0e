"""/open_api: what anybody may know, and the logins that only test a secret."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service import __version__
from mailbox_service.config import Config, ConfigError, parse_listen
from mailbox_service.core.errors import BadCredential, NotFound
from mailbox_service.core.overrides import InForce
from mailbox_service.web.answers import SUCCESS, Success
from mailbox_service.web.errors import Refused, message
from mailbox_service.web.guards import OPEN
from mailbox_service.web.humans import asks, check_human_at_login
from mailbox_service.web.mailbox.usage import LimitsOfMailboxes, told_limits
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("open")


class SiteSettings(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a front end needs before anybody has logged in."""

    announcement: str
    always_show_announcement: bool
    prefix: str
    address_regex: str
    min_address_len: int
    max_address_len: int
    default_domains: list[str]
    domains: list[str]
    random_subdomain_domains: list[str]
    domain_labels: list[str]
    need_auth: bool
    enable_user_create_email: bool
    disable_anonymous_user_create_email: bool
    disable_custom_address_name: bool
    enable_user_delete_email: bool
    enable_auto_reply: bool
    enable_index_about: bool
    enable_webhook: bool
    enable_address_password: bool
    enable_agent_email_info: bool
    disable_admin_password_check: bool
    is_s3_enabled: bool = msgspec.field(name="isS3Enabled")
    enable_send_mail: bool
    version: str
    show_github: bool
    show_github_for_user: bool
    smtp_imap_proxy_config: dict[str, Any]
    status_url: str
    enable_global_turnstile_check: bool
    title: str | UnsetType = UNSET
    admin_contact: str | UnsetType = UNSET
    copyright: str | UnsetType = UNSET
    cf_turnstile_site_key: str | UnsetType = UNSET
    enable_altcha: bool | UnsetType = UNSET
    repository_url: str | UnsetType = UNSET
    enable_owner_forwarding: bool | UnsetType = UNSET
    imap_account_login: bool | UnsetType = UNSET
    mailbox_limits: LimitsOfMailboxes | UnsetType = UNSET


class Challenge(Struct, frozen=True):
    """A proof of work to do (ALTCHA 2): parameters, and our signature over them."""

    parameters: dict[str, Any]
    signature: str


class Secret(Struct, frozen=True):
    """The lower-case hex SHA-256 of a password."""

    password: str | None = None
    cf_token: str | None = None


class Credential(Struct, frozen=True):
    """An address token."""

    credential: str | None = None
    cf_token: str | None = None


read_secret = msgspec.json.Decoder(Secret)
read_credential = msgspec.json.Decoder(Credential)


@routes.get("/open_api/settings", OPEN, returns=SiteSettings)
async def site_settings(call: Call) -> SiteSettings:
    """Domains, switches and texts of this site."""
    return settings_of(
        call.config, call.services.overruling.now, need_auth=await needs_password(call)
    )


@routes.get("/open_api/altcha", OPEN, returns=Challenge)
async def altcha_challenge(call: Call) -> Challenge:
    """A challenge for the ALTCHA widget. Its solution goes where a Turnstile token goes, and
    counts once. 404 where ALTCHA is off."""
    made = call.services.human_verification.challenge()
    if made is None:
        raise NotFound("Not Found")
    return Challenge(made["parameters"], made["signature"])


async def needs_password(call: Call) -> bool:
    """Whether the site is private and its password was not shown."""
    if not any(call.config.passwords):
        return False
    shown = call.header(b"x-custom-auth") or ""
    known = call.services.authenticating.site_password
    return not await call.guesses.prove(call.client_ip, "site", shown, known)


def settings_of(config: Config, now: InForce, *, need_auth: bool) -> SiteSettings:
    """The public part of the configuration, with what overrules it; an empty text that may be
    absent is absent."""
    return SiteSettings(
        title=config.title or UNSET,
        announcement=config.announcement,
        always_show_announcement=config.always_show_announcement,
        prefix=now.prefix.strip().lower(),
        address_regex=config.address_regex,
        min_address_len=max(1, now.min_address_len),
        max_address_len=max(1, now.max_address_len),
        default_domains=list(config.visitor_domains),
        domains=list(config.served_domains),
        random_subdomain_domains=[domain.lower() for domain in now.random_subdomain_domains],
        domain_labels=list(config.domain_labels),
        need_auth=need_auth,
        admin_contact=config.admin_contact or UNSET,
        copyright=config.copyright or UNSET,
        cf_turnstile_site_key=config.cf_turnstile_site_key or UNSET,
        enable_user_create_email=config.enable_user_create_email,
        disable_anonymous_user_create_email=config.disable_anonymous_user_create_email,
        disable_custom_address_name=config.disable_custom_address_name,
        enable_user_delete_email=config.enable_user_delete_email,
        enable_auto_reply=config.enable_auto_reply,
        enable_index_about=config.enable_index_about,
        enable_webhook=config.enable_webhook,
        enable_address_password=config.enable_address_password,
        enable_agent_email_info=config.enable_agent_email_info,
        disable_admin_password_check=config.disable_admin_password_check,
        is_s3_enabled=has_object_store(config),
        enable_send_mail=any(may_send(config, domain) for domain in config.served_domains),
        version=f"v{__version__}",
        show_github=not config.disable_show_github,
        show_github_for_user=not config.disable_show_github_for_user,
        smtp_imap_proxy_config=connection_facts(config),
        status_url=config.status_url,
        enable_global_turnstile_check=config.enable_global_turnstile_check and asks(config),
        enable_altcha=config.enable_altcha or UNSET,
        repository_url=UNSET if config.disable_show_github else config.repository_url or UNSET,
        enable_owner_forwarding=config.enable_owner_forwarding or UNSET,
        imap_account_login=bool(
            config.imap_account_login and (config.imap_listen or config.imaps_listen)
        )
        or UNSET,
        mailbox_limits=told_limits(config) or UNSET,
    )


def has_object_store(config: Config) -> bool:
    """Whether attachments have a store of their own: a folder, or all four settings of one."""
    return config.local_attachments or all(
        (
            config.s3_endpoint,
            config.s3_access_key_id,
            config.s3_secret_access_key,
            config.s3_bucket,
        )
    )


def may_send(config: Config, domain: str) -> bool:
    """Whether mail of a domain of ours has a way out; being held for one counts."""
    if domain in config.resend_keys or domain in {name.lower() for name in config.smtp_config}:
        return True
    allowed = {name.strip().lower() for name in config.send_mail_domains}
    return not allowed or domain in allowed


def logs_accounts_in(config: Config) -> bool:
    """Whether an account reads all its addresses by one login over IMAP."""
    return config.imap_account_login and bool(config.imap_listen or config.imaps_listen)


def connection_facts(config: Config) -> dict[str, Any]:
    """Where mail programs connect: as configured, and else as we listen."""
    starttls = bool(config.tls_cert)
    facts = {}
    for name, listen, port in (
        ("smtp", config.submission_listen, 8025),
        ("imap", config.imap_listen, 11143),
    ):
        told = config.smtp_imap_proxy_config.get(name)
        told = told if isinstance(told, dict) else {}
        facts[name] = {
            "host": told.get("host", config.own_name),
            "port": told.get("port", listened_port(listen) or port),
            "starttls": told.get("starttls", starttls),
        }
    return facts


def listened_port(listen: str) -> int:
    """The port of a listen setting; 0 when it is off or left to the system."""
    try:
        return parse_listen("listen", listen)[1]
    except ConfigError:
        return 0


@routes.post("/open_api/site_login", OPEN, body=Secret, returns=Success)
async def site_login(call: Call) -> Success:
    """Test the password of a private site, by its hash."""
    told = await call.json(read_secret)
    await check_human_at_login(call, told.cf_token)
    shown = told.password or ""
    known = call.services.authenticating.site_digest
    if not await call.guesses.prove(call.client_ip, "site", shown, known):
        raise Refused(message(401, "CustomAuthPasswordMsg", call.language))
    return SUCCESS


@routes.post("/open_api/admin_login", OPEN, body=Secret, returns=Success)
async def admin_login(call: Call) -> Success:
    """Test an admin password, by its hash."""
    told = await call.json(read_secret)
    await check_human_at_login(call, told.cf_token)
    shown = told.password or ""
    known = call.services.authenticating.admin_digest
    if not await call.guesses.prove(call.client_ip, "admin", shown, known):
        if shown:
            await call.services.auditing.login_failed(call.client_ip)
        raise Refused(message(401, "NeedAdminPasswordMsg", call.language))
    return SUCCESS


@routes.post("/open_api/credential_login", OPEN, body=Credential, returns=Success)
async def credential_login(call: Call) -> Success:
    """Test an address token: its signature, and that its address is open and it was not revoked."""
    told = await call.json(read_credential)
    await check_human_at_login(call, told.cf_token)
    authenticating = call.services.authenticating

    def proves(shown: str) -> bool:
        try:
            return bool(authenticating.claims(shown).get("address"))
        except BadCredential:
            return False

    if not await call.guesses.prove(call.client_ip, "token", told.credential or "", proves):
        raise Refused(message(401, "InvalidAddressCredentialMsg", call.language))
    await authenticating.address_token(told.credential or "")
    return SUCCESS
