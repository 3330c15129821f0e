"""SMTP users: credentials for the submission door, with the settings of keys (§9.2)."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.envelope import Peer
from mailbox_service.core.errors import BadCredential, NotYours
from mailbox_service.core.sending_api import (
    ALLOWED,
    BLOCKED,
    SMTP_USER,
    BadField,
    Caller,
    Credential,
    CredentialSettings,
    Refusal,
    SendingPrincipal,
    UserLimits,
)
from mailbox_service.services.clock import Clock, now_micros
from mailbox_service.services.passwords import Passwords
from mailbox_service.services.sending_api.api_keys import FORM, ApiKeys
from mailbox_service.services.sending_api.documents import USERS, Document, Documents
from mailbox_service.services.sending_api.ip_lists import allows
from mailbox_service.services.sending_api.policies import Policies
from mailbox_service.services.sending_api.senders import entry_of
from mailbox_service.services.sending_api.settings import SettingsForm, settings_from
from mailbox_service.storage.database import Database

SHORTEST_NAME, LONGEST_NAME = 5, 100
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 200
MOST_USERS = 1_000
MOST_LISTED = 200
LETTERS = string.ascii_letters + string.digits
# 22 letters of 62 have 131 bits.
GENERATED = math.ceil(128 / math.log2(len(LETTERS)))

REFUSED = "Invalid username or password"


class UserForm(SettingsForm, kw_only=True):
    """What an SMTP user consists of; the last ones are a connector's."""

    email_password: str | UnsetType = UNSET
    new_username: str | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    disable_senders: list[str] | UnsetType = UNSET
    allow_senders: list[str] | UnsetType = UNSET
    allowed_ips: list[str] | UnsetType = UNSET
    sender_domain: str | UnsetType = UNSET
    reset_stats: bool | UnsetType = UNSET


class UserAdd(UserForm, kw_only=True):
    """A new user."""

    username: str


class UserEdit(UserForm, kw_only=True):
    """Changes to a user. `partial`: what is not said stays."""

    username: str
    partial: bool = False


class UserName(Struct):
    """Which user."""

    username: str


class UserView(Struct, kw_only=True):
    """One user, or all."""

    username: str = ""


class SmtpUser(Struct, frozen=True, kw_only=True):
    """A user as it is kept."""

    settings: CredentialSettings
    limits: UserLimits
    password_hash: str


@dataclass(frozen=True, slots=True)
class ShownUser:
    """A user for its owner's eyes; the password is there when it was just set."""

    username: str
    password: str
    settings: CredentialSettings
    limits: UserLimits


