"""SPF: may this host send mail in the name of that domain? (RFC 7208)

`check` is the function `check_host()` of §4 with its limits: ten terms that ask the name system,
two questions without an answer. What follows a result is for others to decide. Explanations
(`exp=`) are checked for their syntax and never fetched, since nothing is refused here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar
from urllib.parse import quote

from mailbox_service.core.names import Names, NoSuchName, NotKnownNow

T = TypeVar("T")
Version = Literal[4, 6]
Identity = Literal["mailfrom", "helo"]
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# §4.6.4: the bounds of the standard itself.
MOST_TERMS = 10
MOST_VOID = 2
MOST_MX = 10
MOST_PTR = 10
# A record has to fit into one answer of the name system; more is no policy but an attack.
LONGEST_RECORD = 4_096
LONGEST_NAME = 253

_RESULTS = {"": "pass", "+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_MACRO = r"%\{([a-z])([0-9]{0,3})(r?)([.\-+,/_=]*)\}|%%|%_|%-"
_find_macros = re.compile(_MACRO, re.IGNORECASE)
_is_macro_string = re.compile(rf"(?:{_MACRO}|[!-$&-~])*+", re.IGNORECASE).fullmatch
# §7.1: a name ends with a top label, which is not a number, or with a macro.
_ends_like_name = re.compile(
    r".*(?:%\{[^}]*\}|\.(?![0-9]+\.?$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?)", re.IGNORECASE
).fullmatch
_is_modifier = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", re.IGNORECASE).fullmatch
_is_mechanism = re.compile(
    r"([+\-?~]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:([:/])(.*))?", re.IGNORECASE
).fullmatch
_is_target = re.compile(r"(.*?)(?:/(0|[1-9][0-9]?))?(?://(0|[1-9][0-9]{0,2}))?").fullmatch
_is_label = re.compile(r"[!-~]{1,63}").fullmatch


@dataclass(frozen=True, slots=True)
class SpfResult:
    """One of none, neutral, pass, fail, softfail, temperror, permerror (§2.6), for an identity:
    `mailfrom` with an address, or `helo` with a name. `reason` is for people, and empty mostly."""

    result: str
    identity: Identity
    value: str
    domain: str
    reason: str = ""


class _Permanent(Exception):
    """A record that nobody can use: permerror."""


class _Temporary(Exception):
    """The name system does not answer: temperror."""


@dataclass(frozen=True, slots=True)
class _Mechanism:
    result: str
    name: str
    spec: str = ""
    prefix4: int = 32
    prefix6: int = 128
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None


@dataclass(frozen=True, slots=True)
class _Record:
    mechanisms: tuple[_Mechanism, ...]
    redirect: str = ""


async def check(names: Names, *, ip: str, helo: str, reverse_path: str) -> SpfResult:
    """Judge a peer at the address `ip` that called itself `helo`.

    With the null reverse-path it is the name of the peer that is judged (§2.4).
    """
    identity = identity_of(reverse_path)
    value = reverse_path or helo
    local, _, domain = (reverse_path or f"postmaster@{helo}").rpartition("@")
    domain = domain.rstrip(".").lower()
    try:
        address = _plain(ipaddress.ip_address(ip))
    except ValueError:
        return SpfResult("none", identity, value, domain, "the peer has no address")
    if not _may_have_policy(domain):
        return SpfResult("none", identity, value, domain)
    check = _Check(names, address, local or "postmaster", domain, helo)
    try:
        result, reason = await check.host(domain), ""
    except _Permanent as error:
        result, reason = "permerror", str(error)
    except _Temporary as error:
        result, reason = "temperror", str(error)
    return SpfResult(result, identity, value, domain, reason)


def identity_of(reverse_path: str) -> Identity:
    """Whose policy it is: the reverse-path's, or with a null one that of the peer's name (§2.4)."""
    return "mailfrom" if reverse_path else "helo"


def _plain(address: IpAddress) -> IpAddress:
    """An IPv4 peer of a dual-stack socket as what it is."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _may_have_policy(domain: str) -> bool:
    """Whether it is a name of several labels at all (§4.3)."""
    labels = domain.split(".")
    return len(domain) <= LONGEST_NAME and len(labels) > 1 and all(map(_is_label, labels))


