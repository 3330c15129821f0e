"""Sentences with codes: whatever the service can say to an administrator, the page says in every
language."""

from __future__ import annotations

import re

import pytest

from mailbox_service.core import (
    audit,
    audit_fields,
    audit_words,
    cleanup_statement,
    domain_records,
    first_steps,
    queue_words,
    store_words,
    webhook_words,
)
from mailbox_service.core.told import Words
from tests.programs import ROOT

TEXTS = ROOT / "frontend" / "src" / "texts"
LANGUAGES = ("en", "de", "es", "ja", "pt-BR", "zh")
TABLES = (
    queue_words.WORDS,
    first_steps.WORDS,
    domain_records.WORDS,
    audit_words.ACTIONS,
    audit_words.ACTORS,
    audit_fields.FIELDS,
    audit.COUNTS,
    cleanup_statement.WORDS,
    store_words.WORDS,
    webhook_words.WORDS,
)
# One entry a line: a text, or its two forms.
ENTRY = re.compile(r"^  'told\.(?P<code>[a-z._-]+)': (?P<text>.*),$", re.M)


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


def test_a_sentence_knows_its_code_and_its_values() -> None:
    words = Words(
        "area", {"many": ("{n} egg for {who}", "{n} eggs for {who}"), "due": "{x_seconds}"}
    )
    one = words.say("many", n=1, who="Ann")
    assert (one, one.code, one.values) == ("1 egg for Ann", "area.many", {"n": 1, "who": "Ann"})
    assert words.say("many", n=2, who="Ann") == "2 eggs for Ann"
    assert words.say("due", x_seconds=600) == "in 10 minutes"


def test_what_is_filled_in_is_never_read_as_a_form() -> None:
    assert Words("area", {"said": "It said {reply}."}).say("said", reply="{n} {0}") == (
        "It said {n} {0}."
    )


def test_a_stored_text_is_recognised_with_its_values() -> None:
    words = Words("area", {"plain": "It is over", "who": "a {what} of {who}"})
    assert words.recognise("It is over") == "It is over"
    told = words.recognise("a letter (1) of Ann\nand Bob")
    assert told is not None
    assert (told.code, told.values) == ("area.who", {"what": "letter (1)", "who": "Ann\nand Bob"})
    assert words.recognise("It is overcast") is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_a_text_in_every_language(language: str) -> None:
    # Why a webhook was not taken is told in mailboxes, too.
    tables = (TEXTS / language / f"{area}.ts" for area in ("adminTold", "more"))
    table = "".join(path.read_text("utf-8") for path in tables)
    found = {one["code"]: one["text"] for one in ENTRY.finditer(table)}
    for words in TABLES:
        for code, english in words.codes():
            assert code in found, code
            whole = english if isinstance(english, str) else english[1]
            assert placeholders(found[code]) == placeholders(whole), code
            if language == "en":
                texts = (english,) if isinstance(english, str) else english
                plain = found[code].replace("\\'", "'")
                assert all(text in plain for text in texts), code
