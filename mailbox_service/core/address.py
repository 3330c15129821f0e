"""Addresses: one strict grammar for policy, suppression, log and wire.

`canonical` gives every address one spelling, and everything that compares, stores or sends an
address uses that spelling. What it returns may stand between the angle brackets of an SMTP
command as it is: dot-atom local part, host name domain, no quoting, no routing.

Two grammars meet behind that one function: plain ASCII is matched here by one expression, and
the rest (UTF-8 local parts, IDNA domains) is judged by email-validator.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

import email_validator

from mailbox_service.core.errors import BadAddress, BadRequest

# RFC 5321 §4.5.3.1, in octets. A path has 256 with its angle brackets, so an address has 254,
# and a domain inside an address can never use all its 253.
MAX_LOCAL = 64
MAX_DOMAIN = 253
MAX_ADDRESS = 254

# A MAIL or RCPT line has 512 octets (RFC 5321 §4.5.3.1.4); SIZE, BODY, AUTH, SMTPUTF8 and the
# DSN parameters add up to 1,572 more (RFC 1870, 6152, 4954, 6531, 3461).
MAX_PATH_ARGUMENT = 2_084

# atext of RFC 5322 §3.2.3. `%` and `!` are letters like any other: we never route by them.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
# Letters, digits, hyphens (RFC 1123 §2.1), at most 63 (RFC 1035 §2.3.4).
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# A last label of digits alone would be an IPv4 address without its brackets (RFC 3696 §2).
_DOMAIN = rf"(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}"

_ascii_address = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_DOMAIN}").fullmatch
_ascii_local = re.compile(rf"{_ATOM}(?:\.{_ATOM})*").fullmatch
_ascii_domain = re.compile(_DOMAIN).fullmatch
_one_label = re.compile(rf"(?![0-9]+\Z){_LABEL}").fullmatch

# The library refuses names such as `.test` and `.localhost` by policy, not by grammar. Which
# domains are served or reached is the administrator's and DNS's to say, and our first-run
# domain is `mailbox.localhost`. The list is documented as the users' to change.
email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()


def canonical(text: str, *, single_label: bool = False) -> str:
    """The one spelling of an address: lower-case, NFC, domain in A-labels (RFC 5890 §2.3.2.1).

    Lower-casing the local part is more than RFC 5321 §2.4 asks; it makes two spellings of one
    mailbox one mailbox. Quoted local parts, address literals, source routes, comments, display
    names and surrounding space are refused. `single_label` also lets `a@localhost` pass.

    Raises BadAddress.
    """
    if len(text) <= MAX_ADDRESS:
        address = _plain(text)
        if address:
            if address.index("@") <= MAX_LOCAL:
                return address
            raise BadAddress("The part before the @ is longer than 64 octets")
    local, domain = _divide(text)
    local, domain = _canonical_local(local), canonical_domain(domain, single_label=single_label)
    address = f"{local}@{domain}"
    if len(address.encode()) > MAX_ADDRESS:
        raise BadAddress("The address is longer than 254 octets")
    return address


def as_written(text: str, *, single_label: bool = False) -> str:
    """An address of somebody else: its domain canonical, its local part as it was written, since
    only the host of a mailbox may say which letters are the same (RFC 5321 §2.4). What is not
    ASCII is canonical all the same. Raises BadAddress as `canonical` does."""
    address = canonical(text, single_label=single_label)
    if not text.isascii():
        return address
    return text.rpartition("@")[0] + address[address.rindex("@") :]


def canonical_domain(text: str, *, single_label: bool = False) -> str:
    """The one spelling of a domain: lower-case A-labels, no final dot (RFC 5321 §2.3.5).

    `single_label` also lets a name without dots pass, such as `localhost`. Raises BadAddress.
    """
    if len(text) <= MAX_DOMAIN:
        if _ascii_domain(text) or (single_label and _one_label(text)):
            domain = text.lower()
            if "xn--" not in domain:
                return domain
        elif text.isascii():
            raise BadAddress("The domain is not a host name with at least two labels")
        return _idna_domain(text, single_label=single_label)
    raise BadAddress("The domain is longer than 253 octets")


def split(address: str) -> tuple[str, str]:
    """Local part and domain of a canonical address."""
    local, _, domain = address.rpartition("@")
    return local, domain


def without_detail(address: str) -> str | None:
    """The address below which a sub-address is: `name@domain` of `name+detail@domain` (RFC 5233);
    None for an address that is none."""
    local, domain = split(address)
    name, plus, _ = local.partition("+")
    return f"{name}@{domain}" if plus and name else None


def domain_matches(domain: str, served: Collection[str]) -> bool:
    """Whether a canonical domain is one of `served`, or lies below one on a label boundary."""
    while domain:
        if domain in served:
            return True
        domain = domain.partition(".")[2]
    return False


def parse_path(
    text: str,
    *,
    postmaster_domain: str | None = None,
    single_label: bool = False,
    local_as_written: bool = False,
) -> tuple[str, str]:
    """Read what follows `MAIL FROM:` or `RCPT TO:`: a path in angle brackets, then parameters.

    Returns the canonical address and the parameters as one unread text. The null reverse-path
    `<>` gives the empty string; whether that is acceptable is the caller's to know. Source
    routes, which RFC 5321 §4.1.1.3 lets a server refuse, are refused. `<postmaster>` without a
    domain (§4.1.1.3) is an address only when `postmaster_domain` tells whose it is.
    `local_as_written`: as the function `as_written` has it.

    Raises BadAddress for the path and BadRequest for what comes after it.
    """
    if len(text) > MAX_PATH_ARGUMENT:
        raise BadAddress("The path and its parameters are too long")
    # §3.3 knows no space after the colon; so many clients send one that every server takes it.
    text = text.strip(" ")
    if text[:1] != "<":
        raise BadAddress("The path must stand in angle brackets")
    path, closed, parameters = text[1:].partition(">")
    if not closed:
        raise BadAddress("The path must stand in angle brackets")
    if parameters:
        if parameters[0] != " ":
            raise BadAddress("Nothing but parameters may follow the path")
        if not parameters.isprintable():
            raise BadRequest("The parameters contain a control character")
        parameters = parameters.strip(" ")
    if not path:
        return "", parameters
    if postmaster_domain is not None and path.lower() == "postmaster":
        return f"postmaster@{postmaster_domain}", parameters
    read = as_written if local_as_written else canonical
    return read(path, single_label=single_label), parameters


# One message has each of its addresses read several times, and whoever writes, writes again.
@lru_cache(maxsize=4_096)
def _plain(text: str) -> str:
    """The spelling of an address that is plain ASCII throughout; empty for any other."""
    address = text.lower() if _ascii_address(text) else ""
    return "" if "xn--" in address else address


def _divide(text: str) -> tuple[str, str]:
    if len(text) > MAX_ADDRESS:
        raise BadAddress("The address is longer than 254 octets")
    local, at, domain = text.partition("@")
    if not (local and at and domain):
        raise BadAddress("An address has the form name@domain")
    return local, domain


def _canonical_local(text: str) -> str:
    """Dot-atoms of ASCII, or of UTF-8 as RFC 6531 §3.3 allows; NFC and lower-case."""
    # Lower-casing may compose anew (İ becomes two characters) or leave Unicode (the Kelvin sign
    # becomes k). Twice is enough for every assigned character; what still moves is refused.
    local = _fold(_fold(text))
    if local != _fold(local):
        raise BadAddress("The part before the @ has no lower-case form")
    if len(local.encode(errors="replace")) > MAX_LOCAL:
        raise BadAddress("The part before the @ is longer than 64 octets")
    if _ascii_local(local):
        return local
    if local.isascii():
        raise BadAddress("The part before the @ must be plain letters, digits and !#$%&'*+-/=?^_.")
    # Whoever decomposes a character later must not find a bracket, comma or space inside.
    skeleton = unicodedata.normalize("NFKD", local)
    if not _ascii_local("".join(c if c.isascii() else "x" for c in skeleton)):
        raise BadAddress("The part before the @ contains a character that may not stand there")
    return _validated(f"{local}@mail.example").local_part


def _fold(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def _idna_domain(text: str, *, single_label: bool) -> str:
    domain = _validated(f"postmaster@{text}", single_label=single_label).ascii_domain.lower()
    if _ascii_domain(domain) or (single_label and _one_label(domain)):
        return domain
    raise BadAddress("The domain is not valid")


def _validated(text: str, *, single_label: bool = False) -> email_validator.ValidatedEmail:
    try:
        return email_validator.validate_email(
            text,
            allow_smtputf8=True,
            check_deliverability=False,
            globally_deliverable=not single_label,
        )
    except email_validator.EmailNotValidError as error:
        # The library's text quotes characters of the address; ours is safe in any reply.
        raise BadAddress("The address is not valid") from error
