"""What a reader came for: the code to type, or the link to press.

`extract` is our finder (`codes`, `links`). `contract_code` is the one that existing clients know
(mailbox-api §9.9), kept as it is described there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from mailbox_service.core.codes import FoundCode, find_codes, is_date
from mailbox_service.core.html_text import html_to_text, text_and_links
from mailbox_service.core.links import Link, bare_links, choose_links

__all__ = ["Extraction", "FoundCode", "Link", "contract_code", "contract_metadata", "extract"]


@dataclass(frozen=True, slots=True)
class Extraction:
    """The best code and the best link come first; either may be empty."""

    found_codes: tuple[FoundCode, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes alone."""
        return tuple(found.code for found in self.found_codes)


def extract(subject: str, text: str, html: str) -> Extraction:
    """Codes and links of one message; `text` and `html` as `parsing.parse` gives them."""
    found: list[tuple[str, str]] = []
    html_words = ""
    if html:
        html_words, found = text_and_links(html)
    codes = find_codes(subject, text) if text.strip() else ()
    if not codes:
        codes = find_codes(subject, html_words)
    return Extraction(codes, choose_links(found + bare_links(text)))


_DELIMITER = r"\s*+(?:(?:[:：是为]|is|です)\s*+)++"
_WORD = r"(?<![A-Za-z0-9])code(?![A-Za-z0-9])"
_CODE_WORDS = (
    r"(?:verification\s+code|confirm(?:ation)?\s+code|security\s+code|passcode|OTP|pin\s+code"
    r"|验证码|认证码|确认码|認証コード|인증\s?코드|코드)"
)
_DIGITS = r"(\d{4,12})(?![A-Za-z0-9])"
_LETTERS = r"([A-Za-z0-9]{4,12})(?![A-Za-z0-9])"
_CONTRACT = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        _WORD + _DELIMITER + _DIGITS,
        _CODE_WORDS + _DELIMITER + _DIGITS,
        _WORD + _DELIMITER + _LETTERS,
        _CODE_WORDS + _DELIMITER + _LETTERS,
        rf"(?<![A-Za-z0-9]){_DIGITS}",
    )
)
MAX_CONTRACT_TEXT = 100_000  # characters


def contract_code(content: str) -> str | None:
    """The code by the rules of the contract: named digits, named characters, then any digits.

    Named characters are a code when one is a digit or all are capitals: `code is below` is none.
    """
    content = content[:MAX_CONTRACT_TEXT]
    for pattern in _CONTRACT:
        for match in pattern.finditer(content):
            code = match[1]
            if not is_date(code) and (not code.isalpha() or code.isupper()):
                return code
    return None


def contract_metadata(text: str, html: str, extracted_at: str) -> str | None:
    """The `metadata` of a stored message, or None when nothing is found.

    `extracted_at` is the time as ISO 8601 in UTC.
    """
    code = contract_code(text if text.strip() else html_to_text(html))
    if code is None:
        return None
    extract = {"type": "auth_code", "result": code, "result_text": ""}
    return json.dumps({"ai_extract": extract, "extracted_at": extracted_at}, ensure_ascii=False)
