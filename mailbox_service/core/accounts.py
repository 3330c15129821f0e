"""Accounts of people who hold several addresses: who may register, and what roles give.

The wire forms are those of mailbox-api §2.1, §3.5 and §8.4. Times are microseconds UTC, those
inside of tokens whole seconds.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.patterns import compile_pattern
from mailbox_service.core.policy import UNLIMITED, SendLimits
from mailbox_service.core.texts import text

DEFAULT_ADDRESS_LIMIT = 5  # mailbox-api §8.4
# An address has 254 octets at most (RFC 5321 §4.5.3.1.3); the contract cuts those of providers
# at 256 characters.
LONGEST_EMAIL = 256
PASSWORD_LENGTHS = (1, 100)  # characters of what a client sends (mailbox-api §3.5)

# How many messages the members of a role send in a UTC day and month, all addresses of an account
# together. More than the highest is written as -1.
SEND_LIMITS = ("sendLimitDay", "sendLimitMonth")
MOST_SENT = 1_000_000_000

SECOND = 1_000_000
TOKEN_SECONDS = 30 * 86_400  # mailbox-api §2.1
ACCESS_TOKEN_SECONDS = 3_600
# A token that ends within this time is replaced when its account's settings are looked at.
RENEW_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `password_hash` is None where it was opened by a provider's proof alone;
    `role` is the stored name, whether or not a role of that name is configured."""

    id: int
    email: str
    password_hash: str | None
    role: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class CountedAccount:
    """An account as administrators list it."""

    id: int
    email: str
    role: str | None
    created_at: int
    updated_at: int
    address_count: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whom a user token proves; times are seconds UTC."""

    user_id: int
    email: str
    issued_at: int
    expires_at: int

    def renews_at(self, now: int) -> bool:
        """Whether the token should be replaced, `now` in seconds."""
        return self.expires_at - now < RENEW_SECONDS


@dataclass(frozen=True, slots=True)
class UserSettings:
    """Who may open an account, and how many addresses it holds (mailbox-api §8.4). None: the
    key was never set. An address limit of 0 is none."""

    enable: bool | None = None
    enable_mail_verify: bool | None = None
    verify_mail_sender: str | None = None
    enable_mail_allow_list: bool | None = None
    mail_allow_list: tuple[str, ...] | None = None
    max_address_count: float = DEFAULT_ADDRESS_LIMIT
    enable_email_check_regex: bool | None = None
    email_check_regex: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The form in which they are stored and shown: keys that were never set are left out."""
        listed = None if self.mail_allow_list is None else list(self.mail_allow_list)
        values = {
            "enable": self.enable,
            "enableMailVerify": self.enable_mail_verify,
            "verifyMailSender": self.verify_mail_sender,
            "enableMailAllowList": self.enable_mail_allow_list,
            "mailAllowList": listed,
            "maxAddressCount": self.max_address_count,
            "enableEmailCheckRegex": self.enable_email_check_regex,
            "emailCheckRegex": self.email_check_regex,
        }
        return {name: value for name, value in values.items() if value is not None}


def read_user_settings(value: object) -> UserSettings:
    """From JSON: unknown keys and values of another type count as never set."""
    given: Mapping[str, Any] = value if isinstance(value, dict) else {}

    def switch(name: str) -> bool | None:
        found = given.get(name)
        return found if isinstance(found, bool) else None

    def words(name: str) -> str | None:
        found = given.get(name)
        return found if isinstance(found, str) else None

    listed = given.get("mailAllowList")
    limit = given.get("maxAddressCount")
    return UserSettings(
        enable=switch("enable"),
        enable_mail_verify=switch("enableMailVerify"),
        verify_mail_sender=words("verifyMailSender"),
        enable_mail_allow_list=switch("enableMailAllowList"),
        mail_allow_list=(
            tuple(entry for entry in listed if isinstance(entry, str))
            if isinstance(listed, list)
            else None
        ),
        max_address_count=limit if is_count(limit) else DEFAULT_ADDRESS_LIMIT,
        enable_email_check_regex=switch("enableEmailCheckRegex"),
        email_check_regex=words("emailCheckRegex"),
    )


def is_count(value: object) -> TypeGuard[int | float]:
    """Whether a JSON value is a number, and not below 0."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


# Who may register.


def check_email(email: str) -> None:
    """Raises BadRequest for what can name no account: nothing, too long, or with controls."""
    if not email or len(email) > LONGEST_EMAIL or not all(char.isprintable() for char in email):
        raise refusal("InvalidEmailOrPasswordMsg")


def is_password(digest: str) -> bool:
    """Whether what a client sent as a password may be one, by its length."""
    shortest, longest = PASSWORD_LENGTHS
    return shortest <= len(digest) <= longest


def domain_of(email: str) -> str:
    """What allow lists are compared with: behind the last `@`, trimmed, in lower case."""
    return email.rpartition("@")[2].strip().lower()


def check_allow_list(email: str, allowed: Collection[str]) -> None:
    """Raises BadRequest, worded by the contract, unless the e-mail's domain is in the list."""
    if domain_of(email) not in {entry.strip().lower() for entry in allowed}:
        raise refusal("UserMailDomainMustInMsg", " " + indented(list(allowed)))


def check_may_register(email: str, settings: UserSettings) -> None:
    """Raises BadRequest when the administrator's rules keep this e-mail out: the list of domains
    first, then the pattern. A pattern that is none is ignored; one that takes too long has not
    matched."""
    if settings.enable_mail_allow_list and settings.mail_allow_list is not None:
        check_allow_list(email, settings.mail_allow_list)
    source = settings.email_check_regex
    if not settings.enable_email_check_regex or not source:
        return
    try:
        pattern = compile_pattern(source)
    except BadRequest:
        return
    if not pattern.found_in(email):
        raise refusal("UserEmailNotMatchRegexMsg", f": /{source}/")


