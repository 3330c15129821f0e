"""What a domain demands of those who bring it mail: MTA-STS (RFC 8461) and DANE (RFC 7672).

Without a demand mail goes encrypted where that works and in plain text where it does not, and
whoever stands in between can see to it that it does not. A demand takes that choice away.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256, sha512
from typing import Literal, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailbox_service.core.webhook import HttpAnswer, HttpRequest
from mailbox_service.outbound.dns import NoSuchName, NotKnownNow, Resolver, TlsaRecord

# RFC 8461 §3.2: a policy need not be larger; and no longer is one remembered.
MOST_OCTETS = 65_536
LONGEST_AGE = 31_557_600
MOST_PATTERNS = 100
# Domains whose policies are remembered, the ones not used for longest forgotten first.
MOST_POLICIES = 10_000
# §3.3: a policy that could not be fetched is not asked for at every mail.
AGAIN_SECONDS = 300.0

_is_id = re.compile(
    rb"\s*v\s*=\s*STSv1\s*;(?:.*;)?\s*id\s*=\s*([A-Za-z0-9]{1,32})\s*(?:;.*)?"
).fullmatch
_is_pattern = re.compile(r"(?:\*\.)?[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+").fullmatch

# A policy is fetched once in a long while.
ONCE = (("Connection", "close"),)

Mode = Literal["enforce", "testing", "none"]


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy as its domain publishes it; `max_age` in seconds."""

    mode: Mode
    patterns: tuple[str, ...]
    max_age: int

    def allows(self, host: str) -> bool:
        """Whether a mail server is one of the domain's (§4.1): `*` stands for one label."""
        host = host.lower().rstrip(".")
        return any(
            host == pattern or (pattern.startswith("*.") and host.partition(".")[2] == pattern[2:])
            for pattern in self.patterns
        )


@dataclass(frozen=True, slots=True)
class Demand:
    """What a connection to one mail server must be. None at all: as encrypted as it can be.

    `required`: TLS or nothing. `verify`: with a certificate of that name by an authority we
    know. `tlsa`: with one of these keys (DANE-EE). `forbidden`: not there at all, and why.
    """

    required: bool = False
    verify: bool = False
    tlsa: tuple[TlsaRecord, ...] = ()
    forbidden: str = ""


NOTHING = Demand()


@dataclass(slots=True)
class _Known:
    id: bytes
    policy: StsPolicy
    until: float


class Fetching(Protocol):
    """Makes one HTTPS request through the address guard; follows nothing."""

    async def post(self, request: HttpRequest) -> HttpAnswer: ...


