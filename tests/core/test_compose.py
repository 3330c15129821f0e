"""What is composed is what a reader gets, and no value steps out of its field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.compose import Attachment, Draft, NamedAddress, compose
from mailbox_service.core.errors import BadAddress, BadRequest

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ANN = NamedAddress("ann@x.test", "Ann Lee")
BOB = NamedAddress("bob@y.example", "Bob")

CONTROLS = ["\r", "\n", "\r\n", "\0", "\t", "\x0b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"]

# The stdlib parser strips every kind of space from a display name and a file name.
names = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=120)
values = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=400)
bodies = st.text(st.characters(exclude_categories=["Cs"]), max_size=2_000) | st.text("a =.\n")
addresses = st.sampled_from(["bob@y.example", "carol.lee+tag@z.example", "d@xn--exmple-cua.com"])
people = st.builds(NamedAddress, addresses, names)
attachments = st.builds(
    Attachment,
    filename=names.map(lambda name: name[:60].strip()).filter(bool),
    content=st.binary(max_size=500),
    mime_type=st.sampled_from(
        ["application/pdf", "text/csv", "image/png", "message/delivery-status"]
    ),
)


def composed(draft: Draft) -> bytes:
    return compose(draft, message_id="<1.ab@x.test>", date=NOON)


def read(content: bytes) -> Any:
    return message_from_bytes(content, policy=policy.default)


def people_in(content: bytes, field: str) -> list[tuple[str, str]]:
    """Names and addresses by the older parser: the newer one puts a space between two encoded
    words of a display name, against RFC 2047 §6.2."""
    raw = str(message_from_bytes(content)[field] or "").replace("\r\n", "")
    return [
        (str(make_header(decode_header(name))), address)
        for name, address in getaddresses([raw])
        if address
    ]


def as_sent(text: str) -> str:
    """The line ends of mail, the last line ended."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return (lines if lines.endswith("\n") else lines + "\n").replace("\n", "\r\n")


def is_well_formed(content: bytes) -> bool:
    lines = content.split(b"\r\n")
    return (
        content.endswith(b"\r\n")
        and not any(b"\r" in line or b"\n" in line for line in lines)
        and max(map(len, lines)) <= 998
    )


def texts(message: Any) -> dict[str, str]:
    return {
        part.get_content_type(): part.get_content()
        for part in message.walk()
        if part.get_content_maintype() == "text" and not part.get_filename()
    }


def test_a_plain_letter_is_readable_as_it_stands() -> None:
    draft = Draft(ANN, (BOB,), subject="Hello", text="One line\nand another")
    assert composed(draft) == (
        b"From: Ann Lee <ann@x.test>\r\n"
        b"To: Bob <bob@y.example>\r\n"
        b"Subject: Hello\r\n"
        b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
        b"Message-ID: <1.ab@x.test>\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n"
        b"\r\n"
        b"One line\r\n"
        b"and another\r\n"
    )


@given(
    sender_name=names,
    to=st.lists(people, max_size=5),
    cc=st.lists(people, max_size=3),
    subject=values,
    text=st.none() | bodies,
    html=st.none() | bodies,
    own=values,
)
def test_a_reader_gets_what_the_author_wrote(
    sender_name: str,
    to: list[NamedAddress],
    cc: list[NamedAddress],
    subject: str,
    text: str | None,
    html: str | None,
    own: str,
) -> None:
    content = composed(
        Draft(
            NamedAddress("ann@x.test", sender_name),
            tuple(to),
            tuple(cc),
            subject=subject,
            text=text,
            html=html,
            headers=(("X-Own", own),),
        )
    )
    assert is_well_formed(content)
    assert content.isascii()
    message = read(content)
    assert not message.defects
    assert [one.addr_spec for one in message["From"].addresses] == ["ann@x.test"]
    for field, wanted in (("To", to), ("Cc", cc)):
        assert people_in(content, field) == [
            (" ".join(filter(None, one.name.split(" "))), one.address) for one in wanted
        ]
    assert (message["Subject"] or "") == subject
    assert message["X-Own"] == own
    expected = {"text/plain": text, "text/html": html}
    if text is None and html is None:
        expected["text/plain"] = ""
    assert texts(message) == {kind: as_sent(t) for kind, t in expected.items() if t is not None}


@given(text=bodies, html=bodies, files=st.lists(attachments, min_size=1, max_size=4))
def test_attachments_arrive_octet_for_octet(text: str, html: str, files: list[Attachment]) -> None:
    content = composed(Draft(ANN, (BOB,), text=text, html=html, attachments=tuple(files)))
    assert is_well_formed(content)
    assert content.isascii()
    message = read(content)
    assert message.get_content_type() == "multipart/mixed"
    parts = [part for part in message.walk() if part.get_filename()]
    assert [part.get_filename() for part in parts] == [one.filename for one in files]
    for part, one in zip(parts, files, strict=True):
        assert part.get_payload(decode=True) == one.content
    assert texts(message) == {"text/plain": as_sent(text), "text/html": as_sent(html)}


