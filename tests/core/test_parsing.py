"""Reading messages: the corpus, hostile input, other parsers as witnesses, noise."""

from __future__ import annotations

import email
import email.policy
import gc
import json
import time
import tracemalloc
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import fast_mail_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailbox_service.core.errors import NotFound
from mailbox_service.core.filenames import MAX_FILENAME
from mailbox_service.core.parsing import (
    MAX_BODY,
    content_disposition,
    parse,
    part_bytes,
    read_header,
    safe_filename,
    summarise,
)
from tests.corpus.hostile import MESSAGES

CORPUS = Path(__file__).parent.parent / "corpus"
EXPECTED: dict[str, dict[str, Any]] = json.loads((CORPUS / "expected.json").read_text("utf-8"))


def message(name: str) -> bytes:
    return (CORPUS / f"{name}.eml").read_bytes()


def test_the_corpus_is_whole() -> None:
    assert {path.stem for path in CORPUS.glob("*.eml")} == set(EXPECTED)
    assert len(EXPECTED) >= 60


@pytest.mark.parametrize("name", EXPECTED)
def test_a_message_of_the_corpus_reads_as_it_was_written(name: str) -> None:
    raw, expected = message(name), dict(EXPECTED[name])
    parsed, summary = parse(raw), summarise(raw)
    for words in expected.pop("text_has", []):
        assert words in parsed.text
    if "attachment_count" in expected:
        assert len(parsed.attachments) == expected.pop("attachment_count")
    if "attachments" in expected:
        found = [[part.filename, part.mime_type, part.size] for part in parsed.attachments]
        assert found == expected.pop("attachments")
    for key, value in expected.items():
        assert getattr(parsed, key) == value
    assert summary.subject == parsed.subject[:998]
    assert summary.attachment_count == len(parsed.attachments)
    for part in parsed.attachments:
        assert len(part_bytes(raw, part.index)) == part.size


WELL_FORMED = [name for name in EXPECTED if not name.startswith(("broken", "sender"))]


def unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n\ufeff\0")


@pytest.mark.parametrize("name", [n for n in WELL_FORMED if n.startswith(("charset", "composed"))])
def test_the_standard_library_reads_the_same(name: str) -> None:
    raw = message(name)
    theirs = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(theirs, EmailMessage)
    ours = parse(raw)
    assert ours.subject == str(theirs["subject"])
    body = theirs.get_body(preferencelist=("plain",))
    assert body is not None
    charset = body.get_content_charset() or ""
    if body.get("content-transfer-encoding") != "8bit" or charset == "utf-8":
        assert unix(ours.text) == unix(body.get_content())


@pytest.mark.parametrize("name", WELL_FORMED)
def test_the_fast_parser_reads_the_same(name: str) -> None:
    raw = message(name)
    try:
        theirs = fast_mail_parser.parse_email(raw)
    except fast_mail_parser.ParseError:
        pytest.skip("refused by the witness")
    ours = parse(raw)
    if any(repair.kind == "charset-fallback" for repair in theirs.warnings):
        return
    if "message" not in name and "digest" not in name and "flowed" not in name:
        if "utf-7" not in name:
            assert ours.subject == theirs.subject.removeprefix("\ufeff")
        if theirs.text_plain and "mixed" not in name:
            assert unix(ours.text) == unix("\n".join(theirs.text_plain))
        payloads = [part_bytes(raw, part.index) for part in ours.attachments]
        assert sorted(payloads) == sorted(part.content for part in theirs.attachments)