def check_user_settings(settings: UserSettings, domains: Sequence[str]) -> None:
    """Raises BadRequest when codes could not be mailed: no sender, or one of a foreign domain."""
    if not settings.enable_mail_verify:
        return
    if not settings.verify_mail_sender:
        raise refusal("VerifyMailSenderNotSetMsg")
    if domain_of(settings.verify_mail_sender) not in domains:
        raise refusal("VerifyMailDomainInvalidMsg", " " + indented(list(domains)))


def indented(entries: list[str]) -> str:
    """A list as JavaScript's `JSON.stringify(list, null, 2)` writes it."""
    return json.dumps(entries, indent=2, ensure_ascii=False)


def refusal(key: str, rest: str = "") -> BadRequest:
    """The message of the contract named `key`, and what follows it."""
    return BadRequest(text(key) + rest, message_key=key)


# Roles and limits.


def split_domains(domains: Sequence[str] | str | None) -> tuple[str, ...]:
    """The domains of a role as configured: a list, JSON in a text, or a text with commas."""
    if isinstance(domains, str):
        if domains.lstrip().startswith("["):
            try:
                listed = json.loads(domains)
            except (ValueError, RecursionError):
                return ()
            return tuple(entry for entry in listed if isinstance(entry, str))
        return tuple(word for part in domains.split(",") if (word := part.strip()))
    return tuple(domains or ())


def names_in(setting: str) -> frozenset[str]:
    """The names in a comma-separated setting."""
    return frozenset(word for part in setting.split(",") if (word := part.strip()))


def address_limit(
    settings: UserSettings, role_config: Mapping[str, Any], role: str | None
) -> float:
    """How many addresses an account may hold; 0: any number. A role's own number comes first."""
    entry = role_config.get(role) if role else None
    own = entry.get("maxAddressCount") if isinstance(entry, dict) else None
    if is_count(own):
        return own
    return settings.max_address_count


def check_role_config(configs: object) -> dict[str, dict[str, Any]]:
    """The limits of roles as they are stored. Raises BadRequest when they are not an object, or
    a number of addresses is below 0, or one of messages is not whole or below -1."""
    if not isinstance(configs, dict):
        raise refusal("InvalidMaxAddressCountMsg")
    kept: dict[str, dict[str, Any]] = {}
    for role, given in configs.items():
        entry = given if isinstance(given, dict) else {}
        limit = entry.get("maxAddressCount")
        number = is_number(limit)
        if number and not is_count(limit):
            raise refusal("InvalidMaxAddressCountMsg")
        kept[role] = {"maxAddressCount": limit} if number else {}
        for name in SEND_LIMITS:
            wanted = entry.get(name)
            if not is_number(wanted):
                continue
            if not is_send_limit(wanted):
                raise refusal("InvalidInputMsg", f": {name}")
            kept[role][name] = int(wanted)
    return kept


def role_send_limits(role_config: Mapping[str, Any]) -> dict[str, SendLimits]:
    """How many messages an account of each role sends in a UTC day and month; roles without a
    limit, and limits that are none (-1), are left out."""
    found: dict[str, SendLimits] = {}
    for role, entry in role_config.items():
        given = entry if isinstance(entry, dict) else {}
        daily, monthly = (
            int(limit) if is_send_limit(limit := given.get(name)) and limit >= 0 else None
            for name in SEND_LIMITS
        )
        if daily is not None or monthly is not None:
            found[role] = SendLimits(daily, monthly)
    return found


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_send_limit(value: object) -> TypeGuard[int | float]:
    """Whether a JSON value is a whole number of messages; -1 is any number."""
    return is_number(value) and UNLIMITED <= value <= MOST_SENT and value == int(value)


# Tokens.


def user_claims(account: Account, now: int) -> dict[str, object]:
    """What a user token says; `now` in seconds."""
    return {
        "user_email": account.email,
        "user_id": account.id,
        "exp": now + TOKEN_SECONDS,
        "iat": now,
    }


def access_claims(account: Account, role: str, now: int) -> dict[str, object]:
    """What an access token says; `now` in seconds."""
    return {
        "user_email": account.email,
        "user_id": account.id,
        "user_role": role,
        "iat": now,
        "exp": now + ACCESS_TOKEN_SECONDS,
    }


def signed_in(claims: Mapping[str, Any], now: int) -> SignedIn | None:
    """Whom the claims of a user token prove at `now`, in seconds; None: nobody."""
    user_id, email = claims.get("user_id"), claims.get("user_email")
    if isinstance(user_id, bool) or not isinstance(user_id, int) or not isinstance(email, str):
        return None
    if not 0 < user_id < 1 << 63 or not in_time(claims, now):
        return None
    issued = claims.get("iat", 0)
    return SignedIn(user_id, email, int(issued), int(claims["exp"]))


def in_time(claims: Mapping[str, Any], now: int) -> bool:
    """Whether claims with a time of expiry hold at `now`, in seconds; without one never."""
    expires = claims.get("exp")
    if not is_time(expires) or expires <= now:
        return False
    return all(is_time(claims.get(name, 0)) and claims.get(name, 0) <= now for name in _STARTS)


_STARTS = ("nbf", "iat")
_LATEST = 1 << 53  # what JavaScript counts exactly


def is_time(value: object) -> TypeGuard[int | float]:
    """Whether a claim is a NumericDate (RFC 7519 §2) of a sensible age."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LATEST
