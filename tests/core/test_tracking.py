"""Rewriting for one recipient, signed links and return-paths, sealed secrets: rules alone."""

from __future__ import annotations

import re
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.return_path import ReturnPaths
from mailbox_service.core.sealing import NotUnsealed, Sealer
from mailbox_service.core.tracking import (
    KINDS,
    Copy,
    Mark,
    Marks,
    Traits,
    links_of,
    personalised,
    rewritten_links,
)

QUEUE_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@given(
    kind=st.sampled_from(KINDS),
    copy_id=st.integers(0, (1 << 63) - 1),
    place=st.integers(0, 65_535),
    flipped=st.integers(0, 36),
)
def test_a_link_is_what_it_was_and_no_letter_of_it_can_be_another(
    kind: str, copy_id: int, place: int, flipped: int
) -> None:
    """Hazard 45."""
    marks = Marks("secret")
    token = marks.token(Mark(kind, copy_id, place))
    assert marks.read(kind, token) == Mark(kind, copy_id, place)
    assert marks.read(kind, token.upper()) == Mark(kind, copy_id, place)
    assert Marks("another").read(kind, token) is None
    other = "a" if token[flipped] != "a" else "q"
    changed = token[:flipped] + other + token[flipped + 1 :]
    read = marks.read(kind, changed)
    assert read is None or read == Mark(kind, copy_id, place)  # spare bits say nothing
    assert all(marks.read(one, token) is None for one in KINDS if one != kind)


@given(text=st.text(max_size=60))
def test_what_is_no_token_is_none(text: str) -> None:
    """Hazards 45 and 53."""
    assert Marks("secret").read("c", text) is None
    assert ReturnPaths("secret").read(f"bounce+{text}@x.test") is None


@given(domain=st.from_regex(r"[a-z]{1,20}\.test", fullmatch=True), at=st.integers(7, 52))
def test_a_return_path_names_its_message_and_no_letter_of_it_can_be_another(
    domain: str, at: int
) -> None:
    """Hazard 53."""
    paths = ReturnPaths("secret")
    local = paths.local_part(QUEUE_ID, [domain])
    read = paths.read(f"{local}@x.test")
    assert read is not None
    assert read.queue_id == QUEUE_ID
    assert read.covers(f"bob@{domain}")
    other = "2" if local[at] != "2" else "3"
    assert paths.read(f"{local[:at]}{other}{local[at + 1 :]}@x.test") is None


def anchor(url: str) -> str:
    return f'<a href="{url}">x</a>'


# HTML -> targets that are tracked.
ANCHORS: list[tuple[str, list[str]]] = [
    (anchor("https://a.test"), ["https://a.test"]),
    (anchor("HTTP://a.test/x?a=1&amp;b=2"), ["HTTP://a.test/x?a=1&b=2"]),
    ("<a href=https://a.test/x>x</a>", ["https://a.test/x"]),
    ("<a href='https://a.test/>'>x</a>", ["https://a.test/>"]),
    ('<a\n title="a>b"\n HREF = "https://a.test">x</a>', ["https://a.test"]),
    ('<a title="href=https://no.test" href="https://a.test">x</a>', ["https://a.test"]),
    ('<a title="no-track" href="https://a.test">x</a>', ["https://a.test"]),
    (anchor("mailto:a@a.test"), []),
    (anchor("javascript:alert(1)"), []),
    (anchor("#top"), []),
    (anchor("/relative"), []),
    (anchor("%%UNSUBSCRIBE%%"), []),
    (anchor("https://a.test/\n b"), []),
    (anchor("https://a.test/" + "x" * 3_000), []),
    ('<a no-track href="https://a.test">x</a>', []),
    ('<a href="https://a.test" no-track="1">x</a>', []),
    ('<abbr href="https://a.test">x</abbr>', []),
    ('<area href="https://a.test">', []),
    ("<a", []),
    ('<a href="https://a.test', []),
]


@pytest.mark.parametrize(("html", "targets"), ANCHORS)
def test_links_that_are_tracked(html: str, targets: list[str]) -> None:
    found: list[str] = []

    def note(url: str) -> str:
        found.append(url)
        return "https://t.test/1"

    changed = rewritten_links(html, note)
    assert found == targets
    assert changed.count("https://t.test/1") == len(targets)
    if not targets:
        assert re.sub(r' ?no-track(="1")?', "", html) == changed