@pytest.mark.parametrize("name", MESSAGES)
def test_hazard_28_hostile_messages_cost_little(name: str) -> None:
    """At most 10 times its size in memory, and an amount of work that is bounded. The time is
    asked with a wide margin, for machines that do other things as well."""
    raw = MESSAGES[name]
    started = time.process_time()
    summary = summarise(raw)
    parsed = parse(raw)
    assert time.process_time() - started < 2.0
    assert len(summary.preview) <= 200
    assert len(summary.search_text) <= 4096
    assert len(parsed.attachments) <= 1000
    gc.collect()
    tracemalloc.start()
    parse(raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * max(len(raw), 100_000)


def test_what_a_budget_leaves_out_is_said() -> None:
    assert not parse(MESSAGES["nesting of 10,000"]).complete
    assert not parse(MESSAGES["1,400,000 parts"]).complete
    assert not parse(b"\r\n" + b"x" * (MAX_BODY + 1)).complete
    assert parse(message("composed-mixed")).complete


def test_a_message_of_every_budget_still_shows_its_first_words() -> None:
    raw = b"Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nwords\r\n"
    assert summarise(raw + b"--b\r\n\r\n" * 5000).preview == "words"


def test_a_summary_holds_what_lists_and_search_need() -> None:
    summary = summarise(message("composed-mixed"))
    assert summary.message_id == "<composed@ferry.example>"
    assert (summary.from_name, summary.from_address) == ("Ferry Bank", "no-reply@ferry.example")
    assert summary.to == "box@mail.example"
    assert summary.preview == "Plain Grüße"
    assert summary.has_html
    assert "plain grüsse" in summary.search_text
    assert "ferry bank" in summary.search_text
    assert summary.attachment_count == 3


def test_a_summary_of_html_alone_has_words_and_no_padding() -> None:
    raw = (
        "Content-Type: text/html; charset=utf-8\r\n\r\n<style>p{color:red}</style><p>Your"
        "\u200c\xa0\u034f\u200c code</p><a href='https://x.example'>482913</a>"
    ).encode()
    assert summarise(raw).preview == "Your code 482913"


def test_a_missing_message_id_is_none() -> None:
    assert summarise(b"Subject: x\r\n\r\n").message_id is None
    assert summarise(b"Message-ID:\r\n <a@b>\r\n\r\n").message_id == "<a@b>"


@pytest.mark.parametrize(
    ("sender", "name", "address"),
    [
        ('"ann lee"@x.example', "", '"ann lee"@x.example'),
        ('Ann <"ann lee"@x.example>', "Ann", '"ann lee"@x.example'),
        ('"a@b.example"@x.example', "", '"a@b.example"@x.example'),
        ("ann @ x.example", "", "ann@x.example"),
        ('"Lee, Ann" <ann@x.example>', "Lee, Ann", "ann@x.example"),
    ],
)
def test_quotes_belong_to_an_address(sender: str, name: str, address: str) -> None:
    summary = summarise(f"From: {sender}\r\n\r\n".encode())
    assert (summary.from_name, summary.from_address) == (name, address)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (
            "=?utf-8?Q?M=C3=BCller=2C_J=C3=BCrgen?= <jm@x.example>, ann@x.test",
            '"Müller, Jürgen" <jm@x.example>, ann@x.test',
        ),
        ("=?utf-8?Q?M=C3=BCller=2C?=\r\n =?utf-8?Q?_J?= <j@x>", '"Müller, J" <j@x>'),
        ('"=?utf-8?Q?M=C3=BC=2C_=22J=22?= M" <j@x>', '"Mü, \\"J\\" M" <j@x>'),
        ("=?utf-8?Q?<eve@x>?= <bob@x>", '"<eve@x>" <bob@x>'),
        ("=?utf-8?Q?J=C3=BCrgen?= M. <j@x>, b@x (=?utf-8?Q?=C3=A4?=)", "Jürgen M. <j@x>, b@x (ä)"),
        ("Bob <bob@x>", "Bob <bob@x>"),
    ],
)
def test_no_name_parts_or_names_addresses_once_it_is_read(value: str, shown: str) -> None:
    """The page writes to all of them when somebody answers to all."""
    raw = f"To: {value}\r\nReply-To: {value}\r\n\r\n".encode()
    assert summarise(raw).to == shown
    assert parse(raw).addresses("REPLY-TO") == shown
    assert parse(raw).addresses("Cc") == ""


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        ("=?utf-8?Q?Are_you_there??=", "Are you there?"),
        ("=?utf-8?Q?What?_=C3=A4?= =?utf-8?Q?_b?=", "What? ä b"),
        ("=?utf-8?B?w6Q=?= b =?utf-8?B?w6Q=?=", "ä b ä"),
        ("=?utf-8?Q?open =?utf-8?Q?=C3=A4?=", "=?utf-8?Q?open ä"),
    ],
)
def test_a_question_mark_does_not_end_an_encoded_word(value: str, subject: str) -> None:
    assert summarise(f"Subject: {value}\r\n\r\n".encode()).subject == subject


