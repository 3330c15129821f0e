"""What the audit log keeps: never a secret, never the text of a mail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailbox_service.core.audit import HIDDEN, LONGEST_TEXT, MOST_ITEMS, safe_detail, safe_text

# what was posted, what is kept
CASES: list[tuple[Any, Any]] = [
    (None, {}),
    ([1, 2], {"value": [1, 2]}),
    ({"name": "ann", "enabled": True, "count": 3}, {"name": "ann", "enabled": True, "count": 3}),
    ({"password": "x", "new_password": "y"}, {"password": HIDDEN, "new_password": HIDDEN}),
    ({"clientSecret": "x", "api_key": "y", "privateKey": "z"},
     {"clientSecret": HIDDEN, "api_key": HIDDEN, "privateKey": HIDDEN}),
    ({"cf_token": "x", "jwt": "y", "passwordHash": "z", "code": "482913"},
     {"cf_token": HIDDEN, "jwt": HIDDEN, "passwordHash": HIDDEN, "code": HIDDEN}),
    ({"headers": '{"Authorization": "Bearer x"}', "Authorization": "Basic x"},
     {"headers": HIDDEN, "Authorization": HIDDEN}),
    ({"key": "theme", "value": "dark"}, {"key": "theme", "value": HIDDEN}),
    ({"password": "", "token": None}, {"password": "", "token": None}),
    ({"content": "Dear Bob", "attachments": [1, 2]},
     {"content": "(8 characters)", "attachments": "(2 items)"}),
    ({"url": "https://u:p@hook.test/a?key=1#f"}, {"url": f"https://{HIDDEN}@hook.test/a?{HIDDEN}"}),
    ({"note": "see https://h.test/?a=1 and go"},
     {"note": f"see https://h.test/?{HIDDEN} and go"}),
    ({"providers": [{"name": "x", "clientSecret": "y"}]},
     {"providers": [{"name": "x", "clientSecret": HIDDEN}]}),
    ({"a": {"b": {"c": {"d": {"e": 1}}}}}, {"a": {"b": {"c": {"d": "…"}}}}),
    ({"list": list(range(MOST_ITEMS + 2))}, {"list": [*range(MOST_ITEMS), "2 more"]}),
]  # fmt: skip


@pytest.mark.parametrize(("posted", "kept"), CASES)
def test_what_is_kept(posted: Any, kept: Any) -> None:
    assert safe_detail(posted) == kept


def test_an_object_of_many_fields_says_how_many_were_left_out() -> None:
    kept = safe_detail({f"f{n}": n for n in range(MOST_ITEMS + 5)})
    assert len(kept) == MOST_ITEMS + 1
    assert kept["…"] == "5 more"


def test_texts_are_one_line_and_cut() -> None:
    assert safe_text("a\r\nb\x1b[31m") == "a  b [31m"
    assert len(safe_text("x" * 10_000)) == LONGEST_TEXT


@pytest.mark.parametrize(
    "url", ["http://[", "x://@", "https://a b?c=secret", "HTTPS://h/?q=secret"]
)
def test_no_strange_url_shows_its_query(url: str) -> None:
    assert "secret" not in json.dumps(safe_detail({"url": url.replace(" ", "")}))
