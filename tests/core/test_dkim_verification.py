"""Checking DKIM signatures, with another implementation (dkimpy) as signer and as judge."""

from __future__ import annotations

import random
import re
from base64 import b64encode

import dkim as dkimpy  # type: ignore[import-untyped]  # no stubs exist
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core import dkim_verification
from mailbox_service.core.dkim import Signer, dns_record, generate_key, sign
from mailbox_service.core.dkim_verification import DkimResult
from mailbox_service.core.errors import BadContent
from mailbox_service.core.signatures import KeyTexts, SignedMessage

NOW = 1_795_262_400
KEY = generate_key("rsa")
ED_KEY = generate_key("ed25519")
PKCS1 = serialization.load_pem_private_key(KEY.encode(), None).private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)
RECORD = dns_record(KEY).encode()
NAME = "sel._domainkey.sender.example"
KEYS: dict[str, tuple[bytes, ...]] = {
    NAME: (RECORD,),
    "ed._domainkey.sender.example": (dns_record(ED_KEY).encode(),),
}
MESSAGE = (
    b"From: Ann  <ann@sender.example>\r\n"
    b"To: bob@x.test,\r\n\teve@x.test\r\n"
    b"Subject: Hello \r\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
    b"Message-ID: <1@sender.example>\r\n"
    b"\r\n"
    b"One  line \r\n"
    b"\r\n"
    b"Another\tone\r\n"
    b"\r\n\r\n"
)


def checked(content: bytes, keys: KeyTexts = KEYS, now: int = NOW) -> list[DkimResult]:
    return dkim_verification.verify(SignedMessage.read(content), keys, now_seconds=now)


def word(content: bytes, keys: KeyTexts = KEYS, now: int = NOW) -> str:
    return dkim_verification.overall(checked(content, keys, now))


def by_dkimpy(content: bytes, record: bytes = RECORD) -> bool:
    def look_up(name: bytes, timeout: int = 5) -> bytes | None:
        return record if name.decode().rstrip(".") == NAME else None

    try:
        return bool(dkimpy.DKIM(content).verify(dnsfunc=look_up))
    except dkimpy.DKIMException:
        return False


def signed(content: bytes = MESSAGE, forms: str = "relaxed/relaxed", **options: object) -> bytes:
    """A message that dkimpy signed."""
    canonical = tuple(part.encode() for part in forms.split("/"))
    field = dkimpy.sign(
        content, b"sel", b"sender.example", PKCS1, canonicalize=canonical, **options
    )
    # It stamps with the time of the machine, which is not the time of these tests.
    assert isinstance(field, bytes)
    return field + content


def now_of(content: bytes) -> int:
    found = re.search(rb"[ ;]t=(\d+)", content)
    assert found is not None
    return int(found[1])


FORMS = ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]


@pytest.mark.parametrize("forms", FORMS)
def test_a_signature_of_another_program_holds(forms: str) -> None:
    content = signed(forms=forms)
    [found] = checked(content, now=now_of(content))
    assert (found.result, found.domain, found.selector) == ("pass", "sender.example", "sel")
    assert found.algorithm == "rsa-sha256"
    assert len(found.start) == 8


@pytest.mark.parametrize("key", [KEY, ED_KEY], ids=["rsa", "ed25519"])
def test_our_own_signatures_hold(key: str) -> None:
    selector = "sel" if key is KEY else "ed"
    assert word(sign(MESSAGE, [Signer("sender.example", selector, key)], NOW)) == "pass"


@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello", b"Hallo"),
        (b"One", b"Two"),
        (b"\r\nAnother", b"\r\n\r\nAnother"),
        (b"From: Ann", b"From: Eve <eve@evil.example>\r\nFrom: Ann"),
        (b"Another\tone\r\n", b"Another\tone\r\nand more\r\n"),
    ],
)
def test_what_was_changed_is_noticed(forms: str, old: bytes, new: bytes) -> None:
    content = signed(forms=forms)
    head, _, rest = content.partition(b"From: Ann")
    changed = head + (b"From: Ann" + rest).replace(old, new, 1)
    assert changed != content
    assert word(changed, now=now_of(content)) == "fail"
    assert not by_dkimpy(changed)


