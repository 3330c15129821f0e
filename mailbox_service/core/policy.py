"""Who may receive, and who may send what to whom. Each rule alone; the services order them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mailbox_service.core.address import without_detail
from mailbox_service.core.envelope import Principal
from mailbox_service.core.errors import (
    BadRequest,
    FromNotYours,
    NotYours,
    QuotaReached,
    RecipientBlocked,
    SenderRefused,
)
from mailbox_service.core.patterns import compile_pattern
from mailbox_service.core.texts import text

UNLIMITED = -1
MAX_SOURCE_PATTERN = 200  # characters (mailbox-api §9.8)


def contains_any(subject: str, entries: Iterable[str]) -> bool:
    """Whether some entry of a block list is part of `subject`; empty entries match nothing."""
    return any(entry in subject for entry in entries if entry)


def black_list_entries(setting: str) -> tuple[str, ...]:
    """The entries of `BLACK_LIST`: divided by commas, spaces kept, empty ones dropped."""
    return tuple(entry for entry in setting.split(",") if entry)


def check_reverse_path(reverse_path: str, black_list: Collection[str]) -> None:
    """Refuse mail whose reverse-path contains an entry of the black list (§9, step 2)."""
    if black_list and contains_any(f"{reverse_path}\n{reverse_path.lower()}", black_list):
        raise SenderRefused("Reject from address")


def effective_subdomain_match(configured: bool | None, stored: bool | None) -> bool:
    """Whether subdomains of every domain may be opened (mailbox-api §4.4).

    `configured` is the environment's value, None when unset; `stored` the administrator's.
    """
    if configured is False:
        return False
    return bool(configured) if stored is None else stored


def served_by(domain: str, served: Collection[str]) -> str | None:
    """The most specific served domain that `domain` equals or lies below, label by label.

    Both sides are lower-case. None: not ours, mail for it would be relaying.
    """
    labels = domain.split(".")
    for depth in range(len(labels)):
        candidate = ".".join(labels[depth:])
        if candidate in served:
            return candidate
    return None


# --- Forwarding (mailbox-api §9.8) -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ForwardingRule:
    """Copies mail for `domains` (blank or none: any) from `sources` (none: anybody)."""

    forward: str
    domains: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    all_sources: bool = False

    def copies(self, domain: str, reverse_path: str) -> int:
        """How often this rule forwards one message to a recipient in `domain`."""
        if not self._source_matches(reverse_path):
            return 0
        if not self.domains or any(not entry.strip() for entry in self.domains):
            return 1
        return sum(
            served_by(domain.lower(), {entry.strip().lower()}) is not None for entry in self.domains
        )

    def _source_matches(self, reverse_path: str) -> bool:
        if not self.sources:
            return True
        quantifier = all if self.all_sources else any
        return quantifier(_matches_source(reverse_path, source) for source in self.sources)


def _matches_source(reverse_path: str, source: str) -> bool:
    if len(source) > MAX_SOURCE_PATTERN:
        return False
    try:
        return compile_pattern(source, ignore_case=True).found_in(reverse_path)
    except BadRequest:
        return False


# --- Junk (mailbox-api §9.4) -----------------------------------------------------------------

_RESULTS = {
    "spf": frozenset(["pass", "fail", "softfail", "policy", "temperror", "permerror"]),
    "dkim": frozenset(["pass", "fail", "policy", "temperror", "permerror"]),
    "dmarc": frozenset(["pass", "fail", "temperror", "permerror"]),
}
_RESULT_ITEM = re.compile(
    r"(?:^|;)\s*(spf|dkim|dmarc)(?:\s*/\s*(\d{1,9}))?\s*=\s*([a-z]{1,20})\b", re.IGNORECASE
)
_COMMENT = re.compile(r"\([^()]*\)")
MAX_RESULT_FIELD = 4096  # characters read of one field


def authentication_results(
    received_spf: Iterable[str], authentication_results: Iterable[str]
) -> dict[str, bool]:
    """Which methods have a result that counts, and whether any of it is `pass`.

    `none` and neutral results say nothing about the sender, so they count as absent.
    """
    found: dict[str, bool] = {}
    for value in received_spf:
        word = (value.split(None, 1) or [""])[0].lower()
        if word in _RESULTS["spf"] - {"policy"}:
            found["spf"] = found.get("spf", False) or word == "pass"
    for value in authentication_results:
        plain = _COMMENT.sub(" ", value[:MAX_RESULT_FIELD])
        for item in _RESULT_ITEM.finditer(plain):
            method, version, result = item[1].lower(), item[2], item[3].lower()
            if version in (None, "1") and result in _RESULTS[method]:
                found[method] = found.get(method, False) or result == "pass"
    return found


def is_junk(results: dict[str, bool], check: Iterable[str], force_pass: Iterable[str]) -> bool:
    """Whether a method of `check` is there and did not pass, or one of `force_pass` did not."""
    if any(results.get(method) is False for method in _methods(check)):
        return True
    return any(not results.get(method) for method in _methods(force_pass))


def _methods(setting: Iterable[str]) -> list[str]:
    return [method for entry in setting if (method := entry.strip().lower())]


# --- Sending (mailbox-api §10.2, §10.6) ------------------------------------------------------


def check_sender_domain(
    domain: str, sending_domains: Collection[str], below: Collection[str] = ()
) -> None:
    """Refuse a sender whose domain is neither exactly one of ours nor below one of `below`; all
    are lower-case."""
    if domain not in sending_domains and served_by(domain, below) is None:
        raise NotYours(text("InvalidDomainMsg"), message_key="InvalidDomainMsg")


def domain_of_way_out(domain: str, own_ways: Collection[str], below: Collection[str]) -> str:
    """The domain whose ways out the mail of a sender's domain takes: its own where it has some,
    else those of the nearest of `below` that is above it."""
    if not below or domain in own_ways:
        return domain
    return served_by(domain, below) or domain


def check_recipients(
    recipients: Sequence[str], block_list: Collection[str], *, written: Sequence[str] = ()
) -> None:
    """Refuse an empty list, and any recipient that contains an entry of the send block list.

    `written` is how the caller spelled them: an entry is compared with that letter by letter
    (§10.2, 5), and with the canonical form. Where nothing but that form is known, capitals in an
    entry count nothing.
    """
    if not recipients or not all(recipients):
        raise BadRequest(text("InvalidToMailMsg"), message_key="InvalidToMailMsg")
    if not block_list:
        return
    entries = block_list if written else [entry.lower() for entry in block_list]
    if any(contains_any(recipient, entries) for recipient in (*recipients, *written)):
        raise RecipientBlocked(text("AddressBlockedMsg"), message_key="AddressBlockedMsg")


def check_draft_filled(subject: str, content: str) -> None:
    """Refuse a draft of the contract's form without subject or content."""
    if not subject:
        raise BadRequest(text("SubjectEmptyMsg"), message_key="SubjectEmptyMsg")
    if not content:
        raise BadRequest(text("ContentEmptyMsg"), message_key="ContentEmptyMsg")


