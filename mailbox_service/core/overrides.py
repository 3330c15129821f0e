"""Settings of the configuration that an administrator may overrule while the service runs.

An existing deployment has these in its environment alone (mailbox-api §7.2). What is stored here
wins over the configuration until it is forgotten; each by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.address import canonical
from mailbox_service.core.errors import BadAddress, BadRequest
from mailbox_service.core.opening import SUBDOMAIN_LENGTHS

# The local part has 64 octets at most (RFC 5321 §4.5.3.1.1): a prefix leaves half of them.
LONGEST_PREFIX = 32
NAME_LENGTHS = (1, 64)
# Whoever serves more domains names them in the configuration.
MOST_DOMAINS = 1_000
JUNK_METHODS = ("spf", "dkim", "dmarc")


class InForce(Struct, frozen=True, kw_only=True, rename="camel"):
    """What holds now, by the names of the configuration (mailbox-api §7.2)."""

    prefix: str = ""
    min_address_len: int = 1
    max_address_len: int = 30
    random_subdomain_domains: tuple[str, ...] = ()
    random_subdomain_length: int = 8
    enable_check_junk_mail: bool = False
    junk_mail_check_list: tuple[str, ...] = ()
    junk_mail_force_pass_list: tuple[str, ...] = ()


class Overrides(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What an administrator stored of it; None: as the configuration says."""

    prefix: str | None = None
    min_address_len: int | None = None
    max_address_len: int | None = None
    random_subdomain_domains: tuple[str, ...] | None = None
    random_subdomain_length: int | None = None
    enable_check_junk_mail: bool | None = None
    junk_mail_check_list: tuple[str, ...] | None = None
    junk_mail_force_pass_list: tuple[str, ...] | None = None


NAMES = tuple(InForce.__struct_fields__)
KEYS = dict(zip(InForce.__struct_encode_fields__, NAMES, strict=True))


def in_force(configured: InForce, stored: Overrides) -> InForce:
    """The configuration with what overrules it."""
    own = {name: getattr(stored, name) for name in NAMES}
    return msgspec.structs.replace(
        configured, **{name: value for name, value in own.items() if value is not None}
    )


def changed(
    stored: Overrides, wish: dict[str, Any], *, configured: InForce, served: Collection[str]
) -> Overrides:
    """What is stored after a wish: null forgets a value, what is absent stays.

    Raises BadRequest that says what is wrong with which.
    """
    values = msgspec.structs.asdict(stored)
    for key, value in wish.items():
        if key not in KEYS:
            raise BadRequest(f"{key[:100]} is no setting that can be overruled here")
        values[KEYS[key]] = None if value is None else CHECKS[KEYS[key]](key, value, served)
    after = Overrides(**values)
    holds = in_force(configured, after)
    if touches_lengths(wish) and holds.min_address_len > holds.max_address_len:
        raise BadRequest("minAddressLen is larger than maxAddressLen")
    return after


def touches_lengths(wish: dict[str, Any]) -> bool:
    """A configuration that is wrong by itself must not keep everything else from being changed."""
    return "minAddressLen" in wish or "maxAddressLen" in wish


def _prefix(key: str, value: Any, served: Collection[str]) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"{key} must be a string")
    prefix = value.strip().lower()
    if len(prefix) > LONGEST_PREFIX:
        raise BadRequest(f"{key} must have {LONGEST_PREFIX} characters or fewer")
    try:
        canonical(f"{prefix}x@a.example")
    except BadAddress:
        raise BadRequest(f"{key} cannot begin an address: {prefix}") from None
    return prefix


def _switch(key: str, value: Any, served: Collection[str]) -> bool:
    if not isinstance(value, bool):
        raise BadRequest(f"{key} must be true or false")
    return value


def _number(bounds: tuple[int, int]) -> Callable[[str, Any, Collection[str]], int]:
    least, most = bounds

    def check(key: str, value: Any, served: Collection[str]) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise BadRequest(f"{key} must be a whole number from {least} to {most}")
        return value

    return check


def _domains(key: str, value: Any, served: Collection[str]) -> tuple[str, ...]:
    wanted = _words(key, value)
    for domain in wanted:
        if domain not in served:
            raise BadRequest(f"{key}: {domain[:253]} is no domain of this service")
    return wanted


def _methods(key: str, value: Any, served: Collection[str]) -> tuple[str, ...]:
    wanted = _words(key, value)
    if any(word not in JUNK_METHODS for word in wanted):
        raise BadRequest(f"{key} may hold {', '.join(JUNK_METHODS)}")
    return wanted


def _words(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadRequest(f"{key} must be a list of strings")
    if len(value) > MOST_DOMAINS:
        raise BadRequest(f"{key} may hold {MOST_DOMAINS} entries")
    trimmed = (one.strip().lower() for one in value)
    return tuple(dict.fromkeys(one for one in trimmed if one))


CHECKS: dict[str, Callable[[str, Any, Collection[str]], Any]] = {
    "prefix": _prefix,
    "min_address_len": _number(NAME_LENGTHS),
    "max_address_len": _number(NAME_LENGTHS),
    "random_subdomain_domains": _domains,
    "random_subdomain_length": _number(SUBDOMAIN_LENGTHS),
    "enable_check_junk_mail": _switch,
    "junk_mail_check_list": _methods,
    "junk_mail_force_pass_list": _methods,
}
