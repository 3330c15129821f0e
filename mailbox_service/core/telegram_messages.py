"""A mail as the bot shows it: plain text, so that nothing in it is markup (mailbox-api §13.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mailbox_service.core.parsing import ParsedMessage, PartInfo
from mailbox_service.core.telegram_texts import SAYINGS, say
from mailbox_service.core.texts import Language

MOST_CONTENT = 1_000  # characters of the text part (§13.3)
MOST_VALUE, MOST_SHOWN = 600, 120  # of an extraction (§13.3)
# Of a line of the head. With all of the above it stays below the 4096 of a message.
MOST_LINE = 400
GROUP = 6  # files of one media group (§13.3)
LARGEST_FILE = 50 << 20  # octets (§13.3)
# A mail has more files only to be a nuisance: five calls to the Bot API.
MOST_FILES = 30


def mail_text(
    parsed: ParsedMessage,
    recipient: str,
    received_at: datetime,
    language: Language,
    *,
    extract: Mapping[str, Any] | None = None,
) -> str:
    """What is shown of a mail: what was extracted from it, its head, and how its text begins."""
    blocks = [*extraction_block(extract, language)]
    blocks.append(
        "\n".join(
            (
                f"From: {line(parsed.sender)}",
                f"To: {line(recipient)}",
                f"Date: {received_at:%Y-%m-%d %H:%M:%S} UTC",
                f"Subject: {line(parsed.subject)}",
                f"Content:\n{content(parsed.text, language)}",
            )
        )
    )
    return "\n\n".join(blocks)


def line(value: str) -> str:
    """A value on one line, cut where it is too long."""
    return " ".join(value.replace("\0", "").split())[:MOST_LINE]


def content(text: str, language: Language) -> str:
    """The text part, cut, with a word about what is missing."""
    text = text.replace("\0", "").strip()
    if not text:
        return say("no_content", language)
    if len(text) <= MOST_CONTENT:
        return text
    return f"{text[:MOST_CONTENT]}\n…\n{say('cut', language)}"


def extraction_block(extract: Mapping[str, Any] | None, language: Language) -> list[str]:
    """Label and value of what was found in a mail; nothing when nothing was."""
    if not extract:
        return []
    kind, value = str(extract.get("type", "")), str(extract.get("result", "")).strip()
    if kind not in SAYINGS or not value:
        return []
    shown = line(str(extract.get("result_text", "")))[:MOST_SHOWN]
    label = say(kind, language)
    return [
        f"{label}: {shown}\n{value[:MOST_VALUE]}" if shown else f"{label}: {value[:MOST_VALUE]}"
    ]


def extract_in(metadata: str | None) -> Mapping[str, Any] | None:
    """The extraction in a mail's metadata (§9.9)."""
    try:
        found = json.loads(metadata or "null")
    except (ValueError, RecursionError):
        return None
    extract = found.get("ai_extract") if isinstance(found, dict) else None
    return extract if isinstance(extract, dict) else None


def file_groups(attachments: Sequence[PartInfo]) -> list[tuple[PartInfo, ...]]:
    """The files of a mail in the groups in which they are sent; too large ones are left out."""
    sent = [part for part in attachments if 0 < part.size <= LARGEST_FILE][:MOST_FILES]
    return [tuple(sent[at : at + GROUP]) for at in range(0, len(sent), GROUP)]
