"""What DNS must say about a domain of ours, why, and what it means that it says something else.

Nothing here asks DNS: what was found comes in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal

from mailbox_service.core.public_address import is_public
from mailbox_service.core.told import Told, Words

State = Literal["right", "missing", "different", "unknown"]

# Names under these belong to no DNS (RFC 6761, RFC 2606): nothing to look up.
PRIVATE_TOPS = ("localhost", "test", "example", "invalid", "local", "internal")
# A week: long enough to protect, short enough to get out of a mistake (RFC 8461 §3.2).
POLICY_SECONDS = 604_800
LONGEST_FOUND = 1_024
MOST_FOUND = 20
POSTMASTER = "postmaster"


WORDS = Words(
    "dns",
    {
        "why-mx": "Brings the domain's mail to this server.",
        "why-spf": "Says that mail from this domain comes from this server; "
        "without it much is refused.",
        "why-spf-relay": "Says where mail from this domain comes from; add what the "
        "provider of your relay names (mostly an include:).",
        "why-host": "The name that the MX records lead to needs an address (AAAA "
        "besides for IPv6).",
        "why-ptr": "The address must lead back to the name, or mail that is sent"
        " directly is refused; whoever gave you the address sets "
        "this.",
        "why-dkim": "The key by which receivers prove our signatures.",
        "why-dmarc": "Says what receivers do with mail that proves nothing, and "
        "where their reports go. Begin with p=none; p=quarantine or "
        "p=reject when the reports are good.",
        "why-return-path": "Bounces of the sending API come back to this domain.",
        "why-return-path-spf": "Bounces of the sending API come back to this domain. SPF is "
        "judged by it, too.",
        "why-mta-sts": "Has senders insist on TLS with a good certificate (MTA-STS)."
        " Wants a certificate on port 25 that the world trusts.",
        "why-mta-sts-policy": "Where senders fetch that policy, over https with a "
        "certificate for this name; this service answers under "
        "/.well-known/mta-sts.txt.",
        "why-tls-rpt": "Asks senders to report trouble with TLS, once a day.",
        "trouble": "Nobody could tell: {trouble}. Try again.",
        "silent": "Nobody could tell: no name server told about {name}. Try again.",
        "slow": "Nobody could tell: the name servers of {domain} take too long. Try again.",
        "private": "A private name: DNS knows nothing of it, and only your own machines use it.",
        "mx-missing": "No mail comes here: add MX {value}",
        "mx-different": "Mail goes to {found}: add MX {value}",
        "mx-others": "Mail comes here, and to other hosts besides: they must hand it on to us.",
        "mx-right": "Mail comes to this server.",
        "host-missing": "{name} has no address: nobody can reach this server by it.",
        "host-private": "The address is a private one: only your own network reaches it.",
        "host-right": "The name has an address; it should be that of this server.",
        "ptr-no-host": "{host} has no address yet: that comes first.",
        "ptr-missing": "{addresses} leads back to no name: ask whoever gave you the "
        "address to set it to {host}.",
        "ptr-different": "It leads back to {found}: it should be {host}.",
        "ptr-right": "The address leads back to the name.",
        "spf-missing": "There is no SPF record: add this one.",
        "spf-several": "There are several SPF records, which counts as an error: merge them.",
        "spf-relay": "There is one. Whether it names the servers of your relay, "
        "its provider knows.",
        "spf-lookup": "There is one, but a name that it refers to could not be looked up now.",
        "spf-different": "Mail from {address} gets “{result}”: add mx, or {kind}:{address}.",
        "spf-untried": "There is one; this server's address is not known, so it was not tried.",
        "spf-right": "Mail from this server passes.",
        "dkim-right": "The key is published.",
        "dkim-missing": "The key is not published, so our signatures prove nothing: add it.",
        "dkim-different": "Another key is published under this name, or it was cut: replace it.",
        "dkim-none": "What stands there is no key: replace it.",
        "dmarc-missing": "There is no DMARC record: big receivers want one.",
        "dmarc-several": "There are several DMARC records, which counts as none: keep one.",
        "dmarc-no-policy": "It says no policy (p=): copy this one.",
        "dmarc-right": "There is one, with p={policy}.",
        "sts-missing": "Senders are not told to insist on TLS. You may leave it so.",
        "sts-different": "Its id is of another policy: copy this one, so that senders look anew.",
        "sts-right": "Senders find the policy.",
        "policy-missing": "Senders cannot fetch the policy. Leave both MTA-STS records "
        "out, or add.",
        "policy-different": "It leads to {found}: that host must serve the policy, or "
        "point it here.",
        "policy-right": "The name leads here; see that https answers there with a "
        "good certificate.",
        "tls-missing": "Nobody reports trouble with TLS. You may leave it so.",
        "tls-different": "It names nobody to report to, or there are several: copy this one.",
        "tls-right": "Reports go to {address}.",
    },
)
say = WORDS.say


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish. `required`: mail suffers without it."""

    purpose: str
    type: str
    name: str
    value: str
    required: bool
    why: Told


