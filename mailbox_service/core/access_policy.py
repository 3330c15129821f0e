"""Who may open addresses, register and send: the IP policy of mailbox-api §5.2 and §5.3.

What an administrator saves is validated with the contract's own words (`validated`), kept as
JSON, and compiled once (`compiled`) into what every request is judged by (`judge`). Nothing here
counts: the daily limit is a number that the caller counts up to.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.patterns import compile_pattern
from mailbox_service.core.texts import text

MOST_ENTRIES = 1000  # a list (mailbox-api §5.3)
LIMITS = (1, 1_000_000)  # requests a day (mailbox-api §5.3)
LONGEST_ENTRY = 1000  # characters; what a pattern may have
# A fingerprint is a hash. Whoever sends more is not compared with the rest.
LONGEST_FINGERPRINT = 256
PATTERN_SIGNS = frozenset("^$.*+?[]{}()|\\")

DEFAULTS: Mapping[str, Any] = {
    "enabled": False,
    "blacklist": [],
    "asnBlacklist": [],
    "fingerprintBlacklist": [],
    "enableWhitelist": False,
    "whitelist": [],
    "enableDailyLimit": False,
    "dailyRequestLimit": 1000,
}

Match = Callable[[str], bool]


class BadPolicy(BadRequest):
    """A policy that cannot be saved: a message of the contract, and what is wrong with it."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(f"{text(key)}: {what}")
        self.key = key
        self.what = what


def validated(posted: Any) -> dict[str, Any]:
    """The policy as it is stored, entries trimmed and empty ones dropped. Raises BadPolicy, for
    the first thing that is wrong in the order of mailbox-api §5.3."""
    if not isinstance(posted, dict):
        raise _invalid("enabled")
    # Front ends from before the whitelist do not send it.
    settings = {"enableWhitelist": False, "whitelist": [], **posted}
    for name, kind in (
        ("enabled", bool),
        ("blacklist", list),
        ("asnBlacklist", list),
        ("fingerprintBlacklist", list),
        ("enableWhitelist", bool),
        ("whitelist", list),
        ("enableDailyLimit", bool),
    ):
        if not isinstance(settings.get(name), kind):
            raise _invalid(name)
    limit = settings.get("dailyRequestLimit")
    least, most = LIMITS
    if not isinstance(limit, int | float) or isinstance(limit, bool) or not least <= limit <= most:
        raise _invalid(f"dailyRequestLimit ({least}-{most})")
    for name in ("blacklist", "asnBlacklist", "fingerprintBlacklist"):
        if len(settings[name]) > MOST_ENTRIES:
            raise BadPolicy("BlacklistExceedsMaxSizeMsg", f"{name} ({MOST_ENTRIES})")
    count = len(settings["whitelist"])
    if count > MOST_ENTRIES:
        raise BadPolicy("BlacklistExceedsMaxSizeMsg", f"whitelist ({count}/{MOST_ENTRIES})")
    stored = {name: settings[name] for name in DEFAULTS}
    for name in ("whitelist", "blacklist", "asnBlacklist", "fingerprintBlacklist"):
        stored[name] = _entries(name, settings[name])
    for entry in stored["whitelist"]:
        _check_whitelisted(entry)
    return stored


def _entries(name: str, listed: list[Any]) -> list[str]:
    """Trimmed entries. Text that no request can have is refused rather than kept."""
    if not all(isinstance(entry, str) for entry in listed):
        raise _invalid(f"{name} element must be a string")
    trimmed = [entry.strip() for entry in listed]
    if any(len(entry) > LONGEST_ENTRY for entry in trimmed):
        raise _invalid(f"{name} element is too long")
    return [entry for entry in trimmed if entry]


def _check_whitelisted(entry: str) -> None:
    """A pattern that is none would let nobody in."""
    if _literal(entry) or _network(entry) is not None or not _is_pattern(entry):
        return
    try:
        compile_pattern(entry)
    except BadRequest:
        raise _invalid(f"whitelist invalid regex: {entry}") from None


