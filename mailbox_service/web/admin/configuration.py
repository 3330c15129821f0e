"""The configuration in force, values that front ends keep here, and the state of the store
(mailbox-api §3.6, §7.3)."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service import __version__
from mailbox_service.config import Config
from mailbox_service.core.errors import BadRequest
from mailbox_service.core.overrides import InForce
from mailbox_service.web.admin.file_settings import plain_address
from mailbox_service.web.answers import Success
from mailbox_service.web.guards import ADMIN
from mailbox_service.web.open_api import has_object_store
from mailbox_service.web.request import Call
from mailbox_service.web.routing import Routes

routes = Routes("admin configuration")

# The schema of the mailbox API that our answers have; our own is numbered apart.
CODE_DB_VERSION = "v0.0.7"
KEY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}", re.ASCII)


class KeptValue(Struct, frozen=True):
    """A value that a front end keeps; null when there is none."""

    key: str
    value: str | None


class ValueToKeep(Struct, frozen=True):
    """A value to keep, as opaque text."""

    key: Any = None
    value: Any = None


class Kept(Struct, frozen=True):
    """The value is kept."""

    key: str
    value: str
    success: bool = True


class StoreState(Struct, frozen=True):
    """The store makes and upgrades itself, so nothing is ever needed. Size in octets."""

    need_initialization: bool
    need_migration: bool
    current_db_version: str | None
    code_db_version: str
    database_size: int | None


class Told(Struct, frozen=True):
    """What was done."""

    message: str


class Migrated(Success, frozen=True):
    """What was done."""

    message: str = ""


class Configs(Struct, frozen=True, kw_only=True, rename="upper"):
    """The configuration in force, by the names of the mailbox API; no secret is in it."""

    has_password: int
    has_admin_passwords: int
    announcement: str
    always_show_announcement: bool
    prefix: str
    address_check_regex: str
    address_regex: str
    min_address_len: int
    max_address_len: int
    forward_address_list: list[str]
    subdomain_forward_address_list: list[dict[str, Any]] | None
    default_domains: list[str]
    domains: list[str]
    enable_create_address_subdomain_match: bool
    random_subdomain_domains: list[str]
    random_subdomain_length: int
    domain_labels: list[str]
    has_jwt_secret: bool
    admin_user_role: str
    user_default_role: str
    user_roles: list[dict[str, Any]]
    no_limit_send_role: list[str]
    enable_user_create_email: bool
    disable_anonymous_user_create_email: bool
    enable_user_delete_email: bool
    enable_auto_reply: bool
    enable_webhook: bool
    s3_enabled: bool
    version: str
    disable_show_github: bool
    disable_show_github_for_user: bool
    disable_admin_password_check: bool
    enable_check_junk_mail: bool
    junk_mail_check_list: list[str]
    junk_mail_force_pass_list: list[str]
    remove_exceed_size_attachment: bool
    remove_all_attachment: bool
    enable_another_worker: bool
    another_worker_list: list[dict[str, Any]]
    default_lang: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    admin_contact: str | UnsetType = UNSET
    copyright: str | UnsetType = UNSET


read_value = msgspec.json.Decoder(ValueToKeep)


@routes.get("/admin/worker/configs", ADMIN, returns=Configs)
async def configs(call: Call) -> Configs:
    """The configuration in force, without secrets."""
    return configs_of(call.config, call.services.overruling.now)


def configs_of(config: Config, now: InForce) -> Configs:
    """What an administrator may see of the configuration (mailbox-api §7.3)."""
    return Configs(
        default_lang=config.default_lang or UNSET,
        title=config.title or UNSET,
        has_password=len(config.passwords),
        has_admin_passwords=len(config.admin_passwords),
        announcement=config.announcement,
        always_show_announcement=config.always_show_announcement,
        prefix=now.prefix,
        address_check_regex=config.address_check_regex,
        address_regex=config.address_regex,
        min_address_len=max(1, now.min_address_len),
        max_address_len=max(1, now.max_address_len),
        forward_address_list=list(config.forward_address_list),
        subdomain_forward_address_list=list(config.subdomain_forward_address_list) or None,
        default_domains=list(config.visitor_domains),
        domains=list(config.served_domains),
        enable_create_address_subdomain_match=bool(config.enable_create_address_subdomain_match),
        random_subdomain_domains=[domain.lower() for domain in now.random_subdomain_domains],
        random_subdomain_length=min(max(now.random_subdomain_length, 1), 63),
        domain_labels=list(config.domain_labels),
        has_jwt_secret=bool(config.jwt_secret),
        admin_user_role=config.admin_user_role,
        user_default_role=config.user_default_role,
        user_roles=[msgspec.to_builtins(role) for role in config.user_roles],
        no_limit_send_role=listed(config.no_limit_send_role),
        admin_contact=config.admin_contact or UNSET,
        enable_user_create_email=config.enable_user_create_email,
        disable_anonymous_user_create_email=config.disable_anonymous_user_create_email,
        enable_user_delete_email=config.enable_user_delete_email,
        enable_auto_reply=config.enable_auto_reply,
        copyright=config.copyright or UNSET,
        enable_webhook=config.enable_webhook,
        s3_enabled=has_object_store(config),
        version=f"v{__version__}",
        disable_show_github=config.disable_show_github,
        disable_show_github_for_user=config.disable_show_github_for_user,
        disable_admin_password_check=config.disable_admin_password_check,
        enable_check_junk_mail=now.enable_check_junk_mail,
        junk_mail_check_list=list(now.junk_mail_check_list),
        junk_mail_force_pass_list=list(now.junk_mail_force_pass_list),
        remove_exceed_size_attachment=config.remove_exceed_size_attachment,
        remove_all_attachment=config.remove_all_attachment,
        enable_another_worker=config.enable_another_worker,
        another_worker_list=[shown_service(entry) for entry in config.another_worker_list],
    )


def listed(text: str) -> list[str]:
    """The items of a comma-separated setting."""
    return [item.strip() for item in text.split(",") if item.strip()]


def shown_service(entry: dict[str, Any]) -> dict[str, Any]:
    """A service that is called by keyword, without what its URL may hold of secrets."""
    shown: dict[str, Any] = {
        key: entry[key] for key in ("binding", "method", "keywords") if key in entry
    }
    binding = shown.get("binding")
    if isinstance(binding, str) and "://" in binding:
        shown["binding"] = plain_address(binding)
    return shown


@routes.get("/admin/config/{key}", ADMIN, returns=KeptValue)
async def kept_value(call: Call) -> KeptValue:
    """A value that a front end keeps."""
    key = checked_key(call.path_values["key"])
    return KeptValue(key, await call.services.administering.kept(key))


@routes.post("/admin/config", ADMIN, body=ValueToKeep, returns=Kept)
async def keep_value(call: Call) -> Kept:
    """Keep a value for a front end. It is opaque, and no setting of ours."""
    posted = await call.json(read_value)
    key = checked_key(posted.key)
    if not isinstance(posted.value, str):
        raise BadRequest("Config value must be a string")
    await call.services.administering.keep(key, posted.value)
    return Kept(key, posted.value)


def checked_key(key: Any) -> str:
    """The name of a value. Raises BadRequest."""
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise BadRequest("Invalid config key")
    return key


@routes.get("/admin/db_version", ADMIN, returns=StoreState)
async def store_state(call: Call) -> StoreState:
    """The version and the size of the store."""
    return StoreState(
        need_initialization=False,
        need_migration=False,
        current_db_version=CODE_DB_VERSION,
        code_db_version=CODE_DB_VERSION,
        database_size=await call.services.administering.store_octets(),
    )


@routes.post("/admin/db_initialize", ADMIN, returns=Told)
async def initialize(call: Call) -> Told:
    """Nothing is to be done: the store was made at the start. The body is not read."""
    return Told("Database already initialized")


@routes.post("/admin/db_migration", ADMIN, returns=Migrated)
async def migrate(call: Call) -> Migrated:
    """Nothing is to be done: the store was brought up to date at the start. The body is not
    read."""
    return Migrated(message="Database does not need migration")
