"""What is believed of a model's answer: only what the mail itself bears out."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core.model_extraction import (
    MAX_SENDER,
    MAX_SUBJECT,
    MAX_TEXT,
    RULE,
    Asked,
    BadAnswer,
    Told,
    asked,
    joined,
    record,
    told,
)
from mailbox_service.core.parsing import parse
from mailbox_service.services.summarising import summary_of

LINK = "https://ferry.example/go?x=1"
LETTER = (
    b"From: Ferrybank <no-reply@ferry.example>\r\nSubject: Hello 7731\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    b"sail-green-otter opens the door, or 482 913.\r\nAlso X7K2P9Q.\r\nGo: "
    + LINK.encode()
    + b"\r\n"
)
HTML = (
    b"From: a@ferry.example\r\nSubject: Hello\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b'<p>Say <b>otter</b></p><a href="' + LINK.encode() + b'">Go on</a>'
    b'<a href="mailto:a@b.example">Write</a>'
)


def mail(raw: bytes = LETTER) -> Asked:
    found = asked(parse(raw))
    assert found is not None
    return found


# answer, code, links, confidence
BELIEVED: list[tuple[Any, str | None, list[str], float]] = [
    ({}, None, [], 0.5),
    ({"code": None, "links": None, "confidence": None}, None, [], 0.5),
    ({"code": "", "links": []}, None, [], 0.5),
    ({"code": "sail-green-otter", "confidence": 0.9}, "sail-green-otter", [], 0.9),
    ({"code": " 482913 ", "confidence": 1}, "482913", [], 1.0),
    ({"code": "482 913"}, "482913", [], 0.5),
    ({"code": "482-913"}, "482913", [], 0.5),
    ({"code": "7731"}, "7731", [], 0.5),
    ({"links": [LINK, LINK], "confidence": 0.333}, None, [LINK], 0.33),
    ({"code": "X7K2P9Q", "links": [LINK], "more": {"a": 1}}, "X7K2P9Q", [LINK], 0.5),
]


@pytest.mark.parametrize(("answer", "code", "links", "sure"), BELIEVED)
def test_what_the_mail_says_is_believed(
    answer: Any, code: str | None, links: list[str], sure: float
) -> None:
    said = told(mail(), json.dumps(answer))
    assert said == Told(code, tuple((url, "Go") for url in links), sure)


REFUSED = [
    "",
    "no JSON",
    '{"code": "482913"',
    "[" * 100_000,
    "null",
    "[]",
    '"482913"',
    '{"code": 482913}',
    '{"code": "111111"}',
    '{"code": "48291"}',  # a part of another
    '{"code": "7K2P9"}',
    '{"code": "48"}',
    '{"code": "sail-green\\notter"}',
    json.dumps({"code": "4" * 65}),
    '{"code": ["482913"]}',
    '{"links": "https://ferry.example/go?x=1"}',
    '{"links": ["https://evil.example/"]}',
    '{"links": ["https://ferry.example/go"]}',
    '{"links": ["javascript:alert(1)"]}',
    '{"links": [{"url": "https://ferry.example/go?x=1"}]}',
    json.dumps({"links": [LINK] * 6}),
    '{"confidence": "high"}',
    '{"confidence": true}',
    '{"confidence": NaN}',
    '{"confidence": Infinity}',
    '{"confidence": -0.1}',
    '{"confidence": 1.01}',
    '{"confidence": 1' + "0" * 400 + "}",
    '{"confidence": 1' + "0" * 9_000 + "}",
]


@pytest.mark.parametrize("answer", REFUSED, ids=lambda answer: answer[:40])
def test_what_the_mail_does_not_say_is_not_believed(answer: str) -> None:
    with pytest.raises(BadAnswer):
        told(mail(), answer)


def test_links_of_html_count_with_their_labels_and_nothing_but_the_web_does() -> None:
    assert mail(HTML).links == {LINK: "Go on"}
    assert told(mail(HTML), json.dumps({"code": "otter", "links": [LINK]})).links == (
        (LINK, "Go on"),
    )
    with pytest.raises(BadAnswer):
        told(mail(HTML), '{"links": ["mailto:a@b.example"]}')


def test_a_question_has_the_words_of_a_mail_within_bounds() -> None:
    question = json.loads(Asked("n" * 900, "s" * 3_000, "text " * 5_000, {}).question())
    assert {name: len(words) for name, words in question.items()} == {
        "from": MAX_SENDER,
        "subject": MAX_SUBJECT,
        "text": MAX_TEXT,
    }
    assert json.loads(mail().question())["from"] == "Ferrybank <no-reply@ferry.example>"
    words = json.loads(mail(HTML).question())["text"]
    assert words == f"Say otter\n\nGo on <{LINK}>Write <mailto:a@b.example>"


def test_a_mail_without_words_is_not_asked_about() -> None:
    assert asked(parse(b"From: a@b.example\r\n\r\n")) is None


@given(answer=st.text(), words=st.text())
def test_no_answer_breaks_anything(answer: str, words: str) -> None:
    with contextlib.suppress(BadAnswer):
        told(Asked("", words, words, {}), answer)


@given(code=st.text(min_size=1, max_size=70), words=st.text())
def test_a_code_that_is_believed_stands_in_the_mail(code: str, words: str) -> None:
    try:
        said = told(Asked("", "", words, {}), json.dumps({"code": code}))
    except BadAnswer:
        return
    if said.code is not None:
        assert said.code in words or said.code.isdigit()


def test_what_both_found_is_joined_the_surest_first() -> None:
    by_rule = summary_of(
        b"Subject: x\r\n\r\nYour code is 482913, word: otter\r\nConfirm: https://a.example/verify\r\n"
    )
    [rule_link] = by_rule.links
    less = joined(by_rule, Told("otter", (), 0.1))
    assert less.codes == ("482913", "otter")
    assert less.links == (rule_link,)
    more = joined(by_rule, Told("otter", (("https://a.example/verify", "Confirm"),), 0.95))
    assert more.codes == ("otter", "482913")
    assert more.code_marks[0] == {"confidence": 0.95, "rule": RULE}
    assert [(link["rule"], link["confidence"]) for link in more.links] == [(RULE, 0.95)]
    both = joined(by_rule, Told("482913", (("https://a.example/verify", ""),), 0.1))
    assert (both.code_marks, both.links) == (by_rule.code_marks, by_rule.links)


def test_the_record_has_the_code_or_else_the_link() -> None:
    at = "2026-11-21T12:00:00.000Z"
    link = (LINK, "Go")
    assert json.loads(record(Told("7731", (link,), 1), at)) == {
        "ai_extract": {"type": "auth_code", "result": "7731", "result_text": ""},
        "extracted_at": at,
    }
    assert json.loads(record(Told(None, (link,), 1), at))["ai_extract"] == {
        "type": "auth_link",
        "result": LINK,
        "result_text": "Go",
    }