@pytest.mark.parametrize("forms", FORMS)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject: Hello ", b"SUBJECT:  Hello\t"),
        (b"One  line \r\n", b"One line\r\n"),
        (b"Another\tone\r\n\r\n\r\n", b"Another\tone\r\n"),
        (b"Another\tone\r\n\r\n\r\n", b"Another\tone\r\n\r\n\r\n\r\n\r\n"),
        (b"Another\tone\r\n\r\n\r\n", b"Another\tone\r\n \r\n"),
        (b"bob@x.test,\r\n\teve", b"bob@x.test, eve"),
    ],
)
def test_what_relays_do_is_judged_as_another_program_judges_it(
    forms: str, old: bytes, new: bytes
) -> None:
    content = signed(forms=forms).replace(old, new, 1)
    assert (word(content, now=now_of(content)) == "pass") is by_dkimpy(content)


@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"\r\n\r\n", b" \r\n", b"x", b"x \r\n", b"\t\r\nx\r\n"]
)
@pytest.mark.parametrize("forms", FORMS)
def test_odd_bodies_are_hashed_alike(forms: str, body: bytes) -> None:
    content = signed(b"From: a@sender.example\r\n\r\n" + body, forms)
    assert by_dkimpy(content)
    assert word(content, now=now_of(content)) == "pass"


@settings(deadline=None, max_examples=150)
@given(
    body=st.lists(st.sampled_from([b" ", b"\t", b"\r\n", b"a", b"bc", b"="]), max_size=30),
    forms=st.sampled_from(FORMS),
)
def test_any_body_is_hashed_alike(body: list[bytes], forms: str) -> None:
    content = signed(
        b"From: a@sender.example\r\nSubject:  b \r\n\r\n" + b"".join(body) + b"\r\n", forms
    )
    assert word(content, now=now_of(content)) == "pass"


@pytest.mark.parametrize("seed", range(6))
def test_a_letter_changed_anywhere_is_judged_alike(seed: int) -> None:
    """Differential: what dkimpy believes, we believe, except where we are stricter on purpose."""
    chance = random.Random(seed)
    content = signed(forms=chance.choice(FORMS))
    now = now_of(content)
    for _ in range(60):
        at = chance.randrange(len(content))
        letter = chance.choice(b"aZ0 =;:\t")
        changed = content[:at] + bytes([letter]) + content[at + 1 :]
        try:
            ours = word(changed, now=now) == "pass"
        except BadContent:
            ours = False
        if ours:
            assert by_dkimpy(changed), changed


def retagged(old: bytes, new: bytes, content: bytes | None = None) -> bytes:
    """A signature that says something else than it did."""
    text = (
        sign(MESSAGE, [Signer("sender.example", "sel", KEY)], NOW) if content is None else content
    )
    changed = text.replace(old, new, 1)
    assert changed != text
    return changed


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"v=1", b"v=2", "permerror"),
        (b"v=1;", b"", "permerror"),
        (b"rsa-sha256", b"rsa-sha1", "permerror"),
        (b"rsa-sha256", b"ed25519-sha256", "permerror"),
        (b"relaxed/relaxed", b"relaxed/odd", "permerror"),
        (b"from:from:", b"", "permerror"),
        (b"s=sel", b"s=none", "permerror"),
        (b"d=sender.example", b"d=localhost", "permerror"),
        (b"d=sender.example;", b"d=sender.example; d=x.example;", "permerror"),
        (b"t=%d" % NOW, b"t=soon", "permerror"),
        (b"t=%d" % NOW, b"t=%d" % (NOW + 100_000), "fail"),
        (b"t=%d" % NOW, b"t=%d; x=%d" % (NOW, NOW - 100_000), "fail"),
        (b"t=%d" % NOW, b"t=%d; i=ann@evil.example" % NOW, "permerror"),
        (b"t=%d" % NOW, b"t=%d; q=http" % NOW, "permerror"),
        (b"t=%d" % NOW, b"t=%d; i=ann@mail.sender.example" % NOW, "fail"),
        (b"bh=", b"bh=#", "fail"),
        (b"v=1;", b"v=1; nonsense;", "permerror"),
    ],
)
def test_what_a_signature_may_not_say(old: bytes, new: bytes, expected: str) -> None:
    assert word(retagged(old, new)) == expected


