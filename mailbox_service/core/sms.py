"""Short messages: numbers, units, states, and what gateways speak (sending-api §11).

This server has no phone network. A gateway has one: it takes messages, and tells later what
became of them and what was answered. The HTTP dialects of gateways are tables here; the requests
are made elsewhere.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from mailbox_service.core.webhook import HttpAnswer, HttpRequest

MOST_DESTINATIONS = 100
# Ten parts; phones and gateways differ on what they put together beyond that.
LONGEST_CONTENT = 1_530
LONGEST_ANSWER_ID = 200

QUEUED, SUBMITTED, DELIVERED = "queued", "submitted", "delivered"
FAILED, REJECTED, HELD, PROCESSING = "failed", "rejected", "held", "processing"
ENROUTE, EXPIRED, CANCELLED = "enroute", "expired", "cancelled"
# Nothing changes any more.
FINAL = frozenset((DELIVERED, FAILED, REJECTED, EXPIRED, CANCELLED))

OPT_OUT = frozenset(("STOP", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"))

MINUTE = 60 * 1_000_000
PAUSES = tuple(minutes * MINUTE for minutes in (1, 5, 15))
# A code that comes an hour late helps nobody.
GIVE_UP_AFTER = 60 * MINUTE

# 3GPP 23.038 §6.2.1; what needs an escape counts twice.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€\f")

# The words of SMPP receipts (3.4, appendix B), of Twilio and others, of our own.
STATES: Mapping[str, str] = {
    "enroute": ENROUTE,
    "delivrd": DELIVERED,
    "expired": EXPIRED,
    "deleted": CANCELLED,
    "undeliv": FAILED,
    "acceptd": SUBMITTED,
    "unknown": PROCESSING,
    "rejectd": REJECTED,
    "accepted": SUBMITTED,
    "scheduled": SUBMITTED,
    "queued": SUBMITTED,
    "sending": SUBMITTED,
    "sent": SUBMITTED,
    "sms:sent": SUBMITTED,
    "submitted": SUBMITTED,
    "delivered": DELIVERED,
    "read": DELIVERED,
    "sms:delivered": DELIVERED,
    "undelivered": FAILED,
    "failed": FAILED,
    "sms:failed": FAILED,
    "rejected": REJECTED,
    "canceled": CANCELLED,
    "cancelled": CANCELLED,
}
# Kannel tells receipts by the bits of its dlr-mask.
KANNEL: Mapping[str, str] = {
    "1": DELIVERED,
    "2": FAILED,
    "4": ENROUTE,
    "8": SUBMITTED,
    "16": REJECTED,
}

# Names under which callbacks carry the same things.
_IDS = ("id", "gateway_id", "message_id", "messageid", "messagesid", "smssid", "sid", "msgid")
_STATES = ("message_status", "messagestatus", "status", "state", "dlr", "event")
_SOURCES = ("from", "source", "sender", "phonenumber", "msisdn", "source_addr")
_TARGETS = ("to", "destination", "recipient", "receiver", "destination_addr")
_TEXTS = ("text", "content", "message", "body", "payload_text")

Preset = Literal["", "kannel", "jasmin", "twilio", "android"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way to a gateway. `id` is ours; numbers begin with `+`."""

    id: str
    sender: str
    destination: str
    content: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a gateway tells about a message; `ours` is our id when it gave that back."""

    status: str
    gateway_id: str = ""
    ours: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message from a phone."""

    source: str
    destination: str
    content: str
    gateway_id: str = ""


class GatewayProblem(Exception):
    """A gateway did not take a message. `passes`: it is worth another try."""

    def __init__(self, words: str, *, passes: bool) -> None:
        super().__init__(words)
        self.passes = passes


@dataclass(frozen=True, slots=True)
class HttpDialect:
    """How an HTTP gateway wants it. `fields` are names for `to`, `from`, `text`, `id`,
    `username`, `password` and `callback`; `answer_id` is a path of names in a JSON answer, or a
    regular expression behind `re:`."""

    url: str
    preset: Preset = ""
    method: str = "POST"
    format: str = "json"
    username: str = ""
    password: str = ""
    basic: bool = False
    fields: Mapping[str, str] | None = None
    answer_id: str = ""


def number_of(text: str) -> str:
    """A number in the form of E.164, `+` in front; empty for what is none."""
    plain = re.sub(r"[ ().-]", "", text)
    found = re.fullmatch(r"(?:\+|00)?([1-9][0-9]{6,14})", plain)
    return f"+{found[1]}" if found else ""


def is_gsm(content: str) -> bool:
    """Whether a text needs nothing beyond the GSM alphabet."""
    return all(one in _GSM or one in _GSM_EXTENDED for one in content)