@dataclass(slots=True)
class _Check:
    """One evaluation, with what it has used of its limits."""

    names: Names
    ip: IpAddress
    local: str
    sender_domain: str
    helo: str
    terms: int = 0
    voids: int = 0

    async def host(self, domain: str) -> str:
        """The result of the policy of a domain (§4.6). Includes and redirects come back here."""
        record = await self._record(domain)
        if record is None:
            return "none"
        for mechanism in record.mechanisms:
            if await self._matches(mechanism, domain):
                return mechanism.result
        if not record.redirect:
            return "neutral"
        self._count_term()
        result = await self.host(await self._expanded(record.redirect, domain))
        if result == "none":
            raise _Permanent("the policy is redirected to a domain that has none")
        return result

    async def _record(self, domain: str) -> _Record | None:
        try:
            texts = await self._ask(self.names.texts, domain)
        except NoSuchName:
            return None
        found = [text for text in texts if (text.lower() + b" ").startswith(b"v=spf1 ")]
        if not found:
            return None
        if len(found) > 1:
            raise _Permanent("the domain has more than one policy")
        return _read(found[0])

    async def _ask(self, question: Callable[[str], Awaitable[T]], name: str) -> T:
        """A question about a name that may be no name at all."""
        if len(name) > LONGEST_NAME or not all(map(_is_label, name.split("."))):
            raise NoSuchName(name)
        try:
            return await question(name)
        except NotKnownNow as error:
            raise _Temporary(f"the records of {name} cannot be found out now") from error

    def _count_term(self) -> None:
        self.terms += 1
        if self.terms > MOST_TERMS:
            raise _Permanent(f"the policy needs more than {MOST_TERMS} questions")

    async def _list(
        self, question: Callable[[str], Awaitable[Sequence[str]]], name: str
    ) -> Sequence[str]:
        """The answer to a question of a term; too many without any end the check (§4.6.4)."""
        try:
            found = await self._ask(question, name)
        except NoSuchName:
            found = ()
        if not found:
            self.voids += 1
            if self.voids > MOST_VOID:
                raise _Permanent(f"more than {MOST_VOID} names of the policy do not exist")
        return found

    async def _addresses(self, name: str) -> Sequence[str]:
        version = self.ip.version
        return await self._list(lambda asked: self.names.host_addresses(asked, version), name)

    async def _matches(self, mechanism: _Mechanism, domain: str) -> bool:
        if mechanism.name == "all":
            return True
        if mechanism.network is not None:
            same = mechanism.network.version == self.ip.version
            return same and self.ip in mechanism.network
        self._count_term()
        name = await self._expanded(mechanism.spec, domain) if mechanism.spec else domain
        match mechanism.name:
            case "include":
                return await self._includes(name)
            case "a":
                return self._is_among(await self._addresses(name), mechanism)
            case "mx":
                return await self._is_mail_host(name, mechanism)
            case "exists":
                return bool(
                    await self._list(lambda asked: self.names.host_addresses(asked, 4), name)
                )
            case _:
                below = f".{name.lower()}"
                return any(f".{own}".endswith(below) for own in await self._own_names())

    async def _includes(self, domain: str) -> bool:
        result = await self.host(domain)
        if result == "none":  # §5.2
            raise _Permanent("the policy includes a domain that has none")
        return result == "pass"

    async def _is_mail_host(self, name: str, mechanism: _Mechanism) -> bool:
        hosts = await self._list(self.names.mail_hosts, name)
        if len(hosts) > MOST_MX:
            raise _Permanent(f"{name} has more than {MOST_MX} mail hosts")
        for host in hosts:
            if self._is_among(await self._addresses(host), mechanism):
                return True
        return False

    def _is_among(self, found: Sequence[str], mechanism: _Mechanism) -> bool:
        prefix = mechanism.prefix4 if self.ip.version == 4 else mechanism.prefix6
        return any(
            self.ip in ipaddress.ip_network(f"{address}/{prefix}", strict=False)
            for address in found
        )

    async def _own_names(self) -> list[str]:
        """The names of the peer's address that lead back to it (§5.5). Trouble there is no
        trouble of the policy: a name that cannot be proved is no name."""
        validated: list[str] = []
        try:
            found = await self._list(self.names.names_of, str(self.ip))
        except _Temporary:
            return validated
        for name in found[:MOST_PTR]:
            try:
                addresses = await self._ask(
                    lambda asked: self.names.host_addresses(asked, self.ip.version), name
                )
            except (NoSuchName, _Temporary):
                continue
            if any(ipaddress.ip_address(address) == self.ip for address in addresses):
                validated.append(name.lower().rstrip("."))
        return validated

    async def _expanded(self, spec: str, domain: str) -> str:
        """A name with its macros filled in (§7), as much of its end as is a name."""
        values = self._macro_values(domain)
        if re.search(r"%\{p", spec, re.IGNORECASE):
            own = await self._own_names()
            # §7.3: best the domain itself, then one below it, then any.
            nearest = sorted(
                own, key=lambda name: (name != domain, not name.endswith("." + domain))
            )
            values["p"] = nearest[0] if nearest else "unknown"

        def fill(macro: re.Match[str]) -> str:
            if macro[1] is None:
                return {"%%": "%", "%_": " ", "%-": "%20"}[macro[0]]
            parts = re.split("[" + re.escape(macro[4] or ".") + "]", values[macro[1].lower()])
            if macro[3]:
                parts.reverse()
            if macro[2]:
                parts = parts[-int(macro[2]) :]
            filled = ".".join(parts)
            return quote(filled, safe="-._~") if macro[1].isupper() else filled

        name = _find_macros.sub(fill, spec).rstrip(".")
        while len(name) > LONGEST_NAME and "." in name:
            name = name.partition(".")[2]
        return name

    def _macro_values(self, domain: str) -> dict[str, str]:
        if self.ip.version == 4:
            dotted = str(self.ip)
        else:
            dotted = ".".join(self.ip.exploded.replace(":", ""))
        return {
            "s": f"{self.local}@{self.sender_domain}",
            "l": self.local,
            "o": self.sender_domain,
            "d": domain,
            "i": dotted,
            "v": "in-addr" if self.ip.version == 4 else "ip6",
            "h": self.helo,
            "p": "unknown",
        }


