"""Chains of hosts that changed a message (RFC 8617), with dkimpy as the judge of our reading."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import dkim as dkimpy  # type: ignore[import-untyped]  # no stubs exist
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mailbox_service.core import arc
from mailbox_service.core.arc import ArcResult
from mailbox_service.core.canonical_form import relaxed_body, relaxed_field
from mailbox_service.core.dkim import dns_record, generate_key
from mailbox_service.core.signatures import KeyTexts, SignedMessage

PEM = generate_key("rsa")
KEY = serialization.load_pem_private_key(PEM.encode(), None)
RECORD = dns_record(PEM).encode()
KEYS: dict[str, tuple[bytes, ...]] = {
    f"arc._domainkey.hop{n}.example": (RECORD,) for n in range(1, 60)
}
MESSAGE = b"From: ann@sender.example\r\nSubject: Hello\r\n\r\nOne line\r\n"


def signature(data: bytes) -> bytes:
    assert isinstance(KEY, rsa.RSAPrivateKey)
    return b64encode(KEY.sign(data, padding.PKCS1v15(), hashes.SHA256()))


def sealed(content: bytes, number: int, *, cv: str | None = None, names: bytes = b"") -> bytes:
    """The message with one more set of a chain, as a host would put it there (§5.1)."""
    chain = "none" if number == 1 else "pass"
    domain = f"hop{number}.example".encode()
    results = b"ARC-Authentication-Results: i=%d; %s; spf=pass\r\n" % (number, domain)
    header, _, body = content.partition(b"\r\n\r\n")
    signed = [b"subject", b"from"]
    data = b"".join(
        relaxed_field(name, line + b"\r\n")
        for name in signed
        for line in header.split(b"\r\n")
        if line.lower().startswith(name + b":")
    )
    start = (
        b"ARC-Message-Signature: i=%d; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=arc;\r\n"
        b" h=%s; bh=%s;\r\n b="
    ) % (number, domain, b":".join(signed) + names, b64encode(sha256(relaxed_body(body)).digest()))
    message = start + signature(data + relaxed_field(arc.MESSAGE, start)[:-2]) + b"\r\n"
    start = b"ARC-Seal: i=%d; a=rsa-sha256; cv=%s; d=%s; s=arc; b=" % (
        number,
        (cv or chain).encode(),
        domain,
    )
    before = b""
    for one in range(1, number):
        for name in (arc.RESULTS, arc.MESSAGE, arc.SEAL):
            found = re.search(rb"(?im)^%s: i=%d;.*\r\n(?:[ \t].*\r\n)*" % (name, one), content)
            assert found is not None
            before += relaxed_field(name, found[0])
    before += relaxed_field(arc.RESULTS, results) + relaxed_field(arc.MESSAGE, message)
    seal = start + signature(before + relaxed_field(arc.SEAL, start)[:-2]) + b"\r\n"
    return seal + message + results + content


def chain(count: int, content: bytes = MESSAGE) -> bytes:
    for number in range(1, count + 1):
        content = sealed(content, number)
    return content


def checked(content: bytes, keys: KeyTexts = KEYS) -> ArcResult:
    return arc.verify(SignedMessage.read(content), keys)


def by_dkimpy(content: bytes) -> str:
    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        texts = KEYS.get(name.decode().rstrip("."))
        return texts[0] if texts else None

    result, _, _ = dkimpy.arc_verify(content, dnsfunc=look_up)
    return {b"none": "none", b"pass": "pass"}.get(result, "fail")


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_whole_chain_passes(count: int) -> None:
    content = chain(count)
    assert by_dkimpy(content) == "pass"
    assert checked(content) == ArcResult("pass", f"hop{count}.example")


def test_without_a_chain_there_is_nothing_to_say() -> None:
    assert checked(MESSAGE).result == by_dkimpy(MESSAGE) == "none"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"One line", b"Another line"),
        (b"Subject: Hello", b"Subject: Hallo"),
        (b"i=1; hop1.example; spf=pass", b"i=1; hop1.example; spf=fail"),
        (b"i=2; hop2.example; spf=pass", b"i=2; hop2.example; spf=fail"),
        (b"i=1; a=rsa-sha256; cv=none", b"i=1; a=rsa-sha256; cv=pass"),
        (b"i=2; a=rsa-sha256; cv=pass", b"i=2; a=rsa-sha256; cv=fail"),
        (b"ARC-Seal: i=1;", b"X-Seal: i=1;"),
        (b"ARC-Message-Signature: i=1;", b"X-Signature: i=1;"),
        (b"d=hop1.example; s=arc; b=", b"d=nowhere.example; s=arc; b="),
    ],
)
def test_what_was_changed_breaks_the_chain(old: bytes, new: bytes) -> None:
    content = chain(2)
    changed = content.replace(old, new, 1)
    assert changed != content
    assert checked(changed).result == by_dkimpy(changed) == "fail"


def test_an_earlier_signature_of_the_message_need_not_hold() -> None:
    """That is what a chain is for (§5.2): the second host changed the message."""
    first = sealed(MESSAGE, 1)
    content = sealed(first.replace(b"One line", b"One line\r\n-- \r\nThe list"), 2)
    assert checked(content).result == by_dkimpy(content) == "pass"


@pytest.mark.parametrize(
    "content",
    [
        sealed(MESSAGE, 1, cv="fail"),
        sealed(sealed(MESSAGE, 1), 2, cv="none"),
        sealed(sealed(MESSAGE, 1), 2, cv="fail"),
        sealed(MESSAGE, 1, names=b":arc-seal"),
        sealed(MESSAGE, 1) + b"",
        b"ARC-Seal: i=0; cv=none\r\n" + MESSAGE,
        b"ARC-Seal: nonsense\r\n" + MESSAGE,
        b"ARC-Authentication-Results: i=1; x.example\r\n" + chain(1),
        b"ARC-Seal: i=51; cv=pass\r\n" + chain(1),
        b"ARC-Seal: i=999999999999; cv=pass\r\n" + chain(1),
    ],
)
def test_a_chain_that_is_none_fails(content: bytes) -> None:
    if content == chain(1):
        assert checked(content).result == "pass"
        return
    assert checked(content).result == "fail"


def test_a_key_that_is_not_known_now_is_no_failure() -> None:
    content = chain(2)
    keys = {**KEYS, "arc._domainkey.hop1.example": None}
    assert checked(content, keys).result == "temperror"
    assert checked(content, {}).result == "fail"


def test_the_longest_chain_is_checked_and_no_longer_one() -> None:
    content = chain(arc.MOST_SETS)
    assert checked(content).result == "pass"
    assert len(arc.key_names(SignedMessage.read(content))) == arc.MOST_SETS
    assert checked(sealed(content, arc.MOST_SETS + 1)).result == "fail"