def units_of(content: str) -> int:
    """How many messages a text is: 160 or 153 letters of GSM, 70 or 67 of UCS-2."""
    if is_gsm(content):
        length, alone, part = len(content), 160, 153
        length += sum(one in _GSM_EXTENDED for one in content)
    else:
        length, alone, part = len(content.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= alone else -(-length // part)


def opts_out(content: str) -> bool:
    """Whether somebody wants no more messages."""
    return content.strip().strip(".!").upper() in OPT_OUT


def state_of(word: str, preset: str = "") -> str:
    """Our state for a gateway's word; empty for one that says nothing."""
    word = word.strip().lower()
    if preset == "kannel" and word in KANNEL:
        return KANNEL[word]
    return STATES.get(word, "")


def next_try(attempt: int, *, created_at: int, now: int) -> int | None:
    """When a message is tried again; None: never. Microseconds."""
    at = now + PAUSES[min(attempt, len(PAUSES)) - 1]
    return None if at > created_at + GIVE_UP_AFTER else at


def request_for(dialect: HttpDialect, message: Outgoing, callback: str) -> HttpRequest:
    """The request that hands a message to a gateway; `callback` is where it tells of it."""
    basic = dialect.basic
    method, form = dialect.method.upper(), dialect.format
    url = dialect.url
    here = f"{callback}&id={message.id}"
    values: Any
    match dialect.preset:
        case "kannel":
            method, form = "GET", "query"
            values = {
                "username": dialect.username,
                "password": dialect.password,
                "from": message.sender,
                "to": message.destination,
                "text": message.content,
                "charset": "UTF-8",
                "coding": "0" if is_gsm(message.content) else "2",
                "dlr-mask": "31",
                "dlr-url": f"{here}&status=%d",
            }
        case "jasmin":
            method, form = "POST", "form"
            values = {
                "username": dialect.username,
                "password": dialect.password,
                "from": message.sender,
                "to": message.destination,
                "content": message.content,
                "coding": "0" if is_gsm(message.content) else "8",
                "dlr": "yes",
                "dlr-level": "3",
                "dlr-method": "POST",
                "dlr-url": here,
            }
            if not is_gsm(message.content):
                values["hex-content"] = message.content.encode("utf-16-be").hex()
                del values["content"]
        case "twilio":
            method, form, basic = "POST", "form", True
            values = {
                "To": message.destination,
                "From": message.sender,
                "Body": message.content,
                "StatusCallback": here,
            }
        case "android":
            method, form, basic = "POST", "json", True
            values = {
                "id": message.id,
                "textMessage": {"text": message.content},
                "phoneNumbers": [message.destination],
            }
        case _:
            names = dialect.fields or {"to": "to", "from": "from", "text": "text", "id": "id"}
            told = {
                "to": message.destination,
                "from": message.sender,
                "text": message.content,
                "id": message.id,
                "username": dialect.username,
                "password": dialect.password,
                "callback": here,
            }
            values = {name: told[key] for key, name in names.items() if key in told and name}
    headers: list[tuple[str, str]] = []
    body = b""
    if form == "query" or method == "GET":
        query = urlencode({key: one for key, one in values.items() if one != ""})
        url += ("&" if "?" in url else "?") + query
    elif form == "form":
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        body = urlencode({key: one for key, one in values.items() if one != ""}).encode()
    else:
        headers.append(("Content-Type", "application/json"))
        body = json.dumps(values, ensure_ascii=False).encode()
    if basic:
        login = f"{dialect.username}:{dialect.password}".encode()
        headers.append(("Authorization", "Basic " + base64.b64encode(login).decode()))
    host = (urlsplit(url).hostname or "").lower()
    return HttpRequest(url, host, method, tuple(headers), body)


def gateway_id_in(dialect: HttpDialect, answer: HttpAnswer) -> str:
    """The gateway's own id of a message that it took, empty without one. Raises
    GatewayProblem."""
    text = answer.head
    if not answer.is_success:
        passes = answer.status == 0 or answer.status == 429 or answer.status >= 500
        words = f"HTTP {answer.status}: {text[:200] or answer.reason}"
        raise GatewayProblem(words, passes=passes)
    match dialect.preset:
        case "jasmin":
            found = re.search(r'Success "([^"]{1,200})"', text)
            if found is None:
                raise GatewayProblem(text[:200] or "No answer", passes=False)
            return found[1]
        case "kannel":
            return ""
        case "twilio":
            return _named(text, "sid")
        case "android":
            return _named(text, "id")
    wanted = dialect.answer_id
    if wanted.startswith("re:"):
        found = re.search(wanted[3:], text[:2_048])
        return (found[1] if found.re.groups else found[0])[:LONGEST_ANSWER_ID] if found else ""
    return _named(text, wanted) if wanted else ""


def _named(text: str, path: str) -> str:
    """What stands under a path of names in JSON; empty for nothing."""
    try:
        value: Any = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return ""
    for name in path.split("."):
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, Mapping):
            value = value.get(name)
        else:
            return ""
    return str(value)[:LONGEST_ANSWER_ID] if isinstance(value, str | int) else ""


def callback_fields(query: Mapping[str, str], body: bytes) -> dict[str, str]:
    """The fields of a callback, from its address and its body: form or JSON, one level flat.
    Raises ValueError."""
    fields: dict[str, str] = {}
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            raise ValueError("not JSON") from None
        inner = value.get("payload")
        for one in (value, inner if isinstance(inner, dict) else {}):
            for key, told in one.items():
                if isinstance(told, str | int):
                    fields.setdefault(str(key).lower(), str(told))
        if isinstance(inner, dict) and "messageId" in inner:
            fields["id"] = str(inner["messageId"])
    else:
        for key, told in parse_qsl(text, keep_blank_values=True, max_num_fields=100):
            fields.setdefault(key.lower(), told)
    for key, told in query.items():
        fields[f"query.{key.lower()}"] = told
        fields.setdefault(key.lower(), told)
    return fields


def read_callback(fields: Mapping[str, str], preset: str) -> Receipt | Inbound | None:
    """What a gateway tells: about a message of ours, or one from a phone. None for neither."""
    status = next(
        (found for name in _STATES if (found := state_of(fields.get(name, ""), preset))), ""
    )
    named = _first(fields, _IDS)
    ours = fields.get("query.id", "")
    if status and (named or ours):
        return Receipt(status, named, ours)
    source, content = number_of(_first(fields, _SOURCES)), _first(fields, _TEXTS)
    if not source or not content:
        return None
    target = _first(fields, _TARGETS)
    return Inbound(source, number_of(target) or target[:20], content, named)


def _first(fields: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((fields[name] for name in names if fields.get(name)), "")[:2_000]