def _invalid(what: str) -> BadPolicy:
    return BadPolicy("InvalidIpBlacklistSettingMsg", what)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let in, in the contract's words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that requests are judged by. `whitelist` is None when none is in force;
    `daily_limit` when days are not counted."""

    whitelist: tuple[Match, ...] | None = None
    blacklist: tuple[Match, ...] = ()
    organisations: tuple[Match, ...] = ()
    fingerprints: tuple[Match, ...] = ()
    daily_limit: int | None = None


NO_POLICY = Policy()


def compiled(stored: Any) -> Policy:
    """The policy that is in force with these settings. What makes no sense is not in force, so
    a policy that was stored by other means never locks everybody out by a mistake of form."""
    if not isinstance(stored, dict):
        return NO_POLICY
    listed = _strings(stored.get("whitelist"))
    refusing = stored.get("enabled") is True
    return Policy(
        whitelist=(
            tuple(_allowing(entry) for entry in listed)
            if stored.get("enableWhitelist") is True and listed
            else None
        ),
        blacklist=_refusing_all(stored.get("blacklist")) if refusing else (),
        organisations=(
            _refusing_all(stored.get("asnBlacklist"), ignore_case=True) if refusing else ()
        ),
        fingerprints=_refusing_all(stored.get("fingerprintBlacklist")) if refusing else (),
        daily_limit=_daily_limit(stored),
    )


def _daily_limit(stored: Mapping[str, Any]) -> int | None:
    limit = stored.get("dailyRequestLimit")
    if stored.get("enableDailyLimit") is not True or isinstance(limit, bool):
        return None
    return int(limit) if isinstance(limit, int | float) and limit >= 1 else None


def judge(
    policy: Policy, *, ip: str, fingerprint: str = "", organisation: str = ""
) -> Refusal | None:
    """Whether a request is let in (mailbox-api §5.2, steps 1 to 3); None: it is.

    `ip` is in its normal form and empty where there is none; `organisation` is the owner of its
    network, empty where nobody knows.
    """
    if policy.whitelist is not None:
        if not ip:
            return Refusal("Access denied: client IP unavailable")
        if not _any(policy.whitelist, ip):
            return Refusal(f"Access denied: IP {ip} is not whitelisted")
        return None
    if fingerprint and _any(policy.fingerprints, fingerprint[:LONGEST_FINGERPRINT]):
        return Refusal("Access denied: Browser fingerprint is blacklisted")
    if not ip:
        return None
    if _any(policy.blacklist, ip):
        return Refusal(f"Access denied: IP {ip} is blacklisted")
    if organisation and _any(policy.organisations, organisation):
        return Refusal("Access denied: ASN organization is blacklisted")
    return None


def _any(matches: tuple[Match, ...], subject: str) -> bool:
    return any(match(subject) for match in matches)


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list):
        return []
    return [entry.strip() for entry in value if isinstance(entry, str) and entry.strip()]


def _refusing_all(value: Any, *, ignore_case: bool = False) -> tuple[Match, ...]:
    return tuple(_refusing(entry, ignore_case=ignore_case) for entry in _strings(value))


def _allowing(entry: str) -> Match:
    """A whitelist entry: an address, a network, a pattern, or a text that is equal."""
    literal = _literal(entry)
    if literal:
        return literal.__eq__
    network = _network(entry)
    if network is not None:
        return _inside(network)
    if not _is_pattern(entry):
        return entry.__eq__
    try:
        pattern = compile_pattern(entry)
    except BadRequest:
        return _nothing
    return pattern.found_in  # one that takes too long lets nobody in


def _refusing(entry: str, *, ignore_case: bool) -> Match:
    """A blacklist entry: a network, a pattern that is found anywhere, or a part of the text."""
    network = _network(entry)
    if network is not None:
        return _inside(network)
    if _is_pattern(entry):
        try:
            pattern = compile_pattern(entry, ignore_case=ignore_case)
        except BadRequest:
            pass
        else:

            def found(subject: str) -> bool:
                try:
                    return pattern.first_in(subject) is not None
                except TimeoutError:
                    # The administrator's pattern never meets an honest subject that does this,
                    # and a list of a thousand of them must not be waited for one by one.
                    return True

            return found
    if ignore_case:
        lowered = entry.lower()
        return lambda subject: lowered in subject.lower()
    return lambda subject: entry in subject


def _nothing(_: str) -> bool:
    return False


def _is_pattern(entry: str) -> bool:
    return not PATTERN_SIGNS.isdisjoint(entry)


def _literal(entry: str) -> str:
    """An address in its normal form, an IPv4 address mapped into IPv6 as the former; empty for
    anything else."""
    try:
        address = ipaddress.ip_address(entry)
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """`a.b.c.d/n` or its IPv6 form; None for anything else."""
    if "/" not in entry:
        return None
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None


def _inside(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> Match:
    def matches(ip: str) -> bool:
        try:
            return ipaddress.ip_address(ip) in network
        except ValueError:
            return False

    return matches
