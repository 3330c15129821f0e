"""What a model of the operator's is asked about a mail, and what of its answer is believed.

A mail may try to talk a model into anything, so an answer counts only as far as the mail itself
bears it out: a code must stand in the subject or the text, a link must be one of the mail's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from mailbox_service.core.codes import MAX_CODES
from mailbox_service.core.html_text import html_to_text, text_and_links
from mailbox_service.core.links import MAX_LABEL, MAX_LINKS, bare_links, host_of
from mailbox_service.core.parsing import ParsedMessage
from mailbox_service.core.stored import StoredSummary

RULE = "model"
# Characters that leave the house (mailbox-api §9.9: the first 4000 of the content).
MAX_TEXT = 4_000
MAX_SUBJECT = 1_000
MAX_SENDER = 500
# Characters of a mail that an answer is held against; further down no code stands.
MAX_HELD_AGAINST = 100_000
SHORTEST_CODE, LONGEST_CODE = 3, 64
# What an answer is worth that does not say how sure it is.
UNSAID = 0.5
_GAP = "[ \t\xa0\u2009\u202f-]?"
_GAPS = re.compile(r"[ -]+")
_is_digits = re.compile(r"[0-9](?:[ -]?[0-9])+").fullmatch


class BadAnswer(Exception):
    """An answer that is none, or that the mail does not bear out; the text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A mail as a model sees it, and as its answer is held against it."""

    sender: str
    subject: str
    text: str
    links: dict[str, str]

    def question(self) -> bytes:
        """The JSON that is posted: `from`, `subject`, `text`, within bounds."""
        told = {
            "from": self.sender[:MAX_SENDER],
            "subject": self.subject[:MAX_SUBJECT],
            "text": self.text[:MAX_TEXT],
        }
        return json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Told:
    """What is believed of an answer. `links` are (url, label)."""

    code: str | None
    links: tuple[tuple[str, str], ...]
    confidence: float

    def __bool__(self) -> bool:
        return self.code is not None or bool(self.links)


def asked(parsed: ParsedMessage) -> Asked | None:
    """What is asked about a mail; None when it has no words."""
    text = parsed.text if parsed.text.strip() else html_to_text(parsed.html)
    if not text.strip() and not parsed.subject.strip():
        return None
    found = bare_links(parsed.text)
    if parsed.html:
        found = text_and_links(parsed.html)[1] + found
    links: dict[str, str] = {}
    for url, label in found:
        if host_of(url) is not None:
            links.setdefault(url, label[:MAX_LABEL])
    return Asked(parsed.sender.strip(), parsed.subject, text, links)


def told(mail: Asked, answer: str) -> Told:
    """What is believed of an answer `{code, links, confidence}`, all of which may be absent or
    null. Raises BadAnswer when it has another form or says what the mail does not."""
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        raise BadAnswer("no JSON, or too much of it") from None
    if not isinstance(said, dict):
        raise BadAnswer("no object")
    return Told(
        _code(mail, said.get("code")),
        _links(mail, said.get("links")),
        _confidence(said.get("confidence")),
    )


def _code(mail: Asked, code: Any) -> str | None:
    if code is None or code == "":
        return None
    if not isinstance(code, str):
        raise BadAnswer("code is no text")
    typed: str = code.strip()
    if _is_digits(typed):  # as a reader types it, and as the rules give it
        typed = _GAPS.sub("", typed)
    if not SHORTEST_CODE <= len(typed) <= LONGEST_CODE or not typed.isprintable():
        raise BadAnswer("code has the wrong length or unprintable characters")
    if not any(_stands_in(typed, words[:MAX_HELD_AGAINST]) for words in (mail.subject, mail.text)):
        raise BadAnswer("code does not stand in the mail")
    return typed


def _stands_in(code: str, words: str) -> bool:
    """Whether a text has a code, and not as a part of something longer; digits also with gaps
    between them, as mails write them to be read."""
    joined = _GAP.join(code) if code.isdigit() and code.isascii() else re.escape(code)
    return re.search(rf"(?<![A-Za-z0-9]){joined}(?![A-Za-z0-9])", words) is not None


def _links(mail: Asked, links: Any) -> tuple[tuple[str, str], ...]:
    if links is None:
        return ()
    if not isinstance(links, list) or len(links) > MAX_LINKS:
        raise BadAnswer("links is no list, or too long")
    believed: dict[str, str] = {}
    for link in links:
        if not isinstance(link, str) or link not in mail.links:
            raise BadAnswer("a link is none of the mail's")
        believed[link] = mail.links[link]
    return tuple(believed.items())


def _confidence(sure: Any) -> float:
    if sure is None:
        return UNSAID
    if isinstance(sure, bool) or not isinstance(sure, int | float):
        raise BadAnswer("confidence is no number")
    if not 0 <= sure <= 1:  # what is not a number at all is neither
        raise BadAnswer("confidence is not from 0 to 1")
    return round(float(sure), 2)


@dataclass(frozen=True, slots=True)
class Findings:
    """Codes and links with their marks, the surest first, as a summary keeps them."""

    codes: tuple[str, ...]
    code_marks: tuple[dict[str, Any], ...]
    links: tuple[dict[str, Any], ...]


def joined(by_rule: StoredSummary, said: Told) -> Findings:
    """What rules and model found together. What both found has the greater confidence; at equal
    confidence the model comes first."""
    codes: dict[str, dict[str, Any]] = {}
    if said.code is not None:
        codes[said.code] = {"confidence": said.confidence, "rule": RULE}
    for code, mark in zip(by_rule.codes, by_rule.code_marks, strict=False):
        if code not in codes or codes[code]["confidence"] < mark["confidence"]:
            codes[code] = mark
    links: dict[str, dict[str, Any]] = {
        url: {
            "url": url,
            "text": label,
            "host": host_of(url) or "",
            "confidence": said.confidence,
            "rule": RULE,
        }
        for url, label in said.links
    }
    for link in by_rule.links:
        known = links.get(link["url"])
        if known is None or known["confidence"] < link["confidence"]:
            links[link["url"]] = link
    best = sorted(codes.items(), key=lambda item: -item[1]["confidence"])[:MAX_CODES]
    return Findings(
        tuple(code for code, _ in best),
        tuple(mark for _, mark in best),
        tuple(sorted(links.values(), key=lambda link: -link["confidence"])[:MAX_LINKS]),
    )


def record(said: Told, extracted_at: str) -> str:
    """The `metadata` of a stored message (mailbox-api §9.9) from what a model told: its code,
    else its first link. `extracted_at` is the time as ISO 8601 in UTC."""
    if said.code is not None:
        extract = {"type": "auth_code", "result": said.code, "result_text": ""}
    else:
        url, label = said.links[0]
        extract = {"type": "auth_link", "result": url, "result_text": label}
    return json.dumps({"ai_extract": extract, "extracted_at": extracted_at}, ensure_ascii=False)