def test_an_inline_image_is_related_to_the_html_that_shows_it() -> None:
    image = Attachment("logo.png", b"\x89PNG", "image/png", "inline", "logo@x.test")
    file = Attachment("Rechnung für Änne.pdf", b"%PDF", "application/pdf")
    draft = Draft(
        ANN, (BOB,), text="see", html='<img src="cid:logo@x.test">', attachments=(image, file)
    )
    message = read(composed(draft))
    related, attached = message.get_payload()
    alternative, logo = related.get_payload()
    assert message.get_content_type() == "multipart/mixed"
    assert related.get_content_type() == "multipart/related"
    assert [part.get_content_type() for part in alternative.get_payload()] == [
        "text/plain",
        "text/html",
    ]
    assert logo["Content-ID"] == "<logo@x.test>"
    assert logo.get_content_disposition() == "inline"
    assert attached.get_filename() == "Rechnung für Änne.pdf"
    assert attached.get_content_disposition() == "attachment"


def test_an_inline_part_without_html_stays_beside_the_text() -> None:
    image = Attachment("a.png", b"x", "image/png", "inline", "a@x")
    message = read(composed(Draft(ANN, (BOB,), text="see", attachments=(image,))))
    assert [part.get_content_type() for part in message.iter_parts()] == [
        "text/plain",
        "image/png",
    ]


def test_a_forwarded_message_travels_as_a_message_when_it_fits() -> None:
    inner = b"From: eve@z.example\r\nSubject: inner\r\n\r\nhi\r\n"
    draft = Draft(ANN, (BOB,), attachments=(Attachment("a.eml", inner, "message/rfc822"),))
    content = composed(draft)
    assert inner in content
    part = list(read(content).iter_attachments())[-1]
    assert part.get_content()["Subject"] == "inner"


@pytest.mark.parametrize("inner", [b"a: b\n\nbare line feeds\n", b"a: b\r\n\r\n\xff\r\n", b""])
def test_a_forwarded_message_that_does_not_fit_travels_as_a_file(inner: bytes) -> None:
    draft = Draft(ANN, (BOB,), attachments=(Attachment("a.eml", inner, "message/rfc822"),))
    part = list(read(composed(draft)).iter_attachments())[-1]
    assert part.get_payload(decode=True) == inner


@pytest.mark.parametrize("kind", ["text", "html"])
@pytest.mark.parametrize(
    "body",
    ["x" * 5_000, "ü" * 5_000, "a \n b\t\n", "nul \0 inside", ".\n..\nFrom here\n", "\x0c\x1c\x85"],
)
def test_awkward_bodies_survive(kind: str, body: str) -> None:
    draft = Draft(ANN, (BOB,), text=body if kind == "text" else None, html=body)
    content = composed(draft)
    assert is_well_formed(content)
    assert content.isascii()
    assert set(texts(read(content)).values()) == {as_sent(body)}


def test_a_local_part_beyond_ascii_stands_in_the_header_as_utf8() -> None:
    """RFC 6532 §3.2: only such an address makes the message need SMTPUTF8."""
    content = composed(Draft(ANN, (NamedAddress("用户@例え.テスト", "用户"),), text="x"))
    assert "<用户@xn--r8jz45g.xn--zckzah>".encode() in content


def test_bcc_is_for_the_envelope_alone() -> None:
    draft = Draft(ANN, bcc=(NamedAddress("Carol@Z.example"), NamedAddress("carol@z.example")))
    assert draft.recipients() == ("carol@z.example",)
    content = composed(draft)
    assert b"carol" not in content.lower()
    assert b"To: undisclosed-recipients:;\r\n" in content


def test_an_answer_joins_its_thread() -> None:
    draft = Draft(ANN, (BOB,), in_reply_to="b@x", references=("<a@x>",), text="x")
    message = read(composed(draft))
    assert message["In-Reply-To"] == "<b@x>"
    assert message["References"] == "<a@x> <b@x>"


