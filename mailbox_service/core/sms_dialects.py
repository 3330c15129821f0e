"""What SMS gateways speak that are reached over HTTP: the request that hands a message over, the
answer, and the callbacks by which they tell more (sending-api §11).

The dialects are tables here; the requests are made elsewhere.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from mailbox_service.core.sms import (
    GatewayProblem,
    Inbound,
    Outgoing,
    Receipt,
    is_gsm,
    number_of,
    state_of,
)
from mailbox_service.core.webhook import HttpAnswer, HttpRequest

# Names under which callbacks carry the same things.
_IDS = ("id", "gateway_id", "message_id", "messageid", "messagesid", "smssid", "sid", "msgid")
_STATES = ("message_status", "messagestatus", "status", "state", "dlr", "event")
_SOURCES = ("from", "source", "sender", "phonenumber", "msisdn", "source_addr")
_TARGETS = ("to", "destination", "recipient", "receiver", "destination_addr")
_TEXTS = ("text", "content", "message", "body", "payload_text")

LONGEST_ANSWER_ID = 200

Preset = Literal["", "kannel", "jasmin", "twilio", "android"]


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


@dataclass(frozen=True, slots=True)
class _Told:
    """What a gateway is told, and in which form; `basic`: with the login as HTTP Basic."""

    method: str
    form: str
    values: Mapping[str, Any]
    basic: bool = False


def _kannel(dialect: HttpDialect, message: Outgoing, callback: str) -> _Told:
    values = {
        "username": dialect.username,
        "password": dialect.password,
        "from": message.sender,
        "to": message.destination,
        "text": message.content,
        "charset": "UTF-8",
        "coding": "0" if is_gsm(message.content) else "2",
        "dlr-mask": "31",
        "dlr-url": f"{callback}&status=%d",
    }
    return _Told("GET", "query", values, dialect.basic)


def _jasmin(dialect: HttpDialect, message: Outgoing, callback: str) -> _Told:
    plain = is_gsm(message.content)
    values = {
        "username": dialect.username,
        "password": dialect.password,
        "from": message.sender,
        "to": message.destination,
        "content": message.content,
        "coding": "0" if plain else "8",
        "dlr": "yes",
        "dlr-level": "3",
        "dlr-method": "POST",
        "dlr-url": callback,
    }
    if not plain:
        values["hex-content"] = values.pop("content").encode("utf-16-be").hex()
    return _Told("POST", "form", values, dialect.basic)


def _twilio(_: HttpDialect, message: Outgoing, callback: str) -> _Told:
    values = {
        "To": message.destination,
        "From": message.sender,
        "Body": message.content,
        "StatusCallback": callback,
    }
    return _Told("POST", "form", values, basic=True)


def _android(_: HttpDialect, message: Outgoing, callback: str) -> _Told:
    values = {
        "id": message.id,
        "textMessage": {"text": message.content},
        "phoneNumbers": [message.destination],
    }
    return _Told("POST", "json", values, basic=True)


def _as_configured(dialect: HttpDialect, message: Outgoing, callback: str) -> _Told:
    names = dialect.fields or {"to": "to", "from": "from", "text": "text", "id": "id"}
    known = {
        "to": message.destination,
        "from": message.sender,
        "text": message.content,
        "id": message.id,
        "username": dialect.username,
        "password": dialect.password,
        "callback": callback,
    }
    values = {name: known[key] for key, name in names.items() if key in known and name}
    return _Told(dialect.method.upper(), dialect.format, values, dialect.basic)


_DIALECTS: Mapping[str, Callable[[HttpDialect, Outgoing, str], _Told]] = {
    "": _as_configured,
    "kannel": _kannel,
    "jasmin": _jasmin,
    "twilio": _twilio,
    "android": _android,
}


def request_for(dialect: HttpDialect, message: Outgoing, callback: str) -> HttpRequest:
    """The request that hands a message to a gateway; `callback` is where it tells of it."""
    told = _DIALECTS[dialect.preset](dialect, message, f"{callback}&id={message.id}")
    url, body = dialect.url, b""
    headers: list[tuple[str, str]] = []
    if told.form == "query" or told.method == "GET":
        url += ("&" if "?" in url else "?") + _encoded(told.values)
    elif told.form == "form":
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
        body = _encoded(told.values).encode()
    else:
        headers.append(("Content-Type", "application/json"))
        body = json.dumps(told.values, ensure_ascii=False).encode()
    if told.basic:
        login = f"{dialect.username}:{dialect.password}".encode()
        headers.append(("Authorization", "Basic " + base64.b64encode(login).decode()))
    host = (urlsplit(url).hostname or "").lower()
    return HttpRequest(url, host, told.method, tuple(headers), body)


def _encoded(values: Mapping[str, Any]) -> str:
    return urlencode({key: one for key, one in values.items() if one != ""})


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
        if found is None:
            return ""
        # A group that is optional may have taken no part.
        return (found[1] or "" if found.re.groups else found[0])[:LONGEST_ANSWER_ID]
    return _named(text, wanted) if wanted else ""


def _named(text: str, path: str) -> str:
    """What stands under a path of names in JSON; empty for nothing."""
    try:
        value: Any = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return ""
    for name in path.split("."):
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
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
