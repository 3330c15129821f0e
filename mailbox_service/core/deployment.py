"""The rows and keys of an existing deployment (mailbox-api §8) in our own words.

What is read here comes out of a file: a value of the wrong form becomes none, a row without what
makes it one is BadRow, and nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailbox_service.core.auto_reply import AutoReply
from mailbox_service.core.compose import Draft, NamedAddress, compose
from mailbox_service.core.dump import Row, Value
from mailbox_service.core.errors import MailError
from mailbox_service.core.packing import BadPacking, unpack
from mailbox_service.core.transfer import MovedMail, as_address, as_text, wire_date

# One mail of another store; more is no mail.
LARGEST_MAIL = 1 << 28
LARGEST_ID = (1 << 63) - 1
# A setting is a list or an object of some kilobytes; a page of HTML in one is possible.
LARGEST_SETTING = 4 << 20  # octets

MAILS, SENDBOX = "raw_mails", "sendbox"
SMALL_TABLES = frozenset(
    (
        *("address", "auto_reply_mails", "address_sender", "settings"),
        *("users", "users_address", "user_roles", "user_passkeys"),
    )
)
BIG_TABLES = frozenset((MAILS, SENDBOX))

# Settings that are kept under the names that they had (§8.2).
KEPT_SETTINGS = frozenset(
    (
        *("address_block_list", "send_block_list", "verified_address_list"),
        *("no_limit_send_address_list", "email_rule_settings", "address_creation_settings"),
        *("send_mail_limit_config", "user_settings", "oauth2_settings", "role_address_config"),
        *("auto_cleanup", "ip_blacklist_settings", "ai_extract_settings"),
    )
)
# Keys of the key-value store that are settings here (§8.3).
KEY_SETTINGS = {
    "temp-mail-email-black-list": "from_block_list",
    "temp-mail-webhook-settings": "webhook_settings",
    "temp-mail-webhook-admin-mail-settings": "mail_webhook_settings",
    "temp-mail-telegram-settings": "telegram_settings",
}
WEBHOOK_KEY = "temp-mail-webhook-user-settings:"
LANGUAGE_KEY = "temp-mail-telegram:lang:"
TELEGRAM_KEY = "temp-mail-telegram:"
ADMIN_KEY = "admin-config:"
_COUNT_KEY = re.compile(
    r"send_mail_limit_count:(?:daily:(\d{4}-\d{2}-\d{2})|monthly:(\d{4}-\d{2}))", re.ASCII
)
# Codes and counters that end by themselves within a day.
_FLEETING = re.compile(r"temp-mail:.+@.+|limit\|")


class BadRow(Exception):
    """A row without what makes it one; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class OldAddress:
    """An opened address. `digest` is the hash that clients send; times are microseconds UTC."""

    id: int
    name: str
    address: str
    digest: str | None
    source_meta: str | None
    created_at: int | None
    updated_at: int | None


@dataclass(frozen=True, slots=True)
class OldSent:
    """A record of the sendbox (§10.8), and what can be made of it again."""

    id: int
    address: str
    record: str
    created_at: int | None
    draft: Draft


@dataclass(frozen=True, slots=True)
class OldUser:
    """An account; without digest it came by a provider of sign-in."""

    id: int
    email: str
    digest: str | None
    user_info: str | None
    created_at: int | None
    updated_at: int | None


@dataclass(frozen=True, slots=True)
class OldPasskey:
    """A passkey of an account."""

    user_id: int
    passkey_id: str
    name: str
    credential: dict[str, Any]
    counter: int
    created_at: int | None


def text_of(row: Row, column: str) -> str | None:
    """A column as text; None where it is null or missing."""
    value = row.get(column)
    if value is None:
        return None
    return as_text(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def id_of(row: Row, column: str = "id") -> int:
    """A column as a row id. Raises BadRow."""
    value = row.get(column)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bytes) and value.isdigit() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or not 0 < value < LARGEST_ID:
        raise BadRow(f"{column} is no id")
    return value


