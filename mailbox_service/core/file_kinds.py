"""What a file holds that somebody wants to import, told by how it begins."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

Kind = Literal["mbox", "eml", "jsonl", "sql", "kv"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# How much of a file must be seen; a JSON line is told by its keys, which come before the mail.
HEAD = 65_536
MAIL_KINDS: frozenset[Kind] = frozenset(("mbox", "eml", "jsonl"))

_SQL = re.compile(rb"(?:--|/\*|PRAGMA\b|BEGIN\b|CREATE\b|INSERT\b|REPLACE\b|DROP\b|DELETE\b)", re.I)
_MAIL_KEY = re.compile(rb'"(?:raw|raw_base64)"\s*:')
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")


def kind_of(head: bytes) -> Kind | None:
    """The kind of a file that begins with `head`; None when it is none of these."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"From "):
        return "mbox"
    if text.startswith(b"["):
        return "kv"
    if text.startswith(b"{"):
        return "jsonl" if is_mail_row(text) else "kv"
    if _FIELD.match(text):
        return "eml"
    return "sql" if _SQL.match(text) else None


def is_mail_row(text: bytes) -> bool:
    """Whether the first line is a mail as JSON, rather than keys and values."""
    line, ended, _ = text.partition(b"\n")
    try:
        return bool({"raw", "raw_base64"} & set(msgspec.json.decode(line, type=dict[str, object])))
    except msgspec.DecodeError:
        # A line longer than what was read: its keys decide.
        return not ended and _MAIL_KEY.search(line) is not None