@pytest.mark.parametrize(
    "fields",
    [
        "text/html (a page); charset=iso-8859-2 (Latin)\r\n"
        "Content-Transfer-Encoding: quoted-printable (RFC 2045)",
        "text / html; charset = iso-8859-2\r\nContent-Transfer-Encoding: quoted-printable; x",
    ],
)
def test_comments_and_spaces_hide_no_html(fields: str) -> None:
    """RFC 2045 §5.1, §6.1"""
    raw = f"Content-Type: {fields}\r\n\r\n<p>Dobry=20dzie=F1</p>".encode()
    assert parse(raw).html == "<p>Dobry dzień</p>"


@pytest.mark.parametrize(
    ("field", "meta", "codec"),
    [
        ("text/html", "<meta charset='iso-8859-2'>", "iso-8859-2"),
        ("text/html", '<META http-equiv="Content-Type" content="text/html; charset=iso-8859-2">',
         "iso-8859-2"),
        ("text/html; charset=iso-8859-2", "<meta charset=koi8-r>", "iso-8859-2"),
        ("text/html", "<meta charset=koi8-r>", "utf-8"),
        ("text/html", "<meta charset=utf-16>", "utf-8"),
        ("text/html", "<meta name=charset>", "utf-8"),
    ],
)  # fmt: skip
def test_html_without_a_charset_in_its_field_may_name_one_itself(
    field: str, meta: str, codec: str
) -> None:
    text = "Zażółć gęślą jaźń"
    raw = f"Content-Type: {field}\r\n\r\n<head>{meta}</head><p>{text}</p>".encode(codec)
    assert summarise(raw).preview == text
    assert text in parse(raw).html


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ('filename*0="=?UTF-8?B?5rWL6K+V"; filename*1="6ZmE5Lu2LnBkZg==?="', "测试附件.pdf"),
        ("filename*0*=utf-8''%3D%3FUTF-8; filename*1*=%3FQ%3Fx%3F%3D", "=_UTF-8_Q_x_="),
        ('filename*0="a b"; filename*1=".pdf"', "a b.pdf"),
    ],
)
def test_encoded_words_that_were_cut_into_sections_are_read(field: str, name: str) -> None:
    raw = f"Content-Type: application/pdf\r\nContent-Disposition: attachment; {field}\r\n\r\nx"
    assert parse(raw.encode()).attachments[0].filename == name


def test_a_forgotten_semicolon_hides_no_html() -> None:
    """Wrong, and what many a script of a web site writes."""
    raw = "Content-Type: text/html charset=utf-8\r\n\r\n<p>Grüße</p>".encode()
    assert parse(raw).html == "<p>Grüße</p>"


def test_headers_keep_order_case_and_repetition() -> None:
    raw = b"Received: one\r\nSubject: =?utf-8?q?=C3=A4?=\r\nreceived: two\r\n three\r\n\r\n"
    parsed = parse(raw)
    assert parsed.headers == (
        ("Received", "one"), ("Subject", "=?utf-8?q?=C3=A4?="), ("received", "two three"),
    )  # fmt: skip
    assert parsed.header("SUBJECT") == "ä"
    assert parsed.header("none") == ""
    assert read_header(raw).all("received") == ["one", "two three"]


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_an_attachment_that_is_not_there_is_not_found(index: int) -> None:
    with pytest.raises(NotFound):
        part_bytes(message("composed-mixed"), index)


def test_hazard_31_compressed_content_stays_compressed() -> None:
    bomb = b"\x1f\x8b\x08" + bytes(1000)
    raw = (
        b"Content-Type: application/gzip; name=a.gz\r\nContent-Encoding: gzip\r\n"
        b"Content-Transfer-Encoding: x-gzip64\r\n\r\n" + bomb
    )
    assert part_bytes(raw, 0) == bomb


