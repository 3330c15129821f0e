"""Which address a visitor gets: the rules of opening a mailbox (mailbox-api §4).

Every refusal is a BadRequest whose `detail` is the exact reason of the contract; the doors
that say `Failed to create address: <reason>` put that in front. Randomness is handed in:
`random_text(n)` gives n characters of a-z0-9 from a cryptographic source, `choose` one item.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from mailbox_service.core.errors import BadRequest
from mailbox_service.core.patterns import compile_pattern
from mailbox_service.core.policy import contains_any
from mailbox_service.core.texts import text

DEFAULT_ADDRESS_REGEX = "[^a-z0-9]"
_default_removed = re.compile(DEFAULT_ADDRESS_REGEX).sub
ADMIN_LENGTHS = (1, 30)  # mailbox-api §4.1.3
# A name that we choose is the only secret of an anonymous mailbox until its token is made:
# 13 characters of base 36 are 67 bits.
NAME_CHUNK = 13
MAX_RAW_NAME = 1000  # characters before cleaning; no honest client comes near
SUBDOMAIN_LENGTHS = (1, 63)  # RFC 1035 §2.3.4: a label
MAX_DOMAIN = 253
SUBDOMAIN_TRIES = 5  # a random subdomain that is taken is drawn anew, so often in total

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")

RandomText = Callable[[int], str]
Choose = Callable[[Sequence[str]], str]


@dataclass(frozen=True, slots=True)
class OpeningRules:
    """The settings of mailbox-api §7.2 that say which addresses may be opened.

    `subdomain_match` is the effective value (`policy.effective_subdomain_match`).
    """

    domains: tuple[str, ...]
    default_domains: tuple[str, ...] = ()
    random_subdomain_domains: tuple[str, ...] = ()
    random_subdomain_length: int = 8
    subdomain_match: bool = False
    default_domain_first: bool = False
    prefix: str = ""
    address_regex: str = ""
    address_check_regex: str = ""
    min_length: int = 1
    max_length: int = 30
    always_generate: bool = False


@dataclass(frozen=True, slots=True)
class Role:
    """What a user's role changes. No domains: the default ones. Prefix None: the general one,
    the empty string: none."""

    domains: tuple[str, ...] = ()
    prefix: str | None = None


def generated_name(rules: OpeningRules, random_text: RandomText) -> str:
    """A name that we choose: whole chunks up to the minimum, cut to the maximum (§4.3)."""
    chunks = max(1, -(-rules.min_length // NAME_CHUNK))
    return random_text(chunks * NAME_CHUNK)[: max(1, rules.max_length)]


def clean_name(name: str, address_regex: str = "") -> str:
    """The name without what `ADDRESS_REGEX` matches; upper case is deleted by the default.

    A pattern that is none, or that takes too long, is replaced by the default.
    """
    if len(name) > MAX_RAW_NAME:
        raise _refusal("NameTooLongMsg", f" (max {MAX_RAW_NAME})")
    trimmed = name.strip()
    if address_regex in ("", DEFAULT_ADDRESS_REGEX):
        return _default_removed("", trimmed)  # ours: it needs no time limit
    try:
        cleaned = compile_pattern(address_regex).removed_from(trimmed)
    except BadRequest:
        cleaned = None
    if cleaned is None:
        cleaned = _default_removed("", trimmed)
    return cleaned


def check_not_blocked(name: str, block_list: Collection[str]) -> None:
    """Refuse a name that contains an entry of the block list."""
    if contains_any(name, block_list):
        raise BadRequest(f"Name[{name}]is blocked")


def check_pattern(name: str, address_check_regex: str) -> None:
    """Refuse a name that `ADDRESS_CHECK_REGEX` does not match; a pattern that is none is ignored,
    one that takes too long has not matched."""
    if not address_check_regex:
        return
    try:
        pattern = compile_pattern(address_check_regex)
    except BadRequest:
        return
    if not pattern.found_in(name):
        raise BadRequest(f"Name not match regex: /{address_check_regex}/")


def check_length(name: str, minimum: int, maximum: int) -> None:
    """Refuse a cleaned name, still without prefix, that is too short or too long."""
    minimum, maximum = max(1, minimum), max(1, maximum)
    if len(name) < minimum:
        raise _refusal("NameTooShortMsg", f" (min {minimum})")
    if len(name) > maximum:
        raise _refusal("NameTooLongMsg", f" (max {maximum})")


def local_part(
    name: str, rules: OpeningRules, *, prefix: str, block_list: Collection[str] = ()
) -> str:
    """The local part that a visitor's `name` becomes on the public doors (§4.1)."""
    cleaned = clean_name(name, rules.address_regex)
    check_not_blocked(cleaned, block_list)
    check_pattern(cleaned, rules.address_check_regex)
    check_length(cleaned, rules.min_length, rules.max_length)
    return _normal(prefix) + cleaned