def check_from(
    principal: Principal, addresses: Iterable[str], *, sub_addresses: bool = False
) -> tuple[str, ...]:
    """Refuse a From, Sender or reverse-path that is not the principal's own (RFC 6409 §6.1).

    `addresses` are canonical. An administrator may write in any name. With `sub_addresses` one
    below the principal's own is let through and returned: it is theirs while nobody has opened
    it, which only the store knows.
    """
    if principal.kind == "admin":
        return ()
    others = tuple(address for address in addresses if address != principal.address)
    for address in others:
        if not sub_addresses or without_detail(address) != principal.address:
            raise FromNotYours("the sender address is not yours")
    return others


@dataclass(frozen=True, slots=True)
class SendLimits:
    """How many messages the whole server sends in a UTC day and month. None: not counted,
    -1: counted and unlimited, 0: none."""

    daily: int | None = None
    monthly: int | None = None

    @classmethod
    def read(cls, value: object) -> SendLimits:
        """From `sendMailLimitConfig`. Raises BadRequest for anything else (§10.6)."""
        if not isinstance(value, dict):
            raise _invalid_input()
        return cls(
            _limit(value.get("dailyEnabled"), value.get("dailyLimit")),
            _limit(value.get("monthlyEnabled"), value.get("monthlyLimit")),
        )

    def as_json(self) -> dict[str, bool | int | None]:
        """The form of `sendMailLimitConfig` in which it is stored and shown."""
        return {
            "dailyEnabled": self.daily is not None,
            "monthlyEnabled": self.monthly is not None,
            "dailyLimit": self.daily,
            "monthlyLimit": self.monthly,
        }

    def check(self, *, sent_today: int, sent_this_month: int, sending: int = 1) -> None:
        """Raises QuotaReached when `sending` more would be too many; the day is tested first."""
        for limit, sent, key in (
            (self.daily, sent_today, "ServerSendMailDailyLimitMsg"),
            (self.monthly, sent_this_month, "ServerSendMailMonthlyLimitMsg"),
        ):
            if limit is not None and limit != UNLIMITED and sent + sending > limit:
                raise QuotaReached(text(key), message_key=key)


def _limit(enabled: object, limit: object) -> int | None:
    """One limit, None when it is off. A number is whole and at least -1, also when off."""
    if not isinstance(enabled, bool):
        raise _invalid_input()
    if limit is None and not enabled:
        return None
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise _invalid_input()
    if limit != limit or limit in (float("inf"), float("-inf")):
        raise _invalid_input()
    if limit != int(limit) or limit < UNLIMITED:
        raise _invalid_input()
    return int(limit) if enabled else None


def _invalid_input() -> BadRequest:
    return BadRequest(text("InvalidInputMsg"), message_key="InvalidInputMsg")