def test_hazard_30_equal_content_ids_are_both_listed() -> None:
    part = b"--b\r\nContent-Type: image/png\r\nContent-ID: <x@y>\r\n\r\nabc\r\n"
    raw = b"Content-Type: multipart/related; boundary=b\r\n\r\n" + part * 2
    assert [part.content_id for part in parse(raw).attachments] == ["x@y", "x@y"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("größe 世界.txt", "größe 世界.txt"),
        ("", "attachment"),
        ("...", "attachment"),
        ("../../etc/x", "x"),
        ("..\\..\\x", "x"),
        ("/etc/passwd", "passwd"),
        ("a/", "attachment"),
        ("a\r\nb\0c.txt", "abc.txt"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("x\u2066y\u200f.txt", "xy.txt"),
        (".htaccess", "htaccess"),
        ("name. . ", "name"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("console.txt", "console.txt"),
        ('a<b>:"c"|?*%41.txt', "a_b___c_____41.txt"),
        ("\ud800.txt", "txt"),
        ("x" * 4096 + ".pdf", "x" * (MAX_FILENAME - 4) + ".pdf"),
        ("x" * 200 + "." + "y" * 200, "x" * MAX_FILENAME),
    ],
)
def test_hazard_30_names_of_files_are_harmless(name: str, safe: str) -> None:
    assert safe_filename(name) == safe


def test_hazard_35_a_download_has_a_name_for_old_and_new_clients() -> None:
    assert (
        content_disposition('gr"öße\r\nX: y.txt')
        == "attachment; filename=\"gr___eX_ y.txt\"; filename*=UTF-8''gr_%C3%B6%C3%9FeX_%20y.txt"
    )


@given(st.text(max_size=300))
def test_any_name_becomes_one_component_and_one_line(name: str) -> None:
    safe = safe_filename(name)
    assert safe
    assert not set(safe) & set('/\\\0\r\n<>:"|?*')
    assert safe not in (".", "..")
    assert len(safe) <= MAX_FILENAME + 1
    header = content_disposition(name)
    assert header.isascii()
    assert header.isprintable()


SNIPPETS = st.sampled_from(
    [
        b"\r\n", b"\n", b"\r\n\r\n", b"--b\r\n", b"--b--\r\n", b"--", b": ", b"Subject: ",
        b"Content-Type: multipart/mixed; boundary=b\r\n", b"Content-Type: message/rfc822\r\n",
        b'Content-Type: text/html; charset="', b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-7''", b"=?utf-8?b?", b"?=", b"\xff\xfe",
        b"From: a <b@c>, d\r\n", b"(", b'"', b"<", b"\0", b"\\", b"=\r\n", b"<p>x",
        b"&#9999999999;",
        b"format=flowed", b"\x1b$B", b"+2AA-", b"Message-ID: <a@b>\r\n",
    ]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(SNIPPETS | st.binary(max_size=12), max_size=40).map(b"".join))
def test_anything_is_a_message(raw: bytes) -> None:
    summary, parsed = summarise(raw), parse(raw)
    for text in (summary.search_text, summary.preview, summary.to, parsed.text, parsed.html):
        text.encode("utf-8")
        assert "\0" not in text
    assert "\r" not in parsed.text
    for part in parsed.attachments:
        assert part.size == len(part_bytes(raw, part.index))
    json.dumps([parsed.sender, parsed.subject, parsed.headers])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted(EXPECTED)), st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)))
)
def test_a_damaged_message_is_a_message(name: str, damage: list[tuple[float, bytes]]) -> None:
    raw = bytearray(message(name))
    for where, what in damage:
        at = int(where * len(raw))
        raw[at : at + len(what)] = what
    summarise(bytes(raw))
    parse(bytes(raw))


def test_a_row_is_without_marks_that_turn_words_round() -> None:
    """Hazard 30: `\u202emoc.knab` would read as `bank.com` in a list."""
    raw = (
        'From: "\u202emoc.knab\u202c" <a@x.example>\r\nSubject: invoice \u2067fdp.exe\u2069 (3)\r\n'
        "\r\nwords\r\n"
    )
    row = summarise(raw.encode())
    assert row.from_name == "moc.knab"
    assert row.subject == "invoice fdp.exe (3)"