@dataclass(frozen=True, slots=True)
class Facts:
    """What the records of our domains follow from. `dkim`: name and text of every key's record.
    `relay_host` is empty unless mail goes out through a relay; `sts_mode` is that of MTA-STS."""

    own_name: str
    outbound: str
    dkim: Sequence[tuple[str, str]] = ()
    relay_host: str = ""
    bounce_domain: str = ""
    sts_mode: str = "testing"


@dataclass(frozen=True, slots=True)
class Seen:
    """What DNS said about a record's name; `trouble` when nobody could tell. `own_addresses` are
    those of the host itself; `spf` what they would get as senders, by address."""

    found: Sequence[str] = ()
    trouble: str = ""
    own_addresses: Sequence[str] = ()
    spf: Sequence[tuple[str, str]] = field(default=())


@dataclass(frozen=True, slots=True)
class Judged:
    """A record, what was found, whether that is right, and what to do."""

    record: Record
    found: tuple[str, ...]
    state: State
    message: Told


def is_private(domain: str) -> bool:
    """Whether a name belongs to no DNS."""
    return domain.rpartition(".")[2] in PRIVATE_TOPS


def is_within(name: str, domain: str) -> bool:
    """Whether a name is a domain or lies below it."""
    return name == domain or name.endswith(f".{domain}")


def sts_policy(mx: str, mode: str) -> str:
    """The MTA-STS policy that says: mail for us goes to this host only (RFC 8461 §3.2)."""
    lines = ("version: STSv1", f"mode: {mode}", f"mx: {mx}", f"max_age: {POLICY_SECONDS}", "")
    return "\r\n".join(lines)


def sts_id(mx: str, mode: str) -> str:
    """The id of that policy: another one as soon as the policy changes (RFC 8461 §3.1)."""
    return hashlib.sha256(sts_policy(mx, mode).encode()).hexdigest()[:20]


# Whoever takes mail for the domain sends for it, and nobody else.
OWN_SPF = "v=spf1 mx ~all"


def spf_term(host: str) -> str:
    """What says in an SPF record that mail comes from this host (RFC 7208 §5.3, §5.6)."""
    try:
        address = ip_address(host)
    except ValueError:
        return f"a:{host}"
    return f"ip{address.version}:{address}"


def records_of(domain: str, facts: Facts) -> list[Record]:
    """Every record of a domain, the most needed first."""
    host, bounces = facts.own_name, facts.bounce_domain
    spf, spf_why = OWN_SPF, say("why-spf")
    if facts.relay_host:
        spf = f"v=spf1 mx {spf_term(facts.relay_host)} ~all"
        spf_why = say("why-spf-relay")
    reports = f"rua=mailto:{POSTMASTER}@{domain}"
    records = [Record("mx", "MX", domain, f"10 {host}.", True, say("why-mx"))]
    if is_within(host, domain):
        records += host_records(host, facts)
    records.append(Record("spf", "TXT", domain, spf, True, spf_why))
    for name, key in facts.dkim:
        records.append(Record("dkim", "TXT", name, key, True, say("why-dkim")))
    dmarc = f"v=DMARC1; p=none; {reports}"
    records.append(Record("dmarc", "TXT", f"_dmarc.{domain}", dmarc, True, say("why-dmarc")))
    if bounces and bounces != domain and is_within(bounces, domain):
        records += [
            Record("return_path", "MX", bounces, f"10 {host}.", True, say("why-return-path")),
            Record("return_path", "TXT", bounces, spf, True, say("why-return-path-spf")),
        ]
    if facts.sts_mode != "none":
        records += sts_records(domain, host, facts.sts_mode)
    tls = f"v=TLSRPTv1; {reports}"
    records.append(Record("tls_rpt", "TXT", f"_smtp._tls.{domain}", tls, False, say("why-tls-rpt")))
    return records


def host_records(host: str, facts: Facts) -> list[Record]:
    """The records of the host itself, when its name is the domain's to give."""
    address, way_back = "the public address of this server", f"the address of {host}"
    sends = facts.outbound == "direct"
    return [
        Record("host", "A", host, address, True, say("why-host")),
        Record("ptr", "PTR", way_back, f"{host}.", sends, say("why-ptr")),
    ]


def sts_records(domain: str, host: str, mode: str) -> list[Record]:
    """The records by which senders find the policy (RFC 8461 §3.1, §3.3)."""
    text, policy = f"v=STSv1; id={sts_id(host, mode)}", f"mta-sts.{domain}"
    return [
        Record("mta_sts", "TXT", f"_mta-sts.{domain}", text, False, say("why-mta-sts")),
        Record("mta_sts_policy", "CNAME", policy, f"{host}.", False, say("why-mta-sts-policy")),
    ]


def judge(record: Record, seen: Seen) -> Judged:
    """Whether what was found does what the record is for."""
    found = tuple(text[:LONGEST_FOUND] for text in seen.found[:MOST_FOUND])
    if seen.trouble:
        return Judged(record, found, "unknown", trouble_of(seen))
    state, message = _JUDGES[record.purpose](record, found, seen)
    return Judged(record, found, state, message)