@pytest.mark.parametrize(
    "piece", ["<a ", '<a "', "<a '", '<a href="', "<a href=x ", '<a b="c" ', "<a\n\n"]
)
def test_hostile_html_ends_as_it_was(piece: str) -> None:
    html = piece * ((1 << 20) // len(piece))
    assert rewritten_links(html, lambda _: None) == html  # quadratic work would never end


def message(html: bytes, encoding: str, charset: str) -> bytes:
    return (
        b"From: a@x.test\r\nTo: b@far.test\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: text/html; charset=" + charset.encode() + b"\r\n"
        b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + html + b"\r\n--b--\r\n"
    )


def copy(**traits: object) -> Copy:
    return Copy(
        Traits(**traits),  # type: ignore[arg-type]
        "bob@far.test",
        "https://t.test/o",
        "https://t.test/u",
        "unsub+x@x.test",
        lambda _: "https://t.test/c",
    )


# Transfer encoding, charset, the octets, and what a reader sees of them.
FORMS = [
    ("7bit", "us-ascii", b"<p>Hello</p>", "Hello"),
    ("8bit", "utf-8", "<p>Grüße</p>".encode(), "Grüße"),
    ("8bit", "iso-8859-1", "<p>Grüße</p>".encode("latin-1"), "Grüße"),
    ("quoted-printable", "utf-8", b"<p>Gr=C3=BC=C3=9Fe</p>", "Grüße"),
    ("base64", "utf-8", b"PHA+R3LDvMOfZTwvcD4=", "Grüße"),
    ("base64", "iso-2022-jp", b"PHA+GyRCJDMbKEI8L3A+", "こ"),
]


@pytest.mark.parametrize(("encoding", "charset", "html", "shown"), FORMS)
def test_every_encoding_stays_what_it_says(
    encoding: str, charset: str, html: bytes, shown: str
) -> None:
    raw = message(html, encoding, charset)
    changed = personalised(raw, copy(opens=True, footer=True, footer_html="<i>Bye ü</i>"))
    parsed = message_from_bytes(changed, policy=policy.default)
    (part,) = [one for one in parsed.walk() if one.get_content_type() == "text/html"]
    text = part.get_content()
    assert shown in text
    assert "https://t.test/o" in text
    assert "Bye ü" in text or "Bye &#252;" in text
    assert parsed["List-Unsubscribe"] is not None
    assert b"\n" not in changed.replace(b"\r\n", b"")


@pytest.mark.parametrize("kind", ["signed; protocol=x", "encrypted; protocol=x", "report"])
def test_what_is_sealed_is_left_alone(kind: str) -> None:
    raw = message(b'<a href="https://a.test">x</a>', "7bit", "us-ascii").replace(
        b"multipart/alternative", b"multipart/" + kind.encode()
    )
    assert links_of(raw) == []
    assert personalised(raw, copy(opens=True, clicks=True)) == raw


@given(raw=st.binary(max_size=400))
def test_no_message_breaks_it(raw: bytes) -> None:
    links_of(raw)
    personalised(raw, copy(opens=True, clicks=True, footer=True, footer_text="bye"))


@given(plain=st.text(max_size=100), nonce=st.binary(min_size=12, max_size=12))
def test_a_sealed_secret_opens_with_its_key_and_for_its_purpose_only(
    plain: str, nonce: bytes
) -> None:
    try:
        plain.encode()
    except UnicodeEncodeError:
        return
    sealer = Sealer("secret", "use")
    sealed = sealer.seal(plain, purpose="a", nonce=nonce)
    assert sealer.unseal(sealed, purpose="a") == plain
    for other, purpose in (
        (sealer, "b"),
        (Sealer("other", "use"), "a"),
        (Sealer("secret", "x"), "a"),
    ):
        with pytest.raises(NotUnsealed):
            other.unseal(sealed, purpose=purpose)
    for broken in ("", "x", sealed[:-4], "A" * 60):
        with pytest.raises(NotUnsealed):
            sealer.unseal(broken, purpose="a")
