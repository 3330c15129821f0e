"""Signatures that an independent library (dkimpy) believes, until somebody touches the message."""

from __future__ import annotations

from datetime import UTC, datetime

import dkim as dkimpy  # type: ignore[import-untyped]  # no stubs exist
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core.compose import Draft, NamedAddress, compose
from mailbox_service.core.dkim import (
    Signer,
    dns_record,
    generate_key,
    sign,
    signature_fields,
)
from mailbox_service.core.errors import BadAddress, BadContent, BadRequest
from mailbox_service.core.header_section import MAX_HEADER_SECTION
from mailbox_service.core.submission_fields import prepare_submission

NOW = 1_795_262_400
NOON = datetime.fromtimestamp(NOW, UTC)
KEYS = {"rsa": generate_key("rsa"), "ed25519": generate_key("ed25519")}
SIGNERS = {name: Signer("X.test", f"s-{name}", key) for name, key in KEYS.items()}
RECORDS = {SIGNERS[name].dns_name: dns_record(key) for name, key in KEYS.items()}

MESSAGE = (
    b"From: Ann <ann@x.test>\r\n"
    b"To: bob@y.example\r\n"
    b"Subject: Hello\r\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
    b"Message-ID: <1@x.test>\r\n"
    b"\r\n"
    b"One line\r\n"
)

algorithm = pytest.mark.parametrize("algorithm", ["rsa", "ed25519"])


def lookup(name: bytes, timeout: int = 5) -> bytes | None:
    record = RECORDS.get(name.decode().rstrip("."))
    return record.encode() if record else None


def believed(content: bytes, number: int = 0) -> bool:
    """Whether dkimpy accepts signature `number`, counted from the top, after the last line has
    got the end that SMTP gives it (RFC 5321 §4.1.1.4)."""
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    try:
        return bool(dkimpy.DKIM(content).verify(idx=number, dnsfunc=lookup))
    except dkimpy.ValidationError:
        return False


def signed(content: bytes, algorithm: str = "rsa") -> bytes:
    return sign(content, [SIGNERS[algorithm]], NOW)


@algorithm
def test_a_signature_is_believed_and_the_message_is_left_as_it_is(algorithm: str) -> None:
    """Hazard 55: verified with an independent library."""
    content = signed(MESSAGE, algorithm)
    assert content.endswith(MESSAGE)
    assert believed(content)
    fields = signature_fields(MESSAGE, [SIGNERS[algorithm]], NOW)
    assert b"t=%d;" % NOW in fields
    assert b"c=relaxed/relaxed" in fields
    assert b" l=" not in fields
    assert b"\tl=" not in fields
    assert max(map(len, fields.split(b"\r\n"))) <= 78


@algorithm
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Ann <ann", b"Eve <ann"),
        (b"Hello", b"Hallo"),
        (b"bob@y", b"eve@y"),
        (b"One line", b"One more line"),
        (b"One line\r\n", b"One line\r\nand another\r\n"),
        (b"Date: Sat", b"Date: Sun"),
        (b"<1@x.test>", b"<2@x.test>"),
        (b"From: Ann", b"From: eve@z.example\r\nFrom: Ann"),
        (b"Date: Sat", b"From: eve@z.example\r\nDate: Sat"),
        (b"Date: Sat", b"Subject: second\r\nDate: Sat"),
        (b"Date: Sat", b"To: second@y\r\nDate: Sat"),
        (b"Date: Sat", b"Cc: added@y\r\nDate: Sat"),
        (b"Date: Sat", b"Reply-To: eve@z.example\r\nDate: Sat"),
        (b"Date: Sat", b"Content-Type: text/html\r\nDate: Sat"),
    ],
)
def test_what_is_changed_or_added_on_the_way_is_noticed(
    algorithm: str, old: bytes, new: bytes
) -> None:
    """Hazard 55: From, Subject and the rest of what a reader sees are oversigned."""
    content = signed(MESSAGE, algorithm)
    changed = content.replace(old, new, 1) if old != b"<1@x.test>" else content.replace(old, new)
    assert changed != content
    assert not believed(changed)


@algorithm
def test_what_relays_do_is_not_noticed(algorithm: str) -> None:
    """Relaxed canonicalisation: spaces, folding, the case of names, trace fields on top."""
    content = signed(MESSAGE, algorithm)
    content = content.replace(b"Subject: Hello", b"SUBJECT:  Hello\t")
    content = content.replace(b"To: bob", b"To:\r\n bob").replace(b"One line", b"One  line ")
    assert believed(b"Received: from a by b; x\r\n" + content + b"\r\n \r\n")


@algorithm
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\r\n", b"\r\n\r\n\r\n", b" \r\n", b"\t \r\n \r\n", b"x", b"x ", b"x\r\n\r\n"),
        *(b"x \t\r\n\r\n", b"a  b\tc \r\n \r\n x\r\n", b"\r\n\r\nx\r\n", b" x", b".\r\n..\r\n"),
        b"8-bit \xff\x00\xc3\xa4\r\n",
        b"x" * 102_400,
        b"line of text\r\n" * 8_000,
        b" " * 50_000 + b"\r\n" * 50_000,
        b"\x0b\x0c  \x1c\r\n",
    ],
)
def test_every_shape_of_body_is_hashed_as_verifiers_do(algorithm: str, body: bytes) -> None:
    head = MESSAGE.partition(b"\r\n\r\n")[0]
    assert believed(signed(head + b"\r\n\r\n" + body, algorithm))