def trouble_of(seen: Seen) -> Told:
    """Why nobody could tell, as a whole sentence."""
    trouble = seen.trouble
    return trouble if isinstance(trouble, Told) else say("trouble", trouble=trouble)


Verdict = tuple[State, Told]


def _mx(record: Record, found: Sequence[str], seen: Seen) -> Verdict:
    if record.type == "TXT":  # the SPF record of the return path
        return _spf(record, found, seen)
    host = record.value.partition(" ")[2].rstrip(".")
    if not found:
        return "missing", say("mx-missing", value=record.value)
    if host not in found:
        return "different", say("mx-different", found=", ".join(found), value=record.value)
    if len(found) > 1:
        return "right", say("mx-others")
    return "right", say("mx-right")


def _host(record: Record, found: Sequence[str], seen: Seen) -> Verdict:
    if not found:
        return "missing", say("host-missing", name=record.name)
    if not any(is_public(address) for address in found):
        return "different", say("host-private")
    return "right", say("host-right")


def _ptr(record: Record, found: Sequence[str], seen: Seen) -> Verdict:
    host = record.value.rstrip(".")
    if not seen.own_addresses:
        return "missing", say("ptr-no-host", host=host)
    if not found:
        return "missing", say("ptr-missing", addresses=", ".join(seen.own_addresses), host=host)
    if host not in found:
        return "different", say("ptr-different", found=", ".join(found), host=host)
    return "right", say("ptr-right")


def _spf(record: Record, found: Sequence[str], seen: Seen) -> Verdict:
    policies = [text for text in found if text.lower().split(" ")[0] == "v=spf1"]
    if not policies:
        return "missing", say("spf-missing")
    if len(policies) > 1:
        return "different", say("spf-several")
    if record.value != OWN_SPF:
        return "right", say("spf-relay")
    wrong = [(address, result) for address, result in seen.spf if result != "pass"]
    if any(result == "temperror" for _, result in wrong):
        return "unknown", say("spf-lookup")
    if wrong:
        address, result = wrong[0]
        kind = "ip6" if ":" in address else "ip4"
        return "different", say("spf-different", address=address, result=result, kind=kind)
    if not seen.spf:
        return "unknown", say("spf-untried")
    return "right", say("spf-right")


def _dkim(record: Record, found: Sequence[str], seen: Seen) -> Verdict:
    wanted = public_part(record.value)
    if any(public_part(text) == wanted for text in found):
        return "right", say("dkim-right")
    if not found:
        return "missing", say("dkim-missing")
    if any("p=" in text for text in found):
        return "different", say("dkim-different")
    return "different", say("dkim-none")


def _dmarc(record: Record, found: Sequence[str], seen: Seen) -> Verdict:
    policies = [text for text in found if text.replace(" ", "").lower().startswith("v=dmarc1")]
    if not policies:
        return "missing", say("dmarc-missing")
    if len(policies) > 1:
        return "different", say("dmarc-several")
    wish = tag_of(policies[0], "p").lower()
    if wish not in ("none", "quarantine", "reject"):
        return "different", say("dmarc-no-policy")
    return "right", say("dmarc-right", policy=wish)


def _mta_sts(record: Record, found: Sequence[str], seen: Seen) -> Verdict:
    told = [text for text in found if text.replace(" ", "").lower().startswith("v=stsv1")]
    if not told:
        return "missing", say("sts-missing")
    if len(told) > 1 or tag_of(told[0], "id") != tag_of(record.value, "id"):
        return "different", say("sts-different")
    return "right", say("sts-right")


def _policy_host(record: Record, found: Sequence[str], seen: Seen) -> Verdict:
    if not found:
        return "missing", say("policy-missing")
    if seen.own_addresses and not set(found) & set(seen.own_addresses):
        return "different", say("policy-different", found=", ".join(found))
    return "right", say("policy-right")


def _tls_rpt(record: Record, found: Sequence[str], seen: Seen) -> Verdict:
    told = [text for text in found if text.replace(" ", "").lower().startswith("v=tlsrptv1")]
    if not told:
        return "missing", say("tls-missing")
    if len(told) > 1 or not tag_of(told[0], "rua"):
        return "different", say("tls-different")
    return "right", say("tls-right", address=tag_of(told[0], "rua"))


_JUDGES = {
    "mx": _mx,
    "return_path": _mx,
    "host": _host,
    "ptr": _ptr,
    "spf": _spf,
    "dkim": _dkim,
    "dmarc": _dmarc,
    "mta_sts": _mta_sts,
    "mta_sts_policy": _policy_host,
    "tls_rpt": _tls_rpt,
}


def tag_of(text: str, wanted: str) -> str:
    """The value of a tag in `a=b; c=d`; empty when it has none."""
    for tag in text.split(";"):
        name, _, value = tag.partition("=")
        if name.strip().lower() == wanted:
            return value.strip()
    return ""


def public_part(record: str) -> str:
    """The key in a DKIM record (RFC 6376 §3.6.1), without the spaces that DNS tools add."""
    return "".join(tag_of(record, "p").split())
