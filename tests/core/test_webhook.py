"""Templates, requests, signatures and pauses of webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailbox_service.core import webhook
from mailbox_service.core.webhook import (
    BadWebhook,
    HttpAnswer,
    WebhookMail,
    WebhookSettings,
    next_post,
    read_headers,
    read_method,
    read_settings,
    read_url,
    rendered,
    request_of,
    secret_of,
    signature_headers,
)

MAIL = WebhookMail(
    id="7",
    url="https://page.test?mail_id=7",
    sender="Ann <ann@a.test>",
    recipient="bob@x.test",
    subject='He said "hi"\\',
    raw="Subject: x\r\n\r\n${id} $& $1",
    text="Grüße\n${subject}",
    html="<p>\t</p>",
)


def test_the_default_settings_are_those_of_the_contract() -> None:
    """mailbox-api §1.6, to the letter."""
    settings = WebhookSettings()
    assert (settings.enabled, settings.url, settings.method) == (False, "", "POST")
    assert settings.headers == '{\n  "Content-Type": "application/json"\n}'
    assert settings.body == (
        '{\n  "id": "${id}",\n  "url": "${url}",\n  "from": "${from}",\n  "to": "${to}",\n'
        '  "subject": "${subject}",\n  "raw": "${raw}",\n  "parsedText": "${parsedText}",\n'
        '  "parsedHtml": "${parsedHtml}",\n  "aiExtractType": "${aiExtractType}",\n'
        '  "aiExtractResult": "${aiExtractResult}",\n'
        '  "aiExtractResultText": "${aiExtractResultText}"\n}'
    )


def test_the_default_template_becomes_json_that_holds_the_mail() -> None:
    found = json.loads(rendered(WebhookSettings().body, MAIL))
    assert found == {
        "id": "7",
        "url": "https://page.test?mail_id=7",
        "from": "Ann <ann@a.test>",
        "to": "bob@x.test",
        "subject": 'He said "hi"\\',
        "raw": "Subject: x\r\n\r\n${id} $& $1",
        "parsedText": "Grüße\n${subject}",
        "parsedHtml": "<p>\t</p>",
        "aiExtractType": "",
        "aiExtractResult": "",
        "aiExtractResultText": "",
    }


def test_placeholders_are_replaced_in_one_literal_pass() -> None:
    """mailbox-api §9.12: what a mail contains is never a placeholder."""
    assert rendered("${parsedText}|${nope}|$$|${raw}", MAIL).decode() == (
        "Grüße\\n${subject}|${nope}|$$|Subject: x\\r\\n\\r\\n${id} $& $1"
    )


@pytest.mark.parametrize(
    ("extract", "expected"),
    [
        (None, "null||"),
        (
            {"type": "auth_code", "result": "1234", "result_text": ""},
            '{"type": "auth_code", "result": "1234", "result_text": ""}|auth_code|1234',
        ),
    ],
)
def test_the_extraction_is_an_object_or_null(extract: Any, expected: str) -> None:
    mail = webhook.webhook_mail(
        1, "b@x.test", b"", sender="", subject="", text="", html="", frontend_url="",
        extract=extract,
    )  # fmt: skip
    template = "${aiExtract}|${aiExtractType}|${aiExtractResult}"
    assert rendered(template, mail).decode() == expected


@given(value=st.text())
def test_no_value_ends_the_json_string_that_it_stands_in(value: str) -> None:
    """Hazard 43: header and body injection through a mail."""
    mail = WebhookMail("1", "", value, value, value, value, value, value)
    found = json.loads(rendered('{"a": "${subject}", "b": "x${raw}y"}', mail))
    expected = value.encode("utf-8", "replace").decode()
    assert found == {"a": expected, "b": f"x{expected}y"}


def test_a_template_cannot_make_gigabytes_of_one_mail() -> None:
    large = WebhookMail("1", "", "", "", "", "x" * (1 << 20), "", "")
    with pytest.raises(BadWebhook, match="too large"):
        rendered("${raw}" * 200, large)


def test_get_has_no_body() -> None:
    settings = WebhookSettings(url="http://h.test/", method="get", body="${id}")
    request = request_of(settings, MAIL)
    assert (request.method, request.body) == ("GET", b"")


@pytest.mark.parametrize("stored", [None, 5, "x", [], [1], True])
def test_what_is_no_object_is_a_webhook_that_is_off(stored: Any) -> None:
    assert not read_settings(stored).enabled


def test_missing_and_strange_values_have_their_defaults() -> None:
    settings = read_settings({"enabled": 1, "url": 5, "headers": {"A": "b"}, "more": {}})
    assert settings.enabled
    assert settings.url == ""
    assert settings.headers == '{"A": "b"}'
    assert settings.method == "POST"


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "ftp://h.test/", "file:///etc/passwd", "gopher://h/", "http://", "http:///x",
        "http://h.test:0/", "http://h.test:99999/", "http://h.test/\r\nX: y", "http://a b/",
        "http://u:p@h.test/", "javascript:alert(1)", "http://h.test\\@evil.test/",
        "http://" + "h" * 3000,
    ],
)  # fmt: skip
def test_only_addresses_of_the_web_are_called(url: str) -> None:
    """Hazard 40: other schemes, and what two readers would read in two ways."""
    with pytest.raises(BadWebhook):
        read_url(url)


@pytest.mark.parametrize("method", ["CONNECT", "trace", "TRACK", "GET /", "P\r\nOST", "x" * 50])
def test_some_methods_are_refused(method: str) -> None:
    with pytest.raises(BadWebhook) as caught:
        read_method(method)
    assert caught.value.name == "TypeError"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "SyntaxError"),
        ("{", "SyntaxError"),
        ("[" * 100_000, "RangeError"),
        ("[]", "TypeError"),
        ("5", "TypeError"),
        ('{"A\\r\\nB": "x"}', "TypeError"),
        ('{"A": "x\\r\\nHost: evil"}', "TypeError"),
        ('{"A": "x\\u0000"}', "TypeError"),
        ('{"A": "中"}', "TypeError"),
        ('{"": "x"}', "TypeError"),
        (json.dumps({f"a{n}": "x" for n in range(51)}), "RangeError"),
        (json.dumps({"a": "x" * 20_000}), "RangeError"),
    ],
)
def test_headers_that_cannot_stand_on_a_line_are_refused(text: str, name: str) -> None:
    """Hazard 43: header injection."""
    with pytest.raises(BadWebhook) as caught:
        read_headers(text)
    assert caught.value.name == name


def test_framing_routing_and_our_signature_are_not_the_owners_to_write() -> None:
    headers: dict[str, object] = {"Host": "x", "content-length": "1", "X-A": "b"}
    headers["Transfer-Encoding"] = "chunked"
    headers |= {"Proxy-Authorization": "x", "Webhook-Signature": "v1,x", "N": 5, "T": True}
    assert read_headers(json.dumps(headers)) == (("X-A", "b"), ("N", "5"), ("T", "true"))


def test_a_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    headers = dict(signature_headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body))
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_may_be_any_text_and_each_mailbox_has_its_own() -> None:
    headers = dict(signature_headers("plain words", "msg_1", 5, b"x"))
    digest = hmac.digest(b"plain words", b"msg_1.5.x", hashlib.sha256)
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert "webhook-signature" not in dict(signature_headers("", "msg_1", 5, b"x"))
    ann, bob = (secret_of("plain words", name) for name in ("ann@x.test", "bob@x.test"))
    assert ann.startswith("whsec_")
    assert ann != bob


@given(jitter=st.floats(0, 1))
def test_retries_move_forward_and_end_after_two_days(jitter: float) -> None:
    """Hazard 41."""
    now, attempt = 0, 1
    while (
        again := next_post(
            HttpAnswer(503, "x"), attempt=attempt, created_at=0, now=now, jitter=jitter
        )
    ) is not None:
        assert again >= now + 5_000_000
        now, attempt = again, attempt + 1
        assert attempt < 100
    assert 36 * 3_600_000_000 < now <= 48 * 3_600_000_000


def test_a_receiver_that_is_gone_is_not_asked_again() -> None:
    assert next_post(HttpAnswer(410, "Gone"), attempt=1, created_at=0, now=0, jitter=0) is None
