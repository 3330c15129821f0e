"""Why a post was not taken has a code for everything but a receiver's own words."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from mailbox_service.core.store_words import trouble_words
from mailbox_service.core.webhook import BadWebhook, read_headers, read_method, read_url
from mailbox_service.core.webhook_words import reason_words


@pytest.mark.parametrize(
    ("reason", "code", "values"),
    [
        ("status 404", "webhook.status", {"status": "404"}),
        ("cancelled by hand", "webhook.cancelled", {}),
        (
            "The receiver did not answer within 10 seconds",
            "webhook.slow",
            {"seconds": "10"},
        ),
        ("fetch failed: not a host", "webhook.no-host", {}),
        ("fetch failed: port 25 is not one of the web", "webhook.port", {"port": "25"}),
        ("fetch failed: [SSL] oh", "webhook.failed", {"reason": "[SSL] oh"}),
        ("Not Found", None, {}),
        ("", None, {}),
    ],
)
def test_a_kept_reason_has_a_code(reason: str, code: str | None, values: dict[str, str]) -> None:
    told = reason_words(reason)
    assert (None if told is None else told.code) == code
    if told is not None:
        assert (str(told), dict(told.values)) == (reason, values)


@pytest.mark.parametrize(
    ("read", "text", "code"),
    [
        (read_method, "TRACE", "webhook.method"),
        (read_url, "http://" + "x" * 9_000, "webhook.url-long"),
        (read_url, "http://ann:secret@h.test/", "webhook.url-password"),
        (read_url, "ftp://h.test/", "webhook.url-wrong"),
        (read_headers, " " * 100_000, "webhook.headers-long"),
        (read_headers, "{", "webhook.headers-unread"),
        (read_headers, "[]", "webhook.headers-object"),
        (read_headers, json.dumps({f"x-{n}": "v" for n in range(1000)}), "webhook.headers-many"),
        (read_headers, '{"a b": "c"}', "webhook.header-name"),
        (read_headers, '{"a": "b\\r\\nc"}', "webhook.header-value"),
    ],
)
def test_what_is_wrong_with_settings_has_a_code(
    read: Callable[[str], object], text: str, code: str
) -> None:
    """Kept with the name of the error in front, as `services.consequences` does."""
    with pytest.raises(BadWebhook) as caught:
        read(text)
    told = reason_words(f"{caught.value.name} {caught.value}")
    assert told is not None
    assert told.code == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("There is no room to store this now.", "store.full"),
        ("The store cannot be reached now.", "store.unreachable"),
        ("OSError", "store.fault"),
        ("ExceptionGroup", "store.fault"),
        ("expected WHERE, not 'x'", None),
        ("", None),
    ],
)
def test_trouble_of_the_store_has_a_code(text: str, code: str | None) -> None:
    told = trouble_words(text)
    assert (None if told is None else told.code) == code
