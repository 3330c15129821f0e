"""Reading the header section of a message, strictly and from its bytes (RFC 5322 §2.2).

Signing, submission and reports must agree with every later reader about where a field ends, so
there is one reader for them, and it refuses what could be read in two ways.
"""

from __future__ import annotations

import re

from mailbox_service.core.errors import BadContent

# Postfix cuts a header field at 102,400 octets (`header_size_limit`); a whole section of that
# size has room for 1,000 recipients in To, each of 100 octets.
MAX_HEADER_SECTION = 102_400
# What was accepted with that size has room left for the trace fields and signatures of its way.
MAX_READ_SECTION = MAX_HEADER_SECTION + 32_768

# Name, colon, value, then continuation lines. RFC 5322 §4.5 lets spaces stand before the colon; a
# reader that missed such a From would let it pass unchecked. Nothing is ever tried twice
# (possessive), and only at the start of a line, so no input takes more than one look per octet.
_FIELD = re.compile(rb"^(([!-9;-~]++)[ \t]*+:(?:[^\r\n]*+\r\n[ \t])*+[^\r\n]*+\r\n)", re.MULTILINE)
_find_fields = _FIELD.findall
_starts_like_field = re.compile(rb"[!-9;-~]++[ \t]*+:").match

Field = tuple[bytes, bytes]
"""The name in lower case, and the whole field as it stands, folded, with its line end."""


def read_fields(content: bytes) -> tuple[list[Field], int]:
    """The header fields of a message in their order, and where the header section ends.

    Content from that offset on is the empty line and the body. Raises BadContent when a line is
    no field, ends with a bare CR or LF, or when the section is too long to be one.
    """
    if content.startswith(b"\r\n"):
        return [], 0
    end = content.find(b"\r\n\r\n", 0, MAX_READ_SECTION + 4) + 2
    if end < 2:
        if len(content) > MAX_READ_SECTION:
            raise BadContent(f"The header section is longer than {MAX_READ_SECTION} octets")
        end = len(content)
    section = content[:end]
    found = _find_fields(section)
    # What the expression had to skip is not a field.
    if sum([len(raw) for raw, _ in found]) != end:
        raise BadContent("The header section contains a line that is not a header field")
    return [(name.lower(), raw) for raw, name in found], end


def has_fields(content: bytes) -> bool:
    """Whether the content begins like a header field, and so means to have a header section."""
    return _starts_like_field(content, 0, MAX_READ_SECTION) is not None


def unfolded_value(raw: bytes) -> str:
    """A field's value on one line (RFC 5322 §2.2.3). Octets that are not UTF-8 become surrogates,
    which no address and no header field of ours may contain."""
    value = raw.partition(b":")[2].replace(b"\r\n", b"")
    return value.strip(b" \t").decode("utf-8", "surrogateescape")
