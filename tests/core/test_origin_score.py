"""The score of where a mail comes from: what counts, how much, and how it is told."""

from __future__ import annotations

import time

import pytest

from mailbox_service.core.mime_parts import read_header
from mailbox_service.core.origin_score import Score, folded, score, with_score, without_scores
from mailbox_service.core.stored import StoredVerdicts

OWN = ("inbox.test", "mail.example")
NOTHING = "none none none none"


def found(words: str, results: str = "") -> StoredVerdicts:
    spf, dkim, dmarc, arc = words.split()
    return StoredVerdicts(spf, dkim, dmarc, arc, results)


@pytest.mark.parametrize(
    ("words", "points", "signs"),
    [
        (NOTHING, 0, ""),
        ("pass pass pass none", -4, "spf=pass dkim=pass dmarc=pass"),
        ("pass none pass none", -3, "spf=pass dmarc=pass"),
        ("fail none fail none", 6, "spf=fail dmarc=fail"),
        ("softfail fail fail fail", 7, "spf=softfail dkim=fail dmarc=fail arc=fail"),
        ("fail fail fail fail", 8, "spf=fail dkim=fail dmarc=fail arc=fail"),
        ("permerror permerror permerror none", 3, "spf=permerror dkim=permerror dmarc=permerror"),
        ("neutral policy none pass", 1, "dkim=policy"),
        ("temperror temperror temperror temperror", 0, ""),
        ("neutral neutral none none", 0, ""),
        ("fail pass pass pass", -1, "spf=fail dkim=pass dmarc=pass"),
    ],
)
def test_verdicts_are_added_up(words: str, points: int, signs: str) -> None:
    got = score(found(words), "Ann", "ann@sender.example", OWN)
    assert (got.points, [name for name, _ in got.signs]) == (points, signs.split())
    assert sum(count for _, count in got.signs) == points


@pytest.mark.parametrize(
    ("name", "address", "points", "signs"),
    [
        ("", "", 0, ""),
        ("Ann", "no address", 0, ""),
        ("Ann", "ann@shop.example", 0, ""),
        ("ann@shop.example", "ann@shop.example", 0, ""),
        ("ann@shop.example", "ann@news.shop.example", 0, ""),
        ("Ann @ work", "ann@shop.example", 0, ""),
        ("service@bank.example", "x@evil.example", 3, "name-shows-other-address"),
        ("Bank <service@bank.example>", "x@evil.example", 3, "name-shows-other-address"),
        # A Latin word with one Cyrillic letter, and a word that only looks Latin.
        ("", "x@pаypal.example", 3, "mixed-scripts"),
        ("", "x@xn--pypal-4ve.example", 3, "mixed-scripts"),
        ("", "x@xn--80ak6aa92e.com", 3, "mixed-scripts"),
        ("", "x@bücher.example", 0, ""),
        ("", "x@почта.рф", 0, ""),
        ("", "x@мост.example", 0, ""),
        ("", "x@日本.example", 0, ""),
        ("", "x@xn--999999999999999.example", 0, ""),
        ("", "x@inbox.test", 0, ""),
        ("", "x@deep.inbox.test", 0, ""),
        ("", "x@INBOX.test.", 0, ""),
        ("", "x@1nbox.test", 4, "looks-like-ours"),
        ("", "x@lnb0x.test", 4, "looks-like-ours"),
        ("", "x@news.in-box.test", 4, "looks-like-ours"),
        ("", "x@rnail.example", 4, "looks-like-ours"),
        ("", "x@inbox.test.evil.example", 4, "looks-like-ours"),
        ("", "x@inbox.other", 0, ""),
        (
            "a@mail.example",
            "x@іnbox.test",
            10,
            "name-shows-other-address mixed-scripts looks-like-ours",
        ),
    ],
)
def test_what_an_author_looks_like_is_added(
    name: str, address: str, points: int, signs: str
) -> None:
    got = score(found(NOTHING), name, address, OWN)
    assert (got.points, [sign for sign, _ in got.signs]) == (points, signs.split())


def test_names_without_end_take_no_time() -> None:
    """Hazard 36."""
    began = time.process_time()
    for text in ("a@" * 100_000, "a@a." * 50_000, "xn--" * 50_000, "é" * 100_000):
        score(found(NOTHING), text, f"x@{text}", OWN)
    assert time.process_time() - began < 10


MAIL = b"Received: by x\r\nFrom: ann@shop.example\r\n\r\nX-Mailbox-Score: a word of the body\r\n"


def test_a_copy_has_the_score_and_the_results_on_top() -> None:
    verdicts = found("fail none fail none", "spf=fail smtp.mailfrom=a@b.example; dmarc=fail")
    copy = with_score(MAIL, score(verdicts, "", "x@1nbox.test", OWN), verdicts, "mx.x.test")
    assert copy == (
        b"X-Mailbox-Score: 10 (spf=fail +2, dmarc=fail +4, looks-like-ours +4)\r\n"
        b"Authentication-Results: mx.x.test; spf=fail smtp.mailfrom=a@b.example;\r\n"
        b" dmarc=fail\r\n" + MAIL
    )
    assert with_score(MAIL, Score(0, ()), verdicts, "h").startswith(b"X-Mailbox-Score: 0\r\n")


def test_without_verdicts_nothing_is_put_on_top() -> None:
    assert with_score(MAIL, None, None, "mx.x.test") == MAIL


@pytest.mark.parametrize(
    "forged",
    [
        b"X-Mailbox-Score: -9\r\n",
        b"x-MAILBOX-score : -9\r\n\tmore\r\n more\r\n",
        b"X-Mailbox-Score: -9\nX-Mailbox-Score: -8\n",
        b"X-Mailbox-Score:\r\n -9\r\nX-Mailbox-Score: 1\r\n",
    ],
)
def test_scores_of_others_are_taken_out(forged: bytes) -> None:
    assert without_scores(forged + MAIL) == MAIL
    first, rest = MAIL.split(b"\r\n", 1)
    assert without_scores(first + b"\r\n" + forged + rest) == MAIL


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\nX-Mailbox-Score: body\r\n",
        b"From: a\n\nX-Mailbox-Score: body\n",
        b"X-Mailbox-Scores: 1\r\nNot-X-Mailbox-Score: 2\r\n\r\n",
        MAIL,
    ],
)
def test_all_else_stays_as_it_is(content: bytes) -> None:
    assert without_scores(content) == content


def test_long_results_are_folded_and_end_no_field() -> None:
    field = folded("Authentication-Results", "mx; " + " ".join(["word=ü"] * 300))
    lines = field.decode().split("\r\n")
    assert max(map(len, lines)) <= 76
    assert all(line.startswith(" ") for line in lines[1:-1])
    assert read_header(field + b"\r\n").text("authentication-results").count("word=") == 300