def test_a_long_thread_keeps_its_first_and_its_latest_messages() -> None:
    chain = tuple(f"<{'i' * 200}.{n}@x>" for n in range(300))
    content = composed(Draft(ANN, (BOB,), references=chain, in_reply_to="<end@x>"))
    assert is_well_formed(content)
    kept = read(content)["References"].split()
    assert kept[0] == chain[0]
    assert kept[-2:] == [chain[-1], "<end@x>"]
    assert len(kept) == 40


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize(
    "draft",
    [
        lambda x: Draft(NamedAddress("ann@x.test", f"Ann{x}Bcc: eve@z.example"), (BOB,)),
        lambda x: Draft(ANN, (NamedAddress("bob@y.example", f"a{x}b"),)),
        lambda x: Draft(ANN, (BOB,), (NamedAddress("bob@y.example", f"a{x}b"),)),
        lambda x: Draft(ANN, (BOB,), reply_to=(NamedAddress("bob@y.example", f"a{x}b"),)),
        lambda x: Draft(ANN, (NamedAddress(f"bob@y.example{x}"),)),
        lambda x: Draft(ANN, (NamedAddress(f"bob{x}@y.example"),)),
        lambda x: Draft(ANN, (BOB,), subject=f"Hello{x}Bcc: eve@z.example"),
        lambda x: Draft(ANN, (BOB,), subject=f"{x}"),
        lambda x: Draft(ANN, (BOB,), in_reply_to=f"<a{x}b@x>"),
        lambda x: Draft(ANN, (BOB,), references=(f"<a{x}b@x>",)),
        lambda x: Draft(ANN, (BOB,), headers=(("X-A", f"a{x}b"),)),
        lambda x: Draft(ANN, (BOB,), headers=((f"X-A{x}", "a"),)),
        lambda x: Draft(ANN, (BOB,), attachments=(Attachment(f"a{x}b", b""),)),
        lambda x: Draft(ANN, (BOB,), attachments=(Attachment("a", b"", f"a/b{x}"),)),
        lambda x: Draft(ANN, (BOB,), attachments=(Attachment("a", b"", f'a/b; c="{x}"'),)),
        lambda x: Draft(ANN, (BOB,), attachments=(Attachment("a", b"", "a/b", f"inline{x}"),)),
        lambda x: Draft(ANN, (BOB,), attachments=(Attachment("a", b"", content_id=f"a{x}b"),)),
    ],
)
def test_no_control_character_enters_a_header(control: str, draft: object) -> None:
    """Hazard 43: header injection through every field of a draft."""
    assert callable(draft)
    with pytest.raises((BadRequest, BadAddress)) as refusal:
        composed(draft(control))
    assert refusal.value.detail.isprintable()
    assert refusal.value.detail.isascii()


@pytest.mark.parametrize(
    "name",
    [
        *("Bcc", "bcc", "From", "Sender", "To", "Subject", "Received", "Return-Path"),
        *("DKIM-Signature", "MIME-Version", "Content-Type", "content-transfer-encoding"),
        *("Resent-To", "ARC-Seal", "Authentication-Results", "Message-ID", "Date"),
    ],
)
def test_a_reserved_field_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadRequest, match=name):
        composed(Draft(ANN, (BOB,), headers=((name, "x"),)))


@pytest.mark.parametrize("name", ["", " X", "X:", "X-Ä", "X A", "1X", "X" * 65, "X\x00"])
def test_what_is_no_field_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequest):
        composed(Draft(ANN, (BOB,), headers=((name, "x"),)))


@pytest.mark.parametrize(
    "draft",
    [
        Draft(ANN, (BOB,) * 1_001),
        Draft(ANN, (BOB,), headers=(("X-A", "b"),) * 51),
        Draft(ANN, (BOB,), headers=(("X-A", "b" * 3_000),) * 50),
        Draft(ANN, (BOB,), attachments=(Attachment("a", b""),) * 101),
        Draft(ANN, (BOB,), attachments=(Attachment("ü" * 128, b""),)),
        Draft(ANN, (BOB,), attachments=(Attachment("a", b"", "nonsense"),)),
        Draft(ANN, (BOB,), attachments=(Attachment("a", b"", "a/b; c"),)),
        Draft(ANN, (BOB,), attachments=(Attachment("a", b"", content_id="a b"),)),
        Draft(ANN, (BOB,), in_reply_to="<" + "a" * 1_000 + "@x>"),
        Draft(ANN, (BOB,), subject="ü" * 1_000_000),
        Draft(NamedAddress("ann@x.test", "x" * 1_000_000), (BOB,)),
        Draft(ANN, (BOB,), references=("<a@x>",) * 1_000_000),
        Draft(ANN, (BOB,), text="\ud800"),
        Draft(ANN, (NamedAddress("nobody"),)),
    ],
)
def test_what_cannot_be_sent_is_refused(draft: Draft) -> None:
    with pytest.raises((BadRequest, BadAddress)):
        composed(draft)


@pytest.mark.parametrize("message_id", ["", "<a@x> <b@x>", "<a b@x>", "a\r\nb"])
def test_a_message_has_one_well_formed_identifier(message_id: str) -> None:
    with pytest.raises(BadRequest):
        compose(Draft(ANN, (BOB,)), message_id=message_id, date=NOON)


def test_the_date_is_written_in_utc_and_needs_a_zone() -> None:
    moment = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    content = compose(Draft(ANN, (BOB,)), message_id="<a@x>", date=moment)
    assert b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n" in content
    with pytest.raises(ValueError, match="zone"):
        compose(Draft(ANN, (BOB,)), message_id="<a@x>", date=NOON.replace(tzinfo=None))


def test_a_parameter_of_a_media_type_is_kept() -> None:
    invite = Attachment("i.ics", b"x", 'text/calendar; method=REQUEST; charset="utf-8"')
    part = list(read(composed(Draft(ANN, (BOB,), attachments=(invite,)))).iter_attachments())[-1]
    assert part.get_param("method") == "REQUEST"
