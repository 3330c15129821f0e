"""Passing arriving mail on to other addresses (mailbox-api §9.8), and never in a circle.

The message goes on as it came, with one field on top that names the mailbox it was forwarded
from. A message that bears the field of a mailbox has been there before and is not forwarded from
it again; one that has passed too many hosts is not forwarded at all.

Where several get a copy at once, another field says who, as digests. Among mailboxes of this host
each copy is judged by the same rules again, and without it five targets of one rule would make
hundreds of mails out of one, along every way from one to the other.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mailbox_service.core.address import canonical, split
from mailbox_service.core.errors import BadAddress, RoutingLoop
from mailbox_service.core.mime_parts import Header
from mailbox_service.core.policy import ForwardingRule
from mailbox_service.core.trace_fields import MAX_RECEIVED, count_received

LOOP_FIELD = "X-Loop"
COPIES_FIELD = "X-Forwarded-Copies"
# Enough that two addresses never share one, and no line of a hundred addresses for strangers.
DIGEST = 12  # hexadecimal digits
DIGESTS_OF_A_LINE = 5
# A rule is read and matched for every arriving mail; each of its patterns may take 50 ms.
MOST_RULES = 500
MOST_SOURCES = 50
MOST_DOMAINS = 1_000
# Copies of one mail. More is a mistake in the rules, and would make this host a cannon.
MOST_COPIES = 100


def read_rules(settings: Iterable[Mapping[str, Any]]) -> tuple[ForwardingRule, ...]:
    """Forwarding rules from their JSON; what makes no sense is left out."""
    rules = []
    for setting in list(settings)[:MOST_RULES]:
        forward = setting.get("forward")
        if not isinstance(forward, str) or not forward.strip():
            continue
        rules.append(
            ForwardingRule(
                forward=forward.strip(),
                domains=texts(setting.get("domains"))[:MOST_DOMAINS],
                sources=texts(setting.get("sourcePatterns"))[:MOST_SOURCES],
                all_sources=setting.get("sourceMatchMode") == "all",
            )
        )
    return tuple(rules)


def texts(value: object) -> tuple[str, ...]:
    """The texts of a list; nothing of what is no list."""
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def targets(
    everything_to: Sequence[str],
    rules: Iterable[ForwardingRule],
    *,
    recipient: str,
    reverse_path: str,
) -> list[str]:
    """Where a message goes on to, in order; an address comes as often as it gets a copy."""
    domain = split(recipient)[1]
    found = [address.strip() for address in everything_to if address.strip()]
    for rule in rules:
        found += [rule.forward] * rule.copies(domain, reverse_path)
    return found[:MOST_COPIES]


def may_go_on(header: Header, content: bytes, recipient: str) -> bool:
    """Whether a message that lies in a mailbox may be forwarded from there."""
    if any(value.strip().lower() == recipient for value in header.all(LOOP_FIELD.lower())):
        return False
    try:
        return count_received(content) < MAX_RECEIVED
    except RoutingLoop:
        return False


def without_copy(header: Header, recipient: str, found: Iterable[str]) -> list[str]:
    """Those of the targets that have no copy of a message in the mailbox of `recipient` yet: not
    that mailbox itself, none where it was before, and nobody who got one by an earlier step."""
    have = {word for value in header.all(COPIES_FIELD.lower()) for word in value.split()}
    have |= {_digest(address) for address in (recipient, *header.all(LOOP_FIELD.lower()))}
    return [address for address in found if _digest(address) not in have]


def marked(content: bytes, recipient: str, targets: Sequence[str] = ()) -> bytes:
    """The message as it is forwarded to `targets`: untouched below a field that names the mailbox,
    and one that tells who else gets it when there are several."""
    digests = list(dict.fromkeys(_digest(address) for address in targets))
    lines = [
        " ".join(digests[at : at + DIGESTS_OF_A_LINE])
        for at in range(0, len(digests), DIGESTS_OF_A_LINE)
    ]
    copies = f"{COPIES_FIELD}: " + "\r\n ".join(lines) + "\r\n" if len(digests) > 1 else ""
    return f"{LOOP_FIELD}: {recipient}\r\n{copies}".encode() + content


def _digest(address: str) -> str:
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()[:DIGEST]


def in_rounds(addresses: Iterable[str]) -> list[tuple[str, ...]]:
    """The canonical addresses, those with a second copy again in a second round, and so on:
    a message has each recipient once. What is no address is left out."""
    seen: Counter[str] = Counter()
    rounds: list[list[str]] = []
    for address in addresses:
        try:
            name = canonical(address)
        except BadAddress:
            continue
        number = seen[name]
        seen[name] += 1
        if number == len(rounds):
            rounds.append([])
        rounds[number].append(name)
    return [tuple(one) for one in rounds]
