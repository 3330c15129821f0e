"""Whose mail is looked through for codes, when an administrator says so (mailbox-api §9.9)."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from mailbox_service.core.patterns import fits_wildcards


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
        return any(subject == entry or fits_wildcards(entry, subject) for entry in entries)


def read_extract_list(stored: Any) -> ExtractList:
    """Settings as far as they make sense; else all mailboxes."""
    try:
        return msgspec.convert(stored, ExtractList)
    except msgspec.ValidationError:
        return ExtractList()
