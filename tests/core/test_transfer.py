"""Mails on their way between stores: dates, addresses, JSON lines, kinds of files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.file_kinds import kind_of
from mailbox_service.core.stored import FLAGGED, SEEN
from mailbox_service.core.transfer import (
    BadMail,
    MovedMail,
    as_address,
    as_json,
    crlf,
    from_json,
    told_time,
    wire_date,
)

NOON = 1_795_262_400_000_000  # 2026-11-21 12:00:00 UTC


@given(content=st.binary(max_size=300), flags=st.integers(0, 7))
def test_every_octet_comes_back_from_a_json_line(content: bytes, flags: int) -> None:
    mail = MovedMail(content, "a@x.test", "b@y.test", NOON, flags, '{"ai_extract":{}}')
    line = as_json(mail, mail_id=7, created_at="2026-11-21 12:00:00")
    assert b"\n" not in line
    assert from_json(line) == mail


def test_a_row_of_the_mailbox_api_is_read() -> None:
    row = {
        "id": 3,
        "message_id": "<a@b>",
        "source": "b@y.test",
        "address": "Ann@X.test",
        "raw": "Subject: é\r\n\r\n",
        "metadata": None,
        "created_at": "2026-11-21 12:00:00",
    }
    assert from_json(json.dumps(row).encode()) == MovedMail(
        "Subject: é\r\n\r\n".encode(), "ann@x.test", "b@y.test", NOON
    )


def test_marks_are_those_that_are_true() -> None:
    assert from_json(b'{"raw":"","seen":true,"flagged":true,"answered":0}').flags == SEEN | FLAGGED


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"raw":1}',
        b'{"raw_base64":"?"}',
        b'{"raw":"","source":1}',
        b'{"raw":"","address":[1]}',
        b"{" * 100_000,
        b'{"raw":"\xff"}',
    ],
)
def test_what_is_no_mail_is_told(line: bytes) -> None:
    with pytest.raises(BadMail):
        from_json(line)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("2026-11-21 12:00:00", NOON),
        ("2026-11-21T12:00:00Z", NOON),
        ("2026-11-21T13:00:00+01:00", NOON),
        ("2026-11-21", NOON - 12 * 3_600_000_000),
        ("1969-01-01 00:00:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (17, None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_dates(text: object, micros: int | None) -> None:
    assert wire_date(text) == micros


@pytest.mark.parametrize(
    ("content", "micros"),
    [
        (
            b"Received: by x; Sat, 21 Nov 2026 12:00:00 +0000\r\nDate: Mon, 1 Jan 2001 0:0:0 +0000",
            NOON,
        ),
        (b"Received: by x\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\n", NOON),
        (b"Date: Sat, 21 Nov 2026 12:00:00 -0000\r\n\r\n", NOON),
        (b"Date: nonsense\r\n\r\n", None),
        (b"\xff\x00", None),
    ],
)
def test_the_time_that_a_mail_tells(content: bytes, micros: int | None) -> None:
    assert told_time(content) == micros


def test_line_ends_of_unix_become_those_of_mail_and_others_stay() -> None:
    assert crlf(b"a: b\n\nc\n") == b"a: b\r\n\r\nc\r\n"
    assert crlf(b"a: b\r\n\r\nc\n") == b"a: b\r\n\r\nc\n"


def test_an_address_that_no_grammar_allows_is_kept_as_near_as_it_comes() -> None:
    assert as_address(" Foo@X.Test ") == "foo@x.test"
    assert as_address("Not An\0 Address") == "not an address"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"From a@b Sat Nov 21 12:00:00 2026\n", "mbox"),
        (b"From: a@b\r\n", "eml"),
        (b"Received: from x\n", "eml"),
        (b'\xef\xbb\xbf{"id":1,"raw":""}\n{', "jsonl"),
        (b'{"id":1,"raw":"' + b"x" * 9000, "jsonl"),
        (b'{"temp-mail-webhook-settings":"{}"}', "kv"),
        (b'{"key":"a","value":"b"}\n', "kv"),
        (b'[{"key":"a","value":"raw"}]', "kv"),
        (b"PRAGMA defer_foreign_keys=TRUE;\n", "sql"),
        (b"-- a dump\nCREATE TABLE", "sql"),
        (b"BEGIN TRANSACTION;", "sql"),
        (b"PK\x03\x04", None),
        (b"", None),
        (b"SQLite format 3\0", None),
    ],
)
def test_files_are_known_by_how_they_begin(head: bytes, kind: str | None) -> None:
    assert kind_of(head) == kind