class SmtpUsers:
    """The SMTP users of all accounts. Their names are unique in the whole service."""

    def __init__(
        self,
        database: Database,
        policies: Policies,
        passwords: Passwords,
        keys: ApiKeys,
        *,
        clock: Clock = now_micros,
    ) -> None:
        self._users = Documents(database, USERS, SmtpUser, clock)
        self._policies = policies
        self._passwords = passwords
        self._keys = keys

    async def add(self, caller: Caller, form: UserAdd) -> list[ShownUser]:
        """A new user; without a password it gets one."""
        name = checked_name("username", form.username)
        if await self._users.count(caller.account) >= MOST_USERS:
            raise Refusal(f"There are {MOST_USERS} SMTP users already")
        settings = settings_from(with_status(form), CredentialSettings())
        limits = limits_from(form, UserLimits())
        password, kept = await self._password(form)
        value = SmtpUser(settings=settings, limits=limits, password_hash=kept)
        if await self._users.add(caller.account, name, value, lookup=lookup_of(name)) is None:
            raise Refusal(f"There is an SMTP user {name!r} already")
        return [ShownUser(name, password, settings, limits)]

    async def edit(self, caller: Caller, form: UserEdit) -> list[ShownUser]:
        """A user anew, or with some changes when a connector speaks."""
        return await self._change(caller, form, partial=form.partial)

    async def patch(self, caller: Caller, form: UserEdit) -> list[ShownUser]:
        """A user with some changes."""
        return await self._change(caller, form, partial=True)

    async def remove(self, caller: Caller, form: UserName) -> list[ShownUser]:
        """Forget a user; what it was."""
        found = await self._one(caller, form.username)
        await self._users.remove(caller.account, found.name)
        return [shown(found)]

    async def view(self, caller: Caller, form: UserView) -> list[ShownUser]:
        """All users, or one; none is no error."""
        found = await self._users.all(caller.account)
        return [shown(one) for one in found if form.username in ("", one.name)]

    async def _change(self, caller: Caller, form: UserEdit, *, partial: bool) -> list[ShownUser]:
        found = await self._one(caller, form.username)
        before = found.value if partial else None
        settings = settings_from(
            with_status(form), before.settings if before else CredentialSettings()
        )
        limits = limits_from(form, before.limits if before else UserLimits())
        password, kept = "", found.value.password_hash
        if form.email_password is not UNSET:
            password, kept = await self._password(form)
        name = found.name
        if form.new_username is not UNSET:
            name = checked_name("new_username", form.new_username)
        value = SmtpUser(settings=settings, limits=limits, password_hash=kept)
        if not await self._users.change(
            caller.account, found.name, value, new_name=name, lookup=lookup_of(name)
        ):
            raise Refusal(f"There is an SMTP user {name!r} already")
        return [ShownUser(name, password, settings, limits)]

    async def _password(self, form: UserForm) -> tuple[str, str]:
        """A password and its stored form. Raises BadField."""
        if form.email_password is UNSET:
            password = "".join(secrets.choice(LETTERS) for _ in range(GENERATED))
            return password, self._passwords.keep_generated(password)
        password = form.email_password
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            words = f"{SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
            raise BadField("email_password", words)
        return password, await self._passwords.keep_chosen(password_digest(password))

    async def _one(self, caller: Caller, name: str) -> Document[SmtpUser]:
        found = await self._users.get(caller.account, name)
        if found is None:
            raise Refusal(f"There is no SMTP user {name[:LONGEST_NAME]!r}")
        return found

    # The mail door.

    async def knows(self, username: str, password: str) -> bool:
        """Whether this login is one of ours to judge."""
        if FORM.fullmatch(password):
            return True
        return (
            SHORTEST_NAME <= len(username) <= LONGEST_NAME
            and await self._users.find(lookup_of(username)) is not None
        )

    async def login(self, username: str, password: str, peer: Peer) -> SendingPrincipal:
        """Prove an SMTP user, or an API key as password of any name. Raises BadCredential,
        and NotYours for a place that is not allowed."""
        return await self._admitted(await self._proved(username, password), peer)

    async def claims_of(self, credential: Credential) -> dict[str, object]:
        """What a token for one who has just logged in says: whose it is, and which password
        was proved, so that it ends with it."""
        proof = ""
        if credential.kind == SMTP_USER:
            found = await self._users.get(credential.account, credential.username)
            proof = "" if found is None else proof_of(found.value.password_hash)
        return {
            "kind": credential.kind,
            "account": credential.account,
            "username": credential.username,
            "proof": proof,
        }

    async def again(self, claims: Mapping[str, object], peer: Peer) -> SendingPrincipal:
        """Who logged in before, by what their token says; judged as if they did now. Raises
        BadCredential, NotYours."""
        account, username = str(claims.get("account")), str(claims.get("username"))
        credential: Credential | None = None
        if claims.get("kind") == SMTP_USER:
            found = await self._users.get(account, username)
            if found is not None and proof_of(found.value.password_hash) == claims.get("proof"):
                credential = user_credential(found)
        else:
            credential = await self._keys.named(account, username)
            if credential is not None and not credential.may("/email/send"):
                credential = None
        if credential is None:
            raise BadCredential(REFUSED)
        return await self._admitted(credential, peer)

    async def _admitted(self, credential: Credential, peer: Peer) -> SendingPrincipal:
        """A credential that may send from where it comes. Raises BadCredential, NotYours."""
        policy = await self._policies.of(credential.account)
        if not policy.active or credential.settings.status == BLOCKED:
            raise BadCredential(REFUSED)
        smtp = policy.ip_lists["smtp"]
        if smtp.enabled and not allows([one.ip_address for one in smtp.entries], peer.ip):
            raise NotYours("Your address is not on the list of allowed addresses")
        if credential.limits.allowed_ips and not allows(credential.limits.allowed_ips, peer.ip):
            raise NotYours("Your address is not on the list of allowed addresses")
        return SendingPrincipal("credential", "", unlimited=True, credential=credential)

    async def _proved(self, username: str, password: str) -> Credential:
        if FORM.fullmatch(password):
            credential = await self._keys.prove(password)
            if not credential.may("/email/send"):
                raise BadCredential(REFUSED)
            return credential
        found = await self._users.find(lookup_of(username))
        kept = None if found is None else found.value.password_hash
        matched = await self._passwords.matches(kept, password_digest(password))
        if found is None or not matched:
            raise BadCredential(REFUSED)
        return user_credential(found)


def user_credential(found: Document[SmtpUser]) -> Credential:
    """A user as what their login proves."""
    value = found.value
    return Credential(SMTP_USER, found.account, found.name, value.settings, limits=value.limits)


def proof_of(password_hash: str) -> str:
    """A digest of a stored password: another one, or the same set again, has another."""
    return hashlib.sha256(b"login " + password_hash.encode()).hexdigest()[:32]


def lookup_of(username: str) -> str:
    return f"smtp:{username}"


def password_digest(password: str) -> str:
    return hashlib.sha256(password.encode(errors="replace")).hexdigest()


def shown(found: Document[SmtpUser]) -> ShownUser:
    return ShownUser(found.name, "", found.value.settings, found.value.limits)


def checked_name(field: str, name: str) -> str:
    """A user's name. Raises BadField."""
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise BadField(field, f"{SHORTEST_NAME} to {LONGEST_NAME} characters")
    return name


def with_status(form: UserForm) -> UserForm:
    """`disabled` said in the words of `status`."""
    if form.disabled is UNSET or form.status is not UNSET:
        return form
    return msgspec.structs.replace(form, status=BLOCKED if form.disabled else ALLOWED)


def limits_from(form: UserForm, before: UserLimits) -> UserLimits:
    """The restrictions before, with what a form says. Raises BadField."""
    told: dict[str, object] = {}
    checks: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("disable_senders", lambda text: entry_of("disable_senders", text)),
        ("allow_senders", lambda text: entry_of("allow_senders", text)),
        ("allowed_ips", network_of),
    )
    for name, check in checks:
        value = getattr(form, name)
        if value is not UNSET:
            if len(value) > MOST_LISTED:
                raise BadField(name, f"More than {MOST_LISTED} entries")
            told[name] = [check(one) for one in value]
    if form.sender_domain is not UNSET:
        told["sender_domain"] = (
            entry_of("sender_domain", form.sender_domain) if form.sender_domain else ""
        )
    return msgspec.structs.replace(before, **told)


def network_of(text: str) -> str:
    """An address or a network. Raises BadField."""
    try:
        return str(ipaddress.ip_network(text.strip(), strict=False))
    except ValueError:
        raise BadField("allowed_ips", f"{text[:50]!r} is no address and no network") from None
