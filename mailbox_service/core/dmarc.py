"""DMARC: does what was proved belong to the domain that the reader sees? (RFC 7489)

SPF and DKIM prove a domain; the policy of the author's domain says how close it must be to that
domain and what becomes of mail where none is. Nothing is refused here: the verdict tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from mailbox_service.core.names import Names, NoSuchName, NotKnownNow

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

Policy = Literal["none", "quarantine", "reject"]
# What pct= leaves over gets the next milder treatment (§6.6.4).
_MILDER: dict[Policy, Policy] = {"reject": "quarantine", "quarantine": "none", "none": "none"}
LONGEST_RECORD = 4_096


@dataclass(frozen=True, slots=True)
class DmarcRecord:
    """A policy: for the domain, for those below it, how strictly names are compared (`r`elaxed
    or `s`trict), and to how many of a hundred failing mails it applies."""

    policy: Policy
    subdomain_policy: Policy
    strict_dkim: bool = False
    strict_spf: bool = False
    percent: int = 100


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """One of none, pass, fail, temperror, permerror (§11.2) for the author's domain.

    `policy` is what its owner asks for failing mail, `disposition` what that comes to for this
    one after sampling; both empty without a policy.
    """

    result: str
    domain: str
    policy: Policy | Literal[""] = ""
    disposition: Policy | Literal[""] = ""
    reason: str = ""


async def check(
    names: Names,
    *,
    author_domains: Iterable[str],
    spf_domain: str | None,
    dkim_domains: Iterable[str],
    uncertain: bool,
    sample: int,
) -> DmarcResult:
    """Judge by what passed: `spf_domain` the domain for which SPF did, `dkim_domains` those of
    signatures that hold.

    `uncertain`: some check could not be made now, so that nothing aligned is no failure yet.
    `sample` is a number from 0 to 99 that decides for `pct=`.
    """
    authors = list(dict.fromkeys(domain.lower().rstrip(".") for domain in author_domains))
    if len(authors) != 1:
        reason = "the mail names no author" if not authors else "authors of several domains"
        return DmarcResult("permerror", authors[0] if authors else "", reason=reason)
    domain = authors[0]
    try:
        found, of_parent = await _find(names, domain)
    except NotKnownNow:
        return DmarcResult("temperror", domain, reason="the policy cannot be found out now")
    if found is None:
        return DmarcResult("none", domain)
    policy = found.subdomain_policy if of_parent else found.policy
    if spf_domain and aligned(spf_domain, domain, strict=found.strict_spf):
        return DmarcResult("pass", domain, policy, "none")
    if any(aligned(one, domain, strict=found.strict_dkim) for one in dkim_domains):
        return DmarcResult("pass", domain, policy, "none")
    if uncertain:
        return DmarcResult("temperror", domain, policy, "none", "a check cannot be made now")
    disposition = policy if sample < found.percent else _MILDER[policy]
    return DmarcResult("fail", domain, policy, disposition)


async def _find(names: Names, domain: str) -> tuple[DmarcRecord | None, bool]:
    """The policy of a domain, or else of its organisation (§6.6.3), and whether it is the
    latter. Raises NotKnownNow."""
    organisation = organisational_domain(domain)
    for name in dict.fromkeys((domain, organisation)):
        try:
            texts = await names.texts(f"_dmarc.{name}")
        except NoSuchName:
            continue
        records = [text for text in texts if _is_record(text)]
        if records:
            # More than one is none at all, and the search ends (§6.6.3, step 5).
            read = read_record(records[0]) if len(records) == 1 else None
            return read, name != domain
    return None, False


def _is_record(text: bytes) -> bool:
    name, equals, rest = text.partition(b"=")
    return bool(equals) and name.strip() == b"v" and rest.partition(b";")[0].strip() == b"DMARC1"


def read_record(text: bytes) -> DmarcRecord | None:
    """A record by its tags (§6.3); None when it asks for nothing that can be understood.

    Unknown tags and wrong values of optional ones count as absent. A wrong policy beside an
    address for reports means none (§6.6.3, step 6).
    """
    tags: dict[str, str] = {}
    for tag in text[:LONGEST_RECORD].decode("ascii", "replace").split(";"):
        name, equals, value = tag.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    policy = _policy(tags.get("p"))
    subdomain = _policy(tags.get("sp")) if "sp" in tags else policy
    if policy is None or subdomain is None:
        if not tags.get("rua", "").lower().startswith("mailto:"):
            return None
        policy = subdomain = "none"
    percent = tags.get("pct", "100")
    valid = percent.isascii() and percent.isdigit() and len(percent) <= 3 and int(percent) <= 100
    return DmarcRecord(
        policy,
        subdomain,
        strict_dkim=tags.get("adkim", "r").lower() == "s",
        strict_spf=tags.get("aspf", "r").lower() == "s",
        percent=int(percent) if valid else 100,
    )


def _policy(value: str | None) -> Policy | None:
    match (value or "").lower():
        case "none":
            return "none"
        case "quarantine":
            return "quarantine"
        case "reject":
            return "reject"
    return None


def aligned(proved: str, author: str, *, strict: bool) -> bool:
    """Whether a proved domain speaks for the author's (§3.1): the same one, or, when that is
    enough, one of the same organisation."""
    proved, author = proved.lower().rstrip("."), author.lower().rstrip(".")
    if proved == author:
        return bool(author)
    return not strict and organisational_domain(proved) == organisational_domain(author)


@lru_cache(maxsize=4_096)
def organisational_domain(domain: str) -> str:
    """The domain below its public suffix (§3.2); a public suffix stands for itself."""
    found = _public_suffixes().privatesuffix(domain.lower().rstrip("."))
    return str(found) if found else domain


@lru_cache(maxsize=1)
def _public_suffixes() -> PublicSuffixList:
    # Read when it is first needed: the list takes a few megabytes.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
