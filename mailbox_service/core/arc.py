"""Checking an Authenticated Received Chain (RFC 8617 §5.2): did every host that changed a
message on its way seal what the ones before it had found?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailbox_service.core.canonical_form import relaxed_field
from mailbox_service.core.signatures import KeyTexts, Signature, SignedMessage, Unproved

RESULTS, MESSAGE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
MESSAGE_TAGS = ("i", "a", "b", "bh", "d", "h", "s")
SEAL_TAGS = ("i", "a", "b", "cv", "d", "s")
MOST_SETS = 50  # RFC 8617 §4.2.1

_find_instance = re.compile(rb"[:;]\s*+i\s*+=\s*+([0-9]{1,3})\s*+(?:;|$)").search


@dataclass(frozen=True, slots=True)
class ArcResult:
    """none, pass or fail (RFC 8617 §4.4), or temperror while a key cannot be found out; `domain`
    is that of the last seal."""

    result: str
    domain: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Set:
    results: bytes
    message: Signature
    seal: Signature


class _Broken(Exception):
    """The chain fails."""


def key_names(message: SignedMessage) -> list[str]:
    """Where the keys are that `verify` needs."""
    try:
        sets = _read(message)
    except (_Broken, Unproved):
        return []
    signatures = [one.seal for one in sets] + [one.message for one in sets[-1:]]
    return list(dict.fromkeys(signature.key_name for signature in signatures))


def verify(message: SignedMessage, keys: KeyTexts) -> ArcResult:
    """Check the chain of a message."""
    domain = ""
    try:
        sets = _read(message)
        if not sets:
            return ArcResult("none")
        domain = sets[-1].seal.domain
        _check_message(message, sets[-1].message, keys)
        for number in range(len(sets), 0, -1):
            seal = sets[number - 1].seal
            seal.check_key(_sealed(sets[:number]), keys.get(seal.key_name, ()))
    except Unproved as error:
        return ArcResult("temperror" if error.result == "temperror" else "fail", domain, str(error))
    except _Broken as error:
        return ArcResult("fail", domain, str(error))
    return ArcResult("pass", domain)


def _read(message: SignedMessage) -> list[_Set]:
    """The sets of the chain from the first on (§5.2, steps 1 to 3). Raises _Broken, Unproved."""
    found: dict[bytes, dict[int, bytes]] = {RESULTS: {}, MESSAGE: {}, SEAL: {}}
    for name, by_instance in found.items():
        for raw in message.all(name):
            instance = _find_instance(raw)
            number = int(instance[1]) if instance else 0
            if not 1 <= number <= MOST_SETS or number in by_instance:
                raise _Broken("a set of the chain has no number of its own")
            by_instance[number] = raw
    count = len(found[SEAL])
    if any(sorted(one) != list(range(1, count + 1)) for one in found.values()):
        raise _Broken("a set of the chain is not complete")
    sets = []
    for number in range(1, count + 1):
        sealed = Signature.read(MESSAGE, found[MESSAGE][number], MESSAGE_TAGS)
        seal = Signature.read(SEAL, found[SEAL][number], SEAL_TAGS)
        if seal.tags["cv"].lower() != ("none" if number == 1 else "pass"):
            raise _Broken(f"set {number} says that the chain was broken")
        if "h" in seal.tags or "bh" in seal.tags:
            raise _Broken(f"the seal of set {number} covers what it may not")
        sets.append(_Set(found[RESULTS][number], sealed, seal))
    return sets


def _check_message(message: SignedMessage, signature: Signature, keys: KeyTexts) -> None:
    """The message is as the last host of the chain passed it on. Raises Unproved, _Broken."""
    if SEAL in signature.names:
        raise _Broken("the signature of the message covers a seal")
    relaxed = signature.forms[0] == b"relaxed"
    data = message.chosen(signature.names, relaxed=relaxed)
    data += signature.without_value(relaxed=relaxed)
    signature.check_key(data, keys.get(signature.key_name, ()))
    signature.check_body(message)


def _sealed(sets: list[_Set]) -> bytes:
    """What the last seal of these sets covers (§5.1.1): every set in order, itself last."""
    parts = []
    for one in sets[:-1]:
        parts += [
            relaxed_field(RESULTS, one.results),
            relaxed_field(MESSAGE, one.message.raw),
            relaxed_field(SEAL, one.seal.raw),
        ]
    last = sets[-1]
    parts += [relaxed_field(RESULTS, last.results), relaxed_field(MESSAGE, last.message.raw)]
    return b"".join([*parts, last.seal.without_value(relaxed=True)])