def time_of(row: Row, column: str) -> int | None:
    """A column as a time in microseconds UTC."""
    return wire_date(text_of(row, column))


def needed(row: Row, column: str) -> str:
    """A column that must hold some text. Raises BadRow."""
    text = text_of(row, column)
    if not text:
        raise BadRow(f"{column} is empty")
    return text


def address_of(row: Row) -> OldAddress:
    """A row of `address`. Raises BadRow."""
    name = needed(row, "name")
    return OldAddress(
        id_of(row),
        name.strip(),
        as_address(name),
        text_of(row, "password") or None,
        text_of(row, "source_meta"),
        time_of(row, "created_at"),
        time_of(row, "updated_at"),
    )


def mail_of(row: Row) -> MovedMail:
    """A row of `raw_mails`; the compressed form comes before the text. Raises BadRow."""
    return MovedMail(
        content=octets_of(row.get("raw"), row.get("raw_blob")),
        address=as_address(needed(row, "address")),
        reverse_path=text_of(row, "source") or "",
        received_at=time_of(row, "created_at"),
        metadata=text_of(row, "metadata") or None,
    )


def octets_of(raw: Value, packed: Value) -> bytes:
    """The octets of a mail. Raises BadRow when its compressed form is spoiled."""
    if isinstance(packed, bytes) and packed:
        try:
            return unpack(packed, most=LARGEST_MAIL)
        except BadPacking as error:
            if not isinstance(raw, bytes) or not raw:
                raise BadRow(f"raw_blob cannot be unpacked: {error}") from None
    return raw if isinstance(raw, bytes) else b""


def allowance_of(row: Row) -> tuple[str, int, bool, int | None]:
    """A row of `address_sender`: address, balance, enabled, when. Raises BadRow."""
    balance = row.get("balance")
    number = int(balance) if isinstance(balance, int | float) else 0
    return (
        as_address(needed(row, "address")),
        min(max(number, 0), LARGEST_ID),
        bool(row.get("enabled")),
        time_of(row, "created_at"),
    )


def auto_reply_of(row: Row) -> tuple[str, AutoReply]:
    """A row of `auto_reply_mails`. Raises BadRow."""
    return as_address(needed(row, "address")), AutoReply(
        subject=text_of(row, "subject") or "",
        message=text_of(row, "message") or "",
        enabled=bool(row.get("enabled")),
        source_prefix=text_of(row, "source_prefix") or "",
        name=text_of(row, "name") or "",
    )


def sent_of(row: Row) -> OldSent:
    """A row of `sendbox`. The record stays as it is, without the token that old ones hold.
    Raises BadRow."""
    raw = text_of(row, "raw") or ""
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        record = {}
    if "token" in record:
        del record["token"]
        raw = json.dumps(record, ensure_ascii=False)
    address = needed(row, "address")
    return OldSent(
        id_of(row),
        as_address(address),
        raw,
        time_of(row, "created_at"),
        draft_of(record, address),
    )


def draft_of(record: Mapping[str, Any], address: str) -> Draft:
    """What was sent, out of either form of the record (§10.8)."""

    def text(name: str, source: Mapping[str, Any] = record) -> str:
        value = source.get(name)
        return as_text(value) if isinstance(value, str) else ""

    if isinstance(record.get("personalizations"), list):
        return legacy_draft(record, address)
    content = text("content")
    is_html = bool(record.get("is_html"))
    return Draft(
        sender=NamedAddress(address, one_line(text("from_name"))),
        to=(NamedAddress(text("to_mail"), one_line(text("to_name"))),),
        subject=one_line(text("subject")),
        text=None if is_html else content,
        html=content if is_html else None,
    )


