"""Sentences that a page may say in another language."""

from __future__ import annotations

from msgspec import Struct

from mailbox_service.core.told import Told


class ToldRow(Struct, frozen=True):
    """What a sentence of the same answer says: a stable code, and what is filled in. Values whose
    name ends with `_seconds` say how far ahead something lies; `n` decides between singular and
    plural."""

    code: str
    values: dict[str, str | int]


def told_row(sentence: Told) -> ToldRow:
    """The wire form of a sentence."""
    return ToldRow(sentence.code, dict(sentence.values))
