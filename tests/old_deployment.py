"""A simulator of an existing deployment's data: its ten tables (mailbox-api §8.1) as SQL dumps in
the forms in which people have them, and its key-value store."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import sqlite3
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any, Literal

SECRET = "the secret that the deployment always had"

# Columns in the order of a deployment that grew: what came later stands at the end.
SCHEMA = """
CREATE TABLE raw_mails (
    id INTEGER PRIMARY KEY, message_id TEXT, source TEXT, address TEXT, raw TEXT,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP, metadata TEXT, raw_blob BLOB);
CREATE INDEX idx_raw_mails_address ON raw_mails(address);
CREATE TABLE address (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    password TEXT, source_meta TEXT);
CREATE TABLE auto_reply_mails (
    id INTEGER PRIMARY KEY, source_prefix TEXT, name TEXT, address TEXT UNIQUE, subject TEXT,
    message TEXT, enabled INTEGER DEFAULT 1, created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE address_sender (
    id INTEGER PRIMARY KEY, address TEXT UNIQUE, balance INTEGER DEFAULT 0,
    enabled INTEGER DEFAULT 1, created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE sendbox (
    id INTEGER PRIMARY KEY, address TEXT, raw TEXT, created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE settings (
    key TEXT PRIMARY KEY, value TEXT, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE users (
    id INTEGER PRIMARY KEY, user_email TEXT UNIQUE NOT NULL, password TEXT NOT NULL,
    user_info TEXT, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE users_address (
    id INTEGER PRIMARY KEY, user_id INTEGER, address_id INTEGER UNIQUE,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE user_roles (
    id INTEGER PRIMARY KEY, user_id INTEGER UNIQUE NOT NULL, role_text TEXT NOT NULL,
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP, updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE user_passkeys (
    id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, passkey_name TEXT, passkey_id TEXT,
    passkey TEXT, counter INTEGER DEFAULT 0, created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE UNIQUE INDEX idx_user_passkeys ON user_passkeys(user_id, passkey_id);
"""

WEBHOOK = {"enabled": True, "url": "https://h.test/", "method": "POST", "headers": "{}", "body": ""}
PASSKEY = {
    "id": "cHJvb2Y",
    "publicKey": "pQECAyYgASFYIA",
    "counter": 3,
    "deviceType": "singleDevice",
    "backedUp": False,
}
RECORD = {
    "version": "v2",
    "from_name": "Ann",
    "to_name": "Bob",
    "to_mail": "bob@else.test",
    "subject": "Grüße",
    "content": "<b>hello</b>",
    "is_html": True,
    "token": "eyJ.secret.token",
    "geoData": {"ip": "192.0.2.1"},
}
LEGACY_RECORD = {
    "personalizations": [{"to": [{"email": "eve@else.test", "name": "Eve"}]}],
    "from": {"email": "ann@old.test", "name": "Ann"},
    "subject": "long ago",
    "content": [{"type": "text/plain", "value": "old words"}],
}


def digest(plain: str) -> str:
    """What clients send for a typed password."""
    return hashlib.sha256(plain.encode()).hexdigest()


def token(address: str, address_id: int | str | None, secret: str = SECRET) -> str:
    """A token as the deployment made it."""

    def part(octets: bytes) -> bytes:
        return urlsafe_b64encode(octets).rstrip(b"=")

    claims: dict[str, Any] = {"address": address}
    if address_id is not None:
        claims["address_id"] = address_id
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(claims).encode())
    return (signed + b"." + part(hmac.digest(secret.encode(), signed, "sha256"))).decode()


def raw_mail(number: int) -> bytes:
    """One old mail: every third has characters, quotes and lines that dumps must quote."""
    extra = 'it\'s; "quoted" -- 中文 😀\r\n' if number % 3 == 0 else ""
    return (
        f"From: Shop <shop@s.test>\r\nSubject: letter {number}\r\nMessage-ID: <{number}@s.test>\r\n"
        f"\r\n{extra}Your verification code is {100_000 + number}.\r\n"
    ).encode()


class OldDeployment:
    """Data of a deployment; `dump` writes it down."""

    def __init__(self, *, addresses: int = 3, mails: int = 20, gzipped: int = 5) -> None:
        self.database = sqlite3.connect(":memory:")
        self.database.executescript(SCHEMA)
        self.addresses = {number: f"box{number}@old.test" for number in range(1, addresses + 1)}
        self.mails: dict[int, tuple[str, bytes]] = {}
        self._fill_accounts()
        for number in range(1, mails + 1):
            packed = number > mails - gzipped
            self.add_mail(number * 2, 1 + number % addresses, raw_mail(number), packed=packed)

    def __enter__(self) -> OldDeployment:
        return self

    def __exit__(self, *_: object) -> None:
        self.database.close()

    def insert(self, table: str, **values: object) -> None:
        """One row."""
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        self.database.execute(
            f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values())
        )

    def add_mail(self, number: int, box: int, raw: bytes, *, packed: bool) -> None:
        """One mail, as text or compressed."""
        address = self.addresses.get(box, f"nobody{box}@old.test")
        self.mails[number] = (address, raw)
        self.insert(
            "raw_mails",
            id=number,
            message_id=f"<{number}@s.test>",
            source="bounce@s.test",
            address=address,
            raw=None if packed else raw.decode(),
            raw_blob=gzip.compress(raw) if packed else None,
            metadata='{"ai_extract":{"type":"auth_code"}}' if number == 2 else None,
            created_at=f"2025-03-01 10:{number // 60 % 60:02d}:{number % 60:02d}",
        )

    def _fill_accounts(self) -> None:
        when = "2025-02-01 08:00:00"
        for number, name in self.addresses.items():
            self.insert(
                "address",
                id=number,
                name=name,
                password=digest(f"password {number}"),
                source_meta="192.0.2.7",
                created_at=when,
                updated_at=when,
            )
        self.insert("users", id=4, user_email="Ann@mail.test", password=digest("ann"),
                    user_info='{"a":1}', created_at=when, updated_at=when)  # fmt: skip
        self.insert("users", id=9, user_email="by-provider@mail.test", password="")
        self.insert("user_roles", user_id=4, role_text="vip")
        self.insert("users_address", user_id=4, address_id=2)
        self.insert("user_passkeys", user_id=4, passkey_name="laptop", passkey_id="cHJvb2Y",
                    passkey=json.dumps(PASSKEY), counter=3)  # fmt: skip
        self.insert("address_sender", address="box1@old.test", balance=7, enabled=1)
        self.insert("address_sender", address="box2@old.test", balance=0, enabled=0)
        self.insert("auto_reply_mails", address="box1@old.test", name="Ann", subject="away",
                    message="I am; 'away'", source_prefix="", enabled=1)  # fmt: skip
        self.insert("sendbox", id=5, address="box1@old.test", raw=json.dumps(RECORD),
                    created_at="2025-03-02 00:00:00")  # fmt: skip
        self.insert("sendbox", id=6, address="box1@old.test", raw=json.dumps(LEGACY_RECORD))
        self.insert("sendbox", id=8, address="box2@old.test", raw="no JSON at all")
        for key, value in (
            ("db_version", "v0.0.7"),
            ("address_block_list", '["admin","root"]'),
            ("send_block_list", "[]"),
            ("email_rule_settings", '{"blockReceiveUnknowAddressEmail":false}'),
            ("user_settings", '{"enable":true,"maxAddressCount":9}'),
            ("send_mail_limit_count:daily:2025-03-02", "12"),
            ("send_mail_limit_count:monthly:2025-03", "40"),
            ("admin-config:d1_storage_plan", "free"),
            ("ai_extract_settings", "{no JSON"),
            ("what_is_this", "1"),
        ):
            self.insert("settings", key=key, value=value)

    @property
    def keys(self) -> dict[str, Any]:
        """The key-value store."""
        return {
            "temp-mail-email-black-list": '["spam@"]',
            "temp-mail-webhook-settings": '{"enableAllowList":true,"allowList":["box1@old.test"]}',
            "temp-mail-webhook-admin-mail-settings": json.dumps(WEBHOOK),
            "temp-mail-webhook-user-settings:box1@old.test": json.dumps(WEBHOOK),
            "temp-mail-telegram:box1@old.test": "777",
            "temp-mail-telegram:777": json.dumps([token("box1@old.test", 1), "not.a.token"]),
            "temp-mail-telegram:lang:777": "zh",
            "temp-mail:someone@else.test": "123456",
            "limit|192.0.2.1|2025-03-01": "4",
            "other-program": "x",
        }

    def dump(self, file: Path, form: Literal["sqlite", "hosted", "old shell"] = "sqlite") -> Path:
        """Write the tables down as the SQLite shell does, as a hosted SQLite exports them, or as
        shells did that wrote line ends as calls."""
        if form == "sqlite":
            text = "\n".join(self.database.iterdump()) + "\n"
        else:
            text = "".join(self._statements(form))
        file.write_text(text, encoding="utf-8", newline="")
        return file

    def _statements(self, form: str) -> Any:
        yield "PRAGMA defer_foreign_keys=TRUE;\n"
        for name, sql in self.database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall():
            yield f"{sql};\n"
            found = self.database.execute(f"SELECT * FROM {name} ORDER BY rowid")
            columns = [column[0] for column in found.description]
            head = ",".join(f'"{column}"' for column in columns)
            for row in found.fetchall():
                values = ",".join(quoted(value, form) for value in row)
                yield f'INSERT INTO "{name}" ({head}) VALUES({values});\n'
        yield "DELETE FROM sqlite_sequence;\nINSERT INTO sqlite_sequence VALUES('address',3);\n"

    def dump_keys(self, file: Path, form: Literal["object", "list", "lines"] = "object") -> Path:
        """Write the keys down."""
        entries = [{"key": key, "value": value} for key, value in self.keys.items()]
        file.write_text(
            {
                "object": json.dumps(self.keys),
                "list": json.dumps(entries),
                "lines": "".join(json.dumps(entry) + "\n" for entry in entries),
            }[form]
        )
        return file


def quoted(value: object, form: str) -> str:
    """A value as a literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, int | float):
        return str(value)
    text = "'" + str(value).replace("'", "''") + "'"
    if form == "old shell" and "\n" in text:
        text = text.replace("\r", "\\r").replace("\n", "\\n")
        return f"replace(replace({text},'\\r',char(13)),'\\n',char(10))"
    return text
