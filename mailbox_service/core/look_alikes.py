"""Signs that an author poses as somebody else: names and domains that look like others.

For a score that people read, never for a refusal: each has honest exceptions. The words are
bounded before they come here (`header_words`), and all work is linear in them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from mailbox_service.core.address import domain_matches

# What is looked at of a name and a domain (RFC 1035 §2.3.4).
LONGEST_NAME, LONGEST_DOMAIN = 256, 253

_shown_domains = re.compile(r"[^\s@<>\"'(),;:]@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)").findall
# Small letters of other scripts that look like Latin ones (the common ones of Unicode UTS 39).
_LATIN_LOOKS = str.maketrans(
    {
        **dict(zip("аеорсухѕіјԁһӏԛԝү", "aeopcyxsijdhlqwy", strict=True)),
        **dict(zip("αινορυχγ", "aivopuxy", strict=True)),
        **dict(zip("օոսհցզ", "onuhgq", strict=True)),
        "ı": "i",
    }
)
# What is taken for another letter at a glance; `i`, `l` and `1` in most fonts in some case.
_GLANCES = (("rn", "m"), ("vv", "w"), ("0", "o"), ("1", "l"), ("i", "l"), ("-", ""))
# Scripts whose letters pass for Latin ones, and so have no place beside them in one label.
_CONFUSABLE_SCRIPTS = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"))


def look_alikes(name: str, address: str, own_domains: Collection[str]) -> Iterable[str]:
    """The signs in the display name and the address of an author:

    `name-shows-other-address`, where the name holds an address of another domain;
    `mixed-scripts`, where a label of the domain mixes scripts, or passes for Latin in another;
    `looks-like-ours`, where the domain is none of ours and could be taken for one.
    """
    domain = shown(address.rpartition("@")[2].lower().rstrip(".")[:LONGEST_DOMAIN])
    if not domain:
        return
    if any(not related(other.lower(), domain) for other in _shown_domains(name[:LONGEST_NAME])):
        yield "name-shows-other-address"
    labels = domain.split(".")
    if any(is_mixed(label) or is_disguised(label, labels[-1]) for label in labels):
        yield "mixed-scripts"
    ours = [shown(own.lower()) for own in own_domains]
    if not domain_matches(domain, ours) and any(poses_as(domain, own) for own in ours):
        yield "looks-like-ours"


def shown(domain: str) -> str:
    """A domain as programs show it: A-labels as the text that they stand for (RFC 3492)."""
    return ".".join(_shown_label(label) for label in domain.split("."))


def _shown_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode").lower()
    except (UnicodeError, ValueError, OverflowError):
        return label


def related(one: str, other: str) -> bool:
    """Whether two domains are the same, or one lies below the other."""
    one = shown(one)
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def is_mixed(label: str) -> bool:
    """Whether a label has letters of two scripts that can be taken for each other."""
    return len(scripts(label) & _CONFUSABLE_SCRIPTS) > 1


def is_disguised(label: str, last: str) -> bool:
    """Whether a label in another script passes for a Latin one, below a top domain in Latin."""
    if label.isascii() or not last.isascii() or "LATIN" in scripts(label):
        return False
    return label.translate(_LATIN_LOOKS).isascii()


def scripts(text: str) -> set[str]:
    """The scripts of the letters of a text, by the first word of their names."""
    return {unicodedata.name(char, "?").partition(" ")[0] for char in text if char.isalpha()}


def poses_as(domain: str, own: str) -> bool:
    """Whether a domain that is not ours could be taken for one of ours: its end looks the same,
    or ours stands in front of another's."""
    count = own.count(".") + 1
    end = ".".join(domain.split(".")[-count:])
    return skeleton(end) == skeleton(own) or f".{domain}.".find(f".{own}.") >= 0


def skeleton(domain: str) -> str:
    """What remains of a domain at a glance; equal ones look alike."""
    plain = unicodedata.normalize("NFKD", domain)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    plain = plain.translate(_LATIN_LOOKS)
    for seen, meant in _GLANCES:
        plain = plain.replace(seen, meant)
    return plain
