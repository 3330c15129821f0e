"""Lines as they may leave a host: ended by CRLF and by nothing else, and none too long."""

from __future__ import annotations

import re

from mailbox_service.core.mime import lines_fit

# RFC 5321 §4.5.3.1.6, without the CRLF; broken a little earlier, as the rest gets a space.
LONGEST_LINE = 998
BROKEN_LINE = 990

_line_end = re.compile(rb"\r\n|\r|\n")
_long_line = re.compile(rb"[^\r\n]{999,}")
_piece = re.compile(rb"[^\r\n]{1,%d}" % BROKEN_LINE)


class SafeLines(bytes):
    """Content without bare CR and LF, by those who looked: nobody need look again."""

    __slots__ = ()


def with_crlf(content: bytes) -> bytes:
    """Content whose lines all end with CRLF; a bare CR or LF was a line end, too."""
    ends = content.count(b"\r\n")
    if content.count(b"\n") != ends or content.count(b"\r") != ends:
        return _line_end.sub(b"\r\n", content)
    return content


def safe_lines(content: bytes) -> bytes:
    """Lines that end with CRLF and have at most 998 octets (RFC 5321 §2.3.8, §4.5.3.1.6).

    A longer line is broken, and goes on behind a space, as Postfix does it: a header field is
    only folded by that, and a body stays readable where the next hop might cut or refuse it.
    """
    content = with_crlf(content)
    if not lines_fit(content, LONGEST_LINE):
        content = _long_line.sub(lambda line: b"\r\n ".join(_piece.findall(line[0])), content)
    return content