def _read(text: bytes) -> _Record:
    """A record, all of it, before any of it is used (§4.6). Raises _Permanent."""
    try:
        words = text[:LONGEST_RECORD].decode("ascii")[6:].split(" ")
    except UnicodeDecodeError:
        raise _Permanent("the policy is not in ASCII") from None
    mechanisms: list[_Mechanism] = []
    modifiers: dict[str, str] = {}
    for word in filter(None, words):
        modifier = _is_modifier(word)
        if modifier is None:
            mechanisms.append(_mechanism(word))
            continue
        name, value = modifier[1].lower(), modifier[2]
        if name in ("redirect", "exp"):
            if name in modifiers:
                raise _Permanent(f"the policy has {name} twice")
            modifiers[name] = _domain_spec(value)
        elif not _is_macro_string(value):
            raise _Permanent(f"{_shown(word)} is not a modifier")
    # §6.1: with an `all` anywhere the redirect is never reached.
    redirect = "" if any(one.name == "all" for one in mechanisms) else modifiers.get("redirect", "")
    return _Record(tuple(mechanisms), redirect)


def _mechanism(word: str) -> _Mechanism:
    found = _is_mechanism(word)
    if found is None:
        raise _Permanent(f"{_shown(word)} is not a mechanism")
    result, name = _RESULTS[found[1]], found[2].lower()
    mark, rest = found[3], found[4] or ""
    if name in ("ip4", "ip6"):
        if mark != ":":
            raise _Permanent(f"{_shown(word)} names no network")
        return _Mechanism(result, name, network=_network(rest, 4 if name == "ip4" else 6))
    if name == "all":
        if mark:
            raise _Permanent(f"{_shown(word)} has an argument")
        return _Mechanism(result, name)
    if name in ("a", "mx"):
        target = _is_target(rest if mark != "/" else f"/{rest}")
        assert target is not None  # it takes any text
        if (mark == ":") != bool(target[1]):
            raise _Permanent(f"{_shown(word)} names no domain")
        prefix4, prefix6 = int(target[2] or 32), int(target[3] or 128)
        if prefix4 > 32 or prefix6 > 128:
            raise _Permanent(f"{_shown(word)} has no such network")
        spec = _domain_spec(target[1]) if target[1] else ""
        return _Mechanism(result, name, spec, prefix4, prefix6)
    if mark == "/" or (not mark and name != "ptr"):
        raise _Permanent(f"{_shown(word)} names no domain")
    return _Mechanism(result, name, _domain_spec(rest) if mark else "")


def _network(text: str, version: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    address, slash, prefix = text.partition("/")
    bits = 32 if version == 4 else 128
    if "%" in address or (slash and not re.fullmatch(r"0|[1-9][0-9]{0,2}", prefix)):
        raise _Permanent(f"{_shown(text)} is not a network")
    if not slash:
        prefix = str(bits)
    kind = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    try:
        return kind(f"{address}/{prefix}", strict=False)
    except ValueError:
        raise _Permanent(f"{_shown(text)} is not a network") from None


def _domain_spec(text: str) -> str:
    """A name, perhaps with macros, by its grammar (§7.1). Raises _Permanent."""
    if not text or not _is_macro_string(text) or not _ends_like_name(text):
        raise _Permanent(f"{_shown(text)} is not a domain")
    for macro in _find_macros.finditer(text):
        if macro[1] is None:
            continue
        # c, r and t belong into explanations (§7.2); 0 labels of a name are none.
        if macro[1].lower() not in "slodiphv" or (macro[2] and not int(macro[2])):
            raise _Permanent(f"{_shown(macro[0])} is not a macro of a name")
    return text


def _shown(text: str) -> str:
    """A piece of somebody's record as a log and a page can carry it."""
    return "".join(letter for letter in text[:60] if letter.isprintable()) or "an empty text"