def legacy_draft(record: Mapping[str, Any], address: str) -> Draft:
    """What was sent, out of the record that the reference once wrote."""
    people = [
        to
        for one in record["personalizations"]
        if isinstance(one, dict) and isinstance(one.get("to"), list)
        for to in one["to"]
        if isinstance(to, dict) and isinstance(to.get("email"), str)
    ]
    parts = record.get("content")
    bodies = {
        str(part.get("type")): as_text(str(part.get("value") or ""))
        for part in (parts if isinstance(parts, list) else [])
        if isinstance(part, dict)
    }
    sender = record.get("from")
    name = sender.get("name") if isinstance(sender, dict) else ""
    return Draft(
        sender=NamedAddress(address, one_line(as_text(str(name or "")))),
        to=tuple(
            NamedAddress(as_text(to["email"]), one_line(as_text(str(to.get("name") or ""))))
            for to in people[:100]
        ),
        subject=one_line(as_text(str(record.get("subject") or ""))),
        text=bodies.get("text/plain"),
        html=bodies.get("text/html"),
    )


def one_line(text: str) -> str:
    """Text for a header field: controls are spaces (hazard 43)."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text).strip()


def content_of(sent: OldSent, *, message_id: str, date: datetime) -> bytes:
    """A message as it may have been sent: the reference kept the request alone. One that cannot
    be composed any more is empty; its record is there all the same."""
    draft = sent.draft
    if draft.text is None and draft.html is None:
        draft = Draft(sender=draft.sender, to=draft.to, subject=draft.subject, text="")
    try:
        return compose(draft, message_id=message_id, date=date)
    except MailError:
        return b""


def user_of(row: Row) -> OldUser:
    """A row of `users`. Raises BadRow."""
    return OldUser(
        id_of(row),
        needed(row, "user_email"),
        text_of(row, "password") or None,
        text_of(row, "user_info") or None,
        time_of(row, "created_at"),
        time_of(row, "updated_at"),
    )


def passkey_of(row: Row) -> OldPasskey:
    """A row of `user_passkeys`. Raises BadRow."""
    try:
        credential = json.loads(text_of(row, "passkey") or "")
    except (ValueError, RecursionError):
        credential = None
    if not isinstance(credential, dict) or not isinstance(credential.get("publicKey"), str):
        raise BadRow("passkey holds no public key")
    counter = row.get("counter")
    return OldPasskey(
        id_of(row, "user_id"),
        needed(row, "passkey_id"),
        text_of(row, "passkey_name") or "",
        credential,
        counter if isinstance(counter, int) and 0 <= counter < 1 << 32 else 0,
        time_of(row, "created_at"),
    )


def setting_of(key: str, text: str) -> tuple[str, Any] | None:
    """The name and value under which a setting is kept here; None for one that is not.

    Raises BadRow when it is no JSON.
    """
    if key.startswith(ADMIN_KEY):
        return key, text
    if key not in KEPT_SETTINGS:
        return None
    return key, json_of(key, text)


def count_of(key: str, text: str) -> tuple[str, int] | None:
    """The period and the number of a counter of sent mail; None for any other setting."""
    match = _COUNT_KEY.fullmatch(key)
    if match is None or not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    return (f"day:{match[1]}" if match[1] else f"month:{match[2]}"), int(text)


def json_of(key: str, value: Any) -> Any:
    """A value of the settings table or of the key-value store. Raises BadRow."""
    if not isinstance(value, str):
        return value
    if len(value) > LARGEST_SETTING:
        raise BadRow(f"{key} is larger than {LARGEST_SETTING} characters")
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise BadRow(f"{key} is no JSON") from None


def is_fleeting(key: str) -> bool:
    """Whether a key of the key-value store is a code or a counter that ends by itself."""
    return _FLEETING.match(key) is not None


def keys_of(document: Any) -> dict[str, Any]:
    """The keys of a dump of a key-value store: an object of values by key, or a list of objects
    with `key` (or `name`) and `value`. Raises BadRow for anything else."""
    if isinstance(document, dict) and not {"key", "value"} <= set(document):
        return {str(key): value for key, value in document.items()}
    found: dict[str, Any] = {}
    for entry in document if isinstance(document, list) else [document]:
        key = entry.get("key", entry.get("name")) if isinstance(entry, dict) else None
        if not isinstance(key, str) or "value" not in entry:
            raise BadRow("an entry has no key and value")
        found[key] = entry["value"]
    return found
