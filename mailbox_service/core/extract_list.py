"""Whose mail is looked through for codes, when an administrator says so (mailbox-api §9.9)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
import regex
from msgspec import Struct

# A pattern with many stars on a long address; honest ones take microseconds.
TIME_LIMIT = 0.05  # seconds
LONGEST_ENTRY = 254  # characters: an address (RFC 5321 §4.5.3.1)


class ExtractList(Struct, frozen=True, kw_only=True, rename="camel"):
    """All mailboxes, unless the list is on and has entries: addresses, with `*` for any text."""

    enable_allow_list: bool = False
    allow_list: list[str] = []

    def allows(self, address: str) -> bool:
        """Whether mail of an address, in any case, is looked through."""
        entries = [entry.strip().lower() for entry in self.allow_list if entry.strip()]
        if not self.enable_allow_list or not entries:
            return True
        subject = address.lower()
        return any(subject == entry or _matches(entry, subject) for entry in entries)


def _matches(entry: str, subject: str) -> bool:
    if "*" not in entry or len(entry) > LONGEST_ENTRY:
        return False
    try:
        return _pattern(entry).fullmatch(subject, timeout=TIME_LIMIT) is not None
    except TimeoutError:
        return False


@lru_cache(maxsize=256)
def _pattern(entry: str) -> regex.Pattern[str]:
    """The pattern of an entry, in which nothing but `*` has a meaning."""
    return regex.compile(".*".join(regex.escape(part) for part in entry.split("*")), regex.DOTALL)


def read_extract_list(stored: Any) -> ExtractList:
    """Settings as far as they make sense; else all mailboxes."""
    try:
        return msgspec.convert(stored, ExtractList)
    except msgspec.ValidationError:
        return ExtractList()