class TransportSecurity:
    """Finds out what domains demand. `dane` trusts the name servers' word that an answer is
    signed (AD), which they must not only give but also be reached on a trusted path."""

    def __init__(
        self,
        resolver: Resolver,
        http: Fetching | None,
        *,
        dane: bool = False,
        port: int = 25,
        https_port: int = 443,
    ) -> None:
        self._resolver = resolver
        self._http = http
        self._dane = dane
        self._port = port
        self._https = "" if https_port == 443 else f":{https_port}"
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._failed: OrderedDict[str, tuple[bytes, float]] = OrderedDict()

    async def sts_policy(self, domain: str) -> StsPolicy | None:
        """The policy of a domain; a remembered one where there is none to be had now (§5.1)."""
        if self._http is None:
            return None
        now = asyncio.get_running_loop().time()
        known = self._known.get(domain)
        if known is not None and known.until <= now:
            del self._known[domain]
            known = None
        wanted = await self._sts_id(domain)
        if wanted is not None and (known is None or known.id != wanted):
            fetched = await self._fetch(domain, wanted, now)
            if fetched is not None:
                known = _Known(wanted, fetched, now + fetched.max_age)
                self._known[domain] = known
                if len(self._known) > MOST_POLICIES:
                    self._known.popitem(last=False)
        if known is None:
            return None
        self._known.move_to_end(domain)
        return known.policy

    async def _sts_id(self, domain: str) -> bytes | None:
        try:
            texts = await self._resolver.texts(f"_mta-sts.{domain}")
        except (NoSuchName, NotKnownNow):
            return None
        found = [text for text in texts if text.lstrip().startswith(b"v=STSv1")]
        match = _is_id(found[0]) if len(found) == 1 else None
        return match[1] if match else None

    async def _fetch(self, domain: str, wanted: bytes, now: float) -> StsPolicy | None:
        assert self._http is not None
        failed = self._failed.get(domain)
        if failed is not None and failed[0] == wanted and now < failed[1]:
            return None
        host = f"mta-sts.{domain}"
        url = f"https://{host}{self._https}/.well-known/mta-sts.txt"
        answer = await self._http.post(HttpRequest(url, host, "GET", ONCE, b""))
        policy = read_policy(answer.head) if answer.status == 200 else None
        if policy is None:
            self._failed[domain] = (wanted, now + AGAIN_SECONDS)
            if len(self._failed) > MOST_POLICIES:
                self._failed.popitem(last=False)
        return policy

    async def demand(self, domain: str, host: str, policy: StsPolicy | None) -> Demand:
        """What is demanded of a connection to a mail server of a domain. DANE comes first: a
        policy may not undo it (RFC 8461 §2)."""
        if self._dane:
            found = await self._dane_demand(domain, host)
            if found is not None:
                return found
        if policy is None or policy.mode != "enforce":
            return NOTHING
        if not policy.allows(host):
            return Demand(forbidden=f"{host} is not in the MTA-STS policy of {domain}")
        return Demand(required=True, verify=True)

    async def _dane_demand(self, domain: str, host: str) -> Demand | None:
        """None where the domain, the host or its keys are not signed (RFC 7672 §2.2)."""
        try:
            if not await self._resolver.is_signed(domain, host):
                return None
            records, signed = await self._resolver.tlsa(f"_{self._port}._tcp.{host}")
        except NoSuchName:
            return None
        except NotKnownNow:
            # §2.1.2: somebody may be hiding the keys, so this host is for later.
            return Demand(forbidden=f"the keys of {host} cannot be found out now")
        if not signed or not records:
            return None
        usable = tuple(one for one in records if is_usable(one))
        # §2.2: keys that we cannot use still say that there is TLS.
        return Demand(required=True, tlsa=usable)


def read_policy(text: str) -> StsPolicy | None:
    """A policy by its lines (RFC 8461 §3.2); None for one that is none."""
    values: dict[str, str] = {}
    patterns: list[str] = []
    for line in text[:MOST_OCTETS].splitlines():
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon:
            if line.strip():
                return None
        elif name == "mx":
            if not _is_pattern(value.lower()) or len(patterns) >= MOST_PATTERNS:
                return None
            patterns.append(value.lower())
        else:
            values.setdefault(name, value)
    age = values.get("max_age", "")
    mode = values.get("mode")
    if values.get("version") != "STSv1" or not re.fullmatch(r"[0-9]{1,10}", age):
        return None
    seconds = min(int(age), LONGEST_AGE)
    match mode:
        case "enforce" | "testing":
            return StsPolicy(mode, tuple(patterns), seconds) if patterns else None
        case "none":
            return StsPolicy("none", tuple(patterns), seconds)
    return None


def is_usable(record: TlsaRecord) -> bool:
    """Whether we can check a certificate by it: DANE-EE, whole or by its key (RFC 7672 §3.1.1)."""
    sizes = {1: 32, 2: 64}
    if record.usage != 3 or record.selector not in (0, 1) or record.matching not in (0, 1, 2):
        return False
    return len(record.data) == sizes.get(record.matching, len(record.data)) and bool(record.data)


def matches(certificate: bytes, records: Sequence[TlsaRecord]) -> bool:
    """Whether a certificate (DER) is one that the records name."""
    key = x509.load_der_x509_certificate(certificate).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for record in records:
        octets = spki if record.selector == 1 else certificate
        if record.matching == 1:
            octets = sha256(octets).digest()
        elif record.matching == 2:
            octets = sha512(octets).digest()
        if octets == record.data:
            return True
    return False
