"""What a webhook is: its settings, its template, its request (mailbox-api §1.6, §9.10 to §9.12).

Settings come from mailbox owners and are stored as they were posted, so every rule about them is
here, where they are used. A mail fills a template in one literal pass: what stands in a mail is
never a placeholder, and never ends a JSON string that the template opened.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Struct, UnsetType

from mailbox_service.core.webhook_conditions import Conditions, read_conditions

NAMES = (
    *("id", "url", "from", "to", "subject", "raw", "parsedText", "parsedHtml"),
    *("aiExtract", "aiExtractType", "aiExtractResult", "aiExtractResultText"),
)
# The object of an extraction stands in a template as it is; the default body has its parts.
DEFAULT_NAMES = tuple(name for name in NAMES if name != "aiExtract")

# A template that repeats `${raw}` must not make gigabytes of one mail: room for the largest mail
# of the default configuration, once, with what JSON adds to it.
MAX_BODY = 72 << 20  # octets
MAX_URL = 2_048  # characters; what browsers and proxies take
MAX_HEADERS = 50
MAX_HEADER_OCTETS = 16_384
MAX_HEADERS_TEXT = 65_536  # characters of the JSON that the headers are read from

WITHOUT_BODY = frozenset(("GET", "HEAD"))
# Methods that fetch (WHATWG §2.2.1) refuses, and so every sender of the contract.
FORBIDDEN_METHODS = frozenset(("CONNECT", "TRACE", "TRACK"))
# Framing and routing are the client's business; fetch drops these as well (WHATWG §2.2.2).
DROPPED_HEADERS = frozenset(
    (
        *("connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"),
        *("transfer-encoding", "upgrade", "via"),
    )
)
# Our signature is ours to write.
DROPPED_PREFIXES = ("proxy-", "webhook-")

_PLACEHOLDER = re.compile(r"\$\{(" + "|".join(NAMES) + r")\}")
_is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}").fullmatch


class BadWebhook(Exception):
    """Settings from which no request can be made; `name` is the error's name in JavaScript, by
    which the contract reports it (§3.3)."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class WebhookSettings(Struct, frozen=True, kw_only=True):
    """One webhook. `headers` and `body` are texts that hold JSON. Without `conditions` it tells
    of every mail."""

    enabled: bool = False
    url: str = ""
    method: str = "POST"
    headers: str = json.dumps({"Content-Type": "application/json"}, indent=2)
    body: str = json.dumps({name: f"${{{name}}}" for name in DEFAULT_NAMES}, indent=2)
    conditions: Conditions | UnsetType = UNSET

    @property
    def need_verdicts(self) -> bool:
        """Whether its conditions ask where a mail comes from, which is known later."""
        return isinstance(self.conditions, Conditions) and self.conditions.need_verdicts


class AllowList(Struct, frozen=True, kw_only=True, rename="camel"):
    """Which addresses may have a webhook of their own: all, unless the list is on."""

    enable_allow_list: bool = False
    allow_list: list[str] = []

    def allows(self, address: str) -> bool:
        """Whether an address, in any case, may."""
        if not self.enable_allow_list:
            return True
        return address.lower() in (entry.strip().lower() for entry in self.allow_list)


@dataclass(frozen=True, slots=True)
class WebhookMail:
    """What a template shows of a mail. `extract` is the extraction record, or None."""

    id: str
    url: str
    sender: str
    recipient: str
    subject: str
    raw: str
    text: str
    html: str
    extract: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request to a receiver. `host` is the lower-case name that its URL leads to."""

    url: str
    host: str
    method: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a receiver answered. Status 0: nothing came, and `reason` says why, beginning with
    the `name` of the failure. `head` is the beginning of the body."""

    status: int
    reason: str
    head: str = ""
    name: str = ""

    @property
    def is_success(self) -> bool:
        return self.status // 100 == 2


@dataclass(frozen=True, slots=True)
class Post:
    """A post as the log has it: waiting, posting, delivered or failed. Times are microseconds
    UTC."""

    id: int
    webhook_id: str
    message_id: int
    recipient: str
    url: str
    method: str
    state: str
    attempts: int
    created_at: int
    attempted_at: int | None
    next_attempt_at: int | None
    status: int
    reason: str
    answer: str