def admin_local_part(name: str, rules: OpeningRules, *, with_prefix: bool) -> str:
    """The local part on the admin door: no block list, no pattern, fixed lengths (§4.1)."""
    cleaned = clean_name(name, rules.address_regex)
    check_length(cleaned, *ADMIN_LENGTHS)
    return (_normal(rules.prefix) if with_prefix else "") + cleaned


def prefix_for(rules: OpeningRules, role: Role | None = None) -> str:
    """The prefix that a visitor's names get: the role's when it has one, even an empty one."""
    return _normal(rules.prefix if role is None or role.prefix is None else role.prefix)


def allowed_domains(rules: OpeningRules, role: Role | None = None) -> tuple[str, ...]:
    """The domains a visitor may choose from: the role's, else the default ones (§4.2.1)."""
    chosen = (role.domains if role else ()) or rules.default_domains or rules.domains
    return tuple(normal for domain in chosen if (normal := _normal(domain)))


def admin_domains(rules: OpeningRules) -> tuple[str, ...]:
    """The domains an administrator may choose from: all."""
    return tuple(normal for domain in rules.domains if (normal := _normal(domain)))


def choose_domain(
    requested: str | None, allowed: Sequence[str], rules: OpeningRules, choose: Choose
) -> str:
    """The domain asked for when it is allowed, or one of ours when none is (§4.2.2-3)."""
    domain = _normal(requested or "")
    if not domain:
        if not allowed:
            raise _refusal("InvalidDomainMsg")
        only = rules.default_domain_first or len(allowed) == 1
        return allowed[0] if only else choose(allowed)
    if domain in allowed or _is_open_subdomain(domain, allowed, rules):
        return domain
    raise _refusal("InvalidDomainMsg")


def with_random_subdomain(domain: str, rules: OpeningRules, random_text: RandomText) -> str:
    """`domain` below a random label; the domain itself must be open for that (§4.2.4)."""
    if domain not in {_normal(base) for base in rules.random_subdomain_domains}:
        raise _refusal("RandomSubdomainNotAllowedMsg")
    shortest, longest = SUBDOMAIN_LENGTHS
    label = random_text(min(max(rules.random_subdomain_length, shortest), longest))
    return f"{label}.{domain}"


def _is_open_subdomain(domain: str, allowed: Collection[str], rules: OpeningRules) -> bool:
    """Whether `domain` is well formed and below an allowed domain that takes subdomains."""
    labels = domain.split(".")
    if len(domain) > MAX_DOMAIN or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    open_bases = set(allowed)
    if not rules.subdomain_match:
        open_bases &= {_normal(base) for base in rules.random_subdomain_domains}
    return any(".".join(labels[depth:]) in open_bases for depth in range(1, len(labels)))


def _normal(word: str) -> str:
    return word.strip().lower()


def _refusal(key: str, rest: str = "") -> BadRequest:
    return BadRequest(text(key) + rest, message_key=key)