@algorithm
@pytest.mark.parametrize(
    "fields",
    [
        b"Subject: folded\r\n over\r\n\tlines  and \t spaces \r\n",
        b"SUBJECT: odd case\r\n",
        b"Subject:\r\n",
        b"Subject: \r\n \r\n",
        b"Subject: one\r\nSubject: two\r\n",
        b"To: a@y\r\nX: between\r\nTo: b@y\r\nCc: c@y\r\n",
        b"List-Unsubscribe: <https://x.test/u>\r\nList-Unsubscribe-Post: List=One-Click\r\n",
        "Subject: rohes UTF-8 äöü\r\n".encode(),
        b"Subject: " + b"long " * 400 + b"\r\n",
        b"Sender: s@x.test\r\nReferences: <a@x>\r\n <b@x>\r\nIn-Reply-To: <b@x>\r\n",
        b"".join(b"To: r%d@y\r\n" % number for number in range(40)),
    ],
)
def test_every_shape_of_header_is_read_as_verifiers_do(algorithm: str, fields: bytes) -> None:
    assert believed(signed(fields + b"From: ann@x.test\r\nDate: x\r\n\r\nbody\r\n", algorithm))


def test_spaces_before_a_colon_are_not_part_of_the_name() -> None:
    """RFC 6376 §3.4.2, last step; dkimpy cannot read such a field, so it is compared here."""
    usual = signature_fields(MESSAGE, [SIGNERS["ed25519"]], NOW)
    spaced = MESSAGE.replace(b"Subject:", b"SUBJECT \t:")
    assert signature_fields(spaced, [SIGNERS["ed25519"]], NOW) == usual


def test_several_keys_sign_side_by_side() -> None:
    """Hazard 55: two selectors overlap while a key is rotated; RFC 8463 §3 signs with both."""
    content = sign(MESSAGE, SIGNERS.values(), NOW)
    assert content.count(b"DKIM-Signature:") == 2
    assert believed(content, 0)
    assert believed(content, 1)
    assert sign(MESSAGE, [], NOW) == MESSAGE


def test_a_message_that_is_signed_already_can_be_signed_again() -> None:
    content = signed(signed(MESSAGE, "ed25519"), "rsa")
    assert believed(content, 0)
    assert believed(content, 1)


def test_what_we_compose_is_signed_and_believed() -> None:
    draft = Draft(
        NamedAddress("ann@x.test", "Änne"),
        (NamedAddress("bob@y.example", "用户"),) * 10,
        subject="Grüße " * 40,
        text="ä" * 3_000,
        html="<p>" + "x" * 3_000,
    )
    moment = datetime(2026, 11, 21, tzinfo=UTC)
    content = compose(draft, message_id="<1@x.test>", date=moment)
    assert believed(signed(content))


def test_the_longest_header_that_is_accepted_can_still_be_signed() -> None:
    """Trace fields and earlier signatures come on top of what a submission may have."""
    most = MAX_HEADER_SECTION - len(MESSAGE.partition(b"\r\n\r\n")[0]) - 2
    content = b"X: y\r\n" * (most // 6) + MESSAGE
    assert prepare_submission(content, sender="a@x", message_id="<1@x>", date=NOON) == content
    trace = b"Received: from a by b; x\r\n" * 50
    assert believed(signed(trace + signed(content, "ed25519")))


@pytest.mark.parametrize(
    "content",
    [
        b"From: a@x.test\r\nFrom: b@x.test\r\n\r\n",
        b"From: a@x.test\r\nfrom : b@x.test\r\n\r\n",
        b"To: a@x.test\r\n\r\n",
        b"\r\nbody\r\n",
        b"no header section\r\n",
        b"From: a@x.test\r\nnot a field\r\n\r\n",
    ],
)
def test_a_message_without_exactly_one_from_is_not_signed(content: bytes) -> None:
    """Hazard 55: whom would the signature speak for?"""
    with pytest.raises(BadContent):
        signed(content)


line = st.text(alphabet="ab \t:ä", max_size=30).map(str.encode)


@settings(deadline=None)
@given(
    subject=st.lists(line, min_size=1, max_size=4),
    body=st.lists(line | st.binary(max_size=20).map(lambda raw: raw.translate(None, b"\r\n"))),
    end=st.sampled_from([b"", b"\r\n", b"\r\n\r\n", b" \r\n\t\r\n"]),
)
def test_whatever_is_written_verifies_and_any_other_text_does_not(
    subject: list[bytes], body: list[bytes], end: bytes
) -> None:
    folded = b"\r\n ".join(part + b"." for part in subject)
    content = b"From: ann@x.test\r\nSubject: " + folded + b"\r\n\r\n" + b"\r\n".join(body) + end
    result = signed(content, "ed25519")
    assert believed(result)
    assert not believed(result + b"x")


@pytest.mark.parametrize(
    "key",
    [
        *("", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
        b"\xff",
        dns_record(KEYS["rsa"]),
    ],
)
def test_what_is_no_key_is_refused_without_being_repeated(key: str | bytes) -> None:
    with pytest.raises(BadRequest) as refusal:
        Signer("x.test", "s", key)
    assert not key or str(key) not in refusal.value.detail


@pytest.mark.parametrize("selector", ["", "a b", "a;b", "-a", "a_b", "a..b", "a." * 40, "ä"])
def test_a_selector_is_a_name(selector: str) -> None:
    with pytest.raises(BadRequest):
        Signer("x.test", selector, KEYS["ed25519"])


def test_the_domain_is_canonical() -> None:
    assert Signer("EXÄMPLE.test", "S1", KEYS["ed25519"]).dns_name == (
        "s1._domainkey.xn--exmple-cua.test"
    )
    with pytest.raises(BadAddress):
        Signer("x.test\r\n", "s", KEYS["ed25519"])


def test_a_signer_does_not_show_its_key() -> None:
    assert repr(SIGNERS["ed25519"]) == "Signer('x.test', 's-ed25519')"
