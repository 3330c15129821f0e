"""Attachments go, every other octet stays (mailbox-api §9.6)."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.attachment_removal import without_attachments
from mailbox_service.core.parsing import parse
from tests.corpus.hostile import MESSAGES

TEXT = b"Content-Type: text/plain\r\n\r\nhello"
FILE = b"Content-Type: application/pdf\r\nContent-Disposition: attachment\r\n\r\nJVBE"
HEAD = (
    b"From: Ann <ann@a.test>\r\nX-Odd :  kept  \r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
)
CORPUS = Path(__file__).parents[1] / "corpus"


def multipart(*parts: bytes, head: bytes = HEAD, end: bytes = b"--b--\r\nbye\r\n") -> bytes:
    return head + b"preamble\r\n" + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((TEXT, FILE), (TEXT,)),
        ((FILE, TEXT), (TEXT,)),
        ((FILE, TEXT, FILE, FILE), (TEXT,)),
        ((TEXT,), (TEXT,)),
        ((TEXT, TEXT + b" disposition: attachment"), (TEXT, TEXT + b" disposition: attachment")),
    ],
)
def test_what_stays_is_byte_exact(before: tuple[bytes, ...], after: tuple[bytes, ...]) -> None:
    assert without_attachments(multipart(*before)) == multipart(*after)


def test_a_message_of_nothing_but_files_has_an_empty_text_in_their_place() -> None:
    found = without_attachments(multipart(FILE, FILE))
    assert found == multipart(b"Content-Type: text/plain; charset=us-ascii\r\n\r\n")
    parsed = parse(found)
    assert (parsed.text.strip(), parsed.attachments) == ("", ())


def test_a_message_that_is_a_file_keeps_its_header() -> None:
    raw = b"From: a@b.test\r\nContent-Type: application/pdf;\r\n name=x\r\nSubject: s\r\n\r\nJVBE"
    found = without_attachments(raw)
    assert found == (
        b"From: a@b.test\r\nSubject: s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
    )


def test_inner_parts_and_inline_pictures_go_too() -> None:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = "all kinds"
    message.set_content("plain")
    message.add_alternative("<img src=cid:1>", subtype="html")
    message.get_payload()[1].add_related(b"png", "image", "png", cid="<1>")  # type: ignore
    message.add_attachment(b"\0" * 5000, maintype="application", subtype="zip", filename="z.zip")
    found = parse(without_attachments(message.as_bytes()))
    assert (found.subject, found.text, found.html) == ("all kinds", "plain\n", "<img src=cid:1>\n")
    assert found.attachments == ()


@pytest.mark.parametrize("kind", ["report", "signed", "encrypted"])
def test_parts_that_belong_together_stay_together(kind: str) -> None:
    raw = multipart(TEXT, FILE, head=HEAD.replace(b"mixed", kind.encode()))
    assert without_attachments(raw) == raw


def test_line_ends_of_lf_alone_are_understood() -> None:
    raw = multipart(TEXT, FILE).replace(b"\r\n", b"\n")
    assert without_attachments(raw) == multipart(TEXT).replace(b"\r\n", b"\n")


@given(st.lists(st.sampled_from([TEXT, FILE, b"", b"--", b"\r\n", b"--b--", b"--b"]), max_size=8))
def test_nothing_is_left_to_remove(parts: list[bytes]) -> None:
    raw = multipart(*parts)
    found = without_attachments(raw)
    assert without_attachments(found) == found
    assert found.startswith(HEAD)


@pytest.mark.parametrize("name", sorted(path.name for path in CORPUS.glob("*.eml")))
def test_real_and_broken_mail_keeps_its_words(name: str) -> None:
    raw = (CORPUS / name).read_bytes()
    before, after = parse(raw), parse(without_attachments(raw))
    if before.attachments and not after.attachments and "report" not in name:
        assert (after.subject, after.sender) == (before.subject, before.sender)
    if before.text.strip() and before.html.strip():
        assert after.text.split() == before.text.split()


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_hostile_mail_never_breaks_it(name: str) -> None:
    """Hazard 28."""
    found = without_attachments(MESSAGES[name])
    assert without_attachments(found) == found
