"""Replies of remote servers, bounded, and made safe to store and to show.

A reply is text from a stranger: it is read with a limit, and cleaned (`core.delivery`) before it
reaches a log, a page or a report.
"""

from __future__ import annotations

import re
from functools import lru_cache

from mailbox_service.core.delivery import Reply

# RFC 5321 §4.5.3.1.5 allows 512 octets a line; some servers send URLs of more.
MAX_LINE = 4_096
# Some EHLO replies have thirty lines. A server that sends more than this a reply wants memory.
MAX_REPLY = 32_768
# Longer lines are read anew each time.
SHORT_LINE = 200
_line = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL).fullmatch


class BadReply(Exception):
    """Not a reply of SMTP, or one without end; `before` are the replies that came before it."""

    def __init__(self, what: str, before: list[Reply] | None = None) -> None:
        super().__init__(what)
        self.before = before or []


# Servers say the same few things over and over.
@lru_cache(maxsize=512)
def reply_of(code: int, text: str) -> Reply:
    """A remote's reply, safe to store and to show."""
    return Reply.read(code, text)


def printable(text: str) -> str:
    """A remote's or a library's text on one line, without controls, cut to a length."""
    return Reply.read(0, text).text


@lru_cache(maxsize=512)
def known(line: bytes) -> Reply | None:
    """The reply that is one line, without its line end; None for any other line."""
    found = _line(line)
    if found is None or found[2] == b"-":
        return None
    return reply_of(int(found[1]), (found[3] or b"").decode("utf-8", "replace"))


class ReplyReader:
    """Makes replies out of what arrives, holding never more than one bounded reply."""

    __slots__ = ("_buffer", "_code", "_lines", "_size")

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[bytes] = []
        self._code = 0
        self._size = 0

    def feed(self, data: bytes) -> list[Reply]:
        """The replies that are complete now. Raises BadReply."""
        if self._buffer:
            data = self._buffer + data
        lines = data.split(b"\n")
        self._buffer = lines.pop()
        replies: list[Reply] = []
        for line in lines:
            if line.endswith(b"\r"):
                line = line.rstrip(b"\r")
            reply = None
            if not self._lines and len(line) <= SHORT_LINE:
                reply = known(line)
            if reply is None:
                try:
                    reply = self._take(line)
                except BadReply as error:
                    raise BadReply(str(error), replies) from None
            if reply is not None:
                replies.append(reply)
        if len(self._buffer) > MAX_LINE:
            raise BadReply("a reply line without end", replies)
        return replies

    def _take(self, line: bytes) -> Reply | None:
        found = _line(line)
        if found is None or len(line) > MAX_LINE:
            raise BadReply("a line that is no reply")
        self._size += len(line)
        if self._size > MAX_REPLY:
            raise BadReply("a reply without end")
        code = int(found[1])
        if self._lines and code != self._code:
            raise BadReply("a reply with two codes")
        self._code = code
        self._lines.append(found[3] or b"")
        if found[2] == b"-":
            return None
        text = b"\n".join(self._lines).decode("utf-8", "replace")
        self._lines = []
        self._size = 0
        return reply_of(code, text)