def raw_key(bits: int) -> bytes:
    public = rsa.generate_private_key(65_537, bits).public_key()
    return b64encode(
        public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (None, "temperror"),
        ((), "permerror"),
        ((RECORD.replace(b"v=DKIM1; ", b""),), "pass"),
        ((RECORD.replace(b"k=rsa; ", b""),), "pass"),
        ((RECORD + b"; t=y; n=a note",), "pass"),
        ((RECORD + b"; t=s",), "pass"),
        ((RECORD + b"; s=email; h=sha1:sha256",), "pass"),
        ((RECORD + b"; s=tlsrpt",), "permerror"),
        ((RECORD + b"; h=sha1",), "permerror"),
        ((RECORD.replace(b"DKIM1", b"DKIM2"),), "permerror"),
        ((b"v=DKIM1; k=rsa; p=",), "permerror"),
        ((b"v=DKIM1; k=rsa",), "permerror"),
        ((b"v=DKIM1; k=rsa; p=AAAA",), "permerror"),
        ((b"v=DKIM1; k=ed25519; p=AAAA",), "permerror"),
        ((b"v=DKIM1; k=dsa; p=AAAA",), "permerror"),
        ((b"v=DKIM1; k=rsa; p=" + raw_key(2_048),), "fail"),
        ((b"v=DKIM1; k=rsa; p=" + raw_key(1_024),), "fail"),
        ((b"v=DKIM1; p=" + b"A" * 5_000,), "permerror"),
        ((b"\xff\xfe",), "permerror"),
    ],
)
def test_what_a_key_record_may_say(texts: tuple[bytes, ...] | None, expected: str) -> None:
    content = sign(MESSAGE, [Signer("sender.example", "sel", KEY)], NOW)
    assert word(content, {NAME: texts}) == expected


def test_a_key_may_be_for_its_own_domain_only() -> None:
    content = signed(identity=b"ann@mail.sender.example")
    keys = {NAME: (RECORD,)}
    assert word(content, keys, now_of(content)) == "pass"
    keys = {NAME: (RECORD + b"; t=s",)}
    assert word(content, keys, now_of(content)) == "permerror"


def test_a_signature_over_the_beginning_proves_the_beginning_only() -> None:
    """RFC 6376 §8.2: what stands behind it may be anybody's."""
    content = signed(length=True)
    now = now_of(content)
    assert word(content, now=now) == "pass"
    assert by_dkimpy(content + b"Buy this.\r\n")
    assert word(content + b"Buy this.\r\n", now=now) == "policy"


def test_the_best_of_several_signatures_counts_and_many_are_not_looked_at() -> None:
    good = sign(MESSAGE, [Signer("sender.example", "sel", KEY)], NOW)
    lost = retagged(b"s=sel", b"s=none", sign(MESSAGE, [Signer("sender.example", "sel", KEY)], NOW))
    both = lost[: -len(MESSAGE)] + good
    assert [one.result for one in checked(both)] == ["permerror", "pass"]
    assert word(both) == "pass"
    many = b"DKIM-Signature: v=1\r\n" * 200 + good
    assert len(checked(many)) == dkim_verification.MOST_SIGNATURES
    assert word(MESSAGE) == "none"


def test_only_the_keys_that_are_needed_are_asked_for() -> None:
    content = sign(MESSAGE, [Signer("sender.example", "sel", KEY)] * 2, NOW)
    junk = b"DKIM-Signature: a=b\r\nDKIM-Signature: \xff\r\n"
    assert dkim_verification.key_names(SignedMessage.read(junk + content)) == [NAME]


@pytest.mark.parametrize(
    "content",
    [
        b"DKIM-Signature: " + b"b" * 20_000 + b"\r\n\r\n",
        b"DKIM-Signature: b=" + b" \t" * 8_000 + b"\r\n\r\n",
        b"DKIM-Signature: h=" + b"from:" * 3_000 + b"\r\n\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; b=AA==; bh=AA==; d=sender.example; s=sel; h="
        + b"from:" * 2_000
        + b"\r\nFrom: a@b.example\r\n\r\n",
        b"From: a@b.example\r\n\r\n" + b" " * 3_000_000,
        b"From: a@b.example\r\n\r\n" + b" \t\r\n" * 500_000 + b"x",
        b"From: a@b.example\r\n\r\n" + b"\r\n" * 1_000_000,
    ],
    ids=["long", "spaces", "names", "readable", "one line", "blank lines", "empty lines"],
)
def test_hostile_signatures_and_bodies_cost_little(content: bytes) -> None:
    """Hazard 28: linear, where a pattern that tries every space would take hours."""
    message = SignedMessage.read(content)
    message.canonical_body(b"relaxed")
    message.canonical_body(b"simple")
    dkim_verification.verify(message, KEYS, now_seconds=NOW)