def read_settings(stored: Any) -> WebhookSettings:
    """Stored settings as they are used: what is missing or of the wrong type has its default,
    and what is no object is a webhook that is off."""
    if not isinstance(stored, dict):
        return WebhookSettings()
    values = {}
    for name in ("url", "method", "headers", "body"):
        value = stored.get(name)
        if isinstance(value, str):
            values[name] = value
        elif name in ("headers", "body") and value is not None:
            values[name] = json.dumps(value, ensure_ascii=False)
    conditions = read_conditions(stored.get("conditions")) or UNSET
    return WebhookSettings(enabled=bool(stored.get("enabled")), conditions=conditions, **values)


def read_allow_list(stored: Any) -> AllowList:
    """A stored allow list; one of the wrong form allows nobody when it is on."""
    try:
        return msgspec.convert(stored or {}, AllowList)
    except msgspec.ValidationError:
        is_on = isinstance(stored, dict) and bool(stored.get("enableAllowList"))
        return AllowList(enable_allow_list=is_on)


def webhook_mail(
    message_id: int,
    recipient: str,
    raw: bytes,
    *,
    sender: str,
    subject: str,
    text: str,
    html: str,
    frontend_url: str,
    extract: Mapping[str, str] | None = None,
) -> WebhookMail:
    """The values of a stored mail."""
    name = str(message_id) if message_id else ""
    return WebhookMail(
        id=name,
        url=mail_url(frontend_url, name),
        sender=sender,
        recipient=recipient,
        subject=subject,
        raw=raw.decode("utf-8", "replace"),
        text=text,
        html=html,
        extract=extract,
    )


def mail_url(frontend_url: str, name: str) -> str:
    """Where the page shows a mail; empty when nobody told where the page is."""
    return f"{frontend_url}?mail_id={name}" if frontend_url else ""


def rendered(template: str, mail: WebhookMail) -> bytes:
    """The template with every placeholder replaced by the JSON of its value, without the quotes
    around it. Raises BadWebhook when that would be too large."""
    values = {name: inside_quotes(value) for name, value in values_of(mail).items()}
    extract = None if mail.extract is None else dict(mail.extract)
    values["aiExtract"] = json.dumps(extract, ensure_ascii=False)
    pieces: list[str] = []
    size = at = 0
    for found in _PLACEHOLDER.finditer(template):
        for piece in (template[at : found.start()], values[found[1]]):
            size += len(piece)
            pieces.append(piece)
        at = found.end()
        if size > MAX_BODY:
            raise BadWebhook("RangeError", "The body of the webhook would be too large")
    pieces.append(template[at:])
    return "".join(pieces).encode("utf-8", "replace")


def values_of(mail: WebhookMail) -> dict[str, str]:
    """The texts behind the placeholders."""
    extract = mail.extract or {}
    return {
        "id": mail.id,
        "url": mail.url,
        "from": mail.sender,
        "to": mail.recipient,
        "subject": mail.subject,
        "raw": mail.raw,
        "parsedText": mail.text,
        "parsedHtml": mail.html,
        "aiExtractType": extract.get("type", ""),
        "aiExtractResult": extract.get("result", ""),
        "aiExtractResultText": extract.get("result_text", ""),
    }


