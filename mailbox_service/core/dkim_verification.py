"""Checking DKIM signatures (RFC 6376 §6): which domains vouch for a message as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailbox_service.core.signatures import (
    KeyTexts,
    Signature,
    SignedMessage,
    Unproved,
    permanent,
)

FIELD = b"dkim-signature"
REQUIRED = ("v", "a", "b", "bh", "d", "h", "s")
# RFC 6376 §6.1 lets a verifier stop; lists and services in a row leave five or six.
MOST_SIGNATURES = 10
# Clocks of senders may be wrong by so many seconds.
CLOCK_SECONDS = 36_000
# The best word for several signatures that hold nothing, first.
_ORDER = ("pass", "temperror", "fail", "neutral", "policy", "permerror")


@dataclass(frozen=True, slots=True)
class DkimResult:
    """What one signature proves: pass, fail, neutral, policy, temperror or permerror (RFC 8601
    §2.7.1), for a domain. `start` are the first letters of it, to tell two apart (RFC 6008)."""

    result: str
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    start: str = ""
    reason: str = ""


def overall(results: Sequence[DkimResult]) -> str:
    """One word for all signatures; `none` without any."""
    words = {one.result for one in results}
    return next((word for word in _ORDER if word in words), "none")


def key_names(message: SignedMessage) -> list[str]:
    """Where the keys are that `verify` needs."""
    names = []
    for raw in message.all(FIELD)[:MOST_SIGNATURES]:
        try:
            names.append(Signature.read(FIELD, raw, REQUIRED).key_name)
        except Unproved:
            continue
    return list(dict.fromkeys(names))


def verify(message: SignedMessage, keys: KeyTexts, *, now_seconds: int) -> list[DkimResult]:
    """Check every signature of a message that came at a time (Unix)."""
    return [
        _verify(message, raw, keys, now_seconds) for raw in message.all(FIELD)[:MOST_SIGNATURES]
    ]


def _verify(message: SignedMessage, raw: bytes, keys: KeyTexts, now_seconds: int) -> DkimResult:
    try:
        signature = Signature.read(FIELD, raw, REQUIRED)
    except Unproved as error:
        return DkimResult(error.result, reason=error.reason)
    result, reason = "pass", ""
    try:
        _check_tags(signature, now_seconds)
        relaxed = signature.forms[0] == b"relaxed"
        data = message.chosen(signature.names, relaxed=relaxed)
        data += signature.without_value(relaxed=relaxed)
        key = signature.check_key(data, keys.get(signature.key_name, ()))
        _check_identity(signature, key)
        signature.check_body(message)
    except Unproved as error:
        result, reason = error.result, error.reason
    return DkimResult(
        result,
        signature.domain,
        signature.selector,
        signature.algorithm,
        "".join(signature.tags["b"].split())[:8],
        reason,
    )


def _check_tags(signature: Signature, now_seconds: int) -> None:
    """What the signature says of itself (RFC 6376 §6.1.1). Raises Unproved."""
    tags = signature.tags
    if tags["v"] != "1":
        raise permanent("the version is not known")
    if b"from" not in signature.names:
        raise permanent("the signature does not cover From")
    if "dns/txt" not in {word.strip() for word in tags.get("q", "dns/txt").lower().split(":")}:
        raise permanent("the key is somewhere else")
    identity = identity_domain(tags, signature.domain)
    if identity != signature.domain and not identity.endswith("." + signature.domain):
        raise permanent("i= is not below d=")
    made, ends = signature.number("t"), signature.number("x")
    if made is not None and made > now_seconds + CLOCK_SECONDS:
        raise Unproved("fail", "the signature comes from the future")
    if ends is not None and (ends < now_seconds - CLOCK_SECONDS or ends < (made or 0)):
        raise Unproved("fail", "the signature has expired")


def identity_domain(tags: Mapping[str, str], domain: str) -> str:
    """The domain of i=, which is d= where it is absent."""
    return tags["i"].rpartition("@")[2].lower() if tags.get("i") else domain


def _check_identity(signature: Signature, key: Mapping[str, str]) -> None:
    """A key may speak for its domain alone (flag `s`, RFC 6376 §3.6.1). Raises Unproved."""
    flags = {word.strip() for word in key.get("t", "").split(":")}
    if "s" in flags and identity_domain(signature.tags, signature.domain) != signature.domain:
        raise permanent("the key speaks for its own domain only")