def inside_quotes(value: str) -> str:
    """A text as it stands inside a JSON string; what is not ASCII stays as it is."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


def request_of(settings: WebhookSettings, mail: WebhookMail) -> HttpRequest:
    """The request that tells a receiver about a mail. Raises BadWebhook."""
    method = read_method(settings.method)
    body = b"" if method in WITHOUT_BODY else rendered(settings.body, mail)
    url, host = read_url(settings.url)
    return HttpRequest(url, host, method, read_headers(settings.headers), body)


def keyword_request(binding: str, body: Mapping[str, object]) -> HttpRequest:
    """The call of another service about a mail that has one of its keywords (§9.13).
    Raises BadWebhook."""
    url, host = read_url(binding)
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return HttpRequest(url, host, "POST", (("Content-Type", "application/json"),), content)


def read_method(method: str) -> str:
    """A method as it goes over the wire; none means GET. Raises BadWebhook."""
    if not method:
        return "GET"
    if not _is_token(method) or len(method) > 20 or method.upper() in FORBIDDEN_METHODS:
        raise BadWebhook("TypeError", f"'{method[:40]}' HTTP method is unsupported.")
    return method.upper()


def read_url(text: str) -> tuple[str, str]:
    """An http or https address, and the host that it leads to. Raises BadWebhook."""
    url = text.strip()
    if len(url) > MAX_URL:
        raise BadWebhook("TypeError", "Invalid URL: too long")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
    except ValueError:
        raise BadWebhook("TypeError", f"Invalid URL: {url[:200]}") from None
    if parts.scheme.lower() not in ("http", "https") or not host or port == 0:
        raise BadWebhook("TypeError", f"Invalid URL: {url[:200]}")
    if parts.username is not None or parts.password is not None:
        raise BadWebhook("TypeError", "Invalid URL: it has a password in it")
    if any(ord(char) <= 32 or ord(char) == 127 for char in url) or "\\" in url:
        raise BadWebhook("TypeError", f"Invalid URL: {url[:200]!a}")
    return url, host.lower()


def read_headers(text: str) -> tuple[tuple[str, str], ...]:
    """The headers out of their JSON. Raises BadWebhook for what is no JSON object, and for a
    name or value that could not stand on a line of its own."""
    if len(text) > MAX_HEADERS_TEXT:
        raise BadWebhook("RangeError", "The headers of the webhook are too long")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadWebhook("SyntaxError", f"The headers are not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadWebhook("TypeError", "The headers are not a JSON object")
    if len(found) > MAX_HEADERS:
        raise BadWebhook("RangeError", f"There are more than {MAX_HEADERS} headers")
    headers = []
    for name, value in found.items():
        if not _is_token(name):
            raise BadWebhook("TypeError", f"Invalid header name: {name[:100]!a}")
        written = value.strip(" \t\r\n") if isinstance(value, str) else json.dumps(value)
        if any(char in written for char in "\r\n\0") or not is_latin(written):
            raise BadWebhook("TypeError", f"Invalid header value: {name[:100]!a}")
        low = name.lower()
        if low not in DROPPED_HEADERS and not low.startswith(DROPPED_PREFIXES):
            headers.append((name, written))
    if sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_OCTETS:
        raise BadWebhook("RangeError", "The headers of the webhook are too long")
    return tuple(headers)


def is_latin(value: str) -> bool:
    """Whether a header can carry a value (RFC 9110 §5.5)."""
    try:
        return value.encode("latin-1").isascii() or value.isprintable()
    except UnicodeEncodeError:
        return False


# --- Signatures (Standard Webhooks, https://www.standardwebhooks.com) --------------------------

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public beginning of every such secret


def signing_key(secret: str) -> bytes:
    """The key in a secret: base64 behind `whsec_`, or else the octets of the text."""
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except ValueError:
            pass
    return secret.encode()


def secret_of(secret: str, address: str) -> str:
    """The secret of one mailbox's webhook, made from the service's. Owners do not know each
    other's, so none can speak to another's receiver in our name."""
    key = hmac.digest(signing_key(secret), b"webhook:" + address.encode(), hashlib.sha256)
    return SECRET_PREFIX + base64.b64encode(key).decode()


def signature_headers(
    secret: str, webhook_id: str, seconds: int, body: bytes
) -> tuple[tuple[str, str], ...]:
    """The headers by which a receiver knows us, and a repeated post by its id; a replayed one
    by its time. Without a secret there is no signature."""
    headers = [("webhook-id", webhook_id), ("webhook-timestamp", str(seconds))]
    if secret:
        signed = f"{webhook_id}.{seconds}.".encode() + body
        digest = hmac.digest(signing_key(secret), signed, hashlib.sha256)
        headers.append(("webhook-signature", "v1," + base64.b64encode(digest).decode()))
    return tuple(headers)


# --- Retries -----------------------------------------------------------------------------------

# Most failures are a restart of the receiver and pass in a minute; an outage over night does not.
PAUSES = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400)  # seconds
GIVE_UP_AFTER = 48 * 3_600  # seconds: a weekend's outage
# Half as much again at most, so that what failed together does not come back together.
SPREAD = 0.5
GONE = 410  # the receiver says that it wants no more (RFC 9110 §15.5.11)


def next_post(
    answer: HttpAnswer, *, attempt: int, created_at: int, now: int, jitter: float
) -> int | None:
    """When a post that was not taken is tried again; None: never. Times are microseconds,
    `attempt` counts from 1, `jitter` is 0 to 1."""
    if answer.status == GONE:
        return None
    pause = PAUSES[min(attempt, len(PAUSES)) - 1] * (1 + SPREAD * jitter)
    later = now + int(pause * 1_000_000)
    return later if later <= created_at + GIVE_UP_AFTER * 1_000_000 else None
